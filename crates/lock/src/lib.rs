//! Locks on targets: taken, nested, leased, judged and cleaned up.
//!
//! The story in one paragraph. A target's lock is named after its canonical path ([`target`]) and lies in the lock
//! folder ([`folder`], [`level`]). Whoever works under it holds the kernel lock on its guard file ([`guard`]) and says
//! so in a lock directory with an `info` file ([`info`]), which the old shell scripts understand and respect. `acquire`
//! leaves only the directory behind, a lease in the name of an owner ([`lease`]); [`holder`] judges whether that owner
//! lives. Contenders ([`contend`]) queue in the kernel and wait for the living; what the dead left is cleared, and locks
//! are given back, in one way ([`ending`]). Processes inside a lock contend one level further down, by the same rules.
//! [`census`] looks at all locks at once, [`waiters`] counts those who wait.
//!
//! One invariant carries the rest: **a lock directory changes only under its exclusive guard.**
//!
//! This module never reads or writes the data that it guards.
//!
//! # Limitations
//!
//! Locks are advisory: who writes past them is not stopped. A lock folder guards only those who share it. See
//! `docs/locking.md` for network file systems and containers.
//!
//! If a `with` is killed, all that its command has started keep the guard locked until they have ended, a daemon too.

pub mod belonging;
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
    /// The longest time between two looks where the system reports nothing.
    pub retry: Duration,
}

impl Wait {
    /// Tries once.
    pub const TRY_ONCE: Wait = Wait { timeout: Duration::ZERO, retry: Duration::from_millis(100) };
}

/// Who asks for a lock, as it will stand in the lock's `info`.
#[derive(Clone, Debug)]
pub struct Claim {
    pub kind: Kind,
    /// What the holder runs, for people who wait.
    pub command: Option<String>,
    /// The client's name for itself.
    pub client: Option<String>,
}

/// What happens to a lock, told while it happens.
pub enum Event<'a> {
    Acquiring(&'a Path),
    LockFile(&'a Path),
    /// It has taken a second already. Told once.
    Waiting {
        target: &'a Path,
        holder: Option<&'a Info>,
        timeout: Duration,
    },
    /// It still has not come. Told every ten seconds.
    StillWaiting {
        target: &'a Path,
        holder: Option<&'a Info>,
        waited: Duration,
        timeout: Duration,
    },
    Acquired(&'a Path),
    /// A lease's owner is a shell that a client started for one command, and that ends with it.
    FleetingOwner {
        target: &'a Path,
        owner: Pid,
        client: &'a str,
    },
    Releasing(&'a Path),
    Released,
    /// The lock folder was not there, and has been made.
    NewFolder(&'a Path),
    /// The lock folder can be written by others.
    OpenFolder(&'a Path),
}

/// Whoever wants to hear of events.
pub trait Observer {
    fn notice(&self, event: Event<'_>);
}

/// Why there is no lock.
#[derive(Debug)]
pub enum Error {
    /// The lock was not free in time.
    Busy(Box<Busy>),
    /// A file that the lock needs could not be used.
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// The request itself cannot be met; the text says why and what to do.
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
                        "; it belongs to user {owner}, so have the folder given back: sudo chown -R --reference={0} {0}",
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

/// Whose file it is that could not be used, if that is why.
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
            None => write!(f, "lock on '{target}' is being taken or given back by another process")?,
        }
        write!(f, "; waited {}; ", tenths(self.waited))?;
        match &self.doubt {
            Some(Doubt::OtherHost(_)) if self.holder.as_ref().is_some_and(|holder| holder.kind.keeps_guard()) => {
                write!(
                    f,
                    "that holder cannot be judged from here until it was seen that locks exclude between the two machines: run \
                 'memlatch doctor --hold' on one and 'memlatch doctor --probe' on the other; or, once you know that the \
                 holder is gone: file-lock release --force {}",
                    quoted(&self.target)
                )
            }
            Some(_) => write!(
                f,
                "that holder cannot be judged from here; once you know that it is gone, run: file-lock release --force {}",
                quoted(&self.target)
            ),
            None => f.write_str("try again later, wait longer with --timeout, or look with 'file-lock show'"),
        }
    }
}

/// Holding a `Guard` is holding the lock.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct Guard {
    file: Arc<File>,
    folder: Folder,
    target: Target,
    level: Level,
    token: String,
    ended: bool,
    /// The lock directory, to know it again. Like those of `_removed` it is closed after the unlocking: the blocks of what
    /// was removed are freed with its last descriptor, which takes 0.1 ms where each freed block is reported to the disk
    /// (`discard` in ext4(5)), and the next in line need not wait for that.
    dir: File,
    /// The directories of dead holders that the lock came after.
    _removed: Vec<LockDir>,
}

const LOST: &str = "its lock was lost, for the file server has not heard from this machine for too long and may have given \
                    the lock to another; run the command again";

/// Holding a `SharedGuard` keeps writers out, not readers.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct SharedGuard {
    _files: Vec<Arc<File>>,
}

/// Takes the lock on `target` for writing, at the level where this process stands.
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
    let token = info.token.clone().expect("every description bears a token");
    let Entered { level, file, dir, removed: _removed } = contender.enter(top, &info)?;
    observer.notice(Event::Acquired(&level.dir));
    Ok(Guard { file, folder: folder.clone(), target: target.clone(), level, token, ended: false, dir, _removed })
}

/// Waits until nobody else writes `target`, and keeps writers out until the value is dropped.
///
/// A reader needs it only until it has the file open: a file that is replaced atomically never changes once it is open.
pub fn shared(folder: &Folder, target: &Target, wait: Wait, observer: &dyn Observer) -> Result<SharedGuard, Error> {
    // Where nobody has ever locked anything there is nothing to wait for, and a reader leaves nothing behind.
    let _files = if folder.exists(observer)? {
        Contender::new(folder, target, wait, observer).pass(&folder.level(&target.id))?
    } else {
        Vec::new()
    };
    Ok(SharedGuard { _files })
}

impl Guard {
    /// The word that sets this hold apart from every other.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Lets the programs that this process starts share the kernel lock: if this process is killed, the lock stays
    /// held until they have ended.
    pub fn inherit(&self) -> io::Result<()> {
        memlatch_os::inherit(&self.file)
    }

    /// Makes sure, right before the work becomes visible, that no server has given the lock to another machine.
    ///
    /// # Errors
    ///
    /// The lock is lost: another machine may have changed the target since.
    pub fn confirm(&self) -> io::Result<()> {
        guard::confirm(&self.file).map_err(|error| match error.raw_os_error() {
            Some(libc::EIO) => io::Error::new(error.kind(), LOST),
            _ => error,
        })
    }

    /// Gives the lock back. If that fails, the kernel frees the guard with this process all the same, and the next
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
            // Somebody removed the lock under us, and what is there now is another's.
            Ok(false) => Ok(()),
            _ => ending::end(&self.folder, &self.target, &self.level),
        };
        // Not left to closing: a daemon that inherited the descriptor would keep the lock.
        _ = guard::unlock(&self.file);
        result.and_then(|()| ending::sweep_above(&self.folder, &self.target, &self.level))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.ended {
            // On the way out of an error already; the next contender clears what remains.
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
