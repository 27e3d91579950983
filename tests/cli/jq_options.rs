//! The command line that fingers know from jq, in `memory-read`. What is expected is what jq 1.8.2 prints.

use std::{fs, process::Command};

use crate::{real_jq, sandbox::Sandbox};

const DOCUMENT: &str = "{\"a\":[1,\"xé\",null,true,{},[],false],\"b\":{},\"c\":{\"d\":\"\\u007f😀\"},\"n\":-3}\n";

fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", DOCUMENT);
    sandbox.write("b.json", "5\n");
    sandbox.write("l.jsonl", "{\"i\":1}\n{\"i\":2}\n");
    sandbox.write("notes.txt", "one\ntwo");
    sandbox
}

/// Options, filter, files, and what is printed.
const CASES: &[(&[&str], &str, &[&str], &str)] = &[
    (&["-a", "-c"], ".a[1], .c", &["a.json"], "\"x\\u00e9\"\n{\"d\":\"\\u007f\\ud83d\\ude00\"}\n"),
    (&["-a", "-r"], ".a[1]", &["a.json"], "\"x\\u00e9\"\n"),
    (&["-j", "-a"], ".a[1], 1", &["a.json"], "\"x\\u00e9\"1"),
    (&["--seq", "-c"], ".a[1], 1", &["a.json"], "\u{1e}\"xé\"\n\u{1e}1\n"),
    (&["--seq", "-r"], ".a[1], 1", &["a.json"], "xé\n\u{1e}1\n"),
    (&["--raw-output0", "-c"], ".a[1], 1, [1]", &["a.json"], "xé\x001\x00[1]\x00"),
    (&["-R"], ".", &["notes.txt"], "\"one\"\n\"two\"\n"),
    (&["-R", "-s"], ".", &["notes.txt"], "\"one\\ntwo\"\n"),
    (&["-Rs", "-r"], ".", &["notes.txt"], "one\ntwo\n"),
    (&["-Rn", "-c"], "[inputs]", &["notes.txt"], "[\"one\",\"two\"]\n"),
    (
        &["-R", "-c"],
        "[., input_filename]",
        &["l.jsonl"],
        "[\"{\\\"i\\\":1}\",\"l.jsonl\"]\n[\"{\\\"i\\\":2}\",\"l.jsonl\"]\n",
    ),
    (
        &["-c"],
        "[., input_filename]",
        &["l.jsonl", "b.json"],
        "[{\"i\":1},\"l.jsonl\"]\n[{\"i\":2},\"l.jsonl\"]\n[5,\"b.json\"]\n",
    ),
    (&["-s", "-c"], "[., input_filename]", &["l.jsonl", "b.json"], "[[{\"i\":1},{\"i\":2},5],\"b.json\"]\n"),
    (&["-n", "-c"], "[inputs | [., input_filename]]", &["b.json", "b.json"], "[[5,\"b.json\"],[5,\"b.json\"]]\n"),
    (&["-n"], "input_filename", &["b.json"], "null\n"),
    (&["-n", "-s", "-c"], "[inputs]", &["l.jsonl"], "[[{\"i\":1},{\"i\":2}]]\n"),
    (&["-s", "--stream", "-c"], ".", &["l.jsonl"], "[[[\"i\"],1],[[\"i\"]],[[\"i\"],2],[[\"i\"]]]\n"),
    (&["-n", "--stream", "-c"], "[inputs]", &["b.json"], "[[[],5]]\n"),
    (&["-n", "--stream", "-c"], "fromstream(inputs)", &["l.jsonl"], "{\"i\":1}\n{\"i\":2}\n"),
    (&[], "-.n", &["a.json"], "3\n"),
    (&[], "-1", &["a.json"], "-1\n"),
    (&["-c"], "-(.n), [-.n]", &["a.json"], "3\n[3]\n"),
    (&["-c", "--arg", "x", "-.n"], "$x", &["a.json"], "\"-.n\"\n"),
    (&["-c", "--tab", "--indent", "1"], "[.]", &["b.json"], "[\n 5\n]\n"),
    (&["--tab", "-c"], "[.]", &["b.json"], "[5]\n"),
    (&["--indent", "3", "-c", "--tab"], "[.]", &["b.json"], "[\n\t5\n]\n"),
    (&["--indent", "0"], "[{a: .}]", &["b.json"], "[\n{\n\"a\": 5\n}\n]\n"),
    (&["--unbuffered", "-b", "-c"], "[.]", &["b.json"], "[5]\n"),
    (&["-C", "-c"], ".c.d, .a[2:5], .b, {n}", &["a.json"], COLORED),
    (&["-C", "-M", "-c"], ".b", &["a.json"], ""),
    (
        &["-C", "--indent", "1"],
        "[{a: .}]",
        &["b.json"],
        "\x1b[1;39m[\x1b[0m\n \x1b[1;39m{\x1b[0m\n  \x1b[1;34m\"a\"\x1b[0m\x1b[1;39m:\x1b[0m \x1b[0;39m5\x1b[0m\n \x1b[1;39m}\x1b[0m\n\x1b[1;39m]\x1b[0m\n",
    ),
    (&["-C", "-r"], ".a[1]", &["a.json"], "xé\n"),
];

