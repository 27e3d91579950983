//! `file-lock show`: the table of a terminal, `--watch`, and what programs read of it.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    sandbox::{Running, Sandbox, available, wait_until},
    terminal::Terminal,
};

fn locks(sandbox: &Sandbox) -> Vec<Value> {
    let text = sandbox.line("file-lock show --json").succeeds().reports("").stdout();
    let all: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(all["version"], 1);
    all["locks"].as_array().expect("a list").clone()
}

fn waiter(sandbox: &Sandbox, name: &str) -> Running {
    sandbox.call(["file-lock", "with", name, "--timeout", "110", "--", "true"]).start()
}

/// Linux alone tells who waits.
fn counts_waiters() -> bool {
    fs::exists("/proc/locks").unwrap_or(false)
}

#[test]
fn json_has_the_age_and_the_number_of_waiters() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    let free = locks(&sandbox);
    assert_eq!(free.len(), 1);
    assert!(free[0]["age"].as_i64().is_some_and(|age| (0..120).contains(&age)), "{free:?}");
    if counts_waiters() {
        assert_eq!(free[0]["waiters"], 0);
        let waiting: Vec<Running> = (0..3).map(|_| waiter(&sandbox, "a.json")).collect();
        wait_until("three that wait", || locks(&sandbox)[0]["waiters"] == 3);
        held.ended();
        waiting.into_iter().for_each(|waiting| _ = waiting.ended());
    } else {
        assert_eq!(free[0]["waiters"], Value::Null);
        held.ended();
    }
    assert_eq!(locks(&sandbox), Vec::<Value>::new());
}

#[test]
fn waiters_for_a_lease_are_counted_including_the_first_in_the_queue() {
    let sandbox = Sandbox::new();
    if !counts_waiters() {
        return;
    }
    let leased = sandbox.leaseholder("a.json");
    let waiting: Vec<Running> = (0..2).map(|_| waiter(&sandbox, "a.json")).collect();
    wait_until("two that wait", || locks(&sandbox)[0]["waiters"] == 2);
    leased.ended();
    waiting.into_iter().for_each(|waiting| _ = waiting.ended());
}

#[test]
fn watch_wants_a_terminal() {
    let sandbox = Sandbox::new();
    sandbox.line("file-lock show --watch").ends(2).refuses().tells(["--watch", "file-lock show --json"]);
    sandbox.line("file-lock show --watch --json").ends(2).refuses();
}

