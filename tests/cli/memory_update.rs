//! memory-update: filters, variables, formats, functions, missing files, dry runs, backups.

use crate::sandbox::{Sandbox, available, code};

fn with(content: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", content);
    sandbox
}

#[test]
fn everyday_updates_give_jqs_answer_on_files_that_lack_the_path() {
    for (before, filter, after) in [
        ("{}", ".a.b = 1", r#"{"a":{"b":1}}"#),
        ("{}", ".list[0] = 1", r#"{"list":[1]}"#),
        ("{}", ".sessions |= .[-500:]", r#"{"sessions":null}"#),
        ("{}", r#".sessions += [{"id": "s"}]"#, r#"{"sessions":[{"id":"s"}]}"#),
        ("[1]", ".[2] = 1", "[1,null,1]"),
        ("[1,2,3]", "del(.[5])", "[1,2,3]"),
        (r#"{"n":1}"#, ".n += 1", r#"{"n":2}"#),
        (r#"{"s":[1,2,3]}"#, ".s |= .[-2:]", r#"{"s":[2,3]}"#),
        (r#"{"b":1,"a":2}"#, ".c = 3", r#"{"b":1,"a":2,"c":3}"#),
        (r#"{"a":1}"#, ".", r#"{"a":1}"#),
        (r#"{"a":[1,2,3]}"#, "del(.a[0])", r#"{"a":[2,3]}"#),
        (r#"{"a":1}"#, "with_entries(.value += 1)", r#"{"a":2}"#),
    ] {
        let sandbox = with(before);
        sandbox.call(["memory-update", "a.json", filter, "-c"]).succeeds().prints("");
        sandbox.holds("a.json", &format!("{after}\n"));
    }
}

#[test]
fn it_prints_with_two_spaces_and_one_newline_as_jq_does() {
    let sandbox = with(r#"{"a":[1,{"b":null}],"e":[],"f":{}}"#);
    sandbox.line("memory-update a.json .").succeeds();
    let pretty = "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"e\": [],\n  \"f\": {}\n}\n";
    sandbox.holds("a.json", pretty);
}

#[test]
fn the_layout_options_are_jqs() {
    for (options, after) in [
        ("-c", "{\"b\":[1],\"a\":2}\n"),
        ("-S", "{\n  \"a\": 2,\n  \"b\": [\n    1\n  ]\n}\n"),
        ("-cS", "{\"a\":2,\"b\":[1]}\n"),
        ("--tab", "{\n\t\"b\": [\n\t\t1\n\t],\n\t\"a\": 2\n}\n"),
        ("--indent 4", "{\n    \"b\": [\n        1\n    ],\n    \"a\": 2\n}\n"),
        ("--indent 0", "{\n\"b\": [\n1\n],\n\"a\": 2\n}\n"),
    ] {
        let sandbox = with(r#"{"b":[1],"a":2}"#);
        sandbox.line(&format!("memory-update a.json . {options}")).succeeds();
        sandbox.holds("a.json", after);
    }
}

#[test]
fn its_bytes_are_those_of_jq() {
    if !available("jq") {
        return;
    }
    let content =
        r#"{"z":1,"text":"é\u0001\u007f\"\\/ 😀","deep":[[[]],{"a":{}}],"n":[0,-1,1.5,100],"null":null,"t":true}"#;
    for options in [vec![], vec!["-c"], vec!["-S"], vec!["--tab"], vec!["--indent", "7"]] {
        let sandbox = with(content);
        let mut words = vec!["jq", "."];
        words.extend(&options);
        let expected = sandbox.call(words).stdin(content).succeeds().stdout();
        let mut words = vec!["memory-update", "a.json", "."];
        words.extend(&options);
        sandbox.call(words).succeeds();
        sandbox.holds("a.json", &expected);
    }
}

#[test]
fn options_and_positionals_mix_in_any_order() {
    for words in [
        vec!["a.json", ".n = 2", "--backup"],
        vec!["--backup", "a.json", ".n = 2"],
        vec!["a.json", "--backup", ".n = 2", "--timeout", "5"],
        vec!["--timeout=5", "a.json", "--backup", ".n = 2", "--no-sync", "--client", "cursor"],
    ] {
        let sandbox = with("{\"n\":1}\n");
        sandbox.call(["memory-update"].into_iter().chain(words)).succeeds();
        sandbox.holds("a.json", "{\n  \"n\": 2\n}\n");
        sandbox.holds("a.json.bak", "{\"n\":1}\n");
    }
}

#[test]
fn a_filter_may_begin_with_a_minus() {
    let sandbox = with("3");
    for (line, number) in [("memory-update a.json -.", "-3\n"), ("memory-update a.json -- -.", "3\n")] {
        sandbox.line(line).succeeds();
        sandbox.holds("a.json", number);
    }
}

#[test]
fn variables_come_as_text_as_json_and_from_files() {
    let sandbox = with("{}");
    sandbox.write("list", "1 2\n3");
    sandbox.write("raw", "line\n");
    let filter = "{s: $s, j: $j, l: $l, r: $r, named: $ARGS.named | keys}";
    let words = ["memory-update", "a.json", "-c", "--arg", "s", "x\" y", "--argjson", "j", "{\"k\":1}"];
    let more = ["--slurpfile", "l", "list", "--rawfile", "r", "raw", filter];
    sandbox.call(words.into_iter().chain(more)).succeeds();
    sandbox.holds(
        "a.json",
        "{\"s\":\"x\\\" y\",\"j\":{\"k\":1},\"l\":[1,2,3],\"r\":\"line\\n\",\"named\":[\"j\",\"l\",\"r\",\"s\"]}\n",
    );
}

#[test]
fn positional_arguments_come_as_text_or_as_json() {
    let sandbox = with("{}");
    sandbox.call(["memory-update", "a.json", "-c", ".p = $ARGS.positional", "--args", "a", "1"]).succeeds();
    sandbox.holds("a.json", "{\"p\":[\"a\",\"1\"]}\n");
    sandbox
        .call(["memory-update", "a.json", "-c", ".p = $ARGS.positional", "--jsonargs", "null", "{\"x\":1}"])
        .succeeds();
    sandbox.holds("a.json", "{\"p\":[null,{\"x\":1}]}\n");
}

#[test]
fn the_value_of_a_variable_is_never_code() {
    let sandbox = with("{\"notes\":[]}");
    let hostile = "x\"] | .notes = [\"";
    sandbox.call(["memory-update", "a.json", "-c", ".notes += [$n]", "--arg", "n", hostile]).succeeds();
    sandbox.holds("a.json", "{\"notes\":[\"x\\\"] | .notes = [\\\"\"]}\n");
}

#[test]
fn a_filter_comes_from_a_file_with_comments() {
    let sandbox = with("{\"n\":1}");
    sandbox.write("f.jq", "# adds one\n.n += 1 # here\n");
    sandbox.line("memory-update a.json -f f.jq -c").succeeds();
    sandbox.holds("a.json", "{\"n\":2}\n");
    sandbox.line("memory-update -f f.jq a.json -c").succeeds();
    sandbox.holds("a.json", "{\"n\":3}\n");
    sandbox.line("memory-update a.json --from-file missing.jq").ends(1).tells(["missing.jq"]);
}

#[test]
fn modules_are_found_in_a_library_directory() {
    let sandbox = with("{\"n\":1}");
    std::fs::create_dir(sandbox.path("lib")).unwrap();
    sandbox.write("lib/m.jq", "def inc: .n += 1;");
    sandbox.call(["memory-update", "a.json", "-c", "-L", "lib", "import \"m\" as m; m::inc"]).succeeds();
    sandbox.holds("a.json", "{\"n\":2}\n");
}

#[test]
fn the_environment_and_the_files_name_are_at_hand() {
    let sandbox = with("{}");
    let filter = ".e = $ENV.SEEN | .v = env.SEEN | .f = (input_filename | endswith(\"a.json\"))";
    sandbox.call(["memory-update", "a.json", "-c", filter]).env("SEEN", "yes").succeeds();
    sandbox.holds("a.json", "{\"e\":\"yes\",\"v\":\"yes\",\"f\":true}\n");
}

#[test]
fn debug_and_stderr_write_to_standard_error_only() {
    let sandbox = with("{\"n\":1}");
    let ended = sandbox.call(["memory-update", "a.json", "-c", "debug | debug(\"hello\") | (.n | stderr) as $n | ."]);
    ended.succeeds().prints("").tells(["[\"DEBUG:\",{\"n\":1}]", "[\"DEBUG:\",\"hello\"]"]);
    sandbox.holds("a.json", "{\"n\":1}\n");
}

#[test]
fn an_unwritable_standard_error_does_not_stop_an_update() {
    let sandbox = with("{\"n\":1}");
    for redirection in ["2>/dev/full", "2>&-", "2> >(true)"] {
        if redirection.contains("full") && !std::path::Path::new("/dev/full").exists() {
            continue;
        }
        sandbox.write("a.json", "{\"n\":1}");
        sandbox.bash(&format!("memory-update a.json 'debug | stderr | .n = 2' -c {redirection}\n")).succeeds();
        sandbox.holds("a.json", "{\"n\":2}\n");
        sandbox.bash(&format!("memory-update a.json 'halt_error' {redirection}\n")).ends(1);
        sandbox.holds("a.json", "{\"n\":2}\n");
    }
}

#[test]
fn it_wants_a_json_file_that_exists() {
    let sandbox = Sandbox::new();
    sandbox.line("memory-update missing.json .").ends(1).refuses().tells(["missing.json"]);
    sandbox.write("a.txt", "{}");
    let refused = sandbox.line("memory-update a.txt .").output();
    assert!(matches!(code(refused.status), 1 | 2) && String::from_utf8_lossy(&refused.stderr).contains("a.txt"));
    sandbox.holds("a.txt", "{}");
}

#[test]
fn create_starts_a_missing_file() {
    let sandbox = Sandbox::new();
    sandbox.call(["memory-update", "a.json", "-c", "--create", ".n = 1"]).succeeds();
    sandbox.holds("a.json", "{\"n\":1}\n");
    sandbox.call(["memory-update", "b.json", "-c", "--create={\"list\":[]}", ".list += [1]"]).succeeds();
    sandbox.holds("b.json", "{\"list\":[1]}\n");
    sandbox.call(["memory-update", "b.json", "-c", "--create={\"list\":[]}", ".list += [2]"]).succeeds();
    sandbox.holds("b.json", "{\"list\":[1,2]}\n");
    sandbox.call(["memory-update", "c.json", "--create={", "."]).ends(2);
    assert!(!sandbox.path("c.json").exists());
}

#[test]
fn two_clients_that_initialise_at_once_both_stay() {
    let sandbox = Sandbox::new();
    let script = "for i in 1 2 3 4 5 6 7 8; do\n\
        memory-update a.json --create='{\"s\":[]}' \".s += [$i]\" &\ndone\nwait\nmemory-read a.json -c '.s | sort'\n";
    sandbox.bash(script).succeeds().prints("[1,2,3,4,5,6,7,8]\n");
}

#[test]
fn a_dry_run_prints_and_changes_nothing() {
    let sandbox = with("{\"n\":1}");
    sandbox.line("memory-update a.json .n=2 --dry-run --backup").succeeds().prints("{\n  \"n\": 2\n}\n");
    sandbox.line("memory-update a.json .n=2 --dry-run -c").succeeds().prints("{\"n\":2}\n");
    sandbox.holds("a.json", "{\"n\":1}");
    assert!(!sandbox.path("a.json.bak").exists());
    sandbox.line("memory-update new.json .n=2 --create --dry-run -c").succeeds().prints("{\"n\":2}\n");
    assert!(!sandbox.path("new.json").exists());
}

#[test]
fn a_backup_holds_the_previous_content_byte_for_byte() {
    let sandbox = with("{ \"n\" : 1 }");
    sandbox.line("memory-update a.json .n=2 --backup").succeeds();
    sandbox.holds("a.json.bak", "{ \"n\" : 1 }");
    sandbox.line("memory-update a.json .n=3 --backup").succeeds();
    sandbox.holds("a.json.bak", "{\n  \"n\": 2\n}\n");
}

#[test]
fn an_exported_bash_function_computes_the_new_content() {
    let sandbox = with("{\"n\":1}");
    sandbox
        .bash(
            "bump() { jq -c '.n += 41'; }\nif ! type jq >/dev/null 2>&1; then bump() { sed 's/1/42/'; }; fi\n\
            export -f bump\nmemory-update a.json --function bump -c\n",
        )
        .succeeds();
    sandbox.holds("a.json", "{\"n\":42}\n");
}

#[test]
fn a_function_works_inside_the_lock() {
    let sandbox = with("{\"n\":1}");
    let script = "look() { memory-read a.json .n >&2; cat; }\nexport -f look\n\
        LOCK_TIMEOUT=0 memory-update a.json --function look\n";
    sandbox.bash(script).succeeds().tells(["1\n"]);
}

#[test]
fn a_function_that_fails_or_talks_nonsense_changes_nothing() {
    let sandbox = with("{\"n\":1}");
    for body in ["echo '{}'; return 3", "echo '{'", "true", "echo 1; echo 2"] {
        let script = format!("f() {{ {body}; }}\nexport -f f\nmemory-update a.json --function f\n");
        sandbox.bash(&script).ends(1).refuses();
        sandbox.holds("a.json", "{\"n\":1}");
    }
    let missing = sandbox.line("memory-update a.json --function nowhere").output();
    assert!(matches!(code(missing.status), 1 | 2) && String::from_utf8_lossy(&missing.stderr).contains("nowhere"));
}

#[test]
fn options_that_only_a_filter_heeds_are_refused_with_a_function() {
    let sandbox = with("{}");
    for options in ["--eval-timeout 1", "--arg a b", "--argjson a 1", "-L lib", "--jsonargs"] {
        let script = format!("f() {{ cat; }}\nexport -f f\nmemory-update a.json --function f {options}\n");
        let name = if options.starts_with("-L") { "--library-path" } else { options.split(' ').next().unwrap() };
        sandbox.bash(&script).ends(2).refuses().tells(["--function", name]);
    }
    sandbox.holds("a.json", "{}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_function_runs_where_the_ends_of_children_are_ignored() {
    let sandbox = with("{\"n\":1}");
    let script = "f() { cat; }\nexport -f f\nenv --ignore-signal=CHLD memory-update a.json --function f -c\n";
    sandbox.bash(script).succeeds();
    sandbox.holds("a.json", "{\"n\":1}\n");
}

#[test]
fn exactly_one_value_must_come_out() {
    let sandbox = with("[1,2,3]");
    sandbox.line("memory-update a.json empty").ends(1).refuses().tells(["0"]);
    sandbox.line("memory-update a.json .[]").ends(1).refuses().tells(["3"]);
    sandbox.holds("a.json", "[1,2,3]");
}

#[test]
fn untouched_numbers_and_the_order_of_keys_stay() {
    let numbers = r#"{"z":12345678901234567890123,"d":1.10,"e":1e1000,"m":-0,"f":1.0,"y":1E2,"a":0.1}"#;
    let sandbox = with(numbers);
    sandbox.line("memory-update a.json .new=1 -c").succeeds();
    sandbox.holds("a.json", &format!("{},\"new\":1}}\n", numbers.trim_end_matches('}')));
}

#[test]
fn a_typo_in_a_filter_is_shown_with_a_caret_and_never_waits() {
    let sandbox = with("{}");
    let held = sandbox.holder("a.json");
    sandbox.call(["memory-update", "a.json", ".n += "]).ends(2).refuses().tells(["^"]);
    sandbox.call(["memory-update", "a.json", ".n | nonsense"]).ends(2).refuses().tells(["nonsense", "^"]);
    sandbox.call(["memory-update", "a.json", ".n = $missing"]).ends(2).refuses().tells(["missing", "^"]);
    held.ended();
}

#[test]
fn an_error_while_running_reads_as_jqs() {
    let sandbox = with("{\"a\":1}");
    sandbox.call(["memory-update", "a.json", "error(\"out of cheese\")"]).ends(1).refuses().tells(["out of cheese"]);
    sandbox
        .call(["memory-update", "a.json", ".a.b = 1"])
        .ends(1)
        .refuses()
        .tells(["Cannot index number with string (\"b\")"]);
    sandbox.holds("a.json", "{\"a\":1}");
}

#[test]
fn halt_is_an_error_and_never_an_exit() {
    let sandbox = with("{\"a\":1}");
    for filter in ["halt", "halt_error", "\"x\" | halt_error(0)", "., halt"] {
        sandbox.call(["memory-update", "a.json", filter]).ends(1).refuses();
        sandbox.holds("a.json", "{\"a\":1}");
    }
}

#[test]
fn success_is_said_on_standard_error_only() {
    let sandbox = with("{}");
    let text = sandbox.line("memory-update a.json .n=1").succeeds().prints("").stderr();
    assert!(text.starts_with("[OK] ") && text.contains("a.json"), "{text}");
}

#[test]
fn a_file_that_is_not_there_is_not_made_by_trying() {
    let sandbox = Sandbox::new();
    sandbox.line("memory-update missing.json .").ends(1);
    assert!(!sandbox.path("missing.json").exists());
}

#[test]
fn a_result_of_another_type_is_refused_with_a_suggestion() {
    let cases = [
        (".count", "object", "number", "memory-read f.json .count"),
        (".count == 1", "object", "boolean", "'.count = 1'"),
        (".list | length", "object", "number", "whole document"),
        (".count + 1", "object", "number", "whole document"),
        (".list", "object", "array", "memory-read f.json .list"),
    ];
    for (filter, old, new, advice) in cases {
        let sandbox = Sandbox::new();
        sandbox.write("f.json", r#"{"count":3,"list":[1]}"#);
        for preview in ["--backup", "--dry-run", "--diff"] {
            let call = sandbox.call(["memory-update", "f.json", filter, preview]);
            call.ends(1).refuses().tells([old, new, advice, "--allow-type-change"]);
        }
        sandbox.holds("f.json", r#"{"count":3,"list":[1]}"#);
        assert!(!sandbox.path("f.json.bak").exists());
        sandbox.call(["memory-update", "f.json", filter, "--allow-type-change"]).succeeds();
    }
}

#[test]
fn a_result_of_the_same_type_or_of_a_file_that_held_nothing_is_written() {
    let cases = [
        ("3", ". + 1", "4\n"),
        ("true", "not", "false\n"),
        ("null", "{}", "{}\n"),
        ("[1]", "map(. + 1)", "[\n  2\n]\n"),
    ];
    for (old, filter, new) in cases {
        let sandbox = Sandbox::new();
        sandbox.write("f.json", old);
        sandbox.call(["memory-update", "f.json", filter]).succeeds();
        sandbox.holds("f.json", new);
    }
    let sandbox = Sandbox::new();
    sandbox.call(["memory-update", "new.json", "[.a]", "--create"]).succeeds();
    sandbox.holds("new.json", "[\n  null\n]\n");
}

#[test]
fn a_function_that_gives_another_type_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("f.json", r#"{"n":1}"#);
    let script = "count() { echo 1; }; export -f count\nmemory-update f.json --function count";
    sandbox.bash(script).ends(1).refuses().tells(["object", "number", "--allow-type-change"]);
    sandbox.holds("f.json", r#"{"n":1}"#);
    sandbox.bash(&format!("{script} --allow-type-change")).succeeds();
    sandbox.holds("f.json", "1\n");
}
