//! The holds that this process works under, beyond this machine: from the environment, or from its ancestors.

use crate::place::Subject;
use memlatch::settings::Settings;
use memlatch_lock::{
    folder::Folder,
    holder::Here,
    info::{Info, Kind},
};
use memlatch_remote::{
    address::Address,
    engine::{Entry, Ladder, Rung},
};
use std::path::Path;

/// The separator between the address and the holds, in the environment and in the ID of a lock.
const BETWEEN: char = '#';

/// A hold as the environment passes it to processes inside: `ADDRESS#HOLDS`. Holds are separated by commas there.
pub fn token(address: &Address, ladder: &Ladder) -> String {
    format!("{address}{BETWEEN}{}", ladder.encode()).replace(',', "%2C")
}

/// Reads a token, or the ID of a lock.
pub fn read_token(token: &str) -> Option<(Address, Ladder)> {
    let (address, ladder) = token.rsplit_once(BETWEEN)?;
    Some((Address::parse(&address.replace("%2C", ",")).ok()?, Ladder::decode(ladder)?))
}

/// The holds on a document that the environment names.
pub fn told(subject: &Subject, settings: &Settings) -> Ladder {
    let tokens = settings.inside();
    let holds = tokens.iter().filter_map(|token| read_token(token));
    let ours = holds.filter(|(address, _)| address.is_same(subject.address()));
    ours.map(|(_, ladder)| ladder).max_by_key(|ladder| ladder.0.len()).unwrap_or_default()
}

/// Whether the holder of a lock is this process or one of its ancestors, as the shell that has acquired it is.
pub fn is_ours(first: &Entry) -> Option<Rung> {
    let info = Info::decode(&first.info)?;
    let can_be_around = matches!(info.kind, Kind::Lease | Kind::With);
    // Only this machine's processes are examined, so the directory does not matter.
    let here = Here::new(&Folder::at(Path::new("/").to_owned()));
    (can_be_around && here.descends_from(&info)).then_some(Rung { lease: first.lease, created: first.created })
}