/// What `file-lock show` writes to a terminal of this width, and its colours if `colour`.
#[cfg(target_os = "linux")]
fn table(sandbox: &Sandbox, columns: u16, environment: (&str, &str)) -> Vec<String> {
    let line = format!("stty cols {columns}; file-lock show");
    let call = sandbox.call(["script", "--quiet", "--return", "--command", &line, "/dev/null"]);
    let text = call.env("TERM", "xterm-256color").env(environment.0, environment.1).succeeds().stdout();
    text.replace('\r', "").lines().map(str::to_owned).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_gets_a_table_that_fits_its_width() {
    if !available("script") {
        return;
    }
    let sandbox = Sandbox::new();
    assert_eq!(table(&sandbox, 80, ("NO_COLOR", "1"))[2..], ["No locks found"]);
    let name = "a-rather-long-name-for-a-file-of-sessions-あいうえお.json";
    let held = sandbox
        .call(["file-lock", "with", name, "--client", "nightly", "--", "sh", "-c", "echo held; read _ || true"])
        .start();
    held.says("held");
    sandbox.plant_script_lock("dead.json", sandbox.dead_pid());
    let wide = table(&sandbox, 300, ("NO_COLOR", "1"));
    assert_eq!(wide[0], "Current locks in: ~/notes/aiconfig/.locks");
    assert_eq!(
        wide[2].split_whitespace().collect::<Vec<_>>(),
        ["TARGET", "STATUS", "HOLDER", "COMMAND", "CLIENT", "AGE", "WAITERS"]
    );
    let row = wide.iter().find(|line| line.contains("active")).expect("a row of the holder");
    for part in [sandbox.path(name).to_str().unwrap(), &format!("{} (with)", held.id()), "  sh  ", "nightly"] {
        assert!(row.contains(part), "{part} is not in {row}");
    }
    assert!(wide.iter().any(|line| line.contains("stale") && line.contains("(script)")), "{wide:?}");
    for columns in [120, 80, 60, 40, 20, 5] {
        let lines = table(&sandbox, columns, ("NO_COLOR", "1"));
        assert_eq!(lines.len(), 5, "{columns}: {lines:#?}");
        // Five of the characters are two cells wide.
        let cells = |line: &String| line.chars().map(|c| if ('あ'..='お').contains(&c) { 2 } else { 1 }).sum::<usize>();
        assert!(lines.iter().all(|line| cells(line) <= columns.into()), "{columns}: {lines:#?}");
        assert!(columns < 40 || lines.iter().any(|line| line.contains("active")), "{columns}: {lines:#?}");
    }
    assert!(table(&sandbox, 80, ("X", "")).iter().any(|line| line.contains("\u{1b}[32mactive\u{1b}[0m")));
    // Nothing needs to be done about a stale lock, so it is no alarm.
    let lines = table(&sandbox, 300, ("X", ""));
    assert!(lines.iter().any(|line| line.contains("\u{1b}[2mstale\u{1b}[0m")), "{lines:#?}");
    held.ended();
    sandbox.line("file-lock cleanup").succeeds();
}

#[test]
#[cfg(target_os = "linux")]
fn a_lock_inside_another_is_listed_below_it() {
    if !available("script") {
        return;
    }
    let sandbox = Sandbox::new();
    let script = "file-lock with a.json -- sh -c 'echo held; read _ || true'";
    let held = sandbox.call(["file-lock", "with", "a.json", "--", "sh", "-c", script]).start();
    held.says("held");
    let lines = table(&sandbox, 200, ("NO_COLOR", "1"));
    assert!(
        lines[3].contains("a.json") && lines[4].starts_with("└ inside ") && lines[4].contains(" active "),
        "{lines:#?}"
    );
    held.ended();
}

/// A terminal with a bash, whose prompt is `$ `.
fn terminal(sandbox: &Sandbox) -> Terminal {
    let terminal = Terminal::sized(sandbox, 100, 12, &["env", "PS1=$ ", "bash", "--norc", "--noprofile"]);
    terminal.until("the prompt", |screen| screen.starts_with('$'));
    terminal
}

#[test]
fn watch_draws_again_until_ctrl_c_and_leaves_the_terminal_as_it_was() {
    if !available("tmux") {
        return;
    }
    let sandbox = Sandbox::new();
    let terminal = terminal(&sandbox);
    terminal.enters("echo before");
    terminal.until("a line before", |screen| screen.contains("\nbefore"));
    terminal.enters("file-lock show --watch; echo \"status $?\"");
    terminal.until("no locks", |screen| screen.contains("No locks found") && !screen.contains("before"));
    let held = sandbox.holder("a.json");
    let many: Vec<Running> = (0..3).map(|number| sandbox.holder(&format!("more-{number}.json"))).collect();
    terminal.until("four locks", |screen| screen.lines().count() == 7 && screen.matches("active").count() == 4);
    many.into_iter().for_each(|held| _ = held.ended());
    let one = terminal.until("one lock", |screen| screen.matches("active").count() == 1);
    assert_eq!(one.lines().count(), 4, "lines are left:\n{one}");
    assert_eq!(terminal.modes(), "1 0");
    // What is typed does not appear, and does not reach the shell.
    terminal.enters("echo typed");
    terminal.press(&["C-c"]);
    let after = terminal.until("the status", |screen| screen.contains("status 0"));
    assert!(after.contains("before") && !after.contains("active") && !after.contains("typed"), "{after}");
    assert_eq!(terminal.modes(), "0 1");
    terminal.enters("echo aft''er");
    terminal.until("typing and its answer", |screen| screen.contains("echo aft''er\nafter"));
    held.ended();
}

#[test]
fn watch_follows_the_size_of_the_terminal() {
    if !available("tmux") {
        return;
    }
    let sandbox = Sandbox::new();
    let held: Vec<Running> = (0..4).map(|number| sandbox.holder(&format!("{number}.json"))).collect();
    let terminal = terminal(&sandbox);
    terminal.enters("file-lock show --watch");
    terminal.until("all columns", |screen| screen.contains("WAITERS") && screen.matches("active").count() == 4);
    terminal.resize(50, 5);
    let small = terminal.until("what fits", |screen| screen.contains("and 3 more"));
    assert!(small.lines().count() <= 5 && !small.contains("COMMAND") && small.contains("HOLDER"), "{small}");
    terminal.resize(100, 12);
    terminal.until("all again", |screen| screen.contains("WAITERS") && screen.matches("active").count() == 4);
    terminal.press(&["C-c"]);
    held.into_iter().for_each(|held| _ = held.ended());
}

#[test]
fn watch_can_be_stopped_and_go_on_and_a_signal_puts_the_terminal_right() {
    if !available("tmux") {
        return;
    }
    let sandbox = Sandbox::new();
    let terminal = terminal(&sandbox);
    terminal.enters("file-lock show --watch; echo \"status $?\"");
    terminal.until("the table", |screen| screen.contains("No locks found"));
    terminal.press(&["C-z"]);
    terminal.until("the shell", |screen| screen.contains("Stopped") && !screen.contains("No locks found"));
    assert_eq!(terminal.modes(), "0 1");
    terminal.enters("jobs -p > pid; fg");
    terminal.until("the table again", |screen| screen.contains("No locks found"));
    let pid: i32 = sandbox.read("pid").trim().parse().expect("a PID");
    kill_process(Pid::from_raw(pid).expect("a PID"), Signal::TERM).expect("it is there");
    terminal.until("the status", |screen| screen.contains("$ jobs -p > pid; fg") && screen.ends_with('$'));
    terminal.enters("echo \"ended $?\"");
    terminal.until("what the signal says", |screen| screen.contains("ended 143"));
    assert_eq!(terminal.modes(), "0 1");
    // Where no shell could let it go on, it is not stopped.
    terminal.enters("exec file-lock show --watch");
    terminal.until("the table", |screen| screen.contains("No locks found"));
    terminal.press(&["C-z"]);
    let held = sandbox.holder("a.json");
    terminal.until("the new lock", |screen| screen.contains("active"));
    held.ended();
}
