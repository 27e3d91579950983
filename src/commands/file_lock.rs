//! `file-lock`: acquire, release, status and cleanup. `with` and `show` have files of their own.

use super::{
    Exit,
    facts::{info_as_json, print_json, sighting_as_json},
    lock_folder, resolve,
};
use crate::{
    clients,
    failure::{Failure, Kind},
    lock::{
        Claim, Error,
        census::{self, Cleaned, Sighting},
        holder::Cause,
        info::{self, Info},
        lease,
        target::{LockId, Target},
    },
    process,
    report::Console,
    request::{Acquire, Release},
    revision::Revision,
};
use memlatch_os::paths::{quoted, shown};
use serde_json::{Value, json};
use std::path::Path;

/// Takes a lease and prints the lock's ID.
///
/// With both output streams closed off, nobody could learn the ID: then it only finds out whether the lock is free.
pub fn acquire(request: &Acquire, console: &Console) -> Result<Exit, Failure> {
    let folder = lock_folder()?;
    let target = resolve(&request.file)?;
    if !process::is_silenced() {
        refuse_endless_lease_in_sandbox(request)?;
    }
    let claim = Claim { kind: info::Kind::Lease, command: None, client: request.client.clone() };
    let guard = lease::acquire(&folder, &target, &claim, request.terms, &clients::known(), request.wait, console)?;
    if process::is_silenced() {
        guard.release(console)?;
        return Ok(Exit(0));
    }
    // Printed first: an ID that cannot be handed over must not leave a lease behind, and dropping the guard ends it.
    console.data(|out| writeln!(out, "{}", target.id))?;
    guard.leave_lease();
    Ok(Exit(0))
}

/// A lease that is taken in a sandbox or container belongs to a process that nobody outside of it can see, and often to one
/// that ends with the command. Only a time limit ends such a lease for sure.
fn refuse_endless_lease_in_sandbox(request: &Acquire) -> Result<(), Failure> {
    if request.terms.ttl.is_some() || process::sees_all_processes() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "a lease needs --ttl here: this is a PID namespace of its own, as of a sandbox or container, and nobody outside could \
         tell when its owner has ended; add --ttl SECS, or run the work as one command: file-lock with {} -- COMMAND",
        quoted(&request.file)
    )))
}

/// Ends a lease.
pub fn release(request: &Release, console: &Console) -> Result<Exit, Failure> {
    let named = request.lock.to_str().and_then(LockId::parse);
    let given = if named.is_none() { Some(Path::new(&request.lock).to_owned()) } else { None };
    let id = match named {
        Some(id) => id,
        None => resolve(Path::new(&request.lock))?.id,
    };
    let release = lease::Release { id, given, force: request.force };
    let info = lease::release(&lock_folder()?, &release, request.wait, console)?;
    let target = info.target.as_deref().unwrap_or(Path::new(release.id.as_str()));
    console.ok(format_args!("Released lock on: {}", shown(target)));
    Ok(Exit(0))
}

/// Tells whether a file is locked.
///
/// Its statuses 0 and 1 are answers, so what fails here is reported as 2.
pub fn status(file: &Path, as_json: bool, console: &Console) -> Result<Exit, Failure> {
    tell_status(file, as_json, console).map_err(|failure| match failure.kind {
        Kind::Failed => Failure { kind: Kind::Usage, ..failure },
        _ => failure,
    })
}

fn tell_status(file: &Path, as_json: bool, console: &Console) -> Result<Exit, Failure> {
    let target = resolve(file)?;
    let sighting = census::look(&lock_folder()?, &target.id)?;
    let held = sighting.as_ref().filter(|sighting| sighting.is_held());
    let revision = as_json.then(|| revision_of(&target)).flatten();
    console.data(|out| match (as_json, held) {
        (true, _) => {
            let lock = held.map(|sighting| sighting_as_json(sighting, None));
            print_json(
                out,
                &json!({
                    "version": 1,
                    "target": shown(&target.path),
                    "revision": revision.as_ref().map(Revision::to_string),
                    "held": held.is_some(),
                    "lock": lock,
                }),
            )
        }
        (false, Some(Sighting { info: Some(info), .. })) => writeln!(out, "held by {info}"),
        (false, Some(_)) => writeln!(out, "held"),
        (false, None) => writeln!(out, "free"),
    })?;
    Ok(Exit(u8::from(held.is_some())))
}

/// The revision of the target, if it can be read. What is no plain file has none.
fn revision_of(target: &Target) -> Option<Revision> {
    match std::fs::metadata(&target.path) {
        Ok(facts) if facts.is_file() => std::fs::read(&target.path).ok().map(|content| Revision::of(Some(&content))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Revision::of(None)),
        _ => None,
    }
}

/// Removes what dead holders left.
///
/// Where nobody watches, cron say, it has nothing to say unless there was something to clean.
pub fn cleanup(dry_run: bool, as_json: bool, console: &Console) -> Result<Exit, Failure> {
    let folder = lock_folder()?;
    let is_watched = console.is_watched();
    let announce = || console.progress(format_args!("Checking for stale locks in: {}", shown(folder.path())));
    if is_watched && !as_json {
        announce();
    }
    let mut cleaned = census::clean(&folder, dry_run, console)?;
    if as_json {
        console.data(|out| print_json(out, &cleaned_as_json(&folder, &cleaned, dry_run)))?;
    } else if is_watched || !cleaned.locks.is_empty() {
        if !is_watched {
            announce();
        }
        for (_, info, cause) in &cleaned.locks {
            console.progress(removal(info.as_ref(), cause, dry_run));
        }
        let verb = if dry_run { "Would clean" } else { "Cleaned" };
        let result = format!("{verb} {} stale lock(s)", cleaned.locks.len());
        if cleaned.failures.is_empty() { console.ok(result) } else { console.progress(result) }
    }
    match cleaned.failures.len() {
        0 => Ok(Exit(0)),
        1 => Err(cleaned.failures.remove(0).into()),
        more => {
            let first: &Error = &cleaned.failures[0];
            Err(Failure::failed(format!("{first}; and {} more that could not be cleaned", more - 1)))
        }
    }
}

fn removal(info: Option<&Info>, cause: &Cause, dry_run: bool) -> String {
    let verb = if dry_run { "Would remove" } else { "Removing" };
    let target = info.and_then(|info| info.target.as_deref());
    let about = target.map_or(String::new(), |target| format!(": {}", shown(target)));
    match cause {
        Cause::Ended(pid) => format!("{verb} stale lock from dead process PID {pid}"),
        Cause::Expired(pid) => format!("{verb} expired lease of process PID {pid}{about}"),
        Cause::Unfinished => format!("{verb} lock that names no holder{about}"),
    }
}

fn cleaned_as_json(folder: &crate::lock::folder::Folder, cleaned: &Cleaned, dry_run: bool) -> Value {
    let locks = cleaned.locks.iter().map(|(id, info, cause)| {
        let cause = match cause {
            Cause::Ended(_) => "ended",
            Cause::Expired(_) => "expired",
            Cause::Unfinished => "unfinished",
        };
        let mut object = json!({ "id": id.as_str(), "cause": cause });
        if let (Some(info), Some(members)) = (info, object.as_object_mut()) {
            members.extend(info_as_json(info));
        }
        object
    });
    json!({
        "version": 1,
        "folder": shown(folder.path()),
        "dry_run": dry_run,
        "cleaned": locks.collect::<Vec<_>>(),
        "held": cleaned.held,
        "idle_files": cleaned.idle_files.len(),
        "failures": cleaned.failures.iter().map(Error::to_string).collect::<Vec<_>>(),
    })
}
