//! acquire: who owns a lease, in every form that a shell has for asking; how long it lasts; who may end it.

use std::{
    fs,
    io::Write,
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::sandbox::{Running, Sandbox, Shell, available, code, wait_until};

/// The forms in which scripts take a lock. Each leaves its ID in LOCK_ID, and the shell is to be the owner.
const FORMS: [&str; 18] = [
    "LOCK_ID=$(file-lock acquire a.json)",
    "LOCK_ID=$(file-lock acquire a.json 2>&1)",
    "LOCK_ID=$(file-lock acquire a.json 2>/dev/null)",
    "LOCK_ID=$(file-lock acquire a.json || echo no)",
    "LOCK_ID=$(file-lock acquire a.json && true)",
    "LOCK_ID=$(file-lock acquire a.json | cat)",
    "LOCK_ID=$(file-lock acquire a.json 2>&1 | tail -n 1)",
    "LOCK_ID=$(file-lock acquire a.json; true)",
    "LOCK_ID=$(LOCK_TIMEOUT=5 file-lock acquire a.json)",
    "LOCK_ID=$(cd .; file-lock acquire a.json)",
    "LOCK_ID=`file-lock acquire a.json`",
    "LOCK_ID=\"$(file-lock acquire a.json)\" || exit 1",
    "if LOCK_ID=$(file-lock acquire a.json); then :; fi",
    "take() { LOCK_ID=$(file-lock acquire a.json); }\ntake",
    "take() { file-lock acquire a.json; }\nLOCK_ID=$(take)",
    "inner() { file-lock acquire a.json; }\nouter() { got=$(inner); echo \"$got\"; }\nLOCK_ID=$(outer)",
    "file-lock acquire a.json >id\nLOCK_ID=$(cat id)",
    "LOCK_ID=$(./scripts/file-lock.sh acquire a.json)",
];

#[track_caller]
fn started(sandbox: &Sandbox, shell: Shell, script: &str) -> Running {
    let running = sandbox.script(shell, script).start();
    running.says("held");
    running
}

#[test]
fn in_every_form_the_lease_lasts_until_release() {
    for shell in Shell::all() {
        for form in FORMS {
            let sandbox = Sandbox::new();
            let script = format!(
                "{form}\necho \"held $LOCK_ID.\"\nread _\nfile-lock release \"$LOCK_ID\" || exit\necho released\nread _\n:"
            );
            let mut owner = started(&sandbox, shell, &script);
            owner.says(&format!("held {}.\n", sandbox.lock_id("a.json")));
            sandbox.is_held("a.json");
            owner.tell("release");
            owner.says("released");
            sandbox.is_free("a.json");
            assert_eq!(code(owner.ended().status), 0, "{shell:?}: {form}");
        }
    }
}

#[test]
fn in_every_form_the_lease_ends_with_the_shell() {
    for shell in Shell::all() {
        for form in FORMS {
            let sandbox = Sandbox::new();
            let owner = started(&sandbox, shell, &format!("{form}\necho \"held $LOCK_ID\"\nread _\n:"));
            sandbox.is_held("a.json");
            assert_eq!(code(owner.ended().status), 0, "{shell:?}: {form}");
            sandbox.is_free("a.json");
        }
    }
}

#[test]
fn a_subshell_that_acquires_is_the_owner_itself() {
    let taken = "LOCK_ID=$(file-lock acquire a.json)";
    for shell in Shell::all() {
        for form in ["( {} ) &", "( {}; : ) &"] {
            let sandbox = Sandbox::new();
            let work = format!("{taken}; echo held; until [ -e go ]; do sleep 0.02; done");
            let script = format!("{}\nwait\necho over\nread _\n:", form.replace("{}", &work));
            let mut main = started(&sandbox, shell, &script);
            sandbox.is_held("a.json");
            sandbox.write("go", "");
            main.says("over");
            sandbox.is_free("a.json");
            main.tell("end");
            assert_eq!(code(main.wait()), 0, "{shell:?}: {form}");
        }
    }
}

#[test]
fn a_subshell_in_the_foreground_is_the_owner_itself() {
    for shell in Shell::all() {
        let sandbox = Sandbox::new();
        let script = "( LOCK_ID=$(file-lock acquire a.json 2>&1); echo held; read _ )\necho over\nread _\n:";
        let mut main = started(&sandbox, shell, script);
        sandbox.is_held("a.json");
        main.tell("go");
        main.says("over");
        sandbox.is_free("a.json");
        main.tell("end");
        assert_eq!(code(main.wait()), 0, "{shell:?}");
    }
}

#[test]
fn a_shell_killed_with_its_lease_leaves_no_lock() {
    let sandbox = Sandbox::new();
    let mut owner = sandbox.leaseholder("a.json");
    let waiting = sandbox.line("file-lock with a.json -- echo mine").env("LOCK_DEBUG", "1").start();
    waiting.warns("Acquiring lock");
    owner.kill();
    let start = Instant::now();
    waiting.says("mine");
    assert!(start.elapsed() < Duration::from_secs(10));
    waiting.ended();
}

#[test]
fn the_shell_that_acquired_works_under_its_lock_without_waiting() {
    for shell in Shell::all() {
        let sandbox = Sandbox::new();
        sandbox.write("a.json", "{\"n\":1}\n");
        let script = "export LOCK_TIMEOUT=0\n\
            LOCK_ID=$(file-lock acquire a.json) || exit 10\n\
            memory-update a.json '.n += 1' || exit 11\n\
            test \"$(memory-read a.json .n)\" = 2 || exit 12\n\
            echo '{\"n\": 3}' | atomic-write a.json || exit 13\n\
            file-lock with a.json -- memory-update a.json '.n += 1' || exit 14\n\
            INNER=$(file-lock acquire a.json) || exit 15\n\
            memory-update a.json '.n += 1' || exit 16\n\
            echo held\n\
            file-lock release \"$INNER\" || exit 17\n\
            read _\n\
            file-lock release \"$LOCK_ID\" || exit 18\n\
            file-lock status a.json >/dev/null || exit 19\n";
        let owner = started(&sandbox, shell, script);
        sandbox.is_held("a.json");
        let ended = owner.ended();
        assert_eq!(code(ended.status), 0, "{shell:?}: {}", String::from_utf8_lossy(&ended.stderr));
        sandbox.holds("a.json", "{\n  \"n\": 5\n}\n");
    }
}

#[test]
fn everybody_else_waits_for_a_lease() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    let owner = sandbox.leaseholder("a.json");
    for line in ["memory-update a.json .n=1", "atomic-write a.json --content {}", "file-lock acquire a.json"] {
        sandbox.line(line).env("LOCK_TIMEOUT", "0.2").ends(75).refuses();
    }
    owner.ended();
    sandbox.line("memory-update a.json .n=1 --timeout 0").succeeds();
}

