//! Addresses: which document on which engine. Pure.

use std::fmt;

/// What an address begins with.
pub const SCHEMES: [&str; 3] = ["etcd+https://", "etcd+http://", "s3://"];

/// Where etcd listens for clients.
const ETCD_PORT: &str = "2379";

/// A document on an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub place: Place,
    /// The document's name there; for a look at many documents, what their names begin with.
    pub key: String,
}

/// An engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Etcd {
        /// Whether it is spoken to in the clear, which only happens within this machine.
        in_the_clear: bool,
        /// The members of the cluster that can be asked, as `host:port`.
        members: Vec<String>,
    },
    Bucket {
        name: String,
        region: Option<String>,
        /// The store's own address, if it is not Amazon's.
        endpoint: Option<String>,
    },
}

/// An address that names nothing, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    pub address: String,
    pub why: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' {}", without_user(&self.address), self.why)
    }
}

impl std::error::Error for Malformed {}

impl Address {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let wrong = |why: &str| Malformed { address: text.to_owned(), why: why.to_owned() };
        let Some(scheme) = SCHEMES.into_iter().find(|scheme| text.starts_with(scheme)) else {
            return Err(wrong("is not the address of an engine; addresses begin with etcd+https:// or s3://"));
        };
        let rest = &text[scheme.len()..];
        if rest.contains('#') || rest.bytes().any(|byte| byte <= b' ') {
            return Err(wrong("contains '#' or a blank; in an address write %23 or %20"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.contains('@') {
            return Err(wrong(
                "holds a user or password, and everybody on this machine can see a command line; put them into remotes.json \
                 or the environment",
            ));
        }
        if host.is_empty() {
            return Err(wrong("names no host"));
        }
        let key = decoded(path).ok_or_else(|| wrong("holds a % that no two hexadecimal digits follow"))?;
        let place = if scheme == "s3://" {
            bucket(host, query).map_err(|why| wrong(&why))?
        } else {
            if !query.is_empty() {
                return Err(wrong("has options behind '?', and those of etcd stand in remotes.json"));
            }
            cluster(host, scheme == "etcd+http://").map_err(|why| wrong(&why))?
        };
        if let Some(word) = RESERVED.into_iter().find(|word| is_reserved(&key, word)) {
            return Err(wrong(&format!("names what memlatch keeps beside a document ('{word}'), not a document")));
        }
        Ok(Address { place, key })
    }

    /// Whether it can be that of a document.
    pub fn names_document(&self) -> bool {
        !self.key.is_empty() && !self.key.ends_with('/')
    }

    /// Whether both name the same document, as far as addresses tell: one that names more members of a cluster than another
    /// still names the same cluster.
    pub fn is_same(&self, other: &Address) -> bool {
        let same_place = match (&self.place, &other.place) {
            (Place::Etcd { members: ours, .. }, Place::Etcd { members: theirs, .. }) => {
                ours.iter().any(|member| theirs.contains(member))
            }
            (ours, theirs) => ours == theirs,
        };
        same_place && self.key == other.key
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.place, encoded(&self.key))?;
        if let Place::Bucket { region, endpoint, .. } = &self.place {
            let options = [("region", region), ("endpoint", endpoint)];
            let given = options.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
            let given: Vec<String> = given.collect();
            if !given.is_empty() {
                write!(f, "?{}", given.join("&"))?;
            }
        }
        Ok(())
    }
}

/// The engine without any document.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Etcd { in_the_clear, members } => {
                write!(f, "etcd+http{}://{}", if *in_the_clear { "" } else { "s" }, members.join(","))
            }
            Place::Bucket { name, .. } => write!(f, "s3://{name}"),
        }
    }
}

/// The suffixes of the names beside a document.
const RESERVED: [&str; 3] = [".lock/", ".inside/", ".writes"];

fn is_reserved(key: &str, word: &str) -> bool {
    if word.ends_with('/') { key.contains(word) } else { key.ends_with(word) }
}

