//! `memlatch doctor ADDRESS`: whether an engine may be trusted with documents; and `memlatch-remote landed`.
//!
//! What calls itself compatible is tried: several writers race to make one document and then to change it, and of each race one
//! has to win. That takes a document of its own, which is removed again.

use crate::{
    Means,
    place::{Store, Subject, until},
};
use memlatch::{
    failure::{Failure, Kind},
    request::Doctor,
};
use memlatch_os::paths::shown;
use memlatch_remote::{
    Moment,
    address::Place,
    engine::{Change, Engine, Error, Ladder, Landed, Replaced, Seen, Standing, Wanted},
    random,
};
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    path::Path,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// So many race at once, so many times.
const RACERS: usize = 8;
const RACES: usize = 12;

/// A store whose members all answer at once needs no more.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was found about one thing.
struct Finding {
    /// Whether something has to be mended.
    is_problem: bool,
    subject: &'static str,
    what: String,
}

/// Looks at the engine of each address.
pub fn run(request: &Doctor, means: Means<'_>) -> Result<u8, Failure> {
    let mut sick = false;
    let mut all = Vec::new();
    for word in &request.paths {
        let subject = Subject::find_any(word, means.settings)?;
        let findings = examine(&subject)?;
        sick |= findings.iter().any(|finding| finding.is_problem);
        all.push((subject.target.path, findings));
    }
    if request.json {
        let engines: Vec<Value> = all.iter().map(|(place, findings)| as_json(place, findings)).collect();
        means.console.json(&json!({ "version": 1, "engines": engines }))?;
        return Ok(u8::from(sick));
    }
    means.console.data(|out| {
        for (place, findings) in &all {
            writeln!(out, "{}", shown(place))?;
            for finding in findings {
                let sign = if finding.is_problem { "problem" } else { "ok" };
                writeln!(out, "  {sign:8}{}: {}", finding.subject, finding.what)?;
            }
        }
        Ok(())
    })?;
    Ok(u8::from(sick))
}

fn as_json(place: &Path, findings: &[Finding]) -> Value {
    let findings = findings.iter().map(|finding| {
        json!({ "level": if finding.is_problem { "problem" } else { "ok" }, "check": finding.subject, "what": finding.what })
    });
    json!({ "engine": shown(place), "findings": findings.collect::<Vec<_>>() })
}

fn examine(subject: &Subject) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    let mut add = |is_problem, subject, what| findings.push(Finding { is_problem, subject, what });
    let store = subject.store()?;
    let until = until(PATIENCE);
    add(false, "credentials", subject.access.login.source());
    if let Store::Etcd(cluster) = &store {
        let health = cluster.health(until).map_err(|error| subject.failure(error))?;
        add(
            false,
            "engine",
            format!("etcd {}, {} at revision {}", health.version, in_megabytes(health.size), health.revision),
        );
        for alarm in &health.alarms {
            add(
                true,
                "alarm",
                format!("{alarm}; it takes no writes until its administrator has made room and disarmed it"),
            );
        }
        match health.compacts {
            Some(true) => add(false, "compaction", "earlier revisions are thrown away".to_owned()),
            Some(false) => add(
                true,
                "compaction",
                "nothing was ever thrown away, and the store is read-only once it is full (2 GiB by default); start etcd \
                 with --auto-compaction-retention=1h"
                    .to_owned(),
            ),
            None => add(false, "compaction", "too young to tell; start etcd with --auto-compaction-retention=1h".to_owned()),
        }
        if !health.alarms.is_empty() {
            return Ok(findings);
        }
    }
    let trial =
        Trial { subject, key: format!("{}memlatch-doctor-{:016x}.json", folder_of(subject.key()), random::number()) };
    match trial.times(store.engine(), until) {
        Ok(round_trip) => add(false, "round trip", format!("{:.1} ms", round_trip.as_secs_f64() * 1000.0)),
        Err(error) => return Err(subject.failure(error)),
    }
    let told = match trial.races(until) {
        Ok(winners) => {
            let wrong = winners.iter().filter(|winners| **winners != 1).count();
            match winners.iter().max() {
                Some(most) if wrong > 0 => (
                    true,
                    format!(
                        "in {wrong} of {RACES} races of {RACERS} writers not exactly one won, and up to {most} did: updates \
                         would be lost here; do not use this store"
                    ),
                ),
                _ => (false, format!("in each of {RACES} races of {RACERS} writers exactly one won")),
            }
        }
        Err(error) => (true, format!("the races could not be run to their end: {error}")),
    };
    add(told.0, "conditional writes", told.1);
    // What is left of a trial says so by its name.
    if let Err(error) = store.engine().remove(&trial.key, until) {
        add(true, "trial", format!("'{}' could not be removed: {error}", trial.key));
    }
    if let Place::Bucket { .. } = subject.address().place {
        add(false, "locks", "a bucket has none; memory-update and atomic-write need none".to_owned());
    }
    Ok(findings)
}

