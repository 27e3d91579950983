//! Inside is inside: a command under a lock may use every tool on the locked file, to any depth.

use crate::sandbox::{Sandbox, code};

#[test]
fn with_in_with_in_with_works_and_updates() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    let with = "file-lock with a.json --";
    sandbox.line(&format!("{with} {with} {with} memory-update a.json .n=1")).env("LOCK_TIMEOUT", "0").succeeds();
    sandbox.holds("a.json", "{\n  \"n\": 1\n}\n");
}

#[test]
fn every_tool_works_under_with() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"n\":1}");
    for line in [
        "memory-update a.json .n=2",
        "memory-read a.json .n",
        "atomic-write a.json --content {}",
        "file-lock with a.json -- true",
        "file-lock show",
        "file-lock cleanup",
    ] {
        sandbox.line(&format!("file-lock with a.json -- {line}")).env("LOCK_TIMEOUT", "0").succeeds();
    }
    sandbox.holds("a.json", "{}\n");
}

#[test]
fn acquire_and_release_work_under_with() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "script",
        "ID=$(file-lock acquire a.json) || exit 10\nmemory-update a.json --create .n=1 || exit 11\n\
         file-lock release $ID || exit 12\n",
    );
    sandbox.line("file-lock with a.json -- bash script").env("LOCK_TIMEOUT", "0").succeeds();
    sandbox.is_free("a.json");
}

#[test]
fn a_lease_taken_under_with_does_not_outlive_it() {
    let sandbox = Sandbox::new();
    sandbox.write("script", "ID=$(file-lock acquire a.json) || exit 10\n:\n");
    sandbox.line("file-lock with a.json -- bash script").env("LOCK_TIMEOUT", "0").succeeds();
    sandbox.is_free("a.json");
}

#[test]
fn ten_background_updates_inside_one_with_lose_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"n\":0}");
    sandbox.write("script", "for i in 1 2 3 4 5 6 7 8 9 10; do memory-update a.json '.n += 1' & done\nwait\n");
    sandbox.line("file-lock with a.json -- bash script").succeeds();
    sandbox.holds("a.json", "{\n  \"n\": 10\n}\n");
}

#[test]
fn ten_background_updates_of_one_lease_lose_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"n\":0}");
    let script = "ID=$(file-lock acquire a.json)\n\
        for i in 1 2 3 4 5 6 7 8 9 10; do memory-update a.json '.n += 1' & done\nwait\nfile-lock release $ID\n";
    sandbox.bash(script).succeeds();
    sandbox.holds("a.json", "{\n  \"n\": 10\n}\n");
}

#[test]
fn siblings_under_one_lock_exclude_one_another() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "script",
        "file-lock with a.json -- sh -c 'until [ -e go ]; do sleep 0.02; done' &\n\
         until file-lock with a.json --timeout 0 -E 9 -- true; [ $? = 9 ]; do sleep 0.02; done\n\
         echo excluded\nwait\n",
    );
    let running = sandbox.line("file-lock with a.json -- bash script").start();
    running.says("excluded");
    sandbox.write("go", "");
    assert_eq!(code(running.ended().status), 0);
}

#[test]
fn an_insider_that_outlives_the_lock_still_excludes_strangers() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "script",
        "file-lock with a.json -- sh -c 'touch inside; until [ -e go ]; do sleep 0.02; done' >/dev/null 2>&1 </dev/null &\n\
         until [ -e inside ]; do sleep 0.02; done\n",
    );
    sandbox.line("file-lock with a.json -- bash script").succeeds();
    sandbox.is_held("a.json");
    let waiting = sandbox.line("file-lock with a.json -- echo mine").env("LOCK_DEBUG", "1").start();
    waiting.warns("Acquiring lock");
    assert_eq!(waiting.printed(), "");
    sandbox.write("go", "");
    waiting.says("mine");
    waiting.ended();
}

#[test]
fn strangers_wait_however_deep_the_insiders_are() {
    let sandbox = Sandbox::new();
    let with = "file-lock with a.json --";
    let deep = sandbox.line(&format!("{with} {with} {with} sh -c")).arg("echo held; read _ || true").start();
    deep.says("held");
    sandbox.is_held("a.json");
    deep.ended();
    sandbox.is_free("a.json");
}

#[test]
fn a_lock_on_one_file_says_nothing_about_another() {
    let sandbox = Sandbox::new();
    let other = sandbox.holder("b.json");
    sandbox.line("file-lock with a.json -- file-lock with b.json --timeout 0 -- true").ends(75);
    other.ended();
}

#[test]
fn a_process_from_inside_an_ended_lock_is_an_outsider() {
    let sandbox = Sandbox::new();
    // The daemon keeps the environment of the lock it was started under.
    sandbox.write(
        "daemon",
        "until [ -e go ]; do sleep 0.02; done\nfile-lock with a.json --timeout 0 -- true\necho $? >status\n",
    );
    sandbox.line("file-lock with a.json -- sh -c").arg("sh daemon >/dev/null 2>&1 </dev/null &").succeeds();
    let held = sandbox.holder("a.json");
    sandbox.write("go", "");
    crate::sandbox::wait_until("the daemon's answer", || {
        std::fs::read(sandbox.path("status")).is_ok_and(|s| s.ends_with(b"\n"))
    });
    sandbox.holds("status", "75\n");
    held.ended();
}

#[test]
fn a_stranger_cannot_pass_for_an_insider_by_copying_an_environment_that_is_over() {
    let sandbox = Sandbox::new();
    sandbox.line("file-lock with a.json -- sh -c").arg("env | grep ^MEMLATCH_INSIDE= >env").succeeds();
    let inside = sandbox.read("env").trim().split_once('=').expect("a variable").1.to_owned();
    let held = sandbox.holder("a.json");
    sandbox.line("file-lock with a.json --timeout 0 -- true").env("MEMLATCH_INSIDE", &inside).ends(75);
    sandbox.line("file-lock with a.json --timeout 0 -- true").env("MEMLATCH_INSIDE", "nonsense/../x").ends(75);
    held.ended();
}
