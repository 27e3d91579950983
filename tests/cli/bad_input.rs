//! What is refused on the way in, by every tool that reads JSON; and depth, which gets an error instead of a crash.

use crate::sandbox::{Sandbox, Shell, code};

const REFUSED: [(&str, &[u8]); 21] = [
    ("invalid UTF-8", b"{\"a\":\"\xff\"}"),
    ("an overlong encoding", b"\"\xc0\xaf\""),
    ("a surrogate in UTF-8", b"\"\xed\xa0\x80\""),
    ("UTF-16", b"\xff\xfe{\x00}\x00"),
    ("two documents", b"{} {}"),
    ("a document a line", b"1\n2\n"),
    ("trailing garbage", b"{} x"),
    ("a trailing NUL", b"{}\0"),
    ("NaN", b"[NaN]"),
    ("nan", b"nan"),
    ("Infinity", b"-Infinity"),
    ("a comment", b"{} // no"),
    ("a hash comment", b"# no\n{}"),
    ("nothing", b""),
    ("blanks only", b" \n\t"),
    ("a trailing comma", b"[1,]"),
    ("a key without quotes", b"{a:1}"),
    ("single quotes", b"{'a':1}"),
    ("a number as key", b"{1:2}"),
    ("a raw control character", b"\"a\nb\""),
    ("a leading zero", b"01"),
];

#[test]
fn memory_update_refuses_it_and_leaves_the_file_as_it_was() {
    let sandbox = Sandbox::new();
    for (what, content) in REFUSED {
        sandbox.write("a.json", content);
        let output = sandbox.line("memory-update a.json . --backup").output();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(output.status), 1, "{what}: {message}");
        assert!(message.starts_with("[ERROR] ") && message.contains("a.json"), "{what}: {message}");
        assert_eq!(sandbox.bytes("a.json"), content, "{what}");
        assert!(!sandbox.path("a.json.bak").exists(), "{what}");
    }
}

#[test]
fn memory_read_refuses_it_and_prints_nothing() {
    let sandbox = Sandbox::new();
    for (what, content) in REFUSED {
        sandbox.write("a.json", content);
        for line in ["memory-read a.json", "memory-read a.json .", "memory-read a.json empty"] {
            let output = sandbox.line(line).output();
            assert_eq!((code(output.status), output.stdout.len()), (1, 0), "{line}: {what}: {output:?}");
        }
    }
}

#[test]
fn atomic_write_refuses_it_and_leaves_the_file_as_it_was() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "old");
    for (what, content) in REFUSED {
        let output = sandbox.line("atomic-write a.json").stdin(content).output();
        assert_eq!(code(output.status), 1, "{what}: {output:?}");
        sandbox.holds("a.json", "old");
    }
}

#[test]
fn variables_are_checked_as_strictly() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    for value in ["{} {}", "NaN", "{a:1}", "", "1 // no"] {
        sandbox.call(["memory-update", "a.json", ".x = $v", "--argjson", "v", value]).ends(2).refuses();
    }
    sandbox.write("bad", "1 NaN");
    sandbox.line("memory-update a.json .x=$v --slurpfile v bad").ends(1).refuses().tells(["bad"]);
    sandbox.holds("a.json", "{}");
    // A byte order mark is passed over, as at the start of a document.
    sandbox.write("marked", "\u{feff}1 2");
    sandbox.line("memory-read a.json -c $v --slurpfile v marked").succeeds().prints("[1,2]\n");
}

#[test]
fn a_lone_surrogate_escape_is_not_written_as_garbage() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "\"\\ud800\"");
    let output = sandbox.line("memory-update a.json .").output();
    assert!(std::str::from_utf8(&sandbox.bytes("a.json")).is_ok(), "{output:?}");
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn ten_thousand_levels_are_fine() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", nested(9_999));
    sandbox.line("memory-update a.json . -c").succeeds();
    sandbox.holds("a.json", &format!("{}\n", nested(9_999)));
    sandbox.call(["memory-update", "a.json", "-c", "(.. | select(type == \"number\")) |= . + 1"]).succeeds();
    assert!(sandbox.read("a.json").contains("[2]"));
    let read = sandbox.line("memory-read a.json -c").succeeds().stdout();
    assert_eq!(read, sandbox.read("a.json"));
}

#[test]
fn a_short_text_of_many_levels_does_not_overflow_the_stack() {
    let sandbox = Sandbox::new();
    // The escape has to be printed in another way, so that the text is not copied as it is.
    sandbox.write("a.json", nested(2_000).replace('1', "\"\\u0041\""));
    let read = sandbox.script(Shell::Dash, "ulimit -s 2048; memory-read a.json -c").succeeds().stdout();
    assert_eq!(read, format!("{}\n", nested(2_000).replace('1', "\"A\"")));
}

#[test]
fn deeper_nesting_is_an_error_and_not_a_crash() {
    let sandbox = Sandbox::new();
    for depth in [10_100, 200_000] {
        sandbox.write("a.json", nested(depth));
        sandbox.line("memory-update a.json .").ends(1).refuses();
        sandbox.line("memory-read a.json").ends(1).refuses();
        sandbox.line("atomic-write b.json").stdin(nested(depth)).ends(1).refuses();
    }
    sandbox.write("a.json", "1");
    sandbox.call(["memory-update", "a.json", "reduce range(100000) as $i (.; [.])"]).ends(1).refuses();
    sandbox.holds("a.json", "1");
}

#[test]
fn a_deeply_nested_filter_does_not_crash() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "1");
    let deep = format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000));
    for filter in [deep.as_str(), &"-".repeat(20_000)] {
        let output = sandbox.call(["memory-update", "a.json", "--", filter]).output();
        assert!(matches!(code(output.status), 0..=2), "{}: {}", &filter[..10], code(output.status));
    }
}

#[test]
fn the_result_of_a_filter_must_be_json() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    // As jq prints them: not a number is null, infinity the largest number.
    for (filter, after) in [("nan", "null\n"), ("infinite", "1.7976931348623157e+308\n")] {
        sandbox.line(&format!("memory-update a.json {filter} --allow-type-change")).succeeds();
        sandbox.holds("a.json", after);
    }
}

#[test]
fn little_address_space_and_a_lack_of_threads_do_not_crash() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"n\":0}");
    // Address space for a small stack only (in KiB), and for none.
    sandbox.bash("ulimit -v 400000; memory-update a.json '.n += 1' && memory-read a.json .n").succeeds().prints("1\n");
    let refused = sandbox.bash("ulimit -v 90000; memory-update a.json '.n += 1'").ends(1).refuses();
    refused.tells(["address space", "ulimit -v"]);
    sandbox.holds("a.json", "{\n  \"n\": 1\n}\n");
}

#[test]
fn the_values_of_variables_are_not_shown_to_waiters() {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{}");
    let holder = sandbox
        .call(["memory-update", "a.json", "until(false; .)", "--arg", "note", "secret", "--argjson", "n", "4711"])
        .start();
    crate::sandbox::wait_until("the lock", || !sandbox.locks().is_empty());
    let busy = sandbox.line("memory-update a.json .n=1 --timeout 0").ends(75).stderr();
    assert!(busy.contains("memory-update a.json until(false; .) --arg note …"), "{busy}");
    assert!(!busy.contains("secret") && !busy.contains("4711"), "{busy}");
    drop(holder);
    sandbox.line("memory-update a.json .n=1").succeeds();
}
