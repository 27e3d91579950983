//! Leases: locks that outlive the process that took them and belong to an owner.

use super::{
    Busy, Claim, Error, Event, Guard, Observer, Wait,
    client::{self, Client},
    contend::Contender,
    doubt_of, ending,
    folder::{Folder, LockDir},
    guard,
    holder::{self, Here, State},
    info::{Info, Kind},
    level::Level,
    take,
    target::{LockId, Target},
};
use crate::process::{self, Pid, Process};
use memlatch_os::paths::shown;
use std::{path::PathBuf, time::Duration};

/// The owner that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The AI client that runs the command.
    Client,
    Process(Pid),
}

/// How long a lease lasts unless it is released.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The lease ends with this process, or by default with the calling shell.
    pub owner: Option<Owner>,
    /// The lease ends after this long.
    pub ttl: Option<Duration>,
}

/// Takes a lease on `target`. `clients` are the AI clients to recognise among the ancestors of this process.
///
/// # Errors
///
/// [`Error::Refused`] if no process can own the lease, [`Error::Busy`] if the lock was not free in time.
pub fn acquire(
    folder: &Folder,
    target: &Target,
    claim: &Claim,
    terms: Terms,
    clients: &[Client],
    wait: Wait,
    observer: &dyn Observer,
) -> Result<Guard, Error> {
    let owner = owner_of(terms, clients)?;
    let arguments = process::arguments(owner.pid);
    let guard = take(folder, target, wait, observer, |contender| {
        let mut info = contender.describe(claim);
        info.pid = owner.pid;
        info.started = Some(owner.started);
        info.namespace = contender.here().namespace().map(str::to_owned);
        // Only the program: a client's arguments can contain a whole prompt, and every waiter can read this.
        let program = arguments
            .as_ref()
            .and_then(|arguments| arguments.first())
            .map(|program| client::file_name(program).to_owned());
        info.command = claim.command.clone().or(program);
        if let Some(ttl) = terms.ttl {
            // Rounded up, so that rounding never ends a lease early.
            info.expires = Some(process::wall_clock().saturating_add_unsigned(ttl.as_secs()).saturating_add(1));
            info.deadline = Some(process::uptime().saturating_add(ttl).as_millis().try_into().unwrap_or(u64::MAX));
        }
        info
    })?;
    if let Some(client) = arguments.and_then(|arguments| client::of_short_lived_shell(&owner, &arguments, clients)) {
        observer.notice(Event::ShortLivedOwner { target: &target.given, owner: owner.pid, client });
    }
    Ok(guard)
}

/// The owner of a lease that this process asks for.
///
/// # Errors
///
/// [`Error::Refused`] if no process can own it.
pub fn owner_of(terms: Terms, clients: &[Client]) -> Result<Process, Error> {
    match terms.owner {
        Some(Owner::Process(pid)) => named_owner(pid),
        Some(Owner::Client) => client::nearest(&process::lineage(), clients),
        None => calling_shell(&process::lineage()),
    }
}

impl Guard {
    /// Leaves the lock held, as the lease that its `info` describes, and unlocks only the guard.
    pub fn leave_lease(mut self) -> LockId {
        self.ended = true;
        self.target.id.clone()
    }
}

fn named_owner(pid: Pid) -> Result<Process, Error> {
    let gone = || {
        Error::Refused(format!(
            "owner PID {pid} is not running; name a process that lives as long as you need the lease"
        ))
    };
    if pid == 0 || pid == 1 && process::sees_all_processes() {
        return Err(Error::Refused(format!(
            "PID {pid} cannot own a lease, because it never exits; name the process that works under the lock"
        )));
    }
    process::look_up(pid).filter(|owner| !owner.zombie).ok_or_else(gone)
}

/// The nearest ancestor that is not merely the subshell of a command substitution.
///
/// `lock=$(file-lock acquire f 2>&1)` runs this process in a subshell that exits right after it. Such a subshell was forked and never
/// called exec, and its parent reads its standard output. The output of a subshell written as `( … )` is not read by its parent: that
/// subshell is what the user means by "this shell".
fn calling_shell(lineage: &[Process]) -> Result<Process, Error> {
    let ancestors = lineage.get(1..).unwrap_or_default();
    let shell = ancestors
        .iter()
        .find(|process| !(process.never_executed && process::reads_output_of(process.parent, process.pid)));
    shell.filter(|process| !process.zombie).cloned().ok_or_else(|| {
        Error::Refused(
            "no shell is left that could own the lease; name a process with --owner PID or LOCK_OWNER, or use 'file-lock with'"
                .to_owned(),
        )
    })
}

