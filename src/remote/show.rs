//! `file-lock status` and `show` beyond this machine.

use crate::{
    Means, failures,
    place::{Store, Subject, until},
};
use memlatch::{
    failure::{Failure, Kind},
    report::lock::{age_of, holder_as_json},
    request::Listing,
    revision::Revision,
};
use memlatch_lock::info::Info;
use memlatch_os::paths::shown;
use memlatch_remote::{
    engine::{Entry, Ladder, Wanted},
    etcd::{Cluster, locks::Lock},
};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// Prints whether a document is locked. The statuses 0 and 1 are answers, so a failure has status 2.
pub fn status(file: &Path, as_json: bool, means: Means<'_>) -> Result<u8, Failure> {
    tell_status(file, as_json, means).map_err(|failure| match failure.kind {
        Kind::Failed => Failure { kind: Kind::Usage, ..failure },
        _ => failure,
    })
}

fn tell_status(file: &Path, as_json: bool, means: Means<'_>) -> Result<u8, Failure> {
    let subject = Subject::find(file, means.settings)?;
    let failed = |error| subject.failure(error);
    let until = until(means.settings.lock_timeout()?);
    let (queue, left) = match subject.store()? {
        // It has no locks, so none is held.
        Store::Bucket(_) => (Vec::new(), None),
        Store::Etcd(cluster) => {
            let queue = cluster.queue(subject.key(), &[], until).map_err(failed)?;
            let left = queue.first().map(|first| cluster.time_left(first.lease, until)).transpose().map_err(failed)?;
            (queue, left.flatten())
        }
    };
    let held = queue.first();
    let status = u8::from(held.is_some());
    if as_json {
        means.console.json(&json!({
            "version": 1,
            "target": shown(&subject.target.path),
            "revision": revision(&subject)?.to_string(),
            "held": held.is_some(),
            "lock": held.map(|holder| as_json_object(subject.key(), holder, queue.len() - 1, left)),
        }))?;
        return Ok(status);
    }
    means.console.data(|out| match held.map(|holder| Info::decode(&holder.info)) {
        Some(Some(info)) => writeln!(out, "held by {info}"),
        Some(None) => writeln!(out, "held"),
        None => writeln!(out, "free"),
    })?;
    Ok(status)
}

fn revision(subject: &Subject) -> Result<Revision, Failure> {
    let seen =
        subject.store()?.engine().read(subject.key(), Wanted::Document, &Ladder::default(), until(Duration::ZERO));
    let seen = seen.map_err(|error| subject.failure(error))?;
    Ok(Revision::of(seen.document.as_deref()))
}

/// Lists the locks on all documents whose addresses begin so.
pub fn run(listing: Listing, place: &Path, means: Means<'_>) -> Result<u8, Failure> {
    if listing == Listing::Watch {
        return Err(Failure::usage("--watch draws the locks of this machine alone; say: watch file-lock show ADDRESS"));
    }
    let subject = Subject::find_any(place, means.settings)?;
    let cluster = subject.cluster()?;
    let until = until(means.settings.lock_timeout()?);
    let shown_place = shown(place);
    let failed = failures::of(&shown_place);
    let locks = cluster.locks_below(subject.key(), until).map_err(&failed)?;
    let left = |lock: &Lock| -> Option<Duration> { cluster.time_left(lock.queue.first()?.lease, until).ok().flatten() };
    let locks: Vec<(Lock, Option<Duration>)> = locks
        .into_iter()
        .filter(|lock| !lock.queue.is_empty())
        .map(|lock| {
            let left = left(&lock);
            (lock, left)
        })
        .collect();
    if listing == Listing::Json {
        let objects: Vec<Value> = locks.iter().map(|(lock, left)| lock_as_json(lock, *left)).collect();
        means.console.json(&json!({ "version": 1, "folder": shown(&subject.target.path), "locks": objects }))?;
        return Ok(0);
    }
    means.console.data(|out| {
        writeln!(out, "Current locks in: {}\n", shown(&subject.target.path))?;
        if locks.is_empty() {
            writeln!(out, "No locks found")?;
        }
        for (place, (lock, left)) in locks.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            print(out, &cluster, lock, *left)?;
        }
        Ok(())
    })?;
    Ok(0)
}

fn print(out: &mut dyn std::io::Write, cluster: &Cluster, lock: &Lock, left: Option<Duration>) -> std::io::Result<()> {
    writeln!(out, "Lock: {}/{}", cluster.name(), lock.key)?;
    writeln!(out, "  Info:")?;
    let holder = lock.queue.first();
    let info = holder.and_then(|holder| Info::decode(&holder.info));
    for line in info.iter().flat_map(Info::lines) {
        writeln!(out, "    {line}")?;
    }
    if let Some(holder) = holder {
        writeln!(out, "    LEASE: {:x}", holder.lease)?;
    }
    for waiter in lock.queue.iter().skip(1) {
        match Info::decode(&waiter.info) {
            Some(info) => writeln!(out, "    WAITS: {info}")?,
            None => writeln!(out, "    WAITS: an unnamed process")?,
        }
    }
    let left =
        left.map_or_else(|| "its lease is ending".to_owned(), |left| format!("{} s left of its lease", left.as_secs()));
    writeln!(out, "  Status: ACTIVE ({left})")
}

fn lock_as_json(lock: &Lock, left: Option<Duration>) -> Value {
    lock.queue.first().map_or(Value::Null, |holder| as_json_object(&lock.key, holder, lock.queue.len() - 1, left))
}

fn as_json_object(key: &str, holder: &Entry, waiters: usize, left: Option<Duration>) -> Value {
    let mut object = json!({
        "id": format!("{key}#{:x}.{}", holder.lease, holder.created),
        "state": "active",
        "held": true,
        "waiters": waiters,
        "seconds_left": left.map(|left| left.as_secs()),
    });
    if let (Some(members), Some(info)) = (object.as_object_mut(), Info::decode(&holder.info)) {
        members.extend(holder_as_json(&info));
        members.insert("age".to_owned(), age_of(&info).into());
    }
    object
}
