//! Stores that speak S3: a document is an object, and a write is a PUT with a condition.
//!
//! The tag of an object names a content, not a version, and that is enough for documents: who writes over the very content
//! that it has read loses nothing. The ids of the last writes are in the object's metadata, and go where it goes.
//! There are no locks: a bucket has nothing that could refuse a write for another object's sake.

mod sign;

use crate::{
    Moment,
    access::{Access, Login},
    address::{Place, encoded},
    engine::{
        Change, Engine, Error, KEPT_WRITES, Ladder, Landed, Replaced, Seen, Standing, Version, Wanted, judge,
        with_write,
    },
    http::{Answer, Client, Lost},
    random,
};
use std::{thread, time::Duration};

/// So long a store may take to answer a small request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Some stores allow one write a second to one object, and say 429 to the next.
const ONE_A_SECOND: Duration = Duration::from_millis(1100);

const WRITES: &str = "x-amz-meta-memlatch-writes";

/// A bucket, seen by one user.
pub struct Bucket {
    name: String,
    client: Client,
    /// What stands before an object's name.
    url: String,
    host: String,
    /// What stands before it in what is signed.
    path: String,
    region: String,
    login: Login,
}

impl Bucket {
    /// The bucket that an address names.
    ///
    /// # Panics
    /// The address is none of a bucket.
    pub fn new(access: &Access) -> Result<Self, Error> {
        let Place::Bucket { name, region, endpoint } = &access.address.place else {
            unreachable!("the caller has looked at the place")
        };
        let region = region.clone().unwrap_or_else(|| "us-east-1".to_owned());
        let (base, path) = match endpoint {
            Some(endpoint) => (endpoint.clone(), format!("/{name}/")),
            // A certificate for all buckets does not cover a name with dots.
            None if name.contains('.') => (format!("https://s3.{region}.amazonaws.com"), format!("/{name}/")),
            None => (format!("https://{name}.s3.{region}.amazonaws.com"), "/".to_owned()),
        };
        let (scheme, rest) = base.split_once("://").unwrap_or(("https", &base));
        let (host, above) = rest.split_once('/').unwrap_or((rest, ""));
        let path = if above.is_empty() { path } else { format!("/{above}{path}") };
        let client = Client::new(&access.trust, scheme == "http").map_err(Error::Misconfigured)?;
        Ok(Bucket {
            name: access.address.place.to_string(),
            client,
            url: format!("{scheme}://{host}"),
            host: host.to_owned(),
            path,
            region,
            login: access.login.clone(),
        })
    }

