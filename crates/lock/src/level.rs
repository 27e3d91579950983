//! The paths of a lock on disk. Pure.

use super::target::LockId;
use std::path::{Path, PathBuf};

/// The files of one lock.
///
/// A target's lock is level 0. Within a lock there is a level for the processes that work inside it;
/// they exclude one another there in the same way, to any depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// The file that carries the kernel lock. Only a process that holds it exclusively changes `dir`.
    pub guard: PathBuf,
    /// Waiters for a lease or a script queue on this file, so that only the first one watches the holder.
    pub queue: PathBuf,
    /// The lock entry: it exists while the lock is held, as in the shell scripts.
    pub dir: PathBuf,
    pub depth: u32,
}

/// Suffixes of the names in the lock directory.
pub const GUARD: &str = "guard";
pub const QUEUE: &str = "queue";
pub const DIR: &str = "lock";

impl Level {
    /// The lock of a target.
    pub fn of(folder: &Path, id: &LockId) -> Self {
        Level::named(folder, id.as_str(), 0)
    }

    /// The level for processes inside this lock.
    pub fn inside(&self) -> Self {
        Level::named(&self.dir, "inside", self.depth + 1)
    }

    /// The entry of the lock around this level.
    pub fn outer(&self) -> Option<&Path> {
        if self.depth == 0 { None } else { self.dir.parent() }
    }

    fn named(folder: &Path, name: &str, depth: u32) -> Self {
        let file = |ending: &str| folder.join(format!("{name}.{ending}"));
        Level { guard: file(GUARD), queue: file(QUEUE), dir: file(DIR), depth }
    }
}
