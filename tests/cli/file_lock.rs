//! file-lock: acquire, release, with, status, show, cleanup.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    sandbox::{Sandbox, available, code, heeding_signals, wait_until},
    terminal::Terminal,
};

#[test]
fn the_lock_is_named_after_the_canonical_path_however_it_is_spelled() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    fs::create_dir(sandbox.path("sub")).unwrap();
    symlink(sandbox.path(""), sandbox.path("sub/linked")).unwrap();
    symlink("a.json", sandbox.path("link.json")).unwrap();
    let absolute = sandbox.path("a.json").display().to_string();
    for spelling in ["a.json", "./a.json", "sub/../a.json", "sub/linked/a.json", "link.json", absolute.as_str()] {
        let id = sandbox.call(["file-lock", "acquire", spelling]).succeeds().reports("").stdout();
        assert_eq!(id, format!("{}\n", sandbox.lock_id("a.json")), "{spelling}");
        sandbox.call(["file-lock", "release", id.trim()]).succeeds();
    }
}

#[test]
fn a_file_that_does_not_exist_yet_has_the_same_lock() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("sub")).unwrap();
    symlink(sandbox.path("sub"), sandbox.path("linked")).unwrap();
    let before = sandbox.line("file-lock acquire linked/new.json").succeeds().stdout();
    sandbox.line("file-lock release sub/new.json").succeeds();
    sandbox.write("sub/new.json", "{}");
    let after = sandbox.line("file-lock acquire sub/new.json").succeeds().stdout();
    sandbox.line("file-lock release sub/new.json").succeeds();
    assert_eq!(before, after);
    assert_eq!(before.trim(), sandbox.lock_id("sub/new.json"));
}

#[test]
fn a_file_whose_directories_do_not_exist_yet_has_the_same_lock() {
    let sandbox = Sandbox::new();
    let before = sandbox.line("file-lock acquire x/y/new.json").succeeds().stdout();
    sandbox.line("file-lock release x/y/new.json").succeeds();
    assert_eq!(before.trim(), sandbox.lock_id("x/y/new.json"));
}

#[test]
fn while_it_is_held_the_info_starts_as_the_scripts_wrote_it() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    let held = sandbox.holder("a.json");
    let folder = sandbox.lock_folder("a.json");
    assert!(folder.is_dir());
    let info = fs::read_to_string(folder.join("info")).unwrap();
    let lines: Vec<&str> = info.lines().collect();
    let pid: u32 = lines[0].strip_prefix("PID: ").expect("a PID").parse().expect("a number");
    assert!(Command::new("kill").args(["-0", &pid.to_string()]).status().unwrap().success());
    let acquired = lines[1].strip_prefix("ACQUIRED: ").expect("a time");
    assert!(chrono::NaiveDateTime::parse_from_str(acquired, "%Y-%m-%dT%H:%M:%SZ").is_ok(), "{acquired}");
    assert_eq!(lines[2], format!("HOSTNAME: {}", hostname::get().unwrap().to_string_lossy()));
    assert!(lines[3..].iter().any(|line| line.starts_with("TARGET: ")), "{info}");
    held.ended();
    assert!(!folder.exists());
}

#[test]
fn the_lock_directory_is_accessible_only_to_its_owner() {
    let sandbox = Sandbox::new();
    sandbox.line("file-lock with a.json -- true").succeeds();
    assert_eq!(fs::metadata(sandbox.locks_folder()).unwrap().permissions().mode() & 0o7777, 0o700);
}

#[test]
fn the_lock_directory_is_in_aiconfig_path_or_else_in_the_home() {
    let sandbox = Sandbox::new();
    sandbox.line("file-lock with a.json -- true").without("AICONFIG_PATH").succeeds();
    assert!(sandbox.home().join("aiconfig/.locks").is_dir());
    assert!(!sandbox.aiconfig().exists());
}

