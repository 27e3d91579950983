//! Where a lock lies on disk. Pure.

use super::target::LockId;
use std::path::{Path, PathBuf};

/// The files of one lock.
///
/// A target's lock is level 0. Whoever holds a lock opens a level within it for the processes that are inside,
/// which exclude one another there in the very same way, to any depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// The file that carries the kernel lock. `dir` is changed only by who holds it exclusively.
    pub guard: PathBuf,
    /// The turnstile: who has to wait for a lease or a script queues here, so that only the first one watches.
    pub queue: PathBuf,
    /// The lock directory: it exists while the lock is held, as the shell scripts have it.
    pub dir: PathBuf,
    pub depth: u32,
}

/// Endings of the names in the lock folder.
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

    /// The directory of the lock that this level lies in.
    pub fn outer(&self) -> Option<&Path> {
        if self.depth == 0 { None } else { self.dir.parent() }
    }

    fn named(folder: &Path, name: &str, depth: u32) -> Self {
        let file = |ending: &str| folder.join(format!("{name}.{ending}"));
        Level { guard: file(GUARD), queue: file(QUEUE), dir: file(DIR), depth }
    }
}
