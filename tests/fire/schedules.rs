//! Staged races: one process is stopped before each of its system calls in turn, another one runs from its beginning to
//! its end meanwhile, and then the first goes on. With one switch at every possible place this finds what storms miss.

use crate::{
    puppet::{Call, End, Puppet},
    sandbox::Sandbox,
    scene::{self, command, content, report},
};
use std::{
    fs,
    fs::File,
    time::{Duration, SystemTime},
};

const UPDATE: &[&str] = &["memory-update", "a.json", ".counter += 1", "--timeout", "0"];
const CLEANUP: &[&str] = &["file-lock", "cleanup"];

type Prepare = fn(&Sandbox);

/// The state in which two processes may find a lock.
const BEGINNINGS: [(&str, Prepare); 6] = [
    ("free", |_| {}),
    ("an idle guard", |sandbox| {
        sandbox.line("file-lock with a.json -- true").succeeds();
        age_guard(sandbox);
    }),
    ("a dead update", |sandbox| plant_dead(sandbox, "memory-update")),
    ("a dead lease", |sandbox| plant_dead(sandbox, "lease")),
    ("a dead script", |sandbox| sandbox.plant_script_lock("a.json", sandbox.dead_pid())),
    ("a dead maker", |sandbox| scene::plant(sandbox, "a.json", "")),
];

fn plant_dead(sandbox: &Sandbox, kind: &str) {
    let (pid, boot, host) = (sandbox.dead_pid(), scene::boot(), scene::host());
    scene::plant(sandbox, "a.json", &format!("PID: {pid}\nHOSTNAME: {host}\nBOOT: {boot}\nKIND: {kind}\n"));
}

/// Old enough for `cleanup` to remove it.
fn age_guard(sandbox: &Sandbox) {
    let guard = sandbox.locks_folder().join(format!("{}.guard", sandbox.lock_id("a.json")));
    if let Ok(guard) = File::options().write(true).open(guard) {
        guard.set_modified(SystemTime::UNIX_EPOCH).expect("an old file");
    }
}

/// Before it comes to the lock directory, a process and others cannot meet.
fn meets_locks(call: &Call) -> bool {
    call.paths.iter().any(|path| path.contains("/.locks"))
}

/// Stops `first` before each of its calls, and runs `others` to their ends there. Gives the number of schedules.
fn switch_everywhere(first: &[&str], others: &[&[&str]], prepare: Prepare, name: &str) -> usize {
    let mut places = 0;
    loop {
        let sandbox = Sandbox::new();
        sandbox.write("a.json", scene::OLD);
        prepare(&sandbox);
        let mut puppet = Puppet::start(command(&sandbox, first), b"");
        let mut own_calls = 0;
        let stop = puppet.run_to(|call| {
            own_calls += usize::from(own_calls > 0 || meets_locks(call));
            own_calls > places
        });
        let at = stop.as_ref().map_or("the end".to_owned(), scene::spelled);
        let mut done = 0;
        for other in others {
            age_guard(&sandbox);
            let output = sandbox.call(other.iter()).output();
            let code = output.status.code();
            assert!(code == Some(0) || code == Some(75), "{name}, {first:?} at {at}: {other:?}: {output:?}");
            done += u64::from(other[0] == "memory-update" && code == Some(0));
        }
        let left = if stop.is_some() { puppet.finish() } else { break };
        assert!(
            left.end == End::Exit(0) || left.end == End::Exit(75),
            "{name}, {first:?} at {at}: {:?} {}",
            left.end,
            left.stderr
        );
        done += u64::from(first[0] == "memory-update" && left.end == End::Exit(0));
        let now = content(&sandbox, "a.json").expect("a file");
        let counter: u64 = now.chars().filter(char::is_ascii_digit).collect::<String>().parse().expect("a counter");
        assert_eq!(counter, 1 + done, "{name}, {first:?} at {at}: an update is lost: {}", left.stderr);
        sandbox.line("file-lock cleanup").succeeds();
        assert!(sandbox.locks().is_empty(), "{name}, {first:?} at {at}: {:?} is left", sandbox.locks());
        places += 1;
    }
    assert!(places > 0, "{name}: it never met the lock directory");
    places
}

fn race(first: &[&str], others: &[&[&str]]) {
    if !scene::may_trace() {
        return;
    }
    let schedules: usize =
        BEGINNINGS.iter().map(|(name, prepare)| switch_everywhere(first, others, *prepare, name)).sum();
    report(&format!("{first:?} against {others:?}: {schedules} schedules"));
}

#[test]
fn no_update_is_lost_wherever_another_one_cuts_in() {
    race(UPDATE, &[UPDATE]);
}

#[test]
fn no_update_is_lost_wherever_a_cleanup_and_an_update_cut_in() {
    race(UPDATE, &[CLEANUP, UPDATE]);
}

#[test]
fn no_lock_is_lost_wherever_updates_cut_into_a_cleanup() {
    race(CLEANUP, &[UPDATE, UPDATE]);
}