#[test]
fn names_with_newlines_and_escapes_break_no_line() {
    let sandbox = Sandbox::new();
    let name = "a\nPID: 1\n\u{1b}[31m.json";
    sandbox.write(name, "{}");
    let held = sandbox.holder(name);
    let info = fs::read_to_string(sandbox.lock_folder(name).join("info")).unwrap();
    assert_eq!(info.lines().filter(|line| line.starts_with("PID:")).count(), 1, "{info:?}");
    let shown = sandbox.line("file-lock show").succeeds().stdout();
    assert!(!info.contains('\u{1b}') && !shown.contains('\u{1b}'), "{info:?} {shown:?}");
    sandbox.is_held(name);
    held.ended();
}

#[test]
fn with_hands_on_input_output_and_status() {
    let sandbox = Sandbox::new();
    let done = sandbox.call(["file-lock", "with", "a.json", "--", "sh", "-c", "cat; echo err >&2; exit 7"]);
    done.stdin("in\n").ends(7).prints("in\n").reports("err\n");
}

#[test]
fn with_one_file_needs_no_dashes() {
    let sandbox = Sandbox::new();
    sandbox.line("file-lock with a.json echo hello").succeeds().prints("hello\n");
    sandbox.line("file-lock with a.json echo -n --timeout x").succeeds().prints("--timeout x");
    sandbox.line("file-lock with a.json -- echo -- hello").succeeds().prints("-- hello\n");
}

#[test]
fn options_of_with_stand_before_or_after_the_file() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    for line in ["with a.json --timeout 0 -E 9 -- true", "with --timeout=0 --conflict-exit-code=9 a.json -- true"] {
        sandbox.line(&format!("file-lock {line}")).ends(9).refuses();
    }
    held.ended();
}

#[test]
fn with_excludes_and_waits_in_line() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    sandbox.is_held("a.json");
    let waiting = sandbox.line("file-lock with a.json -- echo mine").start();
    held.ended();
    assert_eq!(code(waiting.ended().status), 0);
    sandbox.is_free("a.json");
}

#[test]
fn a_timeout_is_exact() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    let start = Instant::now();
    sandbox.line("file-lock with a.json -- true").env("LOCK_TIMEOUT", "0.7").ends(75);
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(700) && waited < Duration::from_secs(15), "{waited:?}");
    sandbox.line("file-lock with a.json --timeout 0.2 -- true").env("LOCK_TIMEOUT", "300").ends(75);
    held.ended();
}

#[test]
fn several_files_are_held_together_even_if_one_is_named_twice() {
    let sandbox = Sandbox::new();
    let held = sandbox.line("file-lock with b a ./b -- sh -c").arg("echo held; read _ || true").start();
    held.says("held");
    sandbox.is_held("a");
    sandbox.is_held("b");
    held.ended();
    sandbox.is_free("a");
    sandbox.is_free("b");
}

#[test]
fn signals_reach_the_command_and_the_lock_is_kept_until_it_has_ended() {
    let sandbox = Sandbox::new();
    for (signal, name) in [(Signal::INT, "INT"), (Signal::TERM, "TERM"), (Signal::HUP, "HUP")] {
        let script = format!(
            "trap 'echo caught; until [ -e {name} ]; do sleep 0.02; done; echo cleaned; exit 9' {name}\n\
             echo held; while :; do sleep 0.02; done"
        );
        let with = ["file-lock", "with", "a.json", "--", "sh", "-c", &script];
        let mut held = sandbox.call([heeding_signals(), &with].concat()).start();
        held.says("held");
        held.signal(signal);
        held.says("caught");
        sandbox.is_held("a.json");
        sandbox.write(name, "");
        assert_eq!(code(held.wait()), 9, "{name}");
        assert_eq!(held.printed(), "held\ncaught\ncleaned\n");
        sandbox.is_free("a.json");
    }
}

