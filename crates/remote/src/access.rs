//! The way to an engine: `remotes.json`, the environment, and the commands that print secrets.

use crate::{
    address::{Address, Malformed, Place, checked_endpoint},
    engine::Error,
    http::Trust,
};
use serde_json::{Map, Value, json};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// The file of short names, in the base directory.
pub const REMOTES: &str = "remotes.json";

/// So long a lease lasts of which nothing is heard.
const LEASE: Duration = Duration::from_secs(15);

/// The environment, as far as it is about engines.
pub type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// All that is needed to speak to an engine about a document.
#[derive(Clone, Debug)]
pub struct Access {
    pub address: Address,
    pub trust: Trust,
    pub login: Login,
    /// How long a lease of a lock lasts of whose holder nothing is heard.
    pub lease: Duration,
}

/// The identity of a client to an engine.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// Anonymous.
    Nobody,
    /// A user of etcd.
    User { name: String, password: String, source: String },
    /// A key of a store.
    Key { id: String, secret: String, token: Option<String>, source: String },
}

impl Access {
    /// As JSON, secrets and all, for a pipe to a process of our own.
    pub fn encode(&self) -> Value {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let login = match &self.login {
            Login::Nobody => Value::Null,
            Login::User { name, password, source } => json!({ "user": name, "password": password, "source": source }),
            Login::Key { id, secret, token, source } => {
                json!({ "key": id, "secret": secret, "token": token, "source": source })
            }
        };
        json!({
            "address": self.address.to_string(),
            "ca": self.trust.authorities.as_ref().map(path),
            "own": self.trust.own.as_ref().map(|(certificate, key)| [path(certificate), path(key)]),
            "login": login,
            "lease": self.lease.as_secs(),
        })
    }

    /// Reads what [`Access::encode`] wrote.
    pub fn decode(value: &Value) -> Option<Self> {
        let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
        let own = value.get("own").and_then(Value::as_array).map(|paths| {
            let path = |at: usize| PathBuf::from(paths.get(at).and_then(Value::as_str).unwrap_or_default());
            (path(0), path(1))
        });
        let login = value.get("login")?;
        let source = text(login, "source").unwrap_or_default();
        let login = match (text(login, "user"), text(login, "key")) {
            (Some(name), _) => Login::User { name, password: text(login, "password")?, source },
            (None, Some(id)) => Login::Key { id, secret: text(login, "secret")?, token: text(login, "token"), source },
            (None, None) => Login::Nobody,
        };
        Some(Access {
            address: Address::parse(&text(value, "address")?).ok()?,
            trust: Trust { authorities: text(value, "ca").map(PathBuf::from), own },
            login,
            lease: Duration::from_secs(value.get("lease")?.as_u64()?),
        })
    }
}

impl Login {
    /// Where the credentials came from, for messages.
    pub fn source(&self) -> String {
        match self {
            Login::Nobody => "a request without credentials".to_owned(),
            Login::User { name, source, .. } => format!("user '{name}' with the password from {source}"),
            Login::Key { id, source, .. } => format!("key '{id}' from {source}"),
        }
    }
}

/// Without the secrets.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source())
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Error::Misconfigured(malformed.to_string())
    }
}

/// The short names of `remotes.json`, if there is such a file.
pub struct Remotes {
    folder: Option<PathBuf>,
    named: Map<String, Value>,
}

/// What can stand beside a name.
const MEMBERS: [&str; 8] =
    ["url", "ca", "certificate", "key", "user", "password_command", "credentials_command", "lease"];

