//! Many at once: nothing is lost, nobody holds what another holds, nobody waits for ever.

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::{Running, Sandbox, code, wait_until};

#[test]
fn sixteen_processes_counting_through_four_spellings_lose_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"counter\":0}");
    fs::create_dir(sandbox.path("sub")).unwrap();
    symlink(sandbox.path(""), sandbox.path("sub/linked")).unwrap();
    let absolute = sandbox.path("a.json").display().to_string();
    let worker = |spelling: &str| {
        let script = format!("for n in {{1..50}}; do memory-update {spelling} '.counter += 1' || exit; done\n");
        sandbox.bash(&script).env("LOCK_TIMEOUT", "110").start()
    };
    let spellings = ["a.json", &absolute, "sub/linked/a.json", "sub/../a.json"];
    let workers: Vec<Running> = (0..16).map(|n| worker(spellings[n % 4])).collect();
    for worker in workers {
        let output = worker.ended();
        assert_eq!(code(output.status), 0, "{}", String::from_utf8_lossy(&output.stderr));
    }
    sandbox.holds("a.json", "{\n  \"counter\": 800\n}\n");
}

/// A process that does nothing but live, to own leases.
fn idle() -> Child {
    Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().expect("sleep")
}

fn end(mut child: Child) {
    child.kill().expect("a child of ours");
    child.wait().expect("a child of ours");
}

#[test]
fn twelve_contenders_for_one_stale_lock_are_never_two_holders() {
    let sandbox = Sandbox::new();
    let mut owners: Vec<Child> = (0..12).map(|_| idle()).collect();
    for round in 0..50 {
        if round % 2 == 0 {
            sandbox.plant_script_lock("a.json", sandbox.dead_pid());
        } // else the lease of the owner that died in the round before
        let contenders: Vec<Running> = owners
            .iter()
            .map(|owner| {
                let owner = owner.id().to_string();
                sandbox.call(["file-lock", "acquire", "a.json", "--timeout", "0", "--owner", &owner]).start()
            })
            .collect();
        let codes: Vec<i32> = contenders.into_iter().map(|contender| code(contender.ended().status)).collect();
        let winners: Vec<usize> = (0..12).filter(|&n| codes[n] == 0).collect();
        assert!(winners.len() == 1 && codes.iter().all(|code| [0, 75].contains(code)), "round {round}: {codes:?}");
        if round % 2 == 0 {
            end(std::mem::replace(&mut owners[winners[0]], idle()));
        } else {
            sandbox.line("file-lock release a.json --force").succeeds();
        }
    }
    owners.into_iter().for_each(end);
}

#[test]
fn twelve_waiters_for_one_stale_lock_take_turns() {
    let sandbox = Sandbox::new();
    let critical = "mkdir inside || exit 99; sleep 0.002; rmdir inside";
    for _ in 0..10 {
        sandbox.plant_script_lock("a.json", sandbox.dead_pid());
        let contenders: Vec<Running> = (0..12)
            .map(|_| sandbox.call(["file-lock", "with", "a.json", "--", "sh", "-c", critical]).start())
            .collect();
        for contender in contenders {
            assert_eq!(code(contender.ended().status), 0);
        }
    }
}

#[test]
fn cleanup_in_a_loop_never_removes_a_lock_that_was_just_taken() {
    let sandbox = Sandbox::new();
    let script = "until [ -e done ]; do file-lock cleanup || exit; done\n";
    let cleaners: Vec<Running> = (0..2).map(|_| sandbox.bash(script).start()).collect();
    let script = "for n in {1..40}; do\n\
        ID=$(file-lock acquire a.json) || exit 1\n\
        mkdir inside || exit 99\nrmdir inside || exit 98\n\
        file-lock release $ID || exit 2\ndone\n";
    let workers: Vec<Running> = (0..4).map(|_| sandbox.bash(script).env("LOCK_TIMEOUT", "110").start()).collect();
    for worker in workers {
        let output = worker.ended();
        assert_eq!(code(output.status), 0, "{}", String::from_utf8_lossy(&output.stderr));
    }
    sandbox.write("done", "");
    for cleaner in cleaners {
        assert_eq!(code(cleaner.ended().status), 0);
    }
}

