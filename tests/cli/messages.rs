//! What people read: the document's texts to the letter, prefixes, colour, waiting, timeouts.

use std::fs;

use crate::sandbox::{Sandbox, available, code};

#[test]
fn debug_prints_the_lines_of_the_document() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("file.json", "{\"data\": \"value\"}\n");
    let file = file.display();
    let lock = sandbox.lock_folder("file.json");
    let lock = lock.display();
    let story = format!(
        "[LOCK DEBUG] Acquiring lock for: {file}\n\
         [LOCK DEBUG] Lock file: {lock}\n\
         [LOCK DEBUG] Lock acquired: {lock}\n\
         [LOCK DEBUG] Executing with lock: cat {file}\n\
         [LOCK DEBUG] Releasing lock: {lock}\n\
         [LOCK DEBUG] Lock released\n"
    );
    let call = sandbox.line(&format!("file-lock with {file} -- cat {file}")).env("LOCK_DEBUG", "1");
    call.succeeds().prints("{\"data\": \"value\"}\n").reports(&story);
}

#[test]
fn cleanup_prints_what_it_removed_as_in_the_document() {
    let sandbox = Sandbox::new();
    let pid = sandbox.dead_pid();
    sandbox.plant_script_lock("a.json", pid);
    let locks = sandbox.locks_folder();
    let story = format!(
        "[INFO] Checking for stale locks in: {}\n\
         [INFO] Removing stale lock from dead process PID {pid}\n\
         [OK] Cleaned 1 stale lock(s)\n",
        locks.display()
    );
    sandbox.line("file-lock cleanup").succeeds().prints("").reports(&story);
}

#[test]
fn cleanup_counts() {
    let sandbox = Sandbox::new();
    let pid = sandbox.dead_pid();
    for name in ["a.json", "b.json", "c.json"] {
        sandbox.plant_script_lock(name, pid);
    }
    sandbox.line("file-lock cleanup").succeeds().tells(["[OK] Cleaned 3 stale lock(s)\n"]);
}

#[test]
fn cleanup_is_silent_if_there_is_nothing_to_do_and_no_terminal() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    for line in ["file-lock cleanup", "file-lock cleanup --dry-run"] {
        sandbox.line(line).succeeds().prints("").reports("");
        // Who asks for each step is told that there was none.
        let verb = if line.ends_with("run") { "Would clean" } else { "Cleaned" };
        let checking = format!("[INFO] Checking for stale locks in: {}\n", sandbox.locks_folder().display());
        let text = sandbox.line(line).env("LOCK_DEBUG", "1").succeeds().stderr();
        assert!(text.starts_with(&checking) && text.ends_with(&format!("[OK] {verb} 0 stale lock(s)\n")), "{text}");
    }
    held.ended();
    sandbox.plant_script_lock("dead.json", sandbox.dead_pid());
    sandbox.line("file-lock cleanup --dry-run").succeeds().tells([
        "Checking for",
        "Would remove",
        "Would clean 1 stale",
    ]);
    sandbox.line("file-lock cleanup").succeeds().tells(["Cleaned 1 stale lock(s)"]);
    sandbox.line("file-lock cleanup").succeeds().reports("");
}

#[test]
#[cfg(target_os = "linux")]
fn cleanup_on_a_terminal_says_that_there_was_nothing_to_do() {
    if !available("script") {
        return;
    }
    let sandbox = Sandbox::new();
    let text = on_a_terminal(&sandbox, "file-lock cleanup").env("NO_COLOR", "1").succeeds().stdout();
    assert!(text.contains("Checking for stale locks") && text.contains("[OK] Cleaned 0 stale lock(s)"), "{text}");
}

/// The lines of `show` around its `Info:` block, and that block's lines.
fn show(sandbox: &Sandbox) -> (Vec<String>, Vec<String>) {
    let text = sandbox.line("file-lock show").succeeds().reports("").stdout();
    let (info, rest): (Vec<String>, Vec<String>) =
        text.lines().map(str::to_owned).partition(|line| line.starts_with("    "));
    (rest, info)
}

#[test]
fn show_lists_the_holders_as_in_the_document() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    let (lines, info) = show(&sandbox);
    let text = fs::read_to_string(sandbox.lock_folder("a.json").join("info")).unwrap();
    let pid = text.lines().next().unwrap().strip_prefix("PID: ").unwrap();
    assert_eq!(lines[0], format!("Current locks in: {}", sandbox.locks_folder().display()));
    assert_eq!(lines[1], "");
    let shown = lines[2].strip_prefix("Lock: ").expect(&lines[2]).strip_suffix(".lock").expect(&lines[2]);
    assert!(shown.contains(&sandbox.lock_id("a.json")[..8]), "{shown}");
    assert_eq!(lines[3], "  Info:");
    assert_eq!(lines[4], format!("  Status: ACTIVE (process {pid} is running)"));
    assert_eq!(info[..3], text.lines().take(3).map(|line| format!("    {line}")).collect::<Vec<_>>()[..]);
    assert!(info.iter().any(|line| line.contains(&sandbox.path("a.json").display().to_string())), "{info:?}");
    held.ended();
}