/// A request for a release.
#[derive(Clone, Debug)]
pub struct Release {
    pub id: LockId,
    /// The target as the user wrote it, unless the user gave the lock's ID.
    pub given: Option<PathBuf>,
    /// Also release another owner's lease.
    pub force: bool,
}

/// Ends a lease: the innermost one on the target whose owner is this process or one of its ancestors.
///
/// # Errors
///
/// [`Error::Refused`] if there is no such lease; nothing has changed then.
pub fn release(folder: &Folder, request: &Release, wait: Wait, observer: &dyn Observer) -> Result<Info, Error> {
    let target = target_of(folder, request)?;
    let mut contender = Contender::new(folder, &target, wait, observer);
    let (level, info) = match innermost(folder, &target, contender.here())? {
        Some(found) => found,
        None => outermost(folder, &target, contender.here(), request.force)?,
    };
    let ended = || Error::Refused(format!("the lease on '{}' has ended already", shown(&target.given)));
    let Some(file) = contender.lock_from_inside(&level)? else { return Err(ended()) };
    // The lease may have expired and the lock been taken over before we had the guard.
    let dir = LockDir::read(&level.dir)?;
    if dir.as_ref().and_then(|dir| dir.info.as_ref()).is_none_or(|now| now.token != info.token) {
        return Err(ended());
    }
    observer.notice(super::Event::Releasing(&level.dir));
    ending::end(folder, &target, &level)?;
    drop(file);
    // Open until here for the same reason as in `Guard`.
    drop(dir);
    ending::sweep_above(folder, &target, &level)?;
    observer.notice(super::Event::Released);
    Ok(info)
}

/// The target of a release; if it is not recorded, the lock's ID stands for its path.
fn target_of(folder: &Folder, request: &Release) -> Result<Target, Error> {
    let known = LockDir::read(&folder.level(&request.id).dir)?.and_then(|dir| dir.info).and_then(|info| info.target);
    let path = known.unwrap_or_else(|| PathBuf::from(request.id.as_str()));
    Ok(Target { given: request.given.clone().unwrap_or_else(|| path.clone()), path, id: request.id.clone() })
}

fn innermost(folder: &Folder, target: &Target, here: &Here) -> Result<Option<(Level, Info)>, Error> {
    let mut found = None;
    let mut level = folder.level(&target.id);
    // A lock may have ended before one inside it, and then has no `info` any more.
    while let Some(dir) = LockDir::read(&level.dir)? {
        let ours = dir.info.filter(|info| info.kind == Kind::Lease && here.descends_from(info));
        let inside = level.inside();
        found = ours.map(|info| (level, info)).or(found);
        level = inside;
    }
    Ok(found)
}

/// The lock that a forced release ends, or an error that says why this process may not end it.
fn outermost(folder: &Folder, target: &Target, here: &Here, force: bool) -> Result<(Level, Info), Error> {
    let level = folder.level(&target.id);
    let name = shown(&target.given);
    let Some(dir) = LockDir::read(&level.dir)? else {
        return Err(Error::Refused(format!("'{name}' is not locked, so there is nothing to release")));
    };
    let state = here.judge(&dir, !guard::is_locked(&level.guard)?);
    let Some(info) = dir.info else {
        return Err(Error::Refused(format!("the lock on '{name}' names no holder; run 'file-lock cleanup'")));
    };
    if info.kind.keeps_guard() && state == State::Alive {
        let why = if holder::is_orphaned(&info) {
            "; that process is gone, but a process that it started still works under the lock, and the lock ends with it"
        } else {
            ", which is at work: the lock ends with that process and cannot be released"
        };
        return Err(Error::Refused(format!("'{name}' is held by {info}{why}")));
    }
    if force {
        return Ok((level, info));
    }
    if let State::Dead(_) = state {
        return Err(Error::Refused(format!(
            "'{name}' was held by {info}, but that hold is over: its owner has exited or its time is up; there is nothing to release"
        )));
    }
    if let Some(doubt) = doubt_of(&state) {
        let busy =
            Busy { target: target.given.clone(), holder: Some(info), doubt: Some(doubt), waited: Duration::ZERO };
        return Err(Error::Refused(busy.to_string()));
    }
    Err(Error::Refused(format!(
        "'{name}' is held by {info}: only that process and its descendants may release it, or you with --force"
    )))
}
