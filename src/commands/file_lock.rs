//! `file-lock`: acquire, release, status and cleanup. `with` and `show` have files of their own.

use super::{Context, lock_folder, resolve};
use crate::{
    clients,
    failure::{Failure, Kind},
    lock::{
        Claim, census, info, lease,
        target::{LockId, Target},
    },
    outcome::{Cleanup, Lease, Outcome, Released, Status},
    process,
    request::{Acquire, Release},
    revision::Revision,
};
use memlatch_os::paths::quoted;
use std::path::{Path, PathBuf};

/// Takes a lease.
///
/// If both output streams go to the null device, the ID could not be printed: then this only checks whether the lock is free.
pub fn acquire(request: &Acquire, context: Context<'_>) -> Result<Outcome, Failure> {
    let folder = lock_folder(context)?;
    let target = resolve(&request.file)?;
    if !process::is_silenced() {
        refuse_endless_lease_in_sandbox(request)?;
    }
    let claim = Claim { kind: info::Kind::Lease, command: None, client: request.client.clone() };
    let clients = clients::known(context.settings);
    let guard =
        lease::acquire(&folder, &target, &claim, request.terms, &clients, request.wait, context.sink.observer())?;
    if process::is_silenced() {
        guard.release(context.sink.observer())?;
        return Ok(Outcome::Nothing);
    }
    Ok(Outcome::Acquired(Lease { id: target.id, guard }))
}

/// The owner of a lease taken in a sandbox or container cannot be seen from outside, and often
/// exits with the command. Only a time limit ends such a lease reliably.
fn refuse_endless_lease_in_sandbox(request: &Acquire) -> Result<(), Failure> {
    if request.terms.ttl.is_some() || process::sees_all_processes() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "a lease needs --ttl here: this is a PID namespace of its own, as in a sandbox or container, and from outside nobody could \
         tell when its owner has ended; add --ttl SECS, or run the work as one command: file-lock with {} -- COMMAND",
        quoted(&request.file)
    )))
}

/// Ends a lease.
pub fn release(request: &Release, context: Context<'_>) -> Result<Outcome, Failure> {
    let named = request.lock.to_str().and_then(LockId::parse);
    let given = if named.is_none() { Some(Path::new(&request.lock).to_owned()) } else { None };
    let id = match named {
        Some(id) => id,
        None => resolve(Path::new(&request.lock))?.id,
    };
    let release = lease::Release { id, given, force: request.force };
    let info = lease::release(&lock_folder(context)?, &release, request.wait, context.sink.observer())?;
    let target = info.target.unwrap_or_else(|| PathBuf::from(release.id.as_str()));
    Ok(Outcome::Released(Released { target }))
}

/// Checks whether a file is locked.
///
/// The statuses 0 and 1 are answers, so a failure has status 2.
pub fn status(file: &Path, as_json: bool, context: Context<'_>) -> Result<Outcome, Failure> {
    look(file, as_json, context).map(Outcome::Status).map_err(|failure| match failure.kind {
        Kind::Failed => Failure { kind: Kind::Usage, ..failure },
        _ => failure,
    })
}

fn look(file: &Path, as_json: bool, context: Context<'_>) -> Result<Status, Failure> {
    let target = resolve(file)?;
    let sighting = census::look(&lock_folder(context)?, &target.id)?;
    let lock = sighting.filter(|sighting| sighting.is_held());
    let revision = if as_json { revision_of(&target) } else { None };
    Ok(Status { target: target.path, revision, lock, as_json })
}

/// The revision of the target, if it is a plain file that can be read.
fn revision_of(target: &Target) -> Option<Revision> {
    match std::fs::metadata(&target.path) {
        Ok(facts) if facts.is_file() => std::fs::read(&target.path).ok().map(|content| Revision::of(Some(&content))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Revision::of(None)),
        _ => None,
    }
}

/// Removes what dead holders left.
pub fn cleanup(dry_run: bool, as_json: bool, context: Context<'_>) -> Result<Outcome, Failure> {
    let folder = lock_folder(context)?;
    let cleaned = census::clean(&folder, dry_run, context.sink.observer())?;
    Ok(Outcome::Cleaned(Cleanup { folder: folder.path().to_owned(), cleaned, dry_run, as_json }))
}