fn cluster(hosts: &str, in_the_clear: bool) -> Result<Place, String> {
    let mut members = Vec::new();
    for host in hosts.split(',') {
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let name = if has_port { host.rsplit_once(':').map_or(host, |(name, _)| name) } else { host };
        let is_bracketed = name.starts_with('[') && name.ends_with(']');
        if name.is_empty() || name.contains(':') && !is_bracketed {
            return Err(format!("names '{host}', which is not a host with a port, such as memory.example.org:2379"));
        }
        if in_the_clear && !is_this_machine(name) {
            return Err(format!(
                "would send documents and passwords to '{name}' in the clear; etcd+http:// is for this machine alone, write \
                 etcd+https://"
            ));
        }
        members.push(if has_port { host.to_owned() } else { format!("{host}:{ETCD_PORT}") });
    }
    Ok(Place::Etcd { in_the_clear, members })
}

fn bucket(name: &str, query: &str) -> Result<Place, String> {
    let (mut region, mut endpoint) = (None, None);
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (option, value) = option.split_once('=').unwrap_or((option, ""));
        let value = decoded(value).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| format!("has no value behind {option}="))?;
        match option {
            "region" => region = Some(value),
            "endpoint" => endpoint = Some(checked_endpoint(value)?),
            _ => return Err(format!("has the option '{option}', and there are region= and endpoint= alone")),
        }
    }
    Ok(Place::Bucket { name: name.to_owned(), region, endpoint })
}

/// Refuses the address of a store that would be spoken to in the clear.
pub fn checked_endpoint(endpoint: String) -> Result<String, String> {
    let endpoint = endpoint.trim_end_matches('/').to_owned();
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("", &endpoint));
    let host = rest.split('/').next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    match scheme {
        _ if host.contains('@') => Err("has an endpoint with a user or password in it".to_owned()),
        "https" => Ok(endpoint),
        "http" if is_this_machine(name) => Ok(endpoint),
        "http" => {
            Err(format!("would send documents to '{name}' in the clear; its endpoint has to begin with https://"))
        }
        _ => Err("has an endpoint that begins with neither https:// nor http://".to_owned()),
    }
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An address for output: the part before `@` may be a password.
fn without_user(address: &str) -> String {
    match (address.find("://"), address.rfind('@')) {
        (Some(start), Some(end)) if start < end => format!("{}…{}", &address[..start + 3], &address[end..]),
        _ => address.to_owned(),
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The characters that are not escaped, in addresses and signatures alike: RFC 3986's unreserved characters, and `/`.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(address: &str) -> String {
        Address::parse(address).expect_err("a malformed address").to_string()
    }

    #[test]
    fn an_address_is_read_and_shown_as_it_was_written() {
        for text in [
            "etcd+https://a.example:2379,b.example:2380/team/sessions.json",
            "etcd+http://127.0.0.1:2379/x.json",
            "etcd+https://[2001:db8::1]:2379/x.json",
            "s3://bucket/m/sessions.json",
            "s3://bucket/m.json?region=eu-central-1&endpoint=https://store.example",
            "etcd+https://a:1/with%20blank.json",
        ] {
            assert_eq!(Address::parse(text).expect("an address").to_string(), text);
        }
    }

    #[test]
    fn a_member_without_a_port_listens_on_that_of_etcd() {
        let address = Address::parse("etcd+https://one,two:7/k.json").expect("an address");
        assert_eq!(address.to_string(), "etcd+https://one:2379,two:7/k.json");
    }

    #[test]
    fn secrets_and_open_networks_are_refused() {
        let told = why("etcd+https://root:secret@host/x.json");
        assert!(!told.contains("secret") && told.contains("remotes.json"), "{told}");
        assert!(why("etcd+http://10.0.0.1/x.json").contains("in the clear"));
        assert!(why("s3://b/x.json?endpoint=http://store.example").contains("in the clear"));
    }

    #[test]
    fn what_stands_beside_a_document_is_none() {
        assert!(why("etcd+https://h/x.json.writes").contains(".writes"));
        assert!(why("etcd+https://h/x.json.lock/5").contains(".lock/"));
    }

    #[test]
    fn a_cluster_is_known_by_any_of_its_members() {
        let parse = |text| Address::parse(text).expect("an address");
        assert!(parse("etcd+https://a,b/k.json").is_same(&parse("etcd+https://b,c/k.json")));
        assert!(!parse("etcd+https://a/k.json").is_same(&parse("etcd+https://b/k.json")));
        assert!(!parse("etcd+https://a/k.json").is_same(&parse("etcd+https://a/l.json")));
    }
}