const COLORED: &str = "\x1b[0;32m\"\\u007f😀\"\x1b[0m\n\
    \x1b[1;39m[\x1b[0m\x1b[0;90mnull\x1b[0m\x1b[1;39m,\x1b[0m\x1b[0;39mtrue\x1b[0m\x1b[1;39m,\x1b[0m\x1b[1;39m{}\x1b[0m\x1b[1;39m]\x1b[0m\n\
    \x1b[1;39m{}\x1b[0m\n\
    \x1b[1;39m{\x1b[0m\x1b[1;34m\"n\"\x1b[0m\x1b[1;39m:\x1b[0m\x1b[0;39m-3\x1b[0m\x1b[1;39m}\x1b[0m\n";

#[test]
fn options_of_jq_do_what_they_do_in_jq() {
    let sandbox = furnished();
    for (options, filter, files, expected) in CASES {
        if expected.is_empty() {
            // Two that exclude each other.
            sandbox.call([&["memory-read"], *options, &[files[0], filter]].concat()).ends(2).refuses();
            continue;
        }
        // The order of options and words is free, the file comes first.
        for line in [
            [&["memory-read"], *options, &[files[0], filter], &files[1..]].concat(),
            [&["memory-read", files[0], filter], &files[1..], *options].concat(),
        ] {
            let printed = sandbox.call(&line).succeeds().stdout();
            assert_eq!(printed, *expected, "{line:?}");
        }
    }
}

#[test]
fn a_real_jq_prints_the_same() {
    let sandbox = furnished();
    // Without one the expectations above stand alone.
    let Some(jq) = real_jq::find() else { return };
    for (options, filter, files, expected) in CASES {
        // jq reads its input as a sequence with --seq as well, and joins the ends of files.
        if expected.is_empty() || options.contains(&"--seq") || files.len() > 1 {
            continue;
        }
        let output =
            Command::new(&jq).args(*options).arg(filter).args(*files).current_dir(sandbox.path("")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), *expected, "jq {options:?} {filter} {files:?}");
    }
}

