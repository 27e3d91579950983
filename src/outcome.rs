//! What commands give back: what was found or done, as data. [`report`](crate::report) makes words or JSON of it, and the
//! exit status.

pub mod diagnosis;

use crate::{
    lock::{
        Guard,
        census::{Cleaned, Sighting},
        target::LockId,
        waiters::Waiters,
    },
    mcp_entry::Client,
    revision::Revision,
};
use diagnosis::Diagnosis;
use memlatch_jq::value::Value;
use memlatch_merge as merge;
use std::path::PathBuf;

/// The answer of a command that did what it was asked for.
pub enum Outcome {
    /// There is nothing to tell, or all of it was told as it came.
    Nothing,
    /// Data, to be printed as it is.
    Data(Vec<u8>),
    Acquired(Lease),
    Released(Released),
    Ran(Ran),
    Status(Status),
    Locks(Locks),
    Cleaned(Cleanup),
    Values(Values),
    Revision(Revision),
    Written(Written),
    Preview(Preview),
    Merged(Merged),
    Driven(Driven),
    Linked(Linked),
    MergeDriver(MergeDriver),
    ServerEntry(ServerEntry),
    Pages(Pages),
    Diagnosis(Diagnosis),
    /// The other machine, from which this one was seen to keep its locks.
    Proven(String),
}

impl Outcome {
    /// Lets stay what was only lent until it had been told.
    pub fn keep(self) {
        if let Outcome::Acquired(lease) = self {
            lease.guard.leave_lease();
        }
    }
}

/// A lease that ends with this value, unless its ID was told: nobody could ever give it back.
pub struct Lease {
    pub id: LockId,
    pub guard: Guard,
}

/// A lease that was given back.
pub struct Released {
    /// The ID of the lock, where it does not tell which file it was for.
    pub target: PathBuf,
}

/// A command that has run, and ended by itself or by a signal.
pub struct Ran {
    /// As a shell gives it.
    pub status: u8,
}

/// Whether a file is locked.
pub struct Status {
    pub target: PathBuf,
    /// Its revision, for a program that asked for all that is known, and if it can be read.
    pub revision: Option<Revision>,
    /// The lock, if somebody holds it.
    pub lock: Option<Sighting>,
    pub as_json: bool,
}

/// All locks at one moment.
pub struct Locks {
    pub folder: PathBuf,
    pub sightings: Vec<Sighting>,
    pub waiters: Waiters,
    pub as_json: bool,
}

/// What was left by dead holders, and has been removed or would be.
pub struct Cleanup {
    pub folder: PathBuf,
    pub cleaned: Cleaned,
    pub dry_run: bool,
    pub as_json: bool,
}

/// Values that were printed as they came.
pub struct Values {
    /// Whether the last of them was neither false nor null, if there was any.
    pub last_is_true: Option<bool>,
    /// Whether the exit status is to tell of that.
    pub asks_for_status: bool,
}

/// A file that was written.
pub struct Written {
    /// As it was named.
    pub file: PathBuf,
    pub deed: Deed,
    /// Its new revision, for a program that asked for it.
    pub revision: Option<Revision>,
    pub as_json: bool,
}

/// How a file came by its new content.
pub enum Deed {
    Updated,
    Written,
    /// It was put together with so many changes of others.
    Merged(usize),
    /// It comes from this backup.
    Restored(PathBuf),
}

/// What a file would hold after a change that was not made.
pub struct Preview {
    pub file: PathBuf,
    /// What it holds, if it exists.
    pub old: Option<Vec<u8>>,
    pub new: Vec<u8>,
    /// Whether only what differs was asked for, even by a program.
    pub only_difference: bool,
}

/// Three documents put together.
pub struct Merged {
    /// The result, unless conflicts are in the way.
    pub document: Option<Vec<u8>>,
    pub conflicts: Vec<Conflict>,
    pub as_json: bool,
}

/// What git's merge driver has left in a file.
pub struct Driven {
    /// As git calls it.
    pub file: PathBuf,
    /// Those that are known. git itself marks others where it merges by lines.
    pub conflicts: Vec<Conflict>,
    pub is_clean: bool,
}

/// One place that two sides have changed, and differently.
#[derive(Debug)]
pub struct Conflict {
    pub path: String,
    pub kind: merge::Kind,
    /// What each side has there, as JSON.
    pub base: Option<String>,
    pub ours: Option<String>,
    pub theirs: Option<String>,
}

impl From<&merge::Conflict> for Conflict {
    fn from(conflict: &merge::Conflict) -> Self {
        let text = |side: &Option<Value>| side.as_ref().map(Value::to_string);
        let merge::Conflict { kind, path, base, ours, theirs } = conflict;
        Conflict { path: path.clone(), kind: *kind, base: text(base), ours: text(ours), theirs: text(theirs) }
    }
}

/// Links to memlatch that were made.
pub struct Linked {
    pub folder: PathBuf,
    pub binary: PathBuf,
    pub count: usize,
    pub is_on_path: bool,
}

/// How git merges JSON files in a repository from now on.
pub struct MergeDriver {
    pub repository: PathBuf,
    /// The file that names the files, and the command; none if git merges them by lines again.
    pub set: Option<(PathBuf, String)>,
}

/// The entry of the server among those of an AI client.
pub struct ServerEntry {
    pub client: Client,
    /// The client's own file.
    pub file: PathBuf,
    pub state: EntryState,
}

/// What became of an entry.
pub enum EntryState {
    /// It was there already.
    There,
    /// It was asked for, to be put there by hand.
    Shown(String),
    /// It was written.
    Written(Box<Outcome>),
}

/// Pages of the manual that were written.
pub struct Pages {
    pub folder: PathBuf,
    pub count: usize,
}
