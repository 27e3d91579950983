//! Storms: many processes at once, some of them killed. Short by default, long by `MEMLATCH_FIRE_SECONDS`.

use crate::{
    sandbox::{Sandbox, Shell},
    scene::report,
};
use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

fn duration() -> Duration {
    let seconds = std::env::var("MEMLATCH_FIRE_SECONDS").ok();
    Duration::from_secs(seconds.map_or(6, |text| text.parse().expect("MEMLATCH_FIRE_SECONDS is a number")))
}

/// Numbers without a pattern, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn in_a_storm_of_killed_writers_no_reported_update_is_lost_or_doubled() {
    let sandbox = &Sandbox::new();
    sandbox.write("a.json", "[]");
    let (done, kills, reads) = (&Mutex::new(BTreeSet::new()), &AtomicUsize::new(0), &AtomicUsize::new(0));
    let end = Instant::now() + duration();
    thread::scope(|scope| {
        for writer in 0..8 {
            scope.spawn(move || {
                let mut dice = Dice(writer);
                let mut number = 0;
                while Instant::now() < end {
                    number += 1;
                    let id = format!("{writer}-{number}");
                    let filter = format!(". += [\"{id}\"]");
                    let mut running = sandbox.call(["memory-update", "a.json", &filter, "--no-sync"]).start();
                    if dice.below(4) == 0 {
                        thread::sleep(Duration::from_micros(dice.below(60_000)));
                        running.kill();
                        kills.fetch_add(1, SeqCst);
                    }
                    if running.wait().success() {
                        done.lock().unwrap().insert(id);
                    }
                }
            });
        }
        for _ in 0..4 {
            scope.spawn(move || {
                let mut longest = 0;
                while Instant::now() < end {
                    let text = sandbox.line("memory-read a.json length").succeeds().stdout();
                    let length: usize = text.trim().parse().expect("a whole document");
                    assert!(length >= longest, "it shrank from {longest} to {length}");
                    longest = length;
                    reads.fetch_add(1, SeqCst);
                }
            });
        }
    });
    sandbox.line("memory-update a.json . --timeout 0").succeeds();
    let stored: Vec<String> = serde_json::from_str(&sandbox.read("a.json")).expect("an array of ids");
    let distinct: BTreeSet<String> = stored.iter().cloned().collect();
    assert_eq!(distinct.len(), stored.len(), "an id is there twice");
    let done = done.lock().unwrap();
    let lost: Vec<&String> = done.difference(&distinct).collect();
    assert!(lost.is_empty(), "reported and lost: {lost:?}");
    assert!(!done.is_empty());
    let (kills, reads) = (kills.load(SeqCst), reads.load(SeqCst));
    report(&format!("{} updates reported, {} stored, {kills} kills, {reads} reads", done.len(), stored.len()));
}

/// A critical section: a folder that one process at a time can make.
const WORK: &str = "mkdir inside 2>/dev/null || echo overlap >>overlaps; echo >>entries; rmdir inside 2>/dev/null";

#[test]
fn in_a_storm_of_all_kinds_of_holders_no_two_are_inside_at_once() {
    let sandbox = &Sandbox::new();
    sandbox.write("a.json", "{\"counter\":0}");
    sandbox.write("b.json", "{}");
    sandbox.write("work.sh", format!("{WORK}\n"));
    let lock = sandbox.lock_folder("a.json").display().to_string();
    let kinds = [
        "file-lock with a.json -- sh work.sh".to_owned(),
        "file-lock with a.json b.json -- sh work.sh".to_owned(),
        "file-lock with b.json a.json -- sh work.sh".to_owned(),
        "file-lock with a.json -- file-lock with a.json -- sh work.sh".to_owned(),
        "file-lock with a.json -- sh -c 'sh work.sh; memory-update a.json \".counter += 1\" --no-sync 2>/dev/null'"
            .into(),
        "ID=$(file-lock acquire a.json) && sh work.sh && file-lock release \"$ID\" 2>/dev/null".into(),
        // A holder that dies inside its lease.
        "file-lock acquire a.json >/dev/null && sh work.sh".into(),
        // A script. It gives up: what a killed `with` has left stands in its way until one of the others comes along. It starts no
        // process between its `mkdir` and its `info`: after two seconds without `info` its lock counts as abandoned.
        format!(
            "host=$(hostname); \
             for try in $(seq 500); do mkdir {lock} 2>/dev/null && break; [ $try -lt 500 ] || exit 0; sleep 0.01; done; \
             printf 'PID: %s\\nHOSTNAME: %s\\n' $$ $host >{lock}/info; sh work.sh; rm -rf {lock}"
        ),
        "file-lock cleanup 2>/dev/null".to_owned(),
    ];
    fs::create_dir_all(sandbox.locks_folder()).unwrap();
    let (rounds, longest, kills) = (&AtomicUsize::new(0), &Mutex::new(Duration::ZERO), &AtomicUsize::new(0));
    let end = Instant::now() + duration();
    thread::scope(|scope| {
        for worker in 0..6 {
            let kinds = &kinds;
            scope.spawn(move || {
                let mut dice = Dice(100 + worker);
                while Instant::now() < end {
                    let kind = dice.below(kinds.len() as u64) as usize;
                    let start = Instant::now();
                    let mut running = sandbox.script(Shell::Dash, &kinds[kind]).start();
                    // `with` may be killed anywhere: its command keeps the lock.
                    if kind < 5 && dice.below(8) == 0 {
                        thread::sleep(Duration::from_micros(dice.below(30_000)));
                        running.kill();
                        kills.fetch_add(1, SeqCst);
                    } else {
                        let status = running.wait();
                        assert!(status.success(), "{}: {status}", kinds[kind]);
                        let mut longest = longest.lock().unwrap();
                        *longest = (*longest).max(start.elapsed());
                    }
                    rounds.fetch_add(1, SeqCst);
                }
            });
        }
    });
    sandbox.line("file-lock with a.json b.json -- true").succeeds();
    assert!(!sandbox.path("overlaps").exists(), "two were inside at once: {}", sandbox.read("overlaps"));
    let longest = *longest.lock().unwrap();
    assert!(longest < Duration::from_secs(30), "somebody waited for {longest:?}");
    let (rounds, kills, entries) = (rounds.load(SeqCst), kills.load(SeqCst), sandbox.read("entries").lines().count());
    report(&format!("{rounds} holders, {entries} critical sections, {kills} kills, longest wait {longest:?}"));
}
