//! Every row of the table of exit statuses.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::sandbox::{Sandbox, code, heeding_signals};

/// A folder with a file, a text that cannot be run, and somebody who holds `held.json`.
fn surroundings() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"n\":1,\"null\":null}");
    sandbox.write("broken.json", "{");
    sandbox.write("held.json", "{}");
    sandbox.write("not-executable", "text");
    fs::set_permissions(sandbox.path("not-executable"), fs::Permissions::from_mode(0o644)).unwrap();
    sandbox
}

#[track_caller]
fn table(rows: &[(i32, &str)]) {
    let sandbox = surroundings();
    let held = sandbox.holder("held.json");
    for (status, line) in rows {
        let output = sandbox.line(line).output();
        assert_eq!(code(output.status), *status, "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    held.ended();
    sandbox.may_leave_locks();
}

#[test]
fn done_is_0() {
    table(&[
        (0, "memory-update a.json .n+=1"),
        (0, "memory-read a.json"),
        (0, "memory-read a.json .null"),
        (0, "atomic-write b.json --content 1"),
        (0, "file-lock with a.json -- true"),
        (0, "file-lock show"),
        (0, "file-lock cleanup"),
        (0, "file-lock help"),
        (0, "file-lock --help"),
        (0, "memlatch --version"),
    ]);
}

#[test]
fn failed_is_1() {
    table(&[
        (1, "memory-update missing.json .n=1"),
        (1, "memory-update broken.json .n=1"),
        (1, "memory-update a.json error"),
        (1, "memory-update a.json empty"),
        (1, "memory-update a.json .,."),
        (1, "memory-update a.json halt"),
        (1, "memory-read missing.json"),
        (1, "memory-read broken.json"),
        (1, "memory-read a.json error"),
        (1, "atomic-write b.json --content {"),
        (1, "atomic-write b.json"),
        (1, "file-lock release a.json"),
    ]);
}

#[test]
fn wrong_usage_is_2() {
    table(&[
        (2, "memlatch"),
        (2, "memlatch nonsense"),
        (2, "memory-update"),
        (2, "memory-update a.json"),
        (2, "memory-update a.json .n=1 --nonsense"),
        (2, "memory-update a.json .n="),
        (2, "memory-update a.json nonsense"),
        (2, "memory-update a.json .n=$missing"),
        (2, "memory-update a.json .n=1 --timeout soon"),
        (2, "memory-update a.json .n=1 --timeout -1"),
        (2, "memory-update a.json .n=1 --indent 99"),
        (2, "memory-update a.json .n=1 --argjson x {"),
        (2, "memory-update a.json .n=1 --arg x"),
        (2, "memory-update a.json .n=1 --create={"),
        (2, "memory-update a.json .n=1 .m=1"),
        (2, "memory-read"),
        (2, "memory-read a.json .n="),
        (2, "memory-update a.json .n .m"),
        (2, "atomic-write"),
        (2, "atomic-write a b --content 1"),
        (2, "file-lock"),
        (2, "file-lock nonsense"),
        (2, "file-lock with"),
        (2, "file-lock with a.json"),
        (2, "file-lock with a.json --"),
        (2, "file-lock with a.json -E 300 -- true"),
        (2, "file-lock acquire"),
        (2, "file-lock acquire a.json --ttl never"),
        (2, "file-lock acquire a.json --owner me"),
        (2, "file-lock release"),
        (2, "file-lock status"),
        (2, "memlatch completions cobol"),
        (2, "memlatch install one two"),
    ]);
}

#[test]
fn a_variable_that_does_not_parse_is_2_and_is_named_with_its_value() {
    let sandbox = surroundings();
    for (name, value) in [
        ("LOCK_TIMEOUT", "soon"),
        ("LOCK_TIMEOUT", "-1"),
        ("LOCK_TIMEOUT", "5s"),
        ("LOCK_TIMEOUT", "nan"),
        ("LOCK_RETRY", "often"),
        ("LOCK_DEBUG", "maybe"),
        ("LOCK_OWNER", "me"),
    ] {
        sandbox.line("file-lock acquire a.json").env(name, value).ends(2).refuses().tells([name, value]);
    }
    sandbox.line("memory-update a.json .n=2").env("LOCK_TIMEOUT", "soon").ends(2).refuses();
    sandbox.line("memory-read a.json").env("LOCK_TIMEOUT", "soon").ends(2).refuses();
    sandbox.line("atomic-write a.json --content 1").env("LOCK_TIMEOUT", "soon").ends(2).refuses();
    sandbox.line("file-lock with a.json -- true").env("LOCK_TIMEOUT", "soon").ends(2).refuses();
    sandbox.holds("a.json", "{\"n\":1,\"null\":null}");
}

#[test]
fn a_variable_set_to_nothing_counts_as_not_set() {
    let sandbox = surroundings();
    let call = sandbox.line("memory-update a.json .n=2");
    call.env("LOCK_TIMEOUT", "").env("LOCK_RETRY", "").env("LOCK_DEBUG", "").env("LOCK_OWNER", "").succeeds();
}

#[test]
fn no_home_for_locks_is_wrong_usage() {
    let sandbox = surroundings();
    let call = sandbox.line("memory-update a.json .n=2").without("HOME").without("AICONFIG_PATH");
    call.ends(2).refuses().tells(["AICONFIG_PATH"]);
}

#[test]
fn a_lock_that_is_not_free_in_time_is_75_or_the_status_given_to_with() {
    table(&[
        (75, "memory-update held.json .n=1 --timeout 0"),
        (75, "memory-update held.json .n=1 --timeout 0.1"),
        (75, "memory-read held.json --timeout 0"),
        (75, "file-lock acquire held.json --timeout 0"),
        (75, "file-lock with held.json --timeout 0 -- true"),
        (75, "file-lock with a.json held.json --timeout 0 -- true"),
        (9, "file-lock with held.json --timeout 0 -E 9 -- true"),
        (0, "file-lock with held.json --timeout 0 --conflict-exit-code 0 -- false"),
    ]);
}

#[test]
fn with_ends_as_its_command_as_a_shell_would_say_it() {
    table(&[
        (0, "file-lock with a.json -- true"),
        (1, "file-lock with a.json -- false"),
        (126, "file-lock with a.json -- ./not-executable"),
        (126, "file-lock with a.json -- ./scripts"),
        (127, "file-lock with a.json -- no-such-command"),
        (127, "file-lock with a.json -- ./no-such-command"),
    ]);
    surroundings().call(["file-lock", "with", "a.json", "--", "sh", "-c", "exit 42"]).ends(42);
}

#[test]
fn with_ends_with_128_and_the_signal_that_ended_its_command() {
    let sandbox = surroundings();
    for (signal, status) in [("TERM", 143), ("KILL", 137), ("INT", 130), ("HUP", 129), ("USR1", 138)] {
        let kill = format!("kill -{signal} $$");
        sandbox
            .call([heeding_signals(), &["file-lock", "with", "a.json", "--", "sh", "-c", &kill]].concat())
            .ends(status);
        sandbox.is_free("a.json");
    }
}

#[test]
fn an_engine_that_is_not_there_is_69_and_an_address_that_cannot_be_meant_is_2() {
    if cfg!(not(feature = "remote")) {
        return;
    }
    // Nobody listens at port 1.
    let nobody = "etcd+http://127.0.0.1:1";
    for line in [
        format!("memory-read {nobody}/a.json"),
        format!("memory-update {nobody}/a.json .n=1"),
        format!("atomic-write {nobody}/a.json --content 1"),
        format!("file-lock with {nobody}/a.json -- true"),
        format!("file-lock acquire {nobody}/a.json"),
    ] {
        let mut words: Vec<&str> = line.split(' ').collect();
        words.splice(2..2, ["--timeout", "0"]);
        surroundings().call(words).ends(69).refuses().tells(["127.0.0.1:1", "nothing has changed"]);
    }
    table(&[
        (69, "file-lock status etcd+http://127.0.0.1:1/a.json"),
        (2, "memory-read etcd+http://192.0.2.1/a.json"),
        (2, "memory-read etcd+https://user:secret@host/a.json"),
        (2, "memory-read etcd+https://host/"),
        (2, "file-lock with s3://bucket/a.json -- true"),
        (2, "file-lock show a.json"),
        (2, "memlatch mcp --root s3://bucket/"),
    ]);
}

#[test]
fn status_is_0_for_free_and_1_for_held() {
    table(&[(0, "file-lock status a.json"), (1, "file-lock status held.json"), (0, "file-lock status missing.json")]);
}

#[test]
fn memory_read_e_is_1_for_null_and_4_for_nothing_and_2_for_a_typo() {
    table(&[
        (0, "memory-read a.json -e .n"),
        (1, "memory-read a.json -e .null"),
        (4, "memory-read a.json -e empty"),
        (2, "memory-read a.json -e .n="),
    ]);
}
