//! One lock, as text and as JSON.

use crate::{
    lock::{census::Sighting, holder::State, info::Info, info::utc, waiters::Waiters},
    process,
};
use memlatch_os::paths::shown;
use serde_json::{Map, Value, json};

/// The state of the holder in one word.
pub fn state_of(sighting: &Sighting) -> &'static str {
    match sighting.state {
        State::Alive => "active",
        State::Dead(_) => "stale",
        State::Unknown(_) => "unknown",
    }
}

/// The seconds for which the lock has been held; not negative, even if the clock was set back.
pub fn age_of(info: &Info) -> Option<u64> {
    info.acquired.map(|since| process::wall_clock().saturating_sub(since).max(0).unsigned_abs())
}

/// The lock as a JSON object; `docs/file-lock.md` lists its members. The number of waiters is included if it was determined.
pub fn as_json(sighting: &Sighting, waiters: Option<&Waiters>) -> Value {
    let mut object = json!({
        "id": sighting.id.as_str(),
        "state": state_of(sighting),
        "status": sighting.described(),
        "held": sighting.is_held(),
        "inside": sighting.inside.as_deref().map(|inside| as_json(inside, waiters)),
    });
    let Some(members) = object.as_object_mut() else { unreachable!("the literal above is an object") };
    if let Some(waiters) = waiters {
        members.insert("waiters".to_owned(), waiters.of(sighting).into());
    }
    if let Some(info) = &sighting.info {
        members.extend(holder_as_json(info));
        members.insert("age".to_owned(), age_of(info).into());
    }
    object
}

/// The members that describe the holder.
pub fn holder_as_json(info: &Info) -> Map<String, Value> {
    let members = json!({
        "pid": info.pid,
        "acquired": info.acquired.map(utc),
        "hostname": info.host,
        "target": info.target.as_deref().map(shown),
        "kind": info.kind.word(),
        "command": info.command,
        "client": info.client,
        "expires": info.expires.map(utc),
    });
    match members {
        Value::Object(members) => members,
        _ => unreachable!("the literal above is an object"),
    }
}