/// What `with` holds back for itself is none of its command's affair; what was held back before it is.
#[test]
#[cfg(target_os = "linux")]
fn a_command_s_signals_are_held_back_as_they_were_before() {
    let sandbox = Sandbox::new();
    let status = ["grep", "SigBlk", "/proc/self/status"];
    // SIGUSR1 is number 10 and SIGRTMAX 64, see signal(7).
    for (before, mask) in [("", 0_u64), ("--block-signal=USR1", 1 << 9), ("--block-signal=RTMAX", 1 << 63)] {
        let env = ["env"].into_iter().chain(Some(before).filter(|before| !before.is_empty()));
        let words: Vec<&str> = env.chain(["file-lock", "with", "a.json", "--"]).chain(status).collect();
        sandbox.call(words).succeeds().prints(&format!("SigBlk:\t{mask:016x}\n"));
    }
}

#[test]
fn a_script_without_an_interpreter_line_is_the_shell_s() {
    let sandbox = Sandbox::new();
    sandbox.program("script", "echo \"ran $1\"; exit 3\n");
    sandbox.line("file-lock with a.json -- ./script it").ends(3).prints("ran it\n");
}

#[test]
fn a_key_of_the_terminal_reaches_the_command_once_whatever_its_group() {
    if !available("tmux") {
        return;
    }
    let sandbox = Sandbox::new();
    let terminal = Terminal::start(&sandbox, &["sh"]);
    let counting = "n=0; trap 'n=$((n+1)); echo caught $n' INT; echo held; \
                    until [ -e stop ]; do sleep 0.02; done; echo \"in all $n\"";
    sandbox.write("counting", counting);
    terminal.enters("file-lock with a.json -- sh counting");
    terminal.shows("held");
    terminal.press(&["C-c"]);
    terminal.shows("caught 1");
    sandbox.write("stop", "");
    terminal.shows("in all 1");
    // timeout(1) makes a group of its own, to which the terminal sends nothing.
    sandbox.write("waiting", "trap 'echo interrupted; exit' INT; echo held again; while :; do sleep 0.02; done");
    terminal.enters("file-lock with a.json -- timeout 300 sh waiting");
    terminal.shows("held again");
    terminal.press(&["C-c"]);
    terminal.shows("interrupted");
    wait_until("the lock to be free", || sandbox.line("file-lock status a.json").output().status.success());
}

#[test]
fn a_command_hears_of_its_terminal_s_end() {
    if !available("tmux") {
        return;
    }
    let sandbox = Sandbox::new();
    // The kernel tells the leader of the session alone, which `with` is here.
    let command = "trap 'echo gone >heard; exit' HUP; echo held; while :; do sleep 0.02; done";
    let terminal = Terminal::start(&sandbox, &["file-lock", "with", "a.json", "--", "sh", "-c", command]);
    terminal.shows("held");
    drop(terminal);
    wait_until("the command to hear of it", || sandbox.path("heard").exists());
    wait_until("the lock to be free", || sandbox.line("file-lock status a.json").output().status.success());
}

#[test]
fn a_holder_whose_entry_was_removed_does_not_end_its_successor_s_lock() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    fs::remove_dir_all(sandbox.locks_folder()).expect("somebody removes all locks");
    let next = sandbox.leaseholder("a.json");
    held.ended();
    sandbox.is_held("a.json");
    next.ended();
    sandbox.is_free("a.json");
}

#[test]
fn a_signal_while_waiting_ends_the_wait() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    let mut waiting = sandbox.line("file-lock with a.json -- echo mine").env("LOCK_DEBUG", "1").start();
    waiting.warns("Acquiring lock");
    waiting.signal(Signal::TERM);
    assert_eq!(code(waiting.wait()), 143);
    held.ended();
    sandbox.is_free("a.json");
}

#[test]
fn status_distinguishes_free_from_held() {
    let sandbox = Sandbox::new();
    sandbox.line("file-lock status a.json").ends(0);
    let held = sandbox.holder("a.json");
    sandbox.line("file-lock status a.json").ends(1);
    held.ended();
    sandbox.line("file-lock status a.json").ends(0);
}

