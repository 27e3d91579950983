//! What `file-lock cleanup` has removed, or would.

use super::{Console, failure::lock_in_words, lock::holder_as_json};
use crate::{
    failure::Failure,
    lock::{Error, holder::Cause, info::Info},
    outcome::Cleanup,
};
use memlatch_os::paths::shown;
use serde_json::{Value, json};

/// Where nobody watches, cron say, it has nothing to say unless there was something to clean. What could not be cleaned is a
/// failure, after all else has been told.
pub fn tell(cleanup: &Cleanup, console: &Console) -> Result<u8, Failure> {
    if cleanup.as_json {
        console.json(&as_json(cleanup))?;
    } else if console.is_watched() || !cleanup.cleaned.locks.is_empty() {
        in_words(cleanup, console);
    }
    match cleanup.cleaned.failures.as_slice() {
        [] => Ok(0),
        [only] => Err(Failure::failed(lock_in_words(only, console.settings))),
        [first, more @ ..] => {
            Err(Failure::failed(format!("{first}; and {} more that could not be cleaned", more.len())))
        }
    }
}

fn in_words(cleanup: &Cleanup, console: &Console) {
    console.progress(format_args!("Checking for stale locks in: {}", shown(&cleanup.folder)));
    for (_, info, cause) in &cleanup.cleaned.locks {
        console.progress(removal(info.as_ref(), cause, cleanup.dry_run));
    }
    let verb = if cleanup.dry_run { "Would clean" } else { "Cleaned" };
    let result = format!("{verb} {} stale lock(s)", cleanup.cleaned.locks.len());
    if cleanup.cleaned.failures.is_empty() { console.ok(result) } else { console.progress(result) }
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

fn as_json(Cleanup { folder, cleaned, dry_run, .. }: &Cleanup) -> Value {
    let locks = cleaned.locks.iter().map(|(id, info, cause)| {
        let cause = match cause {
            Cause::Ended(_) => "ended",
            Cause::Expired(_) => "expired",
            Cause::Unfinished => "unfinished",
        };
        let mut object = json!({ "id": id.as_str(), "cause": cause });
        if let (Some(info), Some(members)) = (info, object.as_object_mut()) {
            members.extend(holder_as_json(info));
        }
        object
    });
    json!({
        "version": 1,
        "folder": shown(folder),
        "dry_run": dry_run,
        "cleaned": locks.collect::<Vec<_>>(),
        "held": cleaned.held,
        "idle_files": cleaned.idle_files.len(),
        "failures": cleaned.failures.iter().map(Error::to_string).collect::<Vec<_>>(),
    })
}