impl Remotes {
    /// Reads the names in the base directory.
    pub fn in_folder(folder: Option<PathBuf>) -> Result<Self, Error> {
        let none = Remotes { folder: folder.clone(), named: Map::new() };
        let Some(file) = folder.as_ref().map(|folder| folder.join(REMOTES)) else { return Ok(none) };
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(none),
            Err(error) => return Err(wrong(&file, &format!("cannot be read: {error}"))),
        };
        let parsed = serde_json::from_slice(&text).map_err(|error| wrong(&file, &format!("is not JSON: {error}")))?;
        let Value::Object(named) = parsed else { return Err(wrong(&file, "is not an object of names")) };
        for (name, members) in &named {
            let Value::Object(members) = members else {
                return Err(wrong(&file, &format!("has no object behind \"{name}\"")));
            };
            if let Some(member) = members.keys().find(|member| !MEMBERS.contains(&member.as_str())) {
                let known = MEMBERS.join(", ");
                return Err(wrong(&file, &format!("has \"{member}\" in \"{name}\"; there are: {known}")));
            }
        }
        Ok(Remotes { folder, named })
    }

    /// Finds out what a word of the command line names, `NAME:REST` or an address, and how to get there.
    pub fn find(&self, word: &str, variables: &Variables<'_>) -> Result<Access, Error> {
        let mut address = match word.split_once(':').filter(|_| !word.contains("://")) {
            Some((name, rest)) => self.expand(name, rest)?,
            None => Address::parse(word)?,
        };
        let settings = self.longest_match(&address)?;
        if let Some((_, url)) = &settings {
            adopt(&mut address, url);
        }
        let members = settings.map(|(name, _)| (name.clone(), &self.named[name]));
        let text = |member: &str| members.as_ref().and_then(|(_, of)| of.get(member)).and_then(Value::as_str);
        let file = |member: &str| text(member).map(|path| self.path_of(path));
        let trust = Trust {
            authorities: file("ca").or_else(|| variables("SSL_CERT_FILE").map(PathBuf::from)),
            own: file("certificate").zip(file("key")),
        };
        let login = match &address.place {
            Place::Etcd { .. } => self.user(members.as_ref(), variables)?,
            Place::Bucket { .. } => self.key(members.as_ref(), variables)?,
        };
        if let Place::Bucket { region, endpoint, .. } = &mut address.place {
            let first = |names: &[&str]| names.iter().find_map(|name| variables(name));
            *region = region.take().or_else(|| first(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
            if endpoint.is_none() {
                let given = first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]);
                let checked = given.map(checked_endpoint).transpose();
                *endpoint = checked.map_err(|why| Error::Misconfigured(format!("AWS_ENDPOINT_URL {why}")))?;
            }
        }
        let lease = members.as_ref().and_then(|(name, of)| Some((name, of.get("lease")?)));
        let lease = match lease.map(|(name, value)| (name, value.as_u64())) {
            None => LEASE,
            Some((_, Some(seconds))) if (5..=300).contains(&seconds) => Duration::from_secs(seconds),
            Some((name, _)) => {
                return Err(self.wrong(&format!("has a \"lease\" in \"{name}\" that is not between 5 and 300 seconds")));
            }
        };
        Ok(Access { address, trust, login, lease })
    }

    fn expand(&self, name: &str, rest: &str) -> Result<Address, Error> {
        let url = self.named.get(name).and_then(|members| members.get("url")).and_then(Value::as_str);
        let Some(url) = url else {
            let known: Vec<&str> = self.named.keys().map(String::as_str).collect();
            return Err(self.wrong(&format!("has no \"url\" for \"{name}\"; it names: {}", known.join(", "))));
        };
        let base = Address::parse(url)?;
        let rest = Address::parse(&format!("s3://x/{rest}"))?.key;
        let slash = if base.key.is_empty() || base.key.ends_with('/') { "" } else { "/" };
        Ok(Address { key: format!("{}{slash}{rest}", base.key), ..base })
    }

    /// The entry whose address is the longest beginning of this one.
    fn longest_match(&self, address: &Address) -> Result<Option<(&String, Address)>, Error> {
        let mut best: Option<(&String, Address)> = None;
        for (name, members) in &self.named {
            let Some(url) = members.get("url").and_then(Value::as_str) else { continue };
            let url = Address::parse(url)?;
            let is_longer = best.as_ref().is_none_or(|(_, best)| best.key.len() < url.key.len());
            if is_longer && address.key.starts_with(&url.key) && is_at(&address.place, &url.place) {
                best = Some((name, url));
            }
        }
        Ok(best)
    }

    fn user(&self, members: Option<&(String, &Value)>, variables: &Variables<'_>) -> Result<Login, Error> {
        let named = members.and_then(|(name, of)| Some((name, of.get("user")?.as_str()?, of.get("password_command"))));
        if let Some((name, user, command)) = named {
            let (password, source) = match command {
                Some(command) => {
                    let password = self.output_of(name, "password_command", command)?;
                    (password.trim_end_matches(['\n', '\r']).to_owned(), format!("the password_command of \"{name}\""))
                }
                None => match variables("MEMLATCH_ETCD_PASSWORD") {
                    Some(password) => (password, "MEMLATCH_ETCD_PASSWORD".to_owned()),
                    None => return Err(self.wrong(&format!("names a user in \"{name}\", and no \"password_command\""))),
                },
            };
            return Ok(Login::User { name: user.to_owned(), password, source });
        }
        match (variables("MEMLATCH_ETCD_USER"), variables("MEMLATCH_ETCD_PASSWORD")) {
            (Some(name), Some(password)) => {
                Ok(Login::User { name, password, source: "MEMLATCH_ETCD_PASSWORD".to_owned() })
            }
            (Some(_), None) => {
                Err(Error::Misconfigured("MEMLATCH_ETCD_USER is set, and MEMLATCH_ETCD_PASSWORD is not".into()))
            }
            (None, _) => Ok(Login::Nobody),
        }
    }

    fn key(&self, members: Option<&(String, &Value)>, variables: &Variables<'_>) -> Result<Login, Error> {
        let command = members.and_then(|(name, of)| Some((name, of.get("credentials_command")?)));
        if let Some((name, command)) = command {
            let text = self.output_of(name, "credentials_command", command)?;
            let no = |why: &str| self.wrong(&format!("has a \"credentials_command\" in \"{name}\" that prints {why}"));
            let parsed: Value = serde_json::from_str(&text).map_err(|_| no("no JSON"))?;
            let member = |name: &str| parsed.get(name).and_then(Value::as_str).map(str::to_owned);
            let (Some(id), Some(secret)) = (member("AccessKeyId"), member("SecretAccessKey")) else {
                return Err(no("neither AccessKeyId nor SecretAccessKey, as a credential_process of AWS does"));
            };
            let source = format!("the credentials_command of \"{name}\"");
            return Ok(Login::Key { id, secret, token: member("SessionToken"), source });
        }
        match (variables("AWS_ACCESS_KEY_ID"), variables("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => {
                let token = variables("AWS_SESSION_TOKEN");
                Ok(Login::Key { id, secret, token, source: "AWS_ACCESS_KEY_ID".to_owned() })
            }
            _ => Ok(Login::Nobody),
        }
    }

    /// What a command prints that hands out a secret.
    fn output_of(&self, name: &str, member: &str, command: &Value) -> Result<String, Error> {
        let words: Option<Vec<&str>> =
            command.as_array().and_then(|words| words.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        let Some([program, arguments @ ..]) = words.as_deref() else {
            return Err(self.wrong(&format!(
                "has a \"{member}\" in \"{name}\" that is not a list of words: [\"pass\", \"show\", \"etcd\"]"
            )));
        };
        let no_secret = |why: String| Error::Refused {
            engine: format!("\"{name}\" in {REMOTES}"),
            source: format!("its {member}, '{program}'"),
            why,
        };
        let output = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| no_secret(format!("it cannot be run: {error}")))?;
        if !output.status.success() {
            return Err(no_secret(format!("it failed ({})", output.status)));
        }
        String::from_utf8(output.stdout).map_err(|_| no_secret("it prints no text".to_owned()))
    }

    /// Whether there is an entry of that name.
    pub fn has(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    fn path_of(&self, path: &str) -> PathBuf {
        self.folder.as_deref().unwrap_or(Path::new("")).join(path)
    }

    fn wrong(&self, why: &str) -> Error {
        wrong(&self.path_of(REMOTES), why)
    }
}