#[test]
fn standard_input_and_process_substitutions_are_read() {
    let sandbox = furnished();
    let call = |words: &[&str]| sandbox.call(words).stdin("{\"q\":1} 2");
    call(&["memory-read", "-", "-c"]).succeeds().prints("{\"q\":1}\n2\n");
    call(&["memory-read", "-", "-c", "[., input_filename]"]).succeeds().prints("[{\"q\":1},null]\n[2,null]\n");
    call(&["memory-read", "/dev/stdin", ".", "-c"]).succeeds().prints("{\"q\":1}\n2\n");
    call(&["memory-read", "b.json", ".", "-"]).succeeds().prints("5\n{\n  \"q\": 1\n}\n2\n");
    let line = "memory-read <(echo 7) '. + 1'; memory-read -f <(echo .i) l.jsonl b.json -n";
    sandbox.call(["bash", "-c", line]).succeeds().prints("8\nnull\n");
    call(&["memory-read", "-", ".q"]).ends(1).prints("1\n").tells(["standard input: Cannot index number"]);
    sandbox.call(["memory-read", "-", "."]).stdin("{\"a\":1}{").ends(1).refuses().tells(["standard input: ", "line 1"]);
    // A pipe of the file system may never have a writer.
    assert!(Command::new("mkfifo").arg(sandbox.path("pipe")).status().unwrap().success());
    sandbox.call(["memory-read", "pipe", "."]).ends(1).refuses().tells(["'pipe' is a device, pipe or socket"]);
}

#[test]
fn colours_are_those_of_jq_colors() {
    let sandbox = furnished();
    let call =
        |colors: &str| sandbox.call(["memory-read", "b.json", "-C", "-c", "{a: ., b: null}"]).env("JQ_COLORS", colors);
    let expected = "\x1b[0;37m{\x1b[0m\x1b[1;31m\"a\"\x1b[0m\x1b[0;37m:\x1b[0m\x1b[0;34m5\x1b[0m\x1b[0;37m,\x1b[0m\
        \x1b[1;31m\"b\"\x1b[0m\x1b[0;37m:\x1b[0m\x1b[0;31mnull\x1b[0m\x1b[0;37m}\x1b[0m\n";
    call("0;31:0;32:0;33:0;34:0;35:0;36:0;37:1;31").succeeds().prints(expected);
    call("red").ends(2).refuses().tells(["JQ_COLORS is 'red'"]);
}

#[test]
fn a_string_with_nul_is_not_printed_before_a_nul() {
    let sandbox = furnished();
    let call = sandbox.call(["memory-read", "b.json", "\"a\\u0000b\"", "--raw-output0"]).ends(1).refuses();
    call.tells(["b.json", "NUL", "--raw-output0"]).prints("");
}

#[test]
fn a_filter_that_begins_with_a_dash_updates() {
    let sandbox = furnished();
    sandbox.call(["memory-update", "b.json", "-."]).succeeds();
    sandbox.holds("b.json", "-5\n");
    sandbox.call(["memory-update", "b.json", "--timeout", "5", "-1", "--indent", "1"]).succeeds();
    sandbox.holds("b.json", "-1\n");
}

#[test]
fn an_unfinished_line_is_reported_and_left_out() {
    let sandbox = furnished();
    sandbox.write("t.jsonl", "{\"i\":1}\n{\"i\":2");
    sandbox
        .call(["memory-read", "t.jsonl", ".i"])
        .succeeds()
        .prints("1\n")
        .tells(["t.jsonl: the last line is unfinished"]);
    // As it is, where bytes are asked for.
    sandbox.call(["memory-read", "t.jsonl"]).succeeds().prints("{\"i\":1}\n{\"i\":2").reports("");
    // A whole last value only lacks its line end.
    sandbox.write("u.jsonl", "{\"i\":1}\n{\"i\":2}");
    sandbox.call(["memory-read", "u.jsonl", ".i"]).succeeds().prints("1\n2\n").reports("");
    // In the middle nothing is left out in silence.
    sandbox.write("w.jsonl", "{\"i\":1}\n{\"i\":\n{\"i\":3}\n");
    sandbox.call(["memory-read", "w.jsonl", ".i"]).ends(1).refuses().prints("").tells(["w.jsonl: ", "line 2"]);
    assert_eq!(fs::read_to_string(sandbox.path("t.jsonl")).unwrap(), "{\"i\":1}\n{\"i\":2");
}