    /// Sends one request, once.
    fn send(
        &self,
        method: &str,
        object: &str,
        conditions: &[(&'static str, String)],
        body: &[u8],
        until: Moment,
    ) -> Result<Answer, Lost> {
        let path = format!("{}{}", self.path, encoded(object));
        let mut headers: Vec<(&str, String)> = conditions.to_vec();
        if let Login::Key { id, secret, token, .. } = &self.login {
            let request = sign::Request { method, host: &self.host, path: &path, region: &self.region };
            let key = sign::Key { id, secret, token: token.as_deref() };
            let signed = sign::headers(&request, &headers, body, &key, std::time::SystemTime::now());
            headers.extend(signed);
        }
        if method == "PUT" {
            headers.push(("content-type", "application/json".to_owned()));
        }
        // As if the line took 100 KB a second.
        let patience = PATIENCE + Duration::from_millis((body.len() / 100) as u64);
        let limit = patience.min(until.left()).max(Duration::from_millis(500));
        self.client.send(method, &format!("{}{path}", self.url), &headers, body, limit)
    }

    /// Sends a request that changes nothing, until somebody answers.
    fn get(&self, object: &str, until: Moment) -> Result<Answer, Error> {
        loop {
            let why = match self.send("GET", object, &[], &[], until) {
                Ok(answer) if matches!(answer.status, 200 | 404) => return Ok(answer),
                Ok(answer) if is_passing(answer.status) => {
                    self.pause(&answer, until);
                    format!("HTTP status {}", answer.status)
                }
                Ok(answer) => return Err(self.error(&answer)),
                Err(lost) => {
                    thread::sleep(Duration::from_millis(100).min(until.left()));
                    lost.why()
                }
            };
            if until.has_passed() {
                return Err(Error::Unreachable { engine: self.name.clone(), why });
            }
        }
    }

    /// Waits as long as a store wants one to.
    fn pause(&self, answer: &Answer, until: Moment) {
        let asked = answer.retry_after.map(Duration::from_secs);
        let least = if answer.status == 429 { ONE_A_SECOND } else { Duration::from_millis(50) };
        // Not all at the same moment.
        let jitter = Duration::from_millis(random::number() % 200);
        thread::sleep((asked.unwrap_or(least).max(least) + jitter).min(until.left()));
    }

    fn error(&self, answer: &Answer) -> Error {
        let engine = self.name.clone();
        let (code, message) = told(&answer.body);
        let why = format!("{code}: {message} (HTTP status {})", answer.status);
        match answer.status {
            401 => Error::Refused { engine, source: self.login.source(), why },
            403 => {
                let hint = "; without the right to list the bucket, one that is not there is refused as well";
                let why = if code == "AccessDenied" { format!("{why}{hint}") } else { why };
                Error::Refused { engine, source: self.login.source(), why }
            }
            301 | 307 => Error::Failed {
                engine,
                why: format!("{why}; the bucket is in another region: add ?region=… to the address"),
            },
            501 => Error::Failed {
                engine,
                why: format!("{why}; it does not know conditional writes, so updates would be lost"),
            },
            _ => Error::Failed { engine, why },
        }
    }

    fn seen(&self, answer: Option<Answer>, backups: Vec<Vec<u8>>) -> Seen {
        let known = answer.as_ref().and_then(|answer| answer.writes.as_deref()).map(ids).unwrap_or_default();
        let version =
            Version::Bucket { tag: answer.as_ref().map(|answer| answer.tag.clone().unwrap_or_default()), known };
        Seen { document: answer.map(|answer| answer.body), backups, first: None, version }
    }

    fn backups(&self, key: &str, until: Moment) -> Result<Vec<Vec<u8>>, Error> {
        let mut found = Vec::new();
        loop {
            let answer = self.get(&backup(key, found.len() + 1), until)?;
            if answer.status == 404 {
                return Ok(found);
            }
            found.push(answer.body);
        }
    }

    /// Makes the row of backups, the highest number first, so that a crash leaves one twice and loses none.
    fn shift(&self, key: &str, seen: &Seen, change: &Change<'_>, until: Moment) -> Result<(), Error> {
        if seen.backups.first().map(Vec::as_slice) == seen.document.as_deref() {
            // A write before this one did it, and then lost.
            return Ok(());
        }
        for (place, content) in change.backups.iter().enumerate().rev() {
            loop {
                let why = match self.send("PUT", &backup(key, place + 1), &[], content, until) {
                    Ok(answer) if answer.status == 200 => break,
                    Ok(answer) if is_passing(answer.status) || answer.status == 409 => {
                        self.pause(&answer, until);
                        format!("HTTP status {}", answer.status)
                    }
                    Ok(answer) => return Err(self.error(&answer)),
                    Err(lost) => lost.why(),
                };
                if until.has_passed() {
                    return Err(Error::Unreachable { engine: self.name.clone(), why });
                }
            }
        }
        Ok(())
    }
}

fn backup(key: &str, number: usize) -> String {
    if number == 1 { format!("{key}.bak") } else { format!("{key}.bak.{number}") }
}

fn ids(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|id| !id.is_empty()).take(KEPT_WRITES).map(str::to_owned).collect()
}

/// Whether a store only cannot do it now.
fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// The code and the message of an error.
fn told(body: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(body);
    let within = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0.to_owned())
    };
    (
        within("Code").unwrap_or_else(|| "an error".to_owned()),
        within("Message").unwrap_or_else(|| "no reason given".to_owned()),
    )
}

