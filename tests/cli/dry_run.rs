//! Looking before writing: what `--dry-run` and `--diff` show, on a pipe and on a terminal.

#[cfg(target_os = "linux")]
use crate::messages::on_a_terminal;
use crate::sandbox::{Sandbox, available};

const LINES: &str = "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3,\n  \"d\": 4,\n  \"e\": 5,\n  \"f\": 6\n}\n";

fn with_lines() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", LINES);
    sandbox
}

#[test]
fn a_difference_shows_each_change_with_three_lines_around_it() {
    let sandbox = with_lines();
    let difference = "--- a.json\n+++ a.json\n@@ -4,5 +4,5 @@\n   \"c\": 3,\n   \"d\": 4,\n   \"e\": 5,\n\
                      -  \"f\": 6\n+  \"f\": 60\n }\n";
    sandbox.line("memory-update a.json .f=60 --diff").succeeds().prints(difference).reports("");
    sandbox.line("memory-update a.json .f=60 --dry-run --diff").succeeds().prints(difference);
    sandbox.holds("a.json", LINES);
    assert!(sandbox.locks().is_empty());
}

#[test]
fn patch_makes_the_same_of_a_difference_as_the_update_itself() {
    if !available("patch") {
        return;
    }
    // The last has no newline at its end, which a difference has to say.
    for old in [LINES, "{\"a\":1}", "{}\n"] {
        let sandbox = Sandbox::new();
        sandbox.write("a.json", old);
        let difference = sandbox.line("memory-update a.json .b=7 --diff").succeeds().stdout();
        sandbox.line("patch -s -p0").stdin(&difference).succeeds();
        let patched = sandbox.read("a.json");
        sandbox.write("a.json", old);
        sandbox.line("memory-update a.json .b=7").succeeds();
        sandbox.holds("a.json", &patched);
    }
}

#[test]
fn a_missing_file_differs_from_nothing() {
    let sandbox = Sandbox::new();
    let call = sandbox.line("memory-update new.json .n=1 --create -c --diff");
    call.succeeds().prints("--- /dev/null\n+++ new.json\n@@ -0,0 +1 @@\n+{\"n\":1}\n");
    assert!(!sandbox.path("new.json").exists());
}

#[test]
fn where_nothing_changes_that_is_said() {
    let sandbox = with_lines();
    let call = sandbox.line("memory-update a.json .a=1 --diff");
    call.succeeds().prints("").tells(["[INFO] memory-update: no change", "a.json"]);
    // The layout is part of the file.
    let call = sandbox.line("memory-update a.json .a=1 --diff -c");
    assert!(call.succeeds().stdout().contains("\n+{\"a\":1,"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_dry_run_shows_the_difference_only_on_a_terminal() {
    if !available("script") {
        return;
    }
    let sandbox = with_lines();
    let line = "memory-update a.json .f=60 --dry-run";
    let colored = on_a_terminal(&sandbox, line).succeeds().stdout();
    for part in ["\x1b[31m-  \"f\": 6\x1b[0m", "\x1b[32m+  \"f\": 60\x1b[0m", "\x1b[36m@@ -4,5 +4,5 @@\x1b[0m"] {
        assert!(colored.contains(part), "{part:?} is not in {colored:?}");
    }
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = on_a_terminal(&sandbox, line).env(name, value).succeeds().stdout();
        assert!(plain.contains("-  \"f\": 6\r\n+  \"f\": 60\r\n") && !plain.contains('\x1b'), "{plain:?}");
    }
    let same = on_a_terminal(&sandbox, "memory-update a.json . --dry-run").succeeds().stdout();
    assert!(same.contains("no change"), "{same:?}");
    let piped = on_a_terminal(&sandbox, "memory-update a.json .f=60 --dry-run | cat").succeeds().stdout();
    assert!(piped.contains("\"f\": 60") && !piped.contains("@@"), "{piped:?}");
    sandbox.holds("a.json", LINES);
}

#[test]
#[cfg(target_os = "linux")]
fn a_difference_is_not_coloured_on_a_pipe() {
    if !available("script") {
        return;
    }
    let sandbox = with_lines();
    // Standard error is still the terminal.
    on_a_terminal(&sandbox, "memory-update a.json .f=60 --diff >difference").succeeds();
    assert!(sandbox.read("difference").starts_with("--- a.json\n+++ a.json\n@@"));
}

#[test]
fn a_failing_filter_prints_no_difference() {
    let sandbox = with_lines();
    sandbox.call(["memory-update", "a.json", "error(\"no\")", "--diff"]).ends(1).refuses();
}

#[test]
fn large_documents_are_compared_in_a_moment() {
    let sandbox = Sandbox::new();
    // Nothing is alike, which is the most work for a search of what is.
    let filter = "[range(100000)] | map(. * 7 + 1)";
    sandbox.write("a.json", format!("[{}]", vec!["0"; 100_000].join(",\n")));
    let text = sandbox.call(["memory-update", "a.json", filter, "--diff"]).succeeds().stdout();
    assert!(text.lines().count() > 200_000);
}