#[test]
fn the_documents_probe_leaves_nothing_locked() {
    let probe = "LOCK_TIMEOUT=0.1 ./scripts/file-lock.sh acquire a.json &>/dev/null && echo Unlocked || echo Locked\n";
    let sandbox = Sandbox::new();
    let script = format!("{probe}file-lock status a.json >/dev/null && echo free\n");
    sandbox.bash(&script).succeeds().prints("Unlocked\nfree\n");
    let owner = sandbox.leaseholder("a.json");
    sandbox.bash(probe).succeeds().prints("Locked\n");
    sandbox.is_held("a.json");
    owner.ended();
    sandbox.is_free("a.json");
}

#[test]
fn an_acquire_without_output_locks_as_long_as_it_can_complain() {
    for shell in Shell::all() {
        let sandbox = Sandbox::new();
        let script = "file-lock acquire a.json >/dev/null || exit\necho held\nread _\nfile-lock release a.json || exit\n\
            echo released\nread _\n:";
        let mut owner = started(&sandbox, shell, script);
        sandbox.is_held("a.json");
        owner.tell("release");
        owner.says("released");
        sandbox.is_free("a.json");
        assert_eq!(code(owner.ended().status), 0);
    }
}

/// A process that owns a lease without having asked for it; it lives until its input ends.
struct Owner(std::process::Child);

impl Owner {
    fn new() -> Owner {
        Owner(Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap())
    }

