//! JSON Lines: each line one value, added to without writing the file anew.

use std::{fs, os::unix::fs::MetadataExt, thread};

use crate::sandbox::Sandbox;

fn with(text: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("log.jsonl", text);
    sandbox
}

const TWO: &str = "{\"i\":1}\n{\"i\":2}\n";

#[test]
fn a_line_is_appended_and_the_file_stays_the_same() {
    let sandbox = with(TWO);
    let inode = || fs::metadata(sandbox.path("log.jsonl")).unwrap().ino();
    let before = inode();
    sandbox
        .call(["memory-update", "log.jsonl", "--append", "$s", "--argjson", "s", "{\"i\": 3.10}"])
        .succeeds()
        .tells(["[OK] Updated: log.jsonl"]);
    sandbox.call(["memory-update", "log.jsonl", "{id: $id}, 5", "--append", "--arg", "id", "x y"]).succeeds();
    sandbox.holds("log.jsonl", &format!("{TWO}{{\"i\":3.10}}\n{{\"id\":\"x y\"}}\n5\n"));
    assert_eq!(inode(), before);
}

#[test]
fn the_ending_of_the_name_may_be_in_capitals() {
    let sandbox = Sandbox::new();
    sandbox.write("LOG.JSONL", TWO);
    sandbox.call(["memory-update", "LOG.JSONL", "--append", "3"]).succeeds();
    sandbox.holds("LOG.JSONL", &format!("{TWO}3\n"));
}

#[test]
fn an_update_gets_all_lines_as_a_list() {
    let sandbox = with("{\"i\": 1, \"n\": 1.10}\n\n{\"i\":2}");
    sandbox
        .call(["memory-update", "log.jsonl", ". += [{i: (length + 1)}] | map(select(.i != 2))", "--backup"])
        .succeeds();
    sandbox.holds("log.jsonl", "{\"i\":1,\"n\":1.10}\n{\"i\":3}\n");
    sandbox.holds("log.jsonl.bak", "{\"i\": 1, \"n\": 1.10}\n\n{\"i\":2}");
    sandbox.call(["memory-update", "log.jsonl", "[]"]).succeeds();
    sandbox.holds("log.jsonl", "");
    sandbox.write("other.ndjson", "1\n2\n");
    sandbox.call(["memory-update", "other.ndjson", "map(-.)"]).succeeds();
    sandbox.holds("other.ndjson", "-1\n-2\n");
}

#[test]
fn an_update_of_lines_whose_result_is_not_an_array_is_refused() {
    let sandbox = with(TWO);
    sandbox
        .call(["memory-update", "log.jsonl", ".[0]"])
        .ends(1)
        .refuses()
        .tells(["holds an array", "memory-read log.jsonl '.[0]' -s,"]);
    sandbox.call(["memory-read", "log.jsonl", ".[0]", "-s", "-c"]).succeeds().prints("{\"i\":1}\n");
    let call = sandbox.call(["memory-update", "log.jsonl", ".[0]", "--allow-type-change"]).ends(1);
    call.refuses().tells(["is not an array", "[FILTER]"]);
    sandbox.holds("log.jsonl", TWO);
}

#[test]
fn a_missing_file_is_started_on_demand() {
    let sandbox = Sandbox::new();
    sandbox
        .call(["memory-update", "log.jsonl", "--append", "1"])
        .ends(1)
        .refuses()
        .tells(["does not exist", "--create"]);
    assert!(!sandbox.path("log.jsonl").exists());
    sandbox.call(["memory-update", "log.jsonl", "--append", "1", "--create"]).succeeds();
    sandbox.holds("log.jsonl", "1\n");
    sandbox.call(["memory-update", "b.jsonl", "--append", "1", "--create=[0, 0.5]"]).succeeds();
    sandbox.holds("b.jsonl", "0\n0.5\n1\n");
    sandbox.call(["memory-update", "c.jsonl", ". + [1]", "--create"]).succeeds();
    sandbox.holds("c.jsonl", "1\n");
    sandbox.call(["memory-update", "d.jsonl", ".", "--create={\"a\":1}"]).ends(2).refuses().tells(["is not an array"]);
}

#[test]
fn an_unfinished_line_is_removed_and_reported() {
    for words in [&["--append", "3"][..], &[". + [3]"]] {
        let sandbox = with("1\n2\n{\"half\": \"a lin");
        let call = sandbox.call([&["memory-update", "log.jsonl"], words].concat()).succeeds();
        call.tells(["'log.jsonl' ended in an unfinished line", "{\"half\": \"a lin", "[OK] Updated: log.jsonl"]);
        sandbox.holds("log.jsonl", "1\n2\n3\n");
    }
    // What is wrong elsewhere is no crash's doing, and nothing is thrown away.
    let sandbox = with("1\n{\"half\":\n3\n");
    sandbox.call(["memory-update", "log.jsonl", ". + [4]"]).ends(1).refuses().tells(["log.jsonl", "line 2"]);
    sandbox.holds("log.jsonl", "1\n{\"half\":\n3\n");
}

#[test]
fn a_dry_run_of_an_append_prints_the_new_lines() {
    let sandbox = with("1\n2");
    sandbox
        .call(["memory-update", "log.jsonl", "--append", "3, {a: 4}", "--dry-run"])
        .succeeds()
        .prints("3\n{\"a\":4}\n");
    let shown = sandbox.call(["memory-update", "log.jsonl", "--append", "3", "--diff"]).succeeds().stdout();
    assert!(shown.contains("\n+3\n"), "{shown}");
    let shown = sandbox.call(["memory-update", "log.jsonl", ". + [3]", "--diff"]).succeeds().stdout();
    assert!(shown.contains("\n+3\n") && shown.contains("\n 1\n"), "{shown}");
    sandbox.holds("log.jsonl", "1\n2");
    sandbox.is_free("log.jsonl");
}