#[test]
fn show_lists_every_lock_and_says_which_is_dead() {
    let sandbox = Sandbox::new();
    let dead = sandbox.dead_pid();
    sandbox.plant_script_lock("dead.json", dead);
    let held = sandbox.holder("a.json");
    let leased = sandbox.leaseholder("b.json");
    let text = sandbox.line("file-lock show").succeeds().stdout();
    assert_eq!(text.lines().filter(|line| line.starts_with("Lock: ")).count(), 3, "{text}");
    assert_eq!(text.matches("Status: ACTIVE (process ").count(), 2, "{text}");
    assert!(text.contains(&format!("Status: ACTIVE (process {} is running)", leased.id())), "{text}");
    assert!(text.lines().any(|line| line.starts_with("  Status: STALE") && line.contains(&dead.to_string())), "{text}");
    held.ended();
    leased.ended();
    sandbox.line("file-lock cleanup").succeeds();
}

#[test]
fn every_line_of_a_message_has_its_prefix_or_belongs_to_one() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    for (line, prefix) in [
        ("memory-update a.json .n=1", "[OK] "),
        ("atomic-write a.json --content 1", "[OK] "),
        ("memory-update missing.json .n=1", "[ERROR] "),
        ("memory-update a.json .n=", "[ERROR] "),
        ("memory-update a.json .n=1 --nonsense", "[ERROR] "),
        ("file-lock nonsense", "[ERROR] "),
    ] {
        let text = String::from_utf8(sandbox.line(line).output().stderr).unwrap();
        assert!(text.starts_with(prefix) && text.ends_with('\n'), "{line}: {text}");
    }
}

#[test]
fn without_a_terminal_there_is_no_colour() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    for line in [
        "memory-update a.json .n=1",
        "memory-read a.json",
        "memory-read nowhere.json",
        "file-lock --help",
        "memory-update",
    ] {
        let output = sandbox.line(line).env("TERM", "xterm-256color").env("CLICOLOR_FORCE", "1").output();
        assert!(!output.stderr.contains(&0x1b) && !output.stdout.contains(&0x1b), "{line}: {output:?}");
    }
}

#[test]
fn a_timeout_says_all_there_is_to_know() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    let held = sandbox.line("file-lock with a.json --client nightly -- sh -c").arg("echo held; read _ || true").start();
    held.says("held");
    let info = fs::read_to_string(sandbox.lock_folder("a.json").join("info")).unwrap();
    let pid = info.lines().next().unwrap().strip_prefix("PID: ").unwrap();
    let host = hostname::get().unwrap().to_string_lossy().into_owned();
    let message = sandbox.line("memory-update a.json .n=1 --timeout 0.3").ends(75).refuses();
    message.tells(["lock on 'a.json'", pid, "nightly", host.as_str(), "since", "0.3", "file-lock"]);
    held.ended();
}

/// A command line on a terminal of its own, with what it wrote there.
#[cfg(target_os = "linux")]
pub fn on_a_terminal<'a>(sandbox: &'a Sandbox, line: &str) -> crate::sandbox::Call<'a> {
    sandbox.call(["script", "--quiet", "--return", "--command", line, "/dev/null"]).env("TERM", "xterm-256color")
}

#[test]
#[cfg(target_os = "linux")]
fn there_is_colour_on_a_terminal_unless_it_is_unwanted() {
    if !available("script") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    let colour = on_a_terminal(&sandbox, "memory-update a.json .n=1").succeeds().stdout();
    assert!(colour.contains("\u{1b}[") && colour.contains("OK"), "{colour:?}");
    let plain = on_a_terminal(&sandbox, "memory-update a.json .n=1").env("NO_COLOR", "1").succeeds().stdout();
    assert!(plain.starts_with("[OK] "), "{plain:?}");
    let dumb = on_a_terminal(&sandbox, "memory-update a.json .n=1").env("TERM", "dumb").succeeds().stdout();
    assert!(dumb.starts_with("[OK] "), "{dumb:?}");
    let redirected = on_a_terminal(&sandbox, "memory-update a.json .n=1 2>err; cat err").succeeds().stdout();
    assert!(redirected.starts_with("[OK] "), "{redirected:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_long_wait_on_a_terminal_names_the_holder_once() {
    if !available("script") {
        return;
    }
    let sandbox = Sandbox::new();
    let held = sandbox.line("file-lock with a.json --client nightly -- sh -c").arg("echo held; read _ || true").start();
    held.says("held");
    let waiting =
        on_a_terminal(&sandbox, "file-lock with a.json --timeout 90 -- echo mine").env("NO_COLOR", "1").start();
    waiting.says("nightly");
    held.ended();
    waiting.says("mine");
    let output = waiting.ended();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code(output.status), 0);
    assert_eq!(text.matches("nightly").count(), 1, "{text}");
    assert!(text.starts_with("[INFO] "), "{text}");
}

#[test]
fn a_long_wait_off_a_terminal_is_silent() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    let ended = sandbox.line("file-lock with a.json --timeout 1.5 -E 0 -- true").ends(0);
    assert_eq!(ended.stderr().lines().filter(|line| line.starts_with("[INFO]")).count(), 0, "{}", ended.stderr());
    held.ended();
}

#[test]
fn no_target_name_reaches_a_terminal_raw() {
    let sandbox = Sandbox::new();
    let name = "evil\u{1b}]0;title\u{7}\u{9b}2J.json";
    sandbox.write(name, "{");
    for words in [["memory-update", name, "."], ["memory-read", name, "."], ["atomic-write", name, "--validate"]] {
        let output = sandbox.call(words).stdin("{").output();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}') && !text.contains('\u{9b}'), "{text:?}");
    }
}
