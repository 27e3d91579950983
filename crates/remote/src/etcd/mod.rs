//! etcd, through its JSON gateway over HTTP/1.1, which gets out of sandboxes that let nothing else out.
//!
//! A document lies under its key, byte for byte. Beside it: `KEY.writes`, the ids of the last writes; `KEY.lock/LEASE`, those who
//! hold or wait for its lock, the one that lined up first being the holder; `KEY.inside/LEASE/…`, the same within a hold; and
//! `KEY.bak`, `KEY.bak.2` and so on.
//!
//! Every request can be sent twice without being done twice: a transaction compares revisions that it changes, a lease has
//! a number of our choosing. So a request without an answer is sent again, to the next member of the cluster.

mod documents;
pub mod health;
mod keys;
pub mod locks;
mod wire;

use crate::{
    Moment,
    access::{Access, Login},
    address::Place,
    engine::Error,
    http::{Client, Lost},
};
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    thread,
    time::Duration,
};

/// So long one member may take to answer a small request; a larger one gets more.
const PATIENCE: Duration = Duration::from_secs(4);

/// Between two rounds through all members.
const PAUSE: Duration = Duration::from_millis(100);

/// A cluster, seen by one user.
pub struct Cluster {
    name: String,
    client: Client,
    /// The beginnings of the members' URLs.
    members: Vec<String>,
    /// The member that answered last.
    preferred: Cell<usize>,
    login: Login,
    token: RefCell<Option<String>>,
}

/// What came of a request that was sent until somebody answered.
struct Reply {
    value: Value,
    /// Whether it may have been done by an attempt before the one that was answered.
    is_repeated: bool,
}

/// Why nothing came of it.
enum Fault {
    /// Nobody answered; `sent` says whether somebody may have got it.
    Silence { sent: bool, why: String },
    /// gRPC's code, and the words.
    Answer { code: u64, why: String },
}

/// The codes of gRPC that are told apart here.
mod code {
    /// Not one of gRPC's: it is no etcd that answers.
    pub const NO_ETCD: u64 = 0;
    pub const CANCELLED: u64 = 1;
    pub const UNKNOWN: u64 = 2;
    pub const INVALID_ARGUMENT: u64 = 3;
    pub const DEADLINE_EXCEEDED: u64 = 4;
    pub const PERMISSION_DENIED: u64 = 7;
    pub const RESOURCE_EXHAUSTED: u64 = 8;
    pub const FAILED_PRECONDITION: u64 = 9;
    pub const ABORTED: u64 = 10;
    pub const INTERNAL: u64 = 13;
    pub const UNAVAILABLE: u64 = 14;
    pub const UNAUTHENTICATED: u64 = 16;
}

