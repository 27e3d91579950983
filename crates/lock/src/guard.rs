//! The kernel lock: `flock` on a guard file. The only user of fs2; no policy.
//!
//! A process that holds a guard may unlink it, as cleanup does with unused ones. A waiter is then granted a lock on a file that
//! no other process can open. So after every grant the open file is compared with the file at the path.
//!
//! # Limitations
//!
//! The lock is advisory. On a share it excludes only the machines that the file system carries locks to (docs/locking.md).

use super::{Error, ownership::Ownership};
use memlatch_os::Fresh;
use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

/// How a guard is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Shared,
    Exclusive,
}

/// How a wait for a guard ended.
pub enum Waited {
    Granted,
    TimedOut,
    /// The caller did not want to go on.
    Stopped,
}

/// Opens a guard for a lock of this mode. A missing guard is made if the ownership of a new file is given.
///
/// The descriptor is writable, because NFS grants an exclusive lock only on writable ones. Without write permission, an existing guard
/// can still be locked shared.
pub fn open(path: &Path, mode: Mode, new: Option<Ownership>) -> io::Result<File> {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let mut writable = options.clone();
    writable.write(true).truncate(false).mode(0o600);
    let opened = match new {
        Some(ownership) if !ownership.is_plain() => open_or_make(&writable, path, ownership),
        new => writable.create(new.is_some()).open(path),
    };
    match opened {
        Err(error) if mode == Mode::Shared && matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
            options.open(path).map_err(|_| error)
        }
        result => result,
    }
}

/// Opens a guard, or makes it and sets its owner.
fn open_or_make(options: &OpenOptions, path: &Path, ownership: Ownership) -> io::Result<File> {
    loop {
        match options.open(path) {
            Ok(file) => {
                ownership.repair(&file)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        match options.clone().create_new(true).open(path) {
            Ok(file) => {
                ownership.give_file(&file)?;
                return Ok(file);
            }
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes the lock if it is free at this moment.
pub fn try_lock(file: &File, mode: Mode) -> io::Result<bool> {
    let result = match mode {
        Mode::Shared => fs2::FileExt::try_lock_shared(file),
        Mode::Exclusive => fs2::FileExt::try_lock_exclusive(file),
    };
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == fs2::lock_contended_error().raw_os_error() => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits for the lock, asleep in the kernel's queue, until `deadline`.
///
/// `flock` has no timeout. A helper thread waits in it, so that this thread can give up when the time is over; if the helper
/// is granted the lock after that, it releases it at once. `keep_waiting` is called once a second.
pub fn lock(
    file: &Arc<File>,
    mode: Mode,
    deadline: Option<Instant>,
    keep_waiting: &mut dyn FnMut() -> bool,
) -> io::Result<Waited> {
    let (report, granted) = mpsc::channel();
    let waiter = Arc::clone(file);
    memlatch_os::start_helper(64 * 1024, move || {
        let result = loop {
            let result = match mode {
                Mode::Shared => fs2::FileExt::lock_shared(&*waiter),
                Mode::Exclusive => fs2::FileExt::lock_exclusive(&*waiter),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        // If the receiver is gone, this thread has the last reference to the file, and closing it unlocks.
        if let Err(mpsc::SendError((Ok(()), waiter))) = report.send((result, waiter)) {
            drop(waiter);
        }
    })?;
    loop {
        let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        match granted.recv_timeout(left.min(Duration::from_secs(1))) {
            Ok((result, _)) => return result.map(|()| Waited::Granted),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(io::Error::other("the waiting thread ended")),
            Err(mpsc::RecvTimeoutError::Timeout) if left <= Duration::from_secs(1) => return Ok(Waited::TimedOut),
            Err(mpsc::RecvTimeoutError::Timeout) if keep_waiting() => {}
            Err(mpsc::RecvTimeoutError::Timeout) => return Ok(Waited::Stopped),
        }
    }
}

/// Whether some process holds the guard at `path` exclusively.
pub fn is_locked(path: &Path) -> Result<bool, Error> {
    match open(path, Mode::Shared, None) {
        Ok(file) => Ok(!try_lock(&file, Mode::Shared).map_err(Error::io("examine the guard", path))?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("open the guard", path)(error)),
    }
}

/// Releases the lock for all processes that share the descriptor, even a daemon that inherited it.
pub fn unlock(file: &File) -> io::Result<()> {
    fs2::FileExt::unlock(file)
}

/// Whether the open file is still the one at `path`; a file server is asked, not the cache.
pub fn is_linked(file: &File, path: &Path) -> io::Result<bool> {
    let here = file.metadata()?;
    let there = match Fresh::around(path) {
        Ok(directory) => directory.identity(path.file_name().unwrap_or_default())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(there == Some((here.dev(), here.ino())))
}

/// Checks that this process still has the lock, on file systems whose server may have given it to another machine.
///
/// If a server has not heard from a machine for its lease time (90 s with Linux' NFS server, nfsd(7); 300 s with CephFS), the machine
/// loses its locks, and its processes are not told. Only operations on the locked descriptor then fail:
/// writing to it seems to succeed, and fsync(2) returns EIO. On other file systems nothing is written.
pub fn confirm(file: &File) -> io::Result<()> {
    if !memlatch_os::locks_can_be_lost(file) {
        return Ok(());
    }
    file.write_at(b"\n", 0)?;
    file.sync_all()
}
