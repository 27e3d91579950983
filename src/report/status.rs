//! The output of `file-lock status`.

use super::{Console, lock};
use crate::{failure::Failure, lock::census::Sighting, outcome::Status, revision::Revision};
use memlatch_os::paths::shown;
use serde_json::json;

/// 0 for a file that is free, 1 for one that is held.
pub fn tell(status: &Status, console: &Console) -> Result<u8, Failure> {
    let Status { target, revision, lock: held, as_json } = status;
    if *as_json {
        console.json(&json!({
            "version": 1,
            "target": shown(target),
            "revision": revision.as_ref().map(Revision::to_string),
            "held": held.is_some(),
            "lock": held.as_ref().map(|sighting| lock::as_json(sighting, None)),
        }))?;
    } else {
        console.data(|out| match held {
            Some(Sighting { info: Some(info), .. }) => writeln!(out, "held by {info}"),
            Some(_) => writeln!(out, "held"),
            None => writeln!(out, "free"),
        })?;
    }
    Ok(u8::from(held.is_some()))
}