#[test]
fn status_creates_nothing() {
    let sandbox = Sandbox::new();
    sandbox.line("file-lock status a.json").ends(0);
    assert!(!sandbox.aiconfig().exists());
}

#[test]
fn status_show_and_cleanup_speak_json() {
    let sandbox = Sandbox::new();
    let held = sandbox.line("file-lock with a.json --client nightly -- sh -c").arg("echo held; read _ || true").start();
    held.says("held");
    let parse = |text: String| serde_json::from_str::<Value>(&text).unwrap_or_else(|e| panic!("{e}: {text}"));

    let status = parse(sandbox.line("file-lock status a.json --json").ends(1).stdout()).to_string();
    let show = parse(sandbox.line("file-lock show --json").ends(0).stdout()).to_string();
    let info = fs::read_to_string(sandbox.lock_folder("a.json").join("info")).unwrap();
    let pid = info.lines().next().unwrap().strip_prefix("PID: ").unwrap();
    let acquired = info.lines().nth(1).unwrap().strip_prefix("ACQUIRED: ").unwrap();
    let target = sandbox.path("a.json").display().to_string();
    for fact in [pid, acquired, &target, "nightly"] {
        assert!(status.contains(fact) && show.contains(fact), "{fact} in\n{status}\n{show}");
    }
    held.ended();

    parse(sandbox.line("file-lock status a.json --json").ends(0).stdout());
    assert!(!parse(sandbox.line("file-lock show --json").ends(0).stdout()).to_string().contains(pid));
}

#[test]
fn cleanup_removes_only_what_dead_holders_left() {
    let sandbox = Sandbox::new();
    let dead = sandbox.dead_pid();
    let held = sandbox.holder("held.json");
    let leased = sandbox.leaseholder("leased.json");
    sandbox.plant_script_lock("dead.json", dead);
    sandbox.plant_script_lock("alive.json", std::process::id());
    sandbox.line("file-lock cleanup").succeeds();
    assert!(!sandbox.lock_folder("dead.json").exists());
    for name in ["held.json", "leased.json", "alive.json"] {
        assert!(sandbox.lock_folder(name).exists(), "{name}");
        sandbox.is_held(name);
    }
    held.ended();
    leased.ended();
    sandbox.may_leave_locks();
}

#[test]
fn cleanup_dry_run_only_prints() {
    let sandbox = Sandbox::new();
    let dead = sandbox.dead_pid();
    sandbox.plant_script_lock("dead.json", dead);
    sandbox.line("file-lock cleanup --dry-run").succeeds().tells([dead.to_string()]);
    assert!(sandbox.lock_folder("dead.json").exists());
    let json = sandbox.line("file-lock cleanup --dry-run --json").succeeds().stdout();
    assert!(serde_json::from_str::<Value>(&json).unwrap().to_string().contains(&dead.to_string()), "{json}");
    assert!(sandbox.lock_folder("dead.json").exists());
    let json = sandbox.line("file-lock cleanup --json").succeeds().stdout();
    assert!(serde_json::from_str::<Value>(&json).unwrap().to_string().contains(&dead.to_string()), "{json}");
    assert!(!sandbox.lock_folder("dead.json").exists());
}

#[test]
fn cleanup_where_nothing_ever_was_is_content() {
    let sandbox = Sandbox::new();
    sandbox.line("file-lock cleanup").succeeds();
    sandbox.line("file-lock show").succeeds();
}

#[test]
fn a_dead_scripts_lock_is_taken_over_without_waiting() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    sandbox.plant_script_lock("a.json", sandbox.dead_pid());
    sandbox.line("memory-update a.json .n=1 --timeout 0").succeeds();
}