#[test]
fn two_orders_of_two_files_do_not_deadlock() {
    let sandbox = Sandbox::new();
    let worker = |files: &str| {
        let script = format!(
            "for n in {{1..100}}; do file-lock with {files} -- sh -c 'mkdir inside && rmdir inside' || exit; done\n"
        );
        sandbox.bash(&script).env("LOCK_TIMEOUT", "110").start()
    };
    for worker in [worker("a b"), worker("b a")] {
        let output = worker.ended();
        assert_eq!(code(output.status), 0, "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn scripts_that_lock_by_mkdir_and_memlatch_exclude_one_another() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"n\":0}");
    fs::create_dir_all(sandbox.locks_folder()).unwrap();
    let lock = sandbox.lock_folder("a.json").display().to_string();
    let host = hostname::get().unwrap().to_string_lossy().into_owned();
    let old = format!(
        "for n in {{1..50}}; do\n\
         until mkdir {lock} 2>/dev/null; do sleep 0.05; done\n\
         printf 'PID: %s\\nACQUIRED: 2026-01-25T10:30:00Z\\nHOSTNAME: {host}\\n' $$ >{lock}/info\n\
         text=$(<a.json); number=${{text//[!0-9]/}}\n\
         echo \"{{\\\"n\\\":$((number + 1))}}\" >new.$$ && mv new.$$ a.json || exit\n\
         rm -f {lock}/info && rmdir {lock} || exit\n\
         done\n"
    );
    let new = "for n in {1..50}; do memory-update a.json '.n += 1' || exit; done\n";
    let worker = |script: &str| sandbox.bash(script).env("LOCK_TIMEOUT", "110").start();
    let workers: Vec<Running> = (0..16).map(|n| worker(if n % 2 == 0 { &old } else { new })).collect();
    for worker in workers {
        let output = worker.ended();
        assert_eq!(code(output.status), 0, "{}", String::from_utf8_lossy(&output.stderr));
    }
    sandbox.line("memory-read a.json .n").succeeds().prints("800\n");
}

#[test]
#[cfg(target_os = "linux")]
fn a_guard_that_was_unlinked_during_a_wait_excludes_nobody() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.locks_folder()).unwrap();
    let path = sandbox.locks_folder().join(format!("{}.guard", sandbox.lock_id("a.json")));
    let old = fs::File::create(&path).unwrap();
    old.lock().unwrap();
    let waiting = sandbox.line("file-lock with a.json --timeout 4 -- echo mine").start();
    wait_until("the waiter's open guard", || {
        let open = fs::read_dir(format!("/proc/{}/fd", waiting.id())).into_iter().flatten().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|open| open == path)
    });
    fs::remove_file(&path).unwrap();
    let held = sandbox.holder("a.json");
    drop(old); // which gives the waiter the lock of a file that nobody else will ever open
    let ended = waiting.ended();
    assert_eq!((code(ended.status), String::from_utf8_lossy(&ended.stdout).as_ref()), (75, ""));
    held.ended();
}

#[test]
fn a_with_killed_by_sigkill_keeps_its_lock_until_its_command_ends() {
    let sandbox = Sandbox::new();
    let command = "echo held; until [ -e go ]; do sleep 0.02; done";
    let mut held = sandbox.call(["file-lock", "with", "a.json", "--", "sh", "-c", command]).start();
    held.says("held");
    held.kill();
    sandbox.is_held("a.json");
    sandbox.line("file-lock cleanup").succeeds();
    sandbox.is_held("a.json");
    let waiting = sandbox.line("file-lock with a.json -- echo mine").start();
    sandbox.write("go", "");
    waiting.says("mine");
    waiting.ended();
    sandbox.is_free("a.json");
}

#[test]
fn a_daemon_that_the_command_leaves_behind_does_not_keep_the_lock() {
    let sandbox = Sandbox::new();
    let command = "sleep 1000 >/dev/null 2>&1 </dev/null & echo $!";
    let started = sandbox.call(["file-lock", "with", "a.json", "--", "sh", "-c", command]).succeeds().stdout();
    sandbox.is_free("a.json");
    let daemon = Pid::from_raw(started.trim().parse().unwrap()).unwrap();
    kill_process(daemon, Signal::KILL).expect("the daemon lives on");
}

#[test]
fn a_writer_killed_while_waiting_or_working_loses_no_other_update() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"n\":0}");
    let script = "for n in {1..25}; do memory-update a.json '.n += 1' || exit; done\n";
    let workers: Vec<Running> = (0..4).map(|_| sandbox.bash(script).env("LOCK_TIMEOUT", "110").start()).collect();
    let slow = "memory-update a.json 'reduce range(300000) as $i (.; .) | .x = 1'";
    for n in 0..20 {
        let mut victim = sandbox.bash(&format!("exec {slow}")).start();
        // Wherever it has got to by then: the point of its death is to vary, and no outcome depends on it.
        let alive = Instant::now();
        wait_until("a moment of its life", || alive.elapsed() > Duration::from_millis(n * 3));
        drop(victim.stdin.take());
        victim.signal(Signal::KILL);
        victim.wait();
    }
    for worker in workers {
        let output = worker.ended();
        assert_eq!(code(output.status), 0, "{}", String::from_utf8_lossy(&output.stderr));
    }
    sandbox.line("memory-read a.json .n").succeeds().prints("100\n");
    sandbox.line("memory-update a.json .").succeeds(); // sweeps what the last victim left
}

#[test]
fn waiters_are_served_about_evenly() {
    let sandbox = Sandbox::new();
    let script = "until [ -e done ]; do file-lock with a.json -- true || exit; echo x; done\n";
    let workers: Vec<Running> = (0..4).map(|_| sandbox.bash(script).env("LOCK_TIMEOUT", "110").start()).collect();
    wait_until("forty turns of the first worker", || workers[0].printed().len() > 80);
    sandbox.write("done", "");
    for worker in workers {
        let turns = String::from_utf8(worker.ended().stdout).unwrap().lines().count();
        assert!(turns >= 4, "a worker had {turns} turns while another had 40");
    }
}

#[test]
fn a_try_without_waiting_does_not_fail_because_of_status_or_readers() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", r#"{"n":0}"#);
    let script = "touch go\n\
        for look in 'file-lock status a.json' 'memory-read a.json' 'file-lock show'; do\n\
          while [ -e go ]; do $look; done >/dev/null 2>&1 &\ndone\n\
        for i in $(seq 100); do memory-update a.json '.n += 1' --timeout 0 2>>log || echo $? >>failed; done\n\
        rm go; wait; cat log >&2; cat failed 2>/dev/null\nmemory-read a.json .n";
    assert_eq!(sandbox.bash(script).succeeds().stdout(), "100\n");
}
