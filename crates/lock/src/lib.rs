//! Locks on files: taking, nesting, leasing, checking and clearing them.
//!
//! In one paragraph: a target's lock is named after its canonical path ([`target`]) and lies in the lock
//! directory ([`folder`], [`level`]). A process that works under the lock holds the kernel lock on its guard file ([`guard`]) and
//! announces that by a lock entry, a directory with an `info` file ([`info`]), which the old shell scripts understand and respect.
//! `acquire` leaves only the entry behind, as a lease of an owner ([`lease`]); [`holder`] checks whether that owner is
//! alive. Contenders ([`contend`]) queue in the kernel and wait for living holders. Dead holders' locks are cleared, and locks
//! are released, in one place ([`ending`]). Processes inside a lock contend one level further down, by the same rules.
//! [`census`] lists all locks, [`waiters`] counts the waiters.
//!
//! Everything rests on one invariant: **a lock entry changes only under its exclusive guard.**
//!
//! This crate never reads or writes the data that it guards.
//!
//! # Limitations
//!
//! Locks are advisory: a program that writes without the lock is not stopped. Processes exclude each other only if they use the same
//! lock directory. See `docs/locking.md` for network file systems and containers.
//!
//! If a `with` is killed, every process that its command has started keeps the guard locked until it ends, even a daemon.

pub mod census;
pub mod client;
mod contend;
mod ending;
pub mod folder;
pub mod guard;
pub mod holder;
pub mod hosts;
pub mod info;
pub mod lease;
pub mod level;
pub mod ownership;
pub mod target;
pub mod waiters;

use self::{
    contend::{Contender, Entered},
    folder::{Folder, LockDir},
    holder::{Doubt, State},
    info::{Info, Kind},
    level::Level,
    target::Target,
};
use memlatch_os::{
    self as process, Pid,
    paths::{self, quoted, shown},
    text::tenths,
};
use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How long to wait for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Zero tries once.
    pub timeout: Duration,
    /// The longest interval between two checks where the system does not report the end of a lease.
    pub retry: Duration,
}

impl Wait {
    /// Tries once.
    pub const TRY_ONCE: Wait = Wait { timeout: Duration::ZERO, retry: Duration::from_millis(100) };
}

/// What a process that asks for a lock says about itself in the lock's `info`.
#[derive(Clone, Debug)]
pub struct Claim {
    pub kind: Kind,
    /// What the holder runs, shown to waiters.
    pub command: Option<String>,
    /// The client's name for itself.
    pub client: Option<String>,
}