#[test]
fn a_living_scripts_lock_excludes_us_until_it_is_removed() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    sandbox.plant_script_lock("a.json", std::process::id());
    sandbox.line("memory-update a.json .n=1 --timeout 0.2").ends(75).tells([std::process::id().to_string()]);
    sandbox.line("file-lock acquire a.json --timeout 0").ends(75);
    let waiting = sandbox.line("file-lock with a.json -- echo mine").env("LOCK_DEBUG", "1").start();
    waiting.warns("Acquiring lock");
    fs::remove_dir_all(sandbox.lock_folder("a.json")).unwrap();
    waiting.says("mine");
    waiting.ended();
}

#[test]
fn our_lock_excludes_the_scripts_whatever_holds_it() {
    let sandbox = Sandbox::new();
    let script_cannot = |name: &str| assert!(fs::create_dir(sandbox.lock_folder(name)).is_err(), "{name}");
    let held = sandbox.holder("a.json");
    script_cannot("a.json");
    held.ended();
    let leased = sandbox.leaseholder("a.json");
    script_cannot("a.json");
    let info = fs::read_to_string(sandbox.lock_folder("a.json").join("info")).unwrap();
    assert_eq!(info.lines().next().unwrap(), format!("PID: {}", leased.id()));
    leased.ended();
    sandbox.line("file-lock cleanup").succeeds();
}

#[test]
fn an_entry_without_info_counts_as_being_set_up_for_two_seconds() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.lock_folder("a.json")).unwrap();
    let start = Instant::now();
    sandbox.line("file-lock with a.json --timeout 0 -- true").ends(75);
    sandbox.line("file-lock with a.json --timeout 60 -- true").succeeds();
    let waited = start.elapsed();
    assert!(waited > Duration::from_millis(1800) && waited < Duration::from_secs(20), "{waited:?}");
}

#[test]
fn the_two_seconds_are_those_of_one_setting_up_and_not_of_several() {
    // Scripts come and go, and the file system gives the next one's folder the number of the last one's: what a waiter
    // sees is one folder that lacks its info again and again, each time for a moment.
    let sandbox = Sandbox::new();
    let lock = sandbox.lock_folder("a.json").display().to_string();
    let host = hostname::get().unwrap().to_string_lossy().into_owned();
    let script = format!(
        "mkdir -p {lock}; touch made\nfor n in 1 2 3 4 5; do\nsleep 0.6\n\
         printf 'PID: %s\\nACQUIRED: 2026-01-25T10:30:00Z\\nHOSTNAME: {host}\\n' $$ >new && mv new {lock}/info || exit\n\
         sleep 0.1; rm {lock}/info || exit\ndone\nrmdir {lock} && echo over\n"
    );
    let holder = sandbox.bash(&script).start();
    wait_until("the script's folder", || sandbox.path("made").exists());
    let waiting = sandbox.line("file-lock with a.json -- echo mine").start();
    let ended = holder.ended();
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "over\n", "{}", String::from_utf8_lossy(&ended.stderr));
    waiting.says("mine");
    waiting.ended();
}

#[test]
fn a_lock_of_another_host_counts_as_held_and_is_shown_as_such() {
    let sandbox = Sandbox::new();
    let info = format!("PID: {}\nACQUIRED: 2026-01-25T10:30:00Z\nHOSTNAME: elsewhere.example\n", sandbox.dead_pid());
    let folders = ["a.json", "my notes.json"].map(|name| sandbox.lock_folder(name));
    for folder in &folders {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("info"), &info).unwrap();
    }
    let [folder, odd] = folders;
    sandbox.line("file-lock with a.json --timeout 0 -- true").ends(75).tells(["elsewhere.example"]);
    // What is to be done can be copied.
    let call = sandbox.call(["file-lock", "with", "my notes.json", "--timeout", "0", "--", "true"]);
    call.ends(75).tells(["run: file-lock release --force 'my notes.json'"]);
    fs::remove_dir_all(odd).unwrap();
    sandbox.line("file-lock cleanup").succeeds();
    assert!(folder.exists());
    let shown = sandbox.line("file-lock show").succeeds().stdout();
    assert!(shown.contains("elsewhere.example") && !shown.contains("ACTIVE (process"), "{shown}");
    sandbox.line("file-lock release a.json").ends(1).refuses();
    sandbox.line("file-lock release a.json --force").succeeds();
    sandbox.is_free("a.json");
}

