//! Locks of dead holders, and locks whose holders cannot be checked.

use super::{Check, Findings, quoted};
use crate::lock::{census::Sighting, holder::State};
use std::path::Path;

pub fn check(sightings: &[Sighting], findings: &mut Findings) {
    for sighting in sightings {
        let target = sighting.info.as_ref().and_then(|info| info.target.as_deref());
        let place = target.unwrap_or(&sighting.level.dir);
        match &sighting.state {
            State::Alive => {}
            State::Dead(_) => {
                let what = format!(
                    "a stale lock, {}; the next process that locks the file takes it over",
                    sighting.described()
                );
                findings.note(Check::Locks, what, Some(place), "file-lock cleanup");
            }
            State::Unknown(_) => {
                let what = format!(
                    "a lock that counts as held, {}; check there whether its holder is alive, and release the lock if not",
                    sighting.described()
                );
                let named = target.unwrap_or(Path::new(sighting.id.as_str()));
                let remedy = format!("file-lock release --force {}", quoted(named));
                findings.problem(Check::Locks, what, Some(place), remedy);
            }
        }
    }
    if findings.is_clean(Check::Locks) {
        let what = match sightings.len() {
            0 => "no lock is held".to_owned(),
            1 => "one lock, and its holder is alive".to_owned(),
            more => format!("{more} locks, and their holders are alive"),
        };
        findings.ok(Check::Locks, what, None);
    }
}
