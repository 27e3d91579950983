//! `file-lock`: acquire, release, status, show and cleanup. `with` has a file of its own.

use super::{Exit, lock_folder, resolve};
use crate::{
    cli::{Acquire, Release},
    failure::{Failure, Kind},
    lock::{
        Claim, Error,
        census::{self, Cleaned, Sighting},
        holder::{self, Cause, State},
        info::{self, Info, utc},
        lease, shown,
        target::LockId,
    },
    process,
    report::Console,
};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::Path,
};

/// Takes a lease and prints the lock's ID.
///
/// With both output streams closed off, nobody could learn the ID: then it only finds out whether the lock is free.
pub fn acquire(request: &Acquire, console: &Console) -> Result<Exit, Failure> {
    let folder = lock_folder()?;
    let target = resolve(&request.file)?;
    let claim = Claim { kind: info::Kind::Lease, command: None, client: request.client.clone() };
    let guard = lease::acquire(&folder, &target, &claim, request.terms, request.wait, console)?;
    if process::is_silenced() {
        guard.release(console)?;
        return Ok(Exit(0));
    }
    // Printed first: an ID that cannot be handed over must not leave a lease behind, and dropping the guard ends it.
    console.data(|out| writeln!(out, "{}", target.id))?;
    guard.leave_lease();
    Ok(Exit(0))
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
    console.data(|out| match (as_json, held) {
        (true, _) => {
            let lock = held.map(sighting_as_json);
            print_json(
                out,
                &json!({ "version": 1, "target": shown(&target.path), "held": held.is_some(), "lock": lock }),
            )
        }
        (false, Some(Sighting { info: Some(info), .. })) => writeln!(out, "held by {info}"),
        (false, Some(_)) => writeln!(out, "held"),
        (false, None) => writeln!(out, "free"),
    })?;
    Ok(Exit(u8::from(held.is_some())))
}

/// Lists all locks.
pub fn show(as_json: bool, console: &Console) -> Result<Exit, Failure> {
    let folder = lock_folder()?;
    let sightings = census::look_at_all(&folder)?;
    console.data(|out| {
        if as_json {
            let locks: Vec<Value> = sightings.iter().map(sighting_as_json).collect();
            return print_json(out, &json!({ "version": 1, "folder": shown(folder.path()), "locks": locks }));
        }
        writeln!(out, "Current locks in: {}\n", shown(folder.path()))?;
        if sightings.is_empty() {
            writeln!(out, "No locks found")?;
        }
        for (place, sighting) in sightings.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            print_sighting(out, sighting)?;
        }
        Ok(())
    })?;
    Ok(Exit(0))
}

fn print_sighting(out: &mut dyn Write, sighting: &Sighting) -> io::Result<()> {
    writeln!(out, "Lock: .../{}...lock", &sighting.id.as_str()[..8])?;
    writeln!(out, "  Info:")?;
    for line in sighting.info.iter().flat_map(Info::lines) {
        writeln!(out, "    {line}")?;
    }
    writeln!(out, "    ID: {}", sighting.id)?;
    let mut inner = sighting.inside.as_deref();
    while let Some(inside) = inner {
        match &inside.info {
            Some(info) => writeln!(out, "    INSIDE: {info}")?,
            None => writeln!(out, "    INSIDE: a lock that names no holder")?,
        }
        inner = inside.inside.as_deref();
    }
    writeln!(out, "  Status: {}", status_of(sighting))
}

/// The sentence behind `Status: `. A lock whose holder is dead lives on in those inside it.
fn status_of(sighting: &Sighting) -> String {
    match (&sighting.state, sighting.inside.as_deref()) {
        (State::Dead(_), Some(inside)) if inside.is_held() => status_of(inside),
        (state, _) => holder::describe(sighting.info.as_ref(), state),
    }
}

/// One lock as a JSON object; `docs/file-lock.md` lists its members.
fn sighting_as_json(sighting: &Sighting) -> Value {
    let state = match sighting.state {
        State::Alive => "active",
        State::Dead(_) => "stale",
        State::Unknown(_) => "unknown",
    };
    let mut object = json!({
        "id": sighting.id.as_str(),
        "state": state,
        "status": status_of(sighting),
        "held": sighting.is_held(),
        "inside": sighting.inside.as_deref().map(sighting_as_json),
    });
    if let (Some(info), Some(members)) = (&sighting.info, object.as_object_mut()) {
        members.extend(info_as_json(info));
    }
    object
}

fn info_as_json(info: &Info) -> serde_json::Map<String, Value> {
    let facts = json!({
        "pid": info.pid,
        "acquired": info.acquired.map(utc),
        "hostname": info.host,
        "target": info.target.as_deref().map(shown),
        "kind": info.kind.word(),
        "command": info.command,
        "client": info.client,
        "expires": info.expires.map(utc),
    });
    match facts {
        Value::Object(members) => members,
        _ => unreachable!("the literal above is an object"),
    }
}

/// Removes what dead holders left.
pub fn cleanup(dry_run: bool, as_json: bool, console: &Console) -> Result<Exit, Failure> {
    let folder = lock_folder()?;
    if !as_json {
        console.info(format_args!("Checking for stale locks in: {}", shown(folder.path())));
    }
    let mut cleaned = census::clean(&folder, dry_run, console)?;
    if as_json {
        console.data(|out| print_json(out, &cleaned_as_json(&folder, &cleaned, dry_run)))?;
    } else {
        for (_, info, cause) in &cleaned.locks {
            console.info(removal(info.as_ref(), cause, dry_run));
        }
        let verb = if dry_run { "Would clean" } else { "Cleaned" };
        let result = format!("{verb} {} stale lock(s)", cleaned.locks.len());
        if cleaned.failures.is_empty() { console.ok(result) } else { console.info(result) }
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

fn print_json(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    out.write_all(b"\n")
}