#[test]
fn release_wants_a_lock() {
    let sandbox = Sandbox::new();
    sandbox.line("file-lock release a.json").ends(1).refuses();
    sandbox.call(["file-lock", "release", &sandbox.lock_id("a.json")]).ends(1).refuses();
    sandbox.line("file-lock release ../../../etc/passwd").ends(1).refuses();
}

#[test]
fn release_does_not_end_the_lock_of_a_running_command() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    sandbox.line("file-lock release a.json").ends(1).refuses();
    sandbox.is_held("a.json");
    held.ended();
}

#[test]
fn the_child_of_a_killed_with_keeps_the_lock_and_release_says_so() {
    let sandbox = Sandbox::new();
    let mut held = sandbox.holder("a.json");
    held.kill();
    sandbox.line("file-lock release a.json --force").ends(1).refuses().tells(["that process is gone"]);
    sandbox.is_held("a.json");
    drop(held.stdin.take());
    sandbox.line("file-lock with a.json -- true").succeeds();
    sandbox.is_free("a.json");
}

#[test]
fn a_killed_holder_does_not_block_the_next_writer() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    let mut held = sandbox.line("file-lock with a.json -- sh -c").arg("echo held; exec sleep 600").start();
    held.says("held");
    drop(held.stdin.take());
    drop(held); // kills the group: holder and command
    sandbox.line("memory-update a.json .n=1").succeeds();
    sandbox.is_free("a.json");
}

#[test]
fn a_program_in_the_place_of_a_file_is_not_locked() {
    let sandbox = Sandbox::new();
    sandbox.program("run.sh", "#!/bin/sh\necho ran \"$@\"\n");
    for words in ["./run.sh -- prod", "run.sh -- prod", "sh -- -c true"] {
        let refused = sandbox.line(&format!("file-lock with notes.json {words}")).ends(2).refuses();
        refused.tells(["comes before '--'", "file-lock with notes.json -- "]);
    }
    assert_eq!(sandbox.locks(), Vec::<String>::new());
    sandbox.line("file-lock with notes.json -- ./run.sh -- prod").succeeds().prints("ran -- prod\n");
    sandbox.line("file-lock with notes.json ./run.sh prod").succeeds().prints("ran prod\n");
    // On some file systems everything can be run; what is named as data is data.
    sandbox.program("data.json", "{}");
    sandbox.line("file-lock with notes.json data.json -- echo both").succeeds().prints("both\n");
}

#[test]
fn a_relative_base_directory_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    for line in
        ["memory-update a.json .n=1", "file-lock status a.json", "file-lock acquire a.json", "memory-read a.json"]
    {
        let call = sandbox.line(line).env("AICONFIG_PATH", "notes");
        call.ends(2).refuses().tells(["AICONFIG_PATH is 'notes'", "an absolute path"]);
    }
    sandbox.holds("a.json", "{}");
    assert!(!sandbox.path("notes").exists());
}

#[test]
fn making_a_lock_directory_outside_of_the_home_is_reported_once() {
    let sandbox = Sandbox::new();
    let base = sandbox.path("mistyped");
    let update = || sandbox.line("memory-update a.json .n=1 --create").env("AICONFIG_PATH", &base).succeeds().stderr();
    let told = format!("[INFO] memory-update: made the lock directory '{}'", base.join(".locks").display());
    assert!(update().contains(&told));
    assert!(!update().contains("lock directory"));
    let at_home = sandbox.line("memory-update a.json .n=1").without("AICONFIG_PATH").succeeds().stderr();
    assert!(!at_home.contains("lock directory"), "{at_home}");
}