    fn id(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[test]
fn an_owner_can_be_named_by_option_or_environment() {
    let sandbox = Sandbox::new();
    for by_option in [true, false] {
        let owner = Owner::new();
        let call = sandbox.line("file-lock acquire a.json");
        if by_option {
            call.arg("--owner").arg(owner.id()).env("LOCK_OWNER", "1").succeeds();
        } else {
            call.env("LOCK_OWNER", owner.id()).succeeds();
        }
        sandbox.is_held("a.json");
        sandbox.line("file-lock release a.json").ends(1).refuses();
        sandbox.is_held("a.json");
        drop(owner);
        sandbox.is_free("a.json");
    }
}

#[test]
fn an_owner_that_has_exited_or_is_process_1_is_refused() {
    let sandbox = Sandbox::new();
    let gone = sandbox.dead_pid().to_string();
    for owner in [gone.as_str(), "1", "0", "-5", "me"] {
        let ended = sandbox.line("file-lock acquire a.json").env("LOCK_OWNER", owner).output();
        assert!(matches!(code(ended.status), 1 | 2), "LOCK_OWNER={owner}: {ended:?}");
        assert!(String::from_utf8_lossy(&ended.stderr).contains(owner), "{ended:?}");
        assert!(ended.stdout.is_empty());
        let ended = sandbox.call(["file-lock", "acquire", "a.json", &format!("--owner={owner}")]).output();
        assert!(matches!(code(ended.status), 1 | 2), "--owner={owner}: {ended:?}");
    }
    sandbox.is_free("a.json");
}

#[test]
fn an_orphan_has_no_shell_and_must_name_an_owner() {
    let sandbox = Sandbox::new();
    let script = "( until [ -e go ]; do sleep 0.02; done\n\
        read -r _ _ _ parent _ </proc/$BASHPID/stat; echo $parent >parent\n\
        exec file-lock acquire a.json >out 2>err ) </dev/null >/dev/null 2>&1 &\n";
    sandbox.bash(script).succeeds();
    sandbox.write("go", "");
    wait_until("the orphan's verdict", || {
        fs::read(sandbox.path("out")).is_ok_and(|out| !out.is_empty())
            || fs::read(sandbox.path("err")).is_ok_and(|err| err.ends_with(b"\n"))
    });
    if sandbox.read("parent") != "1\n" {
        sandbox.may_leave_locks();
        _ = writeln!(std::io::stderr(), "\nSKIPPED: orphans here go to process {}\n", sandbox.read("parent").trim());
        return;
    }
    sandbox.holds("out", "");
    assert!(sandbox.read("err").contains("--owner"), "{}", sandbox.read("err"));
    sandbox.is_free("a.json");
}

#[test]
fn a_zombie_owns_nothing() {
    let sandbox = Sandbox::new();
    let mut owner = Owner::new();
    sandbox.line("file-lock acquire a.json --owner").arg(owner.id()).succeeds();
    drop(owner.0.stdin.take());
    // It has ended, and nobody has waited for it: `kill -0` still says that it is there.
    wait_until("the zombie", || {
        let state = Command::new("ps").args(["-o", "stat=", "-p", &owner.id()]).output().unwrap().stdout;
        state.starts_with(b"Z")
    });
    sandbox.is_free("a.json");
}

#[test]
fn a_ttl_ends_a_lease_by_itself() {
    let sandbox = Sandbox::new();
    let owner = Owner::new();
    let start = Instant::now();
    sandbox.line("file-lock acquire a.json --ttl 1.5 --owner").arg(owner.id()).succeeds();
    let held = sandbox.line("file-lock status a.json").output().status;
    assert!(code(held) == 1 || start.elapsed() >= Duration::from_millis(1500), "free before its time");
    sandbox.line("file-lock with a.json -- true").succeeds();
    let lasted = start.elapsed();
    assert!(lasted >= Duration::from_millis(1500) && lasted < Duration::from_secs(20), "{lasted:?}");
}

#[test]
fn a_ttl_may_be_longer_than_any_clock_runs() {
    let sandbox = Sandbox::new();
    let owner = Owner::new();
    sandbox.line("file-lock acquire a.json --ttl 18446744073709549568 --owner").arg(owner.id()).succeeds();
    sandbox.is_held("a.json");
    sandbox.line("file-lock release a.json --force").succeeds();
    sandbox.is_free("a.json");
}

#[test]
fn only_the_owners_tree_releases_and_force_is_the_way_past() {
    let sandbox = Sandbox::new();
    let owner = sandbox.leaseholder("a.json");
    sandbox.line("file-lock release a.json").ends(1).refuses();
    sandbox.call(["file-lock", "release", &sandbox.lock_id("a.json")]).ends(1).refuses();
    sandbox.is_held("a.json");
    sandbox.line("file-lock release a.json --force").succeeds();
    sandbox.is_free("a.json");
    owner.ended();
}

#[test]
fn a_descendant_of_the_owner_may_release() {
    let sandbox = Sandbox::new();
    let script = "ID=$(file-lock acquire a.json)\nsh -c 'file-lock release \"$1\"; exit $?' sh \"$ID\"\n";
    sandbox.bash(script).succeeds();
    sandbox.is_free("a.json");
}

#[test]
fn a_wait_for_a_lease_wakes_when_it_is_released() {
    let sandbox = Sandbox::new();
    let mut owner = sandbox
        .bash("ID=$(file-lock acquire a.json)\necho held\nread _\nfile-lock release $ID\necho released\nread _\n:")
        .start();
    owner.says("held");
    // With looks so far apart that only an event can wake it.
    let waiting = sandbox.line("file-lock with a.json -- echo mine").env("LOCK_DEBUG", "1").start();
    waiting.warns("Acquiring lock");
    owner.tell("release");
    owner.says("released");
    let start = Instant::now();
    waiting.says("mine");
    assert!(start.elapsed() < Duration::from_secs(10));
    waiting.ended();
    owner.ended();
}

#[test]
#[cfg(target_os = "linux")]
fn where_the_system_wakes_waiters_they_do_not_poll() {
    let sandbox = Sandbox::new();
    for end_by_death in [false, true] {
        let mut owner = sandbox
            .bash("ID=$(file-lock acquire a.json)\necho held\nread _ || exit 0\nfile-lock release $ID\n")
            .start();
        owner.says("held");
        let waiting = sandbox.line("file-lock with a.json -- echo mine");
        let waiting = waiting.env("LOCK_DEBUG", "1").env("LOCK_RETRY", "25").start();
        waiting.warns("Acquiring lock");
        let start = Instant::now();
        if end_by_death {
            owner.signal(Signal::KILL);
        } else {
            owner.tell("release");
        }
        waiting.says("mine");
        assert!(start.elapsed() < Duration::from_secs(15), "it slept through the end of the lease");
        waiting.ended();
        owner.wait();
    }
}

#[test]
fn a_lease_remembers_its_client() {
    let sandbox = Sandbox::new();
    let owner = Owner::new();
    sandbox.line("file-lock acquire a.json --client cursor --owner").arg(owner.id()).succeeds();
    sandbox.line("file-lock with a.json --timeout 0 -- true").ends(75).tells(["cursor"]);
    drop(owner);
    sandbox.is_free("a.json");
}

#[test]
fn a_lease_acquired_through_timeout_1_ends_with_it() {
    if !available("timeout") {
        return;
    }
    // timeout(1) is a process of its own: its lease is over with it, and nobody is blocked.
    let sandbox = Sandbox::new();
    sandbox.bash("ID=$(timeout 60 file-lock acquire a.json)\n:\n").output();
    sandbox.is_free("a.json");
}

#[test]
fn a_lease_shows_the_owner_s_program_without_its_arguments() {
    let sandbox = Sandbox::new();
    let script = sandbox.write("client.sh", "file-lock acquire a.json >&2\necho held\nread _\n");
    let client = sandbox.call(["bash"]).arg(script).args(["-p", "please do the secret work"]).start();
    client.says("held");
    let shown = sandbox.line("file-lock show --json").succeeds().stdout();
    assert!(shown.contains("\"command\": \"bash\""), "{shown}");
    let info = fs::read_to_string(sandbox.lock_folder("a.json").join("info")).unwrap();
    let busy = sandbox.line("memory-update a.json .n=1 --create --timeout 0").ends(75).stderr();
    for text in [shown, info, busy] {
        assert!(!text.contains("secret"), "{text}");
    }
    sandbox.may_leave_locks();
}

#[test]
fn a_time_limit_of_zero_is_refused() {
    let sandbox = Sandbox::new();
    for ttl in ["0", "0.0"] {
        sandbox.line("file-lock acquire a.json --ttl").arg(ttl).ends(2).refuses().tells(["--ttl", "at once"]);
    }
    sandbox.is_free("a.json");
}
