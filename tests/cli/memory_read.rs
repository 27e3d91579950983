//! memory-read: whole files, filters, raw bytes, and reading while others write.

use std::fs;

use crate::sandbox::{Sandbox, available};

fn with(content: impl AsRef<[u8]>) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", content);
    sandbox
}

#[test]
fn json_is_printed_prettily_and_other_files_as_they_are() {
    let sandbox = with("{\"a\":1}");
    sandbox.line("memory-read a.json").succeeds().prints("{\n  \"a\": 1\n}\n").reports("");
    sandbox.write("a.md", "no newline \u{1b}[31m");
    sandbox.line("memory-read a.md").succeeds().prints("no newline \u{1b}[31m");
}

#[test]
fn raw_prints_the_bytes_as_they_are() {
    let sandbox = with(b"{ \"a\" :1 }\xff no json");
    let output = sandbox.line("memory-read a.json --raw").output();
    assert_eq!(output.stdout, b"{ \"a\" :1 }\xff no json");
    assert!(output.status.success());
}

#[test]
fn a_filter_selects() {
    let sandbox = with("{\"a\":[1,\"two\"]}");
    sandbox.line("memory-read a.json .a").succeeds().prints("[\n  1,\n  \"two\"\n]\n");
    sandbox.line("memory-read a.json -c .a").succeeds().prints("[1,\"two\"]\n");
    sandbox.line("memory-read a.json .a[]").succeeds().prints("1\n\"two\"\n");
    sandbox.line("memory-read a.json .a[1] -r").succeeds().prints("two\n");
    sandbox.line("memory-read a.json empty").succeeds().prints("");
    sandbox.line("memory-read a.json .missing.path").succeeds().prints("null\n");
}

#[test]
fn keys_are_sorted_on_demand() {
    with("{\"b\":1,\"a\":{\"d\":1,\"c\":2}}")
        .line("memory-read a.json -S -c")
        .succeeds()
        .prints("{\"a\":{\"c\":2,\"d\":1},\"b\":1}\n");
}

#[test]
fn variables_are_those_of_memory_update() {
    let sandbox = with("{\"a\":1}");
    let words = ["memory-read", "a.json", "-c", "[.a, $s, $j]", "--arg", "s", "x", "--argjson", "j", "2"];
    sandbox.call(words).succeeds().prints("[1,\"x\",2]\n");
    sandbox.call(["memory-read", "a.json", "-c", "$ARGS.positional", "--args", "x"]).succeeds().prints("[\"x\"]\n");
}

#[test]
fn numbers_keep_their_text() {
    let sandbox = with("[12345678901234567890123,1.10,1e1000]");
    sandbox.line("memory-read a.json -c").succeeds().prints("[12345678901234567890123,1.10,1e1000]\n");
    sandbox.line("memory-read a.json .[1]").succeeds().prints("1.10\n");
}

#[test]
fn the_exit_status_option_is_jqs() {
    let sandbox = with("{\"t\":true,\"f\":false,\"n\":null,\"z\":0}");
    for (filter, status) in [(".t", 0), (".z", 0), (".f", 1), (".n", 1), ("empty", 4), (".n,.t", 0), (".t,.n", 1)] {
        sandbox.call(["memory-read", "a.json", "-e", filter]).ends(status);
    }
}

#[test]
fn its_output_is_that_of_jq() {
    if !available("jq") {
        return;
    }
    let content = "{\"a\":[1,\"\\u0000\\u001f\\u007f é 😀 \\ud83d\\ude00\"],\"b\":{\"c\":[]}}";
    let sandbox = with(content);
    for options in [vec!["."], vec![".", "-c"], vec![".a[1]", "-r"], vec![".b", "-S"], vec!["..", "-c"]] {
        let jq = sandbox.call(["jq"].into_iter().chain(options.clone())).stdin(content).succeeds().stdout();
        sandbox.call(["memory-read", "a.json"].into_iter().chain(options)).succeeds().prints(&jq);
    }
}

#[test]
fn reading_creates_nothing() {
    let sandbox = with("{}");
    sandbox.line("memory-read a.json").succeeds();
    assert!(!sandbox.aiconfig().exists());
}

#[test]
fn readers_share_and_wait_for_a_writer_unless_told_not_to() {
    let sandbox = with("{}");
    let held = sandbox.holder("a.json");
    sandbox.line("memory-read a.json --timeout 0").ends(75).refuses();
    sandbox.line("memory-read a.json --no-lock --timeout 0").succeeds();
    held.ended();
    let script = "for i in 1 2 3 4 5 6 7 8; do memory-read a.json --timeout 30 -c & done\nwait\n";
    sandbox.bash(script).succeeds().prints(&"{}\n".repeat(8));
}

#[test]
fn a_slow_reader_of_an_open_file_does_not_block_writers() {
    let sandbox = with(format!("\"{}\"", "x".repeat(1 << 20)));
    // The reader fills its pipe and sleeps there until cat may go on.
    let script = "memory-read a.json | { head -c 1 >first; until [ -e go ]; do sleep 0.02; done; cat; } | wc -c\n";
    let reader = sandbox.bash(script).start();
    crate::sandbox::wait_until("the first byte", || {
        fs::read(sandbox.path("first")).is_ok_and(|first| !first.is_empty())
    });
    sandbox.line("atomic-write a.json --timeout 0 --content 1").succeeds();
    sandbox.write("go", "");
    let output = reader.ended();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), (2 + (1 << 20)).to_string());
}

#[test]
fn a_closed_output_ends_it_silently() {
    let sandbox = with(format!("\"{}\"", "x".repeat(1 << 20)));
    let script = "memory-read a.json | true\necho ${PIPESTATUS[0]}\n";
    let text = sandbox.bash(script).succeeds().reports("").stdout();
    assert_eq!(text, "141\n");
}

#[test]
fn a_full_output_is_an_error() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let sandbox = with("{}");
    sandbox.bash("memory-read a.json >/dev/full").ends(1).refuses();
}

#[test]
fn a_missing_file_is_named() {
    Sandbox::new().line("memory-read missing.json").ends(1).refuses().tells(["missing.json"]);
}

#[test]
fn invalid_json_is_refused_with_its_place() {
    let sandbox = with("{\n  \"a\": 1,\n}\n");
    sandbox.line("memory-read a.json").ends(1).refuses().tells(["a.json", "line 3"]);
}

#[test]
fn halt_is_an_error_here_too() {
    let sandbox = with("{}");
    sandbox.line("memory-read a.json halt").ends(1).refuses();
    sandbox.call(["memory-read", "a.json", "halt_error(0)"]).ends(1).refuses();
}