impl Engine for Bucket {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self, key: &str, wanted: Wanted, _: &Ladder, until: Moment) -> Result<Seen, Error> {
        let answer = self.get(key, until)?;
        if answer.status == 404 && told(&answer.body).0 == "NoSuchBucket" {
            return Err(self.error(&answer));
        }
        let backups = match wanted {
            Wanted::Document => Vec::new(),
            Wanted::Backups => self.backups(key, until)?,
        };
        Ok(self.seen((answer.status == 200).then_some(answer), backups))
    }

    fn replace(
        &self,
        key: &str,
        seen: &Seen,
        change: &Change<'_>,
        _: &Standing,
        until: Moment,
    ) -> Result<Replaced, Error> {
        let Version::Bucket { tag, known } = &seen.version else {
            unreachable!("what was read from a bucket has its version")
        };
        self.shift(key, seen, change, until)?;
        let condition = match tag {
            Some(tag) => ("if-match", tag.clone()),
            None => ("if-none-match", "*".to_owned()),
        };
        let conditions = [condition, (WRITES, with_write(change.id, known).join(","))];
        let mut sent = false;
        loop {
            let why = match self.send("PUT", key, &conditions, change.document, until) {
                Ok(answer) => match answer.status {
                    200 => return Ok(Replaced::Done),
                    // The object is another, or is gone.
                    404 | 412 => return self.changed(key, known, change.id, sent, until),
                    409 => {
                        self.pause(&answer, until);
                        "it is busy with another write".to_owned()
                    }
                    400 | 413 if told(&answer.body).0 == "EntityTooLarge" => {
                        let limit = told(&answer.body).1;
                        return Err(Error::TooLarge { engine: self.name.clone(), size: change.document.len(), limit });
                    }
                    status if is_passing(status) => {
                        // What stands between may say so after the store has done it.
                        sent |= status != 429;
                        self.pause(&answer, until);
                        format!("HTTP status {status}")
                    }
                    _ => return Err(self.error(&answer)),
                },
                Err(lost) => {
                    sent |= matches!(lost, Lost::Unanswered(_));
                    thread::sleep(Duration::from_millis(100).min(until.left()));
                    lost.why()
                }
            };
            if until.has_passed() {
                let engine = self.name.clone();
                return Err(match sent {
                    true => Error::Unknown { engine, id: change.id.to_owned(), why },
                    false => Error::Unreachable { engine, why },
                });
            }
        }
    }

    fn remove(&self, key: &str, until: Moment) -> Result<(), Error> {
        match self.send("DELETE", key, &[], &[], until) {
            Ok(answer) if matches!(answer.status, 200 | 204 | 404) => Ok(()),
            Ok(answer) => Err(self.error(&answer)),
            Err(lost) => Err(Error::Unreachable { engine: self.name.clone(), why: lost.why() }),
        }
    }
}

impl Bucket {
    /// Looks what a write has come to whose condition did not hold: an earlier attempt, whose answer was lost, may be why.
    fn changed(&self, key: &str, before: &[String], id: &str, sent: bool, until: Moment) -> Result<Replaced, Error> {
        let now = self.read(key, Wanted::Document, &Ladder::default(), until)?;
        let after = now.version.known();
        if after.iter().any(|known| known == id) {
            return Ok(Replaced::Done);
        }
        match judge(id, before, after) {
            Landed::Forgotten if sent => Err(Error::Unknown {
                engine: self.name.clone(),
                id: id.to_owned(),
                why: "others have written so often since that it is not on the list of writes any more".to_owned(),
            }),
            _ => Ok(Replaced::Changed { now, in_doubt: false }),
        }
    }
}
