//! The kernel lock: `flock` on a guard file. The only user of fs2, and no policy.
//!
//! A guard may be unlinked by who holds it (cleanup does so with idle ones), and then a waiter is granted a lock that
//! nobody else will ever see. So every grant is followed by a comparison of the open file with the one at the path.
//!
//! # Limitations
//!
//! The lock is advisory. On a share it keeps out those machines that the file system carries locks to (docs/locking.md).

use super::{Error, belonging::Belonging};
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
    /// The caller's look-out told it to stop.
    CalledOff,
}

/// Opens a guard for a lock of this mode. Where there is none it is made, if `maker` says to whom it will belong.
///
/// The descriptor is writable, because NFS grants an exclusive lock on no other. Where nothing can be written, a guard that
/// is there can still be locked shared.
pub fn open(path: &Path, mode: Mode, maker: Option<Belonging>) -> io::Result<File> {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let mut writable = options.clone();
    writable.write(true).truncate(false).mode(0o600);
    let opened = match maker {
        Some(maker) if !maker.is_plain() => open_or_give(&writable, path, maker),
        maker => writable.create(maker.is_some()).open(path),
    };
    match opened {
        Err(error) if mode == Mode::Shared && matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
            options.open(path).map_err(|_| error)
        }
        result => result,
    }
}

/// Opens a guard, or makes it and gives it to whom it belongs.
fn open_or_give(options: &OpenOptions, path: &Path, maker: Belonging) -> io::Result<File> {
    loop {
        match options.open(path) {
            Ok(file) => {
                maker.heal(&file)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        match options.clone().create_new(true).open(path) {
            Ok(file) => {
                maker.give_file(&file)?;
                return Ok(file);
            }
            // Somebody else was faster.
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
/// `flock` has no timeout. A thread waits in it, so that this one can leave when time is up: what the thread is granted
/// after that, it gives back at once. `look_out` is asked once a second whether to go on.
pub fn lock(
    file: &Arc<File>,
    mode: Mode,
    deadline: Option<Instant>,
    look_out: &mut dyn FnMut() -> bool,
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
        // The file goes first: if nobody listens any more, this was its last owner, and closing it unlocks.
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
            Err(mpsc::RecvTimeoutError::Timeout) if look_out() => {}
            Err(mpsc::RecvTimeoutError::Timeout) => return Ok(Waited::CalledOff),
        }
    }
}

/// Whether some process holds the lock of the guard file at `path` for itself alone.
pub fn is_locked(path: &Path) -> Result<bool, Error> {
    match open(path, Mode::Shared, None) {
        Ok(file) => Ok(!try_lock(&file, Mode::Shared).map_err(Error::io("look at the guard", path))?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("open the guard", path)(error)),
    }
}

/// Gives the lock back for every process that shares the descriptor: a daemon that inherited it keeps nothing.
pub fn unlock(file: &File) -> io::Result<()> {
    fs2::FileExt::unlock(file)
}

/// Whether the open file is still the one at `path`, on the server too if there is one.
pub fn is_linked(file: &File, path: &Path) -> io::Result<bool> {
    let here = file.metadata()?;
    let there = match Fresh::around(path) {
        Ok(directory) => directory.identity(path.file_name().unwrap_or_default())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(there == Some((here.dev(), here.ino())))
}

/// Makes sure that the lock is still this process's where a server may have given it to another machine.
///
/// A machine that the server has not heard from for the time of its lease loses its locks (90 s with Linux' NFS server,
/// nfsd(7); 300 s with CephFS), and its processes are not told. Only work on the locked descriptor itself fails then:
/// writing to it seems to succeed, and fsync(2) says EIO. Elsewhere nothing is written.
pub fn confirm(file: &File) -> io::Result<()> {
    if !memlatch_os::locks_can_be_lost(file) {
        return Ok(());
    }
    file.write_at(b"\n", 0)?;
    file.sync_all()
}
