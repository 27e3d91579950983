//! Judging a holder: each way in which a PID in a lock may mean something else than it seems.

use crate::{
    sandbox::{Sandbox, available, wait_until},
    scene::{boot, host, plant},
};
use std::{
    fs,
    process::{Command, Stdio},
};

/// The lines of a living lease of process `pid`, to be changed by a test.
fn lease(pid: u32) -> Vec<String> {
    vec![
        format!("PID: {pid}"),
        "ACQUIRED: 2126-01-25T10:30:00Z".into(),
        format!("HOSTNAME: {}", host()),
        format!("BOOT: {}", boot()),
        format!("NAMESPACE: {}", namespace()),
        format!("STARTED: {}", started(pid)),
        "TOKEN: ab-1".into(),
        "KIND: lease".into(),
    ]
}

fn namespace() -> String {
    let name = fs::read_link("/proc/self/ns/pid").expect("a namespace").display().to_string();
    name.trim_start_matches("pid:[").trim_end_matches(']').to_owned()
}

fn started(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(19)).unwrap_or("1").to_owned()
}

fn with(mut lines: Vec<String>, name: &str, value: &str) -> Vec<String> {
    lines.retain(|line| !line.starts_with(&format!("{name}:")));
    lines.insert(1, format!("{name}: {value}"));
    lines
}

/// A place where `lines` stand in the lock of `a.json`.
fn held_by(lines: &[String]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    plant(&sandbox, "a.json", &(lines.join("\n") + "\n"));
    sandbox.may_leave_locks();
    sandbox
}

/// A process that is no ancestor of what a test starts.
struct Other(std::process::Child);

impl Other {
    fn new() -> Other {
        Other(Command::new("sleep").arg("1000").stdout(Stdio::null()).spawn().expect("sleep"))
    }

    fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn a_living_owner_keeps_its_lease() {
    let other = Other::new();
    held_by(&lease(other.id())).is_held("a.json");
}

#[test]
fn a_reused_pid_is_not_the_owner() {
    let other = Other::new();
    held_by(&with(lease(other.id()), "STARTED", "7")).is_free("a.json");
}

#[test]
fn a_pid_of_a_boot_before_this_one_is_not_the_owner() {
    let other = Other::new();
    let lines = with(lease(other.id()), "BOOT", "00000000-0000-0000-0000-000000000000");
    held_by(&with(lines, "ACQUIRED", "2001-01-01T00:00:00Z")).is_free("a.json");
}

#[test]
fn another_machine_of_the_same_name_is_not_judged() {
    let sandbox = held_by(&with(lease(4_000_000), "BOOT", "00000000-0000-0000-0000-000000000000"));
    sandbox.is_held("a.json");
}

#[test]
fn another_host_is_not_judged_and_only_force_gets_past_it() {
    let sandbox = held_by(&with(with(lease(4_000_000), "HOSTNAME", "elsewhere"), "BOOT", "1"));
    sandbox.is_held("a.json");
    sandbox.line("file-lock cleanup").succeeds();
    sandbox.is_held("a.json");
    sandbox.line("file-lock release a.json").ends(1).refuses().tells(["elsewhere", "--force"]);
    sandbox.line("file-lock release a.json --force").succeeds();
    sandbox.is_free("a.json");
}

/// That a namespace is empty can be seen from the first one alone, whose number is the same on every system.
#[test]
fn another_pid_namespace_is_judged_only_where_all_processes_are_seen() {
    let sandbox = held_by(&with(lease(4_000_000), "NAMESPACE", "1"));
    let own = std::fs::read_link("/proc/self/ns/pid").expect("a namespace");
    match own.to_str() {
        Some("pid:[4026531836]") => sandbox.is_free("a.json"),
        _ => sandbox.is_held("a.json"),
    };
}

#[test]
fn a_lease_looks_held_from_within_a_real_pid_namespace() {
    let works = |words: &[&str]| Command::new("unshare").args(words).status().is_ok_and(|status| status.success());
    let words = ["--pid", "--fork", "--mount-proc"];
    if !available("unshare") || !works(&[&words[..], &["true"]].concat()) {
        crate::scene::report("SKIPPED: this user may not make a PID namespace");
        return;
    }
    let other = Other::new();
    let sandbox = held_by(&lease(other.id()));
    let inner =
        ["unshare", "--pid", "--fork", "--mount-proc", "file-lock", "with", "a.json", "--timeout", "0", "--", "true"];
    sandbox.call(inner).ends(75);
    let inner = ["unshare", "--pid", "--fork", "--mount-proc", "file-lock", "cleanup"];
    sandbox.call(inner).succeeds();
    sandbox.is_held("a.json");
}

#[test]
fn a_zombie_holds_nothing() {
    let mut child = Command::new("sleep").arg("1000").spawn().expect("sleep");
    let lines = lease(child.id());
    let sandbox = held_by(&lines);
    sandbox.is_held("a.json");
    child.kill().expect("a child");
    wait_until("a zombie", || {
        fs::read_to_string(format!("/proc/{}/stat", child.id())).is_ok_and(|stat| stat.contains(") Z"))
    });
    sandbox.is_free("a.json");
    child.wait().expect("a child");
}

#[test]
fn an_owner_that_calls_exec_stays_the_owner() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    let owner =
        sandbox.bash("ID=$(file-lock acquire a.json) || exit\nexec sh -c 'echo held; read _ || true'\n").start();
    owner.says("held");
    sandbox.is_held("a.json");
    drop(owner);
    sandbox.is_free("a.json");
}

#[test]
fn a_lease_is_over_at_its_deadline_whatever_the_wall_clock_says() {
    let other = Other::new();
    let expired = with(with(lease(other.id()), "DEADLINE", "1"), "EXPIRES", "2126-01-01T00:00:00Z");
    held_by(&expired).is_free("a.json");
    // The clock was set forward: by it the lease is long over, by the time that has passed it is not.
    let jumped = with(with(lease(other.id()), "DEADLINE", "99999999999999"), "EXPIRES", "2001-01-01T00:00:00Z");
    held_by(&jumped).is_held("a.json");
}

#[test]
fn a_lease_of_another_machine_ends_by_the_wall_clock() {
    let lines = with(with(lease(4_000_000), "HOSTNAME", "elsewhere"), "BOOT", "1");
    held_by(&with(lines.clone(), "EXPIRES", "2001-01-01T00:00:00Z")).is_free("a.json");
    held_by(&with(lines, "EXPIRES", "2126-01-01T00:00:00Z")).is_held("a.json");
}

#[test]
fn a_process_of_another_user_is_judged_as_well() {
    if !rustix::process::geteuid().is_root() || !available("setpriv") {
        crate::scene::report("SKIPPED: only root can start a process of another user");
        return;
    }
    let words = ["--reuid=65534", "--clear-groups", "sleep", "1000"];
    let other = Other(Command::new("setpriv").args(words).spawn().expect("setpriv"));
    let sandbox = held_by(&lease(other.id()));
    sandbox.is_held("a.json");
    drop(other);
    sandbox.is_free("a.json");
}
