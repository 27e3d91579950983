//! atomic-write: content from standard input or a word, checked, whole.

use std::fs;

use crate::sandbox::Sandbox;

#[test]
fn standard_input_becomes_the_file() {
    let sandbox = Sandbox::new();
    let text = sandbox.line("atomic-write a.json").stdin("{\"a\": 1}\n").succeeds().prints("").stderr();
    assert!(text.starts_with("[OK] ") && text.contains("a.json"), "{text}");
    sandbox.holds("a.json", "{\"a\": 1}\n");
}

#[test]
fn json_ends_with_exactly_one_newline_and_is_otherwise_untouched() {
    let sandbox = Sandbox::new();
    for input in ["{ \"a\":1.10 }", "{ \"a\":1.10 }\n", "{ \"a\":1.10 }\n\n\n"] {
        sandbox.line("atomic-write a.json").stdin(input).succeeds();
        sandbox.holds("a.json", "{ \"a\":1.10 }\n");
    }
}

#[test]
fn other_content_is_written_byte_for_byte() {
    let sandbox = Sandbox::new();
    for input in [&b"no newline"[..], b"two\n\n", b"\xff\x00\r\n", b"\n"] {
        sandbox.line("atomic-write a.bin").stdin(input).succeeds();
        assert_eq!(sandbox.bytes("a.bin"), input);
    }
}

#[test]
fn a_megabyte_arrives_whole() {
    let sandbox = Sandbox::new();
    let input: Vec<u8> = (0..1 << 20).map(|n| (n % 251) as u8).collect();
    sandbox.line("atomic-write a.bin").stdin(&input).succeeds();
    assert!(sandbox.bytes("a.bin") == input);
}

#[test]
fn content_in_a_word_ends_with_exactly_one_newline() {
    let sandbox = Sandbox::new();
    for content in ["text", "text\n", "text\n\n"] {
        sandbox.call(["atomic-write", "a.txt", "--content", content]).succeeds();
        sandbox.holds("a.txt", "text\n");
    }
    sandbox.call(["atomic-write", "--content={}", "a.json"]).succeeds();
    sandbox.holds("a.json", "{}\n");
    sandbox.call(["atomic-write", "a.txt", "--content", "-x"]).succeeds();
    sandbox.holds("a.txt", "-x\n");
}

#[test]
fn empty_content_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("a.txt", "old");
    sandbox.line("atomic-write a.txt").stdin("").ends(1).refuses();
    let refused = sandbox.call(["atomic-write", "a.txt", "--content", ""]).output();
    assert!(!refused.status.success());
    sandbox.holds("a.txt", "old");
    sandbox.line("atomic-write new.txt").stdin("").ends(1);
    assert!(!sandbox.path("new.txt").exists());
}

#[test]
fn json_is_checked_by_name_or_on_demand() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    sandbox.line("atomic-write a.json").stdin("{\"a\": 1,}").ends(1).refuses().tells(["a.json"]);
    sandbox.holds("a.json", "{}");
    sandbox.line("atomic-write a.txt --validate").stdin("no json").ends(1).refuses();
    assert!(!sandbox.path("a.txt").exists());
    sandbox.line("atomic-write a.txt").stdin("no json").succeeds();
    sandbox.line("atomic-write a.txt --validate").stdin("[1]").succeeds();
    sandbox.holds("a.txt", "[1]\n");
}

#[test]
fn missing_directories_are_made_and_named() {
    let sandbox = Sandbox::new();
    sandbox.line("atomic-write x/y/a.json").stdin("{}").succeeds().tells(["[INFO] ", "x/y"]);
    sandbox.holds("x/y/a.json", "{}\n");
}

#[test]
fn refused_content_makes_no_directories() {
    let sandbox = Sandbox::new();
    sandbox.line("atomic-write x/y/a.json").stdin("{").ends(1);
    assert!(!sandbox.path("x").exists());
}

#[test]
fn a_backup_keeps_the_previous_content() {
    let sandbox = Sandbox::new();
    sandbox.line("atomic-write a.json --backup").stdin("1").succeeds();
    assert!(!sandbox.path("a.json.bak").exists());
    sandbox.line("atomic-write a.json --backup").stdin("2").succeeds();
    sandbox.holds("a.json.bak", "1\n");
    sandbox.holds("a.json", "2\n");
}

#[test]
fn it_takes_the_lock_unless_told_not_to() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    sandbox.line("atomic-write a.json").env("LOCK_TIMEOUT", "0").stdin("1").ends(75);
    sandbox.line("atomic-write a.json --lock").env("LOCK_TIMEOUT", "0").stdin("1").ends(75);
    assert!(!sandbox.path("a.json").exists());
    sandbox.line("atomic-write a.json --no-lock").env("LOCK_TIMEOUT", "0").stdin("1").succeeds();
    sandbox.holds("a.json", "1\n");
    held.ended();
}

#[test]
fn the_input_is_read_before_the_lock_is_taken() {
    let sandbox = Sandbox::new();
    let mut slow = sandbox.line("atomic-write a.json").start();
    slow.tell("[1,");
    sandbox.is_free("a.json");
    slow.tell("2]");
    assert!(slow.ended().status.success());
    sandbox.holds("a.json", "[1,\n2]\n");
}

#[test]
fn content_that_was_wrong_never_waits_for_the_lock() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    sandbox.line("atomic-write a.json").stdin("{").ends(1).refuses();
    held.ended();
}

#[test]
fn without_syncs_it_writes_all_the_same() {
    let sandbox = Sandbox::new();
    sandbox.line("atomic-write a.json --no-sync --client cursor").stdin("1").succeeds();
    sandbox.holds("a.json", "1\n");
}

#[test]
fn a_bare_name_and_a_name_with_blanks_work() {
    let sandbox = Sandbox::new();
    for name in ["plain", " a b ", "ünï.json", "-dash"] {
        sandbox.call(["atomic-write", "--content", "1", "--", name]).succeeds();
        sandbox.holds(name, "1\n");
    }
}

#[test]
fn a_directory_in_the_way_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "x");
    sandbox.line("atomic-write file/a.json").stdin("1").ends(1).refuses().tells(["file"]);
    fs::create_dir(sandbox.path("d.json")).unwrap();
    sandbox.line("atomic-write d.json").stdin("1").ends(1).refuses().tells(["d.json"]);
}
