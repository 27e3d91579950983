//! Outcomes of commands: what was found or done, as data. [`report`](crate::report) turns it into text or JSON, and the
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

/// The outcome of a command that succeeded.
pub enum Outcome {
    /// There is nothing to report, or everything was reported while the command ran.
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
    /// Locks were seen to exclude between this machine and this host.
    Proven(String),
}

impl Outcome {
    /// Keeps a lease whose ID has been printed.
    pub fn keep(self) {
        if let Outcome::Acquired(lease) = self {
            lease.guard.leave_lease();
        }
    }
}

/// A lease that ends with this value unless its ID was printed, because without the ID it could never be released.
pub struct Lease {
    pub id: LockId,
    pub guard: Guard,
}

/// A lease that was released.
pub struct Released {
    /// The ID of the lock, if the file is not known.
    pub target: PathBuf,
}

/// A command that has run, and exited or was ended by a signal.
pub struct Ran {
    /// The status as in a shell.
    pub status: u8,
}

/// Whether a file is locked.
pub struct Status {
    pub target: PathBuf,
    /// Its revision, if a program asked for all data and the file can be read.
    pub revision: Option<Revision>,
    /// The lock, if it is held.
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

/// Leftovers of dead holders that have been removed, or would be.
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
    /// Whether the exit status depends on that.
    pub asks_for_status: bool,
}

/// A file that was written.
pub struct Written {
    /// The path as the user wrote it.
    pub file: PathBuf,
    pub deed: Deed,
    /// Its new revision, for a program that asked for it.
    pub revision: Option<Revision>,
    pub as_json: bool,
}

/// Where the new content of a file comes from.
pub enum Deed {
    Updated,
    Written,
    /// It was merged with this many changes of others.
    Merged(usize),
    /// It comes from this backup.
    Restored(PathBuf),
}

/// The result of a change that was only previewed.
pub struct Preview {
    pub file: PathBuf,
    /// The present content, if the file exists.
    pub old: Option<Vec<u8>>,
    pub new: Vec<u8>,
    /// Whether the request was for the difference, even from a program.
    pub only_difference: bool,
}

/// The merge of three documents.
pub struct Merged {
    /// The result, unless there are conflicts.
    pub document: Option<Vec<u8>>,
    pub conflicts: Vec<Conflict>,
    pub as_json: bool,
}

/// The result of a merge for git.
pub struct Driven {
    /// The name of the file in git.
    pub file: PathBuf,
    /// The known conflicts. Where git merges by lines, it marks others itself.
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

/// The state of an entry.
pub enum EntryState {
    /// It existed already.
    There,
    /// It was printed, for the user to add it.
    Shown(String),
    /// It was written.
    Written(Box<Outcome>),
}

/// Pages of the manual that were written.
pub struct Pages {
    pub folder: PathBuf,
    pub count: usize,
}