fn wrong(file: &Path, why: &str) -> Error {
    Error::Misconfigured(format!("'{}' {why}", memlatch_os::paths::shown(file)))
}

/// Whether settings for the engine `there` are meant for `place` too.
fn is_at(place: &Place, there: &Place) -> bool {
    match (place, there) {
        (Place::Bucket { name, endpoint: ours, .. }, Place::Bucket { name: theirs, endpoint, .. }) => {
            name == theirs && (ours.is_none() || ours == endpoint)
        }
        (Place::Etcd { members, in_the_clear }, Place::Etcd { members: theirs, in_the_clear: there }) => {
            in_the_clear == there && members.iter().any(|member| theirs.contains(member))
        }
        _ => false,
    }
}

/// Takes over what an entry says about the engine and the address does not.
fn adopt(address: &mut Address, entry: &Address) {
    match (&mut address.place, &entry.place) {
        (Place::Bucket { region, endpoint, .. }, Place::Bucket { region: there, endpoint: at, .. }) => {
            *region = region.take().or_else(|| there.clone());
            *endpoint = endpoint.take().or_else(|| at.clone());
        }
        (Place::Etcd { members, .. }, Place::Etcd { members: theirs, .. }) => {
            members.extend(theirs.iter().filter(|member| !members.contains(member)).cloned().collect::<Vec<_>>());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remotes(json: &str) -> Remotes {
        let Value::Object(named) = serde_json::from_str(json).expect("JSON") else { panic!("an object") };
        Remotes { folder: Some(PathBuf::from("/base")), named }
    }

    fn nothing(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_longest_beginning_of_an_address_decides() {
        let remotes = remotes(
            r#"{"all": {"url": "etcd+https://h/", "ca": "a.pem"}, "team": {"url": "etcd+https://h/team/", "ca": "b.pem"}}"#,
        );
        let ca = |word: &str| remotes.find(word, &nothing).expect("a way").trust.authorities;
        assert_eq!(ca("etcd+https://h/team/x.json"), Some(PathBuf::from("/base/b.pem")));
        assert_eq!(ca("etcd+https://h/other/x.json"), Some(PathBuf::from("/base/a.pem")));
        assert_eq!(ca("etcd+https://i/team/x.json"), None);
        let access = remotes.find("team:sub/x.json", &nothing).expect("a way");
        assert_eq!(access.address.to_string(), "etcd+https://h:2379/team/sub/x.json");
    }

    #[test]
    fn secrets_come_from_a_command_and_are_never_shown() {
        let remotes = remotes(
            r#"{"t": {"url": "etcd+https://h/", "user": "ci", "password_command": ["echo", "geheim"]},
                "b": {"url": "s3://b/", "credentials_command": ["echo", "{\"AccessKeyId\": \"I\", \"SecretAccessKey\": \"geheim\"}"]}}"#,
        );
        for word in ["t:x.json", "b:x.json"] {
            let access = remotes.find(word, &nothing).expect("a way");
            assert!(format!("{:?}", access.login).contains("command") && !format!("{access:?}").contains("geheim"));
        }
        let Login::User { password, .. } = remotes.find("t:x.json", &nothing).expect("a way").login else { panic!() };
        assert_eq!(password, "geheim");
    }

    #[test]
    fn a_name_that_is_not_there_is_told_with_those_that_are() {
        let error = remotes(r#"{"team": {"url": "s3://b/"}}"#).find("tean:x.json", &nothing).expect_err("no such name");
        assert!(error.to_string().contains("it names: team"), "{error}");
    }
}
