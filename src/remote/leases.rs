//! `file-lock acquire` and `release` beyond this machine.

use crate::{
    Means, inside,
    keeper::{Hold, Keeper, Owner},
    place::{Subject, until},
    session::{claim, take},
};
use memlatch::{
    clients,
    failure::Failure,
    request::{Acquire, Release},
    settings::Settings,
};
use memlatch_lock::{
    Event, Observer,
    client::file_name,
    folder::Folder,
    holder::Here,
    info::{self, Info},
    lease::owner_of,
};
use memlatch_os::{self as process, Signals, paths::shown};
use memlatch_remote::{
    engine::{Entry, Ladder, Rung},
    etcd::Cluster,
};
use std::{path::Path, time::Duration};

/// Takes a lease and prints the lock's ID.
///
/// If both output streams go to the null device, the ID could not be printed: then this only checks whether the lock is free.
pub fn acquire(request: &Acquire, means: Means<'_>) -> Result<u8, Failure> {
    let subject = Subject::find(&request.file, means.settings)?;
    let cluster = subject.cluster()?;
    let failed = |error| subject.failure(error);
    let owner = owner_of(request.terms, &clients::known(means.settings))?;
    means.console.notice(Event::Acquiring(&subject.target.given));
    let under = around(&subject, &cluster, request.wait.timeout, means.settings)?;
    let program = process::arguments(owner.pid).and_then(|words| words.first().map(|word| file_name(word).to_owned()));
    let mut claim = claim(&subject, info::Kind::Lease, program, request.client.clone());
    (claim.pid, claim.started) = (owner.pid, Some(owner.started));
    if let Some(ttl) = request.terms.ttl {
        claim.expires = Some(process::wall_clock().saturating_add_unsigned(ttl.as_secs()).saturating_add(1));
    }
    let ttl = request.terms.ttl.map_or(subject.access.lease, |ttl| ttl.max(Duration::from_secs(2)));
    let place = take(&cluster, &subject, &under, &claim, ttl, request.wait, means)?;
    let lease = place.rung.lease;
    if process::is_silenced() {
        cluster.revoke(lease, until(Duration::ZERO)).map_err(failed)?;
        return Ok(0);
    }
    means.console.notice(Event::Acquired(&subject.target.path));
    let ladder = under.with(place.rung.clone());
    // The wait has used up some of its time.
    let kept_until = cluster.keep(lease, place.kept_until).map_err(failed)?.unwrap_or(place.kept_until);
    let hold = Hold { access: subject.access.clone(), lease, ttl: place.ttl, kept_until };
    let give_up = |failure: Failure| {
        _ = cluster.revoke(lease, until(Duration::ZERO));
        failure
    };
    // Printed first: an ID that cannot be handed over must not leave a lease behind.
    means.console.data(|out| writeln!(out, "{}#{}", subject.address(), ladder.encode())).map_err(give_up)?;
    if request.terms.ttl.is_none() {
        let no_keeper = |error| Failure::failed(format!("cannot start the process that keeps the lock: {error}"));
        let started = Signals::block()
            .and_then(|signals| Keeper::start(&[hold], &Owner::Process(owner), |command| signals.spawn(command)));
        started.map_err(|error| give_up(no_keeper(error)))?;
    }
    Ok(0)
}

/// The holds on a document that this process works under: those in the environment, or one of an ancestor.
pub fn around(subject: &Subject, cluster: &Cluster, timeout: Duration, settings: &Settings) -> Result<Ladder, Failure> {
    let told = inside::told(subject, settings);
    if !told.0.is_empty() {
        return Ok(told);
    }
    let queue = cluster.queue(subject.key(), &[], until(timeout)).map_err(|error| subject.failure(error))?;
    Ok(Ladder(queue.first().and_then(inside::is_ours).into_iter().collect()))
}

/// Ends a lease.
pub fn release(request: &Release, means: Means<'_>) -> Result<u8, Failure> {
    let word = request.lock.to_string_lossy();
    let named = inside::read_token(&word);
    let place = named.as_ref().map_or_else(|| word.clone().into_owned(), |(address, _)| address.to_string());
    let subject = Subject::find(Path::new(&place), means.settings)?;
    let cluster = subject.cluster()?;
    let until = until(request.wait.timeout);
    let failed = |error| subject.failure(error);
    let name = shown(&subject.target.given);
    let found = match named {
        Some((_, ladder)) => {
            let (last, above) = ladder.0.split_last().expect("a ladder that was read has a rung");
            let queue = cluster.queue(subject.key(), above, until).map_err(failed)?;
            queue.into_iter().find(|entry| entry.lease == last.lease)
        }
        None => innermost(&cluster, &subject, request.wait.timeout)?,
    };
    let Some(entry) = found else {
        return Err(Failure::failed(format!("'{name}' is not locked, so there is nothing to release")));
    };
    let holder = Info::decode(&entry.info);
    if !request.force && !holder.as_ref().is_some_and(may_release) {
        let holder = holder.map_or_else(|| "an unnamed holder".to_owned(), |holder| holder.to_string());
        return Err(Failure::failed(format!(
            "'{name}' is held by {holder}: only that process and those it started may release it, or you with --force"
        )));
    }
    means.console.notice(Event::Releasing(&subject.target.path));
    cluster.revoke(entry.lease, until).map_err(failed)?;
    means.console.notice(Event::Released);
    means.console.ok(format_args!("Released lock on: {name}"));
    Ok(0)
}

fn may_release(holder: &Info) -> bool {
    holder.kind == info::Kind::Lease && Here::new(&Folder::at(Path::new("/").to_owned())).descends_from(holder)
}

/// The innermost hold that this process may end; else the outermost.
fn innermost(cluster: &Cluster, subject: &Subject, timeout: Duration) -> Result<Option<Entry>, Failure> {
    let mut above: Vec<Rung> = Vec::new();
    let mut found: Option<Entry> = None;
    loop {
        let queue = cluster.queue(subject.key(), &above, until(timeout)).map_err(|error| subject.failure(error))?;
        let Some(first) = queue.into_iter().next() else { return Ok(found) };
        let is_ours = Info::decode(&first.info).is_some_and(|holder| may_release(&holder));
        if !is_ours {
            return Ok(found.or(Some(first)));
        }
        above.push(Rung { lease: first.lease, created: first.created });
        found = Some(first);
    }
}