impl Cluster {
    /// The cluster that an address names.
    ///
    /// # Panics
    /// The address is none of etcd's.
    pub fn new(access: &Access) -> Result<Self, Error> {
        let Place::Etcd { in_the_clear, members } = &access.address.place else {
            unreachable!("the caller has looked at the place")
        };
        let client = Client::new(&access.trust, *in_the_clear).map_err(Error::Misconfigured)?;
        let scheme = if *in_the_clear { "http" } else { "https" };
        Ok(Cluster {
            name: access.address.place.to_string(),
            client,
            members: members.iter().map(|member| format!("{scheme}://{member}")).collect(),
            preferred: Cell::new(0),
            login: access.login.clone(),
            token: RefCell::new(None),
        })
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a request that can be repeated, and turns what nothing came of into an error. `None` if it may have been done.
    fn ask(&self, path: &str, body: &Value, until: Moment) -> Result<Value, Error> {
        self.send(path, body, PATIENCE, until).map(|reply| reply.value).map_err(|fault| self.error(fault))
    }

    /// Sends a request, to one member after the other, until somebody answers.
    fn send(&self, path: &str, body: &Value, patience: Duration, until: Moment) -> Result<Reply, Fault> {
        let text = body.to_string();
        // As if the line took 100 KB a second.
        let patience = patience + Duration::from_millis((text.len() / 100) as u64);
        let (mut sent, mut tries, mut renewed) = (false, 0, false);
        loop {
            let member = &self.members[self.preferred.get() % self.members.len()];
            let limit = patience.min(until.left()).max(Duration::from_millis(500));
            let attempt = self.headers(member, limit).and_then(|headers| {
                self.client
                    .send("POST", &format!("{member}{path}"), &headers, text.as_bytes(), limit)
                    .map_err(|lost| match lost {
                        Lost::Unsent(why) => Fault::Silence { sent: false, why },
                        Lost::Unanswered(why) => Fault::Silence { sent: true, why },
                    })
                    .and_then(|answer| understood(answer.status, &answer.body))
            });
            let why = match attempt {
                Ok(value) => return Ok(Reply { value, is_repeated: sent }),
                // Tokens are forgotten when a member starts anew.
                Err(Fault::Answer { code: code::UNAUTHENTICATED, .. }) if !renewed && self.token.take().is_some() => {
                    renewed = true;
                    continue;
                }
                Err(Fault::Answer { code, why }) if is_passing(code, &why) => {
                    sent = true;
                    why
                }
                Err(Fault::Silence { sent: maybe, why }) => {
                    sent |= maybe;
                    why
                }
                Err(fault) => return Err(fault),
            };
            tries += 1;
            self.preferred.set((self.preferred.get() + 1) % self.members.len());
            if until.has_passed() {
                return Err(Fault::Silence { sent, why });
            }
            if tries % self.members.len() == 0 {
                thread::sleep(PAUSE.min(until.left()));
            }
        }
    }

    /// The headers of a request, with the token of the user, which is fetched when first needed.
    fn headers(&self, member: &str, limit: Duration) -> Result<Vec<(&'static str, String)>, Fault> {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        let Login::User { name, password, .. } = &self.login else { return Ok(headers) };
        if self.token.borrow().is_none() {
            let body = json!({ "name": name, "password": password }).to_string();
            let answer =
                self.client.send("POST", &format!("{member}/v3/auth/authenticate"), &headers, body.as_bytes(), limit);
            // It changes nothing, whether it was answered or not.
            let answer = answer.map_err(|lost| Fault::Silence { sent: false, why: lost.why() })?;
            match understood(answer.status, &answer.body) {
                Ok(value) => {
                    let token = value.get("token").and_then(Value::as_str).unwrap_or_default();
                    self.token.replace(Some(token.to_owned()));
                }
                // It takes anybody.
                Err(Fault::Answer { code: code::FAILED_PRECONDITION, why }) if why.contains("not enabled") => {
                    self.token.replace(Some(String::new()));
                }
                Err(Fault::Answer { code, why }) if is_passing(code, &why) => {
                    return Err(Fault::Silence { sent: false, why });
                }
                Err(fault) => return Err(fault),
            }
        }
        if let Some(token) = self.token.borrow().as_deref().filter(|token| !token.is_empty()) {
            headers.push(("authorization", token.to_owned()));
        }
        Ok(headers)
    }

    fn error(&self, fault: Fault) -> Error {
        let engine = self.name.clone();
        match fault {
            Fault::Silence { why, .. } => Error::Unreachable { engine, why },
            Fault::Answer { code, why } => {
                let is_refusal = matches!(code, code::PERMISSION_DENIED | code::UNAUTHENTICATED)
                    || code == code::INVALID_ARGUMENT
                        && ["authentication failed", "user name is empty"].iter().any(|text| why.contains(text));
                match code {
                    _ if is_refusal => Error::Refused { engine, source: self.login.source(), why },
                    code::RESOURCE_EXHAUSTED if why.contains("space exceeded") => Error::Failed {
                        engine,
                        why: format!(
                            "{why}: it is full and takes no writes; its administrator has to compact it (etcdctl compact), \
                             defragment it, and disarm the alarm; with --auto-compaction-retention it does not come to this"
                        ),
                    },
                    _ => Error::Failed { engine, why },
                }
            }
        }
    }
}

/// What an answer says.
fn understood(status: u16, body: &[u8]) -> Result<Value, Fault> {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    match (status, value) {
        (200, Some(value)) => Ok(value),
        (_, Some(value)) if value.get("code").is_some() => {
            let code = value.get("code").and_then(Value::as_u64).unwrap_or_default();
            let text = |name: &str| value.get(name).and_then(Value::as_str);
            let why = text("message").or_else(|| text("error")).unwrap_or("no reason given");
            Err(Fault::Answer { code, why: why.strip_prefix("etcdserver: ").unwrap_or(why).to_owned() })
        }
        // A proxy that could not get through, or did not wait for the end.
        (status @ 500.., _) => Err(Fault::Silence { sent: true, why: format!("HTTP status {status}") }),
        (status, _) => Err(Fault::Answer {
            code: code::NO_ETCD,
            why: format!(
                "it does not answer as etcd does (HTTP status {status}); is this etcd, and not a proxy before it?"
            ),
        }),
    }
}

/// Whether the cluster only cannot do it now: it has no leader, or another one, or was too slow.
fn is_passing(code: u64, why: &str) -> bool {
    // Unknown and internal errors are those of a member that has just lost its leader or is about to stop: "raft proposal
    // dropped", say.
    let passing =
        [code::CANCELLED, code::UNKNOWN, code::DEADLINE_EXCEEDED, code::ABORTED, code::INTERNAL, code::UNAVAILABLE];
    passing.contains(&code) || why.contains("leader changed") || why.contains("too many requests")
}