#[test]
fn each_line_has_to_fit_the_schema() {
    let sandbox = with(TWO);
    sandbox.write("schema.json", "{\"type\": \"object\", \"required\": [\"i\"]}");
    let call =
        |words: &[&str]| sandbox.call([&["memory-update", "log.jsonl", "--schema", "schema.json"], words].concat());
    call(&["--append", "{i: 3}, {j: 4}"]).ends(1).refuses().tells(["\"i\" is a required property"]);
    call(&[". + [{j: 4}]"]).ends(1).refuses().tells(["line 3", "\"i\" is a required property"]);
    sandbox.holds("log.jsonl", TWO);
    call(&["--append", "{i: 3}"]).succeeds();
    sandbox.holds("log.jsonl", &format!("{TWO}{{\"i\":3}}\n"));
}

#[test]
fn revisions_are_those_of_the_bytes() {
    let sandbox = with("1\n");
    let revision = || sandbox.call(["memory-read", "log.jsonl", "--revision"]).succeeds().stdout();
    let first = revision();
    let appended = sandbox
        .call(["memory-update", "log.jsonl", "--append", "2", "--if-revision", first.trim(), "--print-revision"])
        .succeeds()
        .stdout();
    assert_eq!(appended, revision());
    sandbox
        .call(["memory-update", "log.jsonl", "--append", "3", "--if-revision", first.trim()])
        .ends(76)
        .tells(["has changed since revision"]);
    sandbox.holds("log.jsonl", "1\n2\n");
    let none = ["memory-update", "new.jsonl", "--append", "1", "--create", "--if-revision", "none"];
    sandbox.call(none).succeeds();
    sandbox.call(none).ends(76);
    // Two that have thought: the lines of both are there.
    sandbox.write("base.jsonl", "1\n2\n");
    sandbox.call(["memory-update", "log.jsonl", "--append", "\"theirs\""]).succeeds();
    sandbox
        .call(["atomic-write", "log.jsonl", "--base", "base.jsonl"])
        .stdin("1\n2\n\"ours\"\n")
        .succeeds()
        .tells(["Merged"]);
    sandbox.holds("log.jsonl", "1\n2\n\"theirs\"\n\"ours\"\n");
}

#[test]
fn a_merge_refuses_a_text_with_an_unfinished_line() {
    let sandbox = with("1\n2\n");
    sandbox.write("base.jsonl", "1\n");
    let write = |content: &str| sandbox.call(["atomic-write", "log.jsonl", "--base", "base.jsonl"]).stdin(content);
    write("1\n{\"half\":").ends(1).refuses().tells(["the new content is not JSON"]);
    sandbox.holds("log.jsonl", "1\n2\n");
    sandbox.write("log.jsonl", "1\n2\n{\"half\":");
    write("1\n3\n").ends(1).refuses().tells(["the file is not JSON"]);
    sandbox.holds("log.jsonl", "1\n2\n{\"half\":");
}

#[test]
fn validate_checks_json_lines_line_by_line() {
    let sandbox = Sandbox::new();
    let call = |content: &str| sandbox.call(["atomic-write", "log.jsonl", "--validate"]).stdin(content);
    call("1\n{\"a\":2}\n").succeeds();
    sandbox.holds("log.jsonl", "1\n{\"a\":2}\n");
    call("1\n{\"a\":2\n").ends(1).refuses().tells(["line 2"]);
    call("1\n{\n\"a\":2}\n").ends(1).refuses().tells(["line 2"]);
    sandbox.holds("log.jsonl", "1\n{\"a\":2}\n");
}

#[test]
fn contradictory_options_are_refused() {
    let sandbox = with("1\n");
    sandbox.write("a.json", "[]");
    for (words, part) in [
        (&["memory-update", "a.json", "--append", "1"][..], ".LIST += [VALUE]"),
        (&["memory-update", "log.jsonl", "--append", "1", "--backup"], "--append and --backup"),
        (&["memory-update", "log.jsonl", "--append", "1", "--function", "f"], "--append and --function"),
        (&["memory-update", "log.jsonl", "--append"], "the filter is missing"),
    ] {
        sandbox.call(words).ends(2).refuses().tells([part]);
    }
    sandbox.call(["memory-update", "log.jsonl", "--append", "empty"]).ends(1).refuses().tells(["no line to append"]);
    sandbox.call(["memory-update", "log.jsonl", "--append", "1, error(\"no\")"]).ends(1).refuses().tells(["no"]);
    sandbox.holds("log.jsonl", "1\n");
}

#[test]
fn eight_writers_that_append_and_two_readers_lose_nothing_and_see_whole_lines() {
    let sandbox = with("");
    thread::scope(|scope| {
        for writer in 0..8 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for number in 0..12 {
                    let line = format!("{{w: {writer}, n: {number}, pad: (\"x\" * 5000)}}");
                    sandbox.call(["memory-update", "log.jsonl", "--append", &line, "--no-sync"]).succeeds();
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..30 {
                    sandbox.call(["memory-read", "log.jsonl", "-s", "-c", "length"]).succeeds().reports("");
                }
            });
        }
    });
    let all = sandbox
        .call(["memory-read", "log.jsonl", "-s", "-c", "group_by(.w) | map(map(.n)) == [range(8) | [range(12)]]"])
        .succeeds();
    all.prints("true\n");
}
