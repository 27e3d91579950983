//! The number of processes that wait for a lock, if the system tells. Holders and waiters do nothing
//! for this: the kernel knows which processes sleep in `flock`.

use super::{census::Sighting, guard};
use memlatch_os::{FileLocks, Pid, Standing};
use std::{collections::BTreeSet, io, path::Path};

/// The waiters for all locks at one moment.
pub struct Waiters(Option<FileLocks>);

impl Waiters {
    /// Looks now.
    pub fn now() -> Self {
        Waiters(FileLocks::now())
    }

    /// The number of processes that wait for a lock, or `None` if that cannot be known.
    ///
    /// They sleep on the guard or on the queue; the first in the queue holds the queue's lock and watches the holder.
    pub fn of(&self, sighting: &Sighting) -> Option<usize> {
        let on_guard = self.on(&sighting.level.guard)?.into_iter().filter(|(_, standing)| *standing == Standing::Waits);
        let on_queue = self.on(&sighting.level.queue)?;
        let waiting: BTreeSet<Pid> = on_guard.chain(on_queue).map(|(pid, _)| pid).collect();
        Some(waiting.len())
    }

    fn on(&self, path: &Path) -> Option<Vec<(Pid, Standing)>> {
        let locks = self.0.as_ref()?;
        match guard::open(path, guard::Mode::Shared, None) {
            Ok(file) => locks.on(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Vec::new()),
            Err(_) => None,
        }
    }
}
