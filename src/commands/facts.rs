//! What is known of a lock, in words and as JSON.

use crate::{
    lock::{
        census::Sighting,
        holder::{self, State},
        info::{Info, utc},
        waiters::Waiters,
    },
    process,
};
use memlatch_os::paths::shown;
use serde_json::{Value, json};
use std::io::{self, Write};

/// The sentence behind `Status: `. A lock whose holder is dead lives on in those inside it.
pub fn status_of(sighting: &Sighting) -> String {
    match (&sighting.state, sighting.inside.as_deref()) {
        (State::Dead(_), Some(inside)) if inside.is_held() => status_of(inside),
        (state, _) => holder::describe(sighting.info.as_ref(), state),
    }
}

/// One word for what is known of the holder.
pub fn state_of(sighting: &Sighting) -> &'static str {
    match sighting.state {
        State::Alive => "active",
        State::Dead(_) => "stale",
        State::Unknown(_) => "unknown",
    }
}

/// For how many seconds the lock has been held. A clock that was set back makes no negative age.
pub fn age_of(info: &Info) -> Option<i64> {
    info.acquired.map(|since| process::wall_clock().saturating_sub(since).max(0))
}

/// One lock as a JSON object; `docs/file-lock.md` lists its members. Who waits is told if it was looked for.
pub fn sighting_as_json(sighting: &Sighting, waiters: Option<&Waiters>) -> Value {
    let mut object = json!({
        "id": sighting.id.as_str(),
        "state": state_of(sighting),
        "status": status_of(sighting),
        "held": sighting.is_held(),
        "inside": sighting.inside.as_deref().map(|inside| sighting_as_json(inside, waiters)),
    });
    let Some(members) = object.as_object_mut() else { unreachable!("the literal above is an object") };
    if let Some(waiters) = waiters {
        members.insert("waiters".to_owned(), waiters.of(sighting).into());
    }
    if let Some(info) = &sighting.info {
        members.extend(info_as_json(info));
        members.insert("age".to_owned(), age_of(info).into());
    }
    object
}

/// The members that tell of the holder.
pub fn info_as_json(info: &Info) -> serde_json::Map<String, Value> {
    let facts = json!({
        "pid": info.pid,
        "acquired": info.acquired.map(utc),
        "hostname": info.host,
        "target": info.target.as_deref().map(shown),
        "kind": info.kind.word(),
        "command": info.command,
        "client": info.client,
        "expires": info.expires.map(utc),
    });
    match facts {
        Value::Object(members) => members,
        _ => unreachable!("the literal above is an object"),
    }
}

/// Prints a JSON value, laid out for people.
pub fn print_json(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    out.write_all(b"\n")
}