fn in_megabytes(bytes: i64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The part of a name before the last slash, and the slash.
fn folder_of(key: &str) -> &str {
    key.rfind('/').map_or("", |slash| &key[..=slash])
}

/// A document to be raced for.
struct Trial<'a> {
    subject: &'a Subject,
    key: String,
}

impl Trial<'_> {
    /// The median of some reads.
    fn times(&self, engine: &dyn Engine, until: Moment) -> Result<Duration, Error> {
        let mut times = Vec::new();
        // The first one makes the connection.
        for _ in 0..6 {
            let begun = Instant::now();
            engine.read(&self.key, Wanted::Document, &Ladder::default(), until)?;
            times.push(begun.elapsed());
        }
        times.remove(0);
        times.sort();
        Ok(times[times.len() / 2])
    }

    /// How many have won each of the races: the first for making the document, the others for changing it.
    fn races(&self, until: Moment) -> Result<Vec<usize>, Error> {
        let line = Barrier::new(RACERS);
        let results: Vec<Result<Vec<bool>, Error>> = thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS)
                .map(|racer| {
                    scope.spawn({
                        let line = &line;
                        move || self.race(racer, line, until)
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().expect("a racer does not panic")).collect()
        });
        let results: Vec<Vec<bool>> = results.into_iter().collect::<Result<_, _>>()?;
        Ok((0..RACES).map(|race| results.iter().filter(|wins| wins[race]).count()).collect())
    }

    /// One racer. A racer that fails still joins the barriers, so that the others do not wait for it for ever.
    fn race(&self, racer: usize, line: &Barrier, until: Moment) -> Result<Vec<bool>, Error> {
        let access = &self.subject.access;
        let store = crate::place::open(access);
        let mut failed = None;
        let mut wins = Vec::new();
        for race in 0..RACES {
            line.wait();
            // All have read before anybody writes.
            let seen = store
                .as_ref()
                .ok()
                .map(|store| store.engine().read(&self.key, Wanted::Document, &Ladder::default(), until));
            line.wait();
            let won = match (&store, seen) {
                (Ok(store), Some(Ok(seen))) => self.win(store.engine(), &seen, racer, race, until),
                (_, Some(Err(error))) => Err(error),
                _ => Ok(false),
            };
            match won {
                Ok(won) => wins.push(won),
                Err(error) => {
                    failed = Some(error);
                    wins.push(false);
                }
            }
        }
        store?;
        failed.map_or(Ok(wins), Err)
    }

    fn win(&self, engine: &dyn Engine, seen: &Seen, racer: usize, race: usize, until: Moment) -> Result<bool, Error> {
        let content = format!("{{\"racer\": {racer}, \"race\": {race}}}\n");
        let change = Change { document: content.as_bytes(), backups: Vec::new(), id: &random::write_id() };
        Ok(matches!(engine.replace(&self.key, seen, &change, &Standing::default(), until)?, Replaced::Done))
    }
}

/// `memlatch-remote landed ID ADDRESS`: whether a write was made whose answer was lost.
pub fn landed(words: &[OsString], means: Means<'_>) -> Result<u8, Failure> {
    let [_, id, place] = words else {
        return Err(Failure::usage("say: memlatch-remote landed ID ADDRESS, with the ID that the message named"));
    };
    let id = id.to_str().filter(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let id = id.ok_or_else(|| Failure::usage("the ID of a write has 16 digits of 0-9 and a-f"))?;
    let subject = Subject::find(Path::new(place), means.settings)?;
    let landed = subject.store()?.engine().landed(subject.key(), id, until(means.settings.lock_timeout()?));
    let (word, status) = match landed.map_err(|error| subject.failure(error))? {
        Landed::Yes => ("yes: the write was made", 0),
        Landed::No => ("no: the write was not made", 1),
        Landed::Forgotten => {
            return Err(Failure::new(
                Kind::Unknown,
                format!(
                    "'{}' was written so often since that the write is not on its list any more; compare its content with \
                     what the write was to make of it",
                    shown(&subject.target.given)
                ),
            ));
        }
    };
    means.console.data(|out| writeln!(out, "{word}"))?;
    Ok(status)
}