/// A step in taking or releasing a lock, reported when it happens.
pub enum Event<'a> {
    Acquiring(&'a Path),
    LockFile(&'a Path),
    /// The wait has taken a second. Reported once.
    Waiting {
        target: &'a Path,
        holder: Option<&'a Info>,
        timeout: Duration,
    },
    /// The wait goes on. Reported every ten seconds.
    StillWaiting {
        target: &'a Path,
        holder: Option<&'a Info>,
        waited: Duration,
        timeout: Duration,
    },
    Acquired(&'a Path),
    /// The owner of the new lease is a shell that an AI client started for one command, and that exits with it.
    ShortLivedOwner {
        target: &'a Path,
        owner: Pid,
        client: &'a str,
    },
    Releasing(&'a Path),
    Released,
    /// The lock directory did not exist, and has been made.
    NewFolder(&'a Path),
    /// Other users can write to the lock directory.
    OpenFolder(&'a Path),
}

/// A receiver of events.
pub trait Observer {
    fn notice(&self, event: Event<'_>);
}

/// Why a lock could not be taken or released.
#[derive(Debug)]
pub enum Error {
    /// The lock was not free in time.
    Busy(Box<Busy>),
    /// An operation on a file of the lock failed.
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// The request cannot be carried out; the text says why and what to do.
    Refused(String),
}

/// A lock that was not free in time.
#[derive(Debug)]
pub struct Busy {
    pub target: PathBuf,
    pub holder: Option<Info>,
    pub doubt: Option<Doubt>,
    pub waited: Duration,
}

impl Error {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Error::Io { doing, path: path.to_owned(), source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Busy(busy) => busy.fmt(f),
            Error::Io { doing, path, source } => {
                write!(f, "cannot {doing} '{}': {source}", shown(path))?;
                match owner_in_the_way(path, source) {
                    Some(owner) => write!(
                        f,
                        "; it belongs to user {owner}; change the owner back: sudo chown -R --reference={0} {0}",
                        quoted(paths::folder_of(path))
                    ),
                    None => Ok(()),
                }
            }
            Error::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {}

/// The owner of a file that could not be used, if the reason is that it belongs to another user.
fn owner_in_the_way(path: &Path, error: &io::Error) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::symlink_metadata(path).ok()?.uid();
    let is_another = owner != rustix::process::geteuid().as_raw();
    (error.kind() == io::ErrorKind::PermissionDenied && is_another).then_some(owner)
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = shown(&self.target);
        match &self.holder {
            Some(holder) => write!(f, "lock on '{target}' is held by {holder}")?,
            None => write!(f, "lock on '{target}' is being taken or released by another process")?,
        }
        write!(f, "; waited {}; ", tenths(self.waited))?;
        match &self.doubt {
            Some(Doubt::OtherHost(_)) if self.holder.as_ref().is_some_and(|holder| holder.kind.keeps_guard()) => {
                write!(
                    f,
                    "that holder cannot be checked from here until a test has shown that locks exclude between the two machines: run \
                 'memlatch doctor --hold' on one and 'memlatch doctor --probe' on the other; or, once you know that the \
                 holder is gone: file-lock release --force {}",
                    quoted(&self.target)
                )
            }
            Some(_) => write!(
                f,
                "that holder cannot be checked from here; once you know that it is gone, run: file-lock release --force {}",
                quoted(&self.target)
            ),
            None => f.write_str("try again later, wait longer with --timeout, or look with 'file-lock show'"),
        }
    }
}

/// Holding a `Guard` is holding the lock.
#[must_use = "the lock is released when the guard is dropped"]
pub struct Guard {
    file: Arc<File>,
    folder: Folder,
    target: Target,
    level: Level,
    token: String,
    ended: bool,
    /// The lock entry, to recognise it. Like those in `_removed` it is closed only after unlocking: closing the last
    /// descriptor of a removed directory frees its blocks, which takes 0.1 ms where freed blocks are reported to the disk
    /// (`discard` in ext4(5)), and the next waiter need not wait for that.
    dir: File,
    /// The entries of dead holders that were removed to take the lock.
    _removed: Vec<LockDir>,
}

const LOST: &str = "its lock was lost: the file server has not heard from this machine for too long and may have given \
                    the lock to another; run the command again";

/// Holding a `SharedGuard` keeps writers out, not readers.
#[must_use = "the lock is released when the guard is dropped"]
pub struct SharedGuard {
    _files: Vec<Arc<File>>,
}

/// Takes the lock on `target` for writing. A process that already works inside the lock takes the level below.
pub fn exclusive(
    folder: &Folder,
    target: &Target,
    claim: &Claim,
    wait: Wait,
    observer: &dyn Observer,
) -> Result<Guard, Error> {
    take(folder, target, wait, observer, |contender| contender.describe(claim))
}

fn take(
    folder: &Folder,
    target: &Target,
    wait: Wait,
    observer: &dyn Observer,
    describe: impl FnOnce(&Contender<'_>) -> Info,
) -> Result<Guard, Error> {
    let mut contender = Contender::new(folder, target, wait, observer);
    let top = folder.level(&target.id);
    observer.notice(Event::Acquiring(&target.given));
    observer.notice(Event::LockFile(&top.dir));
    folder.ensure(observer)?;
    let info = describe(&contender);
    let token = info.token.clone().expect("every description has a token");
    let Entered { level, file, dir, removed: _removed } = contender.enter(top, &info)?;
    observer.notice(Event::Acquired(&level.dir));
    Ok(Guard { file, folder: folder.clone(), target: target.clone(), level, token, ended: false, dir, _removed })
}

/// Waits until no other process writes `target`, and keeps writers out until the value is dropped.
///
/// A reader needs it only until it has opened the file: a file that is replaced atomically never changes once it is open.
pub fn shared(folder: &Folder, target: &Target, wait: Wait, observer: &dyn Observer) -> Result<SharedGuard, Error> {
    // Without a lock directory there is nothing to wait for, and a reader leaves nothing behind.
    let _files = if folder.exists(observer)? {
        Contender::new(folder, target, wait, observer).enter_shared(&folder.level(&target.id))?
    } else {
        Vec::new()
    };
    Ok(SharedGuard { _files })
}

impl Guard {
    /// The token of this hold, which differs from that of every other hold.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Makes child processes inherit the kernel lock: if this process is killed, the lock stays
    /// held until they have ended.
    pub fn inherit(&self) -> io::Result<()> {
        memlatch_os::inherit(&self.file)
    }

    /// Checks, right before the new content becomes visible, that no file server has given the lock to another machine.
    ///
    /// # Errors
    ///
    /// The lock is lost: another machine may have changed the target in the meantime.
    pub fn confirm(&self) -> io::Result<()> {
        guard::confirm(&self.file).map_err(|error| match error.raw_os_error() {
            Some(libc::EIO) => io::Error::new(error.kind(), LOST),
            _ => error,
        })
    }

    /// Releases the lock. Even if that fails, the kernel frees the guard when this process exits, and the next
    /// contender clears the rest.
    pub fn release(mut self, observer: &dyn Observer) -> Result<(), Error> {
        observer.notice(Event::Releasing(&self.level.dir));
        let result = self.end();
        observer.notice(Event::Released);
        result
    }

    fn end(&mut self) -> Result<(), Error> {
        self.ended = true;
        let result = match guard::is_linked(&self.dir, &self.level.dir) {
            // Our entry was removed from outside, and what is there now belongs to another holder.
            Ok(false) => Ok(()),
            _ => ending::end(&self.folder, &self.target, &self.level),
        };
        // Explicit, because after a mere close a daemon that inherited the descriptor would keep the lock.
        _ = guard::unlock(&self.file);
        result.and_then(|()| ending::sweep_above(&self.folder, &self.target, &self.level))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.ended {
            // An error is being returned already; the next contender clears what remains.
            _ = self.end();
        }
    }
}

fn doubt_of(state: &State) -> Option<Doubt> {
    match state {
        State::Unknown(doubt) => Some(doubt.clone()),
        State::Alive | State::Dead(_) => None,
    }
}