#[test]
fn a_guard_unlinked_between_opening_and_locking_is_noticed() {
    if !scene::may_trace() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("a.json", scene::OLD);
    sandbox.line("file-lock with a.json -- true").succeeds();
    let mut late = Puppet::start(command(&sandbox, UPDATE), b"");
    late.run_to(|call| call.name == "flock").expect("it locks a guard");
    age_guard(&sandbox);
    sandbox.line("file-lock cleanup").succeeds();
    let guard = sandbox.locks_folder().join(format!("{}.guard", sandbox.lock_id("a.json")));
    assert!(!guard.exists(), "the cleanup took the guard away");
    let holder = sandbox.holder("a.json");
    let left = late.finish();
    assert_eq!(left.end, End::Exit(75), "{}", left.stderr);
    drop(holder);
    sandbox.may_leave_locks();
}

#[test]
fn a_waiter_whose_guard_is_unlinked_under_it_is_not_a_second_holder() {
    if !scene::may_trace() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("a.json", scene::OLD);
    let holder = sandbox.holder("a.json");
    let words = ["memory-update", "a.json", ".counter += 1", "--timeout", "60"];
    let mut waiter = Puppet::start(command(&sandbox, &words), b"");
    waiter.run_until_asleep_in("flock");
    // Somebody with a broom removes the guard by hand, and another holder finds none.
    let guard = sandbox.locks_folder().join(format!("{}.guard", sandbox.lock_id("a.json")));
    fs::remove_file(guard).expect("a guard");
    fs::remove_dir_all(sandbox.lock_folder("a.json")).expect("a lock");
    let second = sandbox.holder("a.json");
    drop(holder);
    waiter.run_to(|call| call.name == "flock").expect("it is granted the old guard, and locks the new one");
    assert_eq!(content(&sandbox, "a.json").as_deref(), Some(scene::OLD));
    drop(second);
    let left = waiter.finish();
    assert_eq!(left.end, End::Exit(0), "{}", left.stderr);
}

#[test]
fn a_late_release_does_not_end_another_holder_s_lock() {
    if !scene::may_trace() {
        return;
    }
    let mut places = 0;
    loop {
        let sandbox = Sandbox::new();
        sandbox.write("a.json", scene::OLD);
        let owner = std::process::id().to_string();
        sandbox.call(["file-lock", "acquire", "a.json", "--owner", &owner]).succeeds();
        let mut late = Puppet::start(command(&sandbox, &["file-lock", "release", "a.json", "--timeout", "0"]), b"");
        let mut own_calls = 0;
        let stop = late.run_to(|call| {
            own_calls += usize::from(own_calls > 0 || meets_locks(call));
            own_calls > places
        });
        if stop.is_none() {
            break;
        }
        // The same lease ends by another hand, and somebody else takes the lock.
        let released = sandbox.line("file-lock release a.json --timeout 0").output().status.success();
        let mut next = Puppet::start(command(&sandbox, UPDATE), b"");
        let holds = next.run_to(|call| call.name.starts_with("rename")).is_some();
        let end = late.finish();
        if holds && released {
            let held = sandbox.line("file-lock with a.json --timeout 0 -- true").output();
            assert_eq!(held.status.code(), Some(75), "released from under its holder at place {places}: {end:?}");
        }
        next.finish();
        sandbox.line("file-lock release a.json").output();
        sandbox.line("file-lock cleanup").succeeds();
        places += 1;
    }
    report(&format!("a late release: {places} schedules"));
}

/// A script knows nothing of guards, and may remove a lock directory that it takes for a dead one's, and make its own.
#[test]
fn a_directory_that_a_script_swaps_while_it_is_being_taken_stays_the_script_s() {
    if !scene::may_trace() {
        return;
    }
    for has_info in [false, true] {
        let sandbox = Sandbox::new();
        sandbox.write("a.json", scene::OLD);
        let dir = sandbox.lock_folder("a.json");
        let mut puppet = Puppet::start(command(&sandbox, UPDATE), b"");
        let stop = puppet.run_to(|call| call.name == "open" && call.paths[0].ends_with(".lock") && dir.exists());
        assert!(stop.is_some(), "it opens the directory that it made");
        fs::remove_dir(&dir).expect("the directory that was just made");
        if has_info {
            sandbox.plant_script_lock("a.json", std::process::id());
        } else {
            fs::create_dir(&dir).expect("a script's directory");
            // However slow the machine is, it is not to look abandoned.
            let later = SystemTime::now() + Duration::from_secs(3600);
            File::open(&dir).and_then(|dir| dir.set_modified(later)).expect("a young directory");
        }
        let left = puppet.finish();
        assert_eq!(left.end, End::Exit(75), "{}", left.stderr);
        assert_eq!(content(&sandbox, "a.json").as_deref(), Some(scene::OLD));
        assert!(
            dir.exists() && dir.join("info").exists() == has_info,
            "with info {has_info}: the script's lock is gone"
        );
        fs::remove_dir_all(&dir).expect("the script ends");
    }
}
