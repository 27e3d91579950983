//! Checks before a write: `--schema` on memory-update and atomic-write, and the schemas of examples/schemas.

use std::{fs, path::Path};

use crate::sandbox::Sandbox;

const SESSIONS: &str = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["sessions"],
  "properties": {"sessions": {"type": "array", "items": {"$ref": "#/$defs/session"}}},
  "$defs": {
    "session": {
      "type": "object",
      "required": ["id"],
      "properties": {"id": {"type": "string", "minLength": 1}, "at": {"format": "date-time"}}
    }
  }
}"##;

fn with_schema(schema: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("schema.json", schema);
    sandbox.write("a.json", "{\"sessions\":[]}");
    sandbox
}

#[test]
fn conforming_content_is_written() {
    let sandbox = with_schema(SESSIONS);
    let call =
        sandbox.call(["memory-update", "a.json", ".sessions += [{id: \"s1\"}]", "-c", "--schema", "schema.json"]);
    call.succeeds();
    sandbox.holds("a.json", "{\"sessions\":[{\"id\":\"s1\"}]}\n");
    // Content from a pipe keeps its text.
    sandbox.line("atomic-write a.json --schema schema.json").stdin("{ \"sessions\" : [] }").succeeds();
    sandbox.holds("a.json", "{ \"sessions\" : [] }\n");
    sandbox.line("memory-update new.json .sessions=[] --create --schema schema.json").succeeds();
}

#[test]
fn nonconforming_content_is_refused_with_each_place_and_reason() {
    let sandbox = with_schema(SESSIONS);
    let told = [
        ": the new content for 'a.json' does not conform to the schema 'schema.json'; the file is as it was\n",
        "  at /sessions/0/id: 5 is not of type \"string\"\n",
        "  at /sessions/1/at: \"yesterday\" is not a \"date-time\"\n",
        "  at /sessions/1: \"id\" is a required property\n",
    ];
    let filter = ".sessions = [{id: 5}, {at: \"yesterday\"}]";
    let call = sandbox.call(["memory-update", "a.json", filter, "--backup", "--schema", "schema.json"]);
    call.ends(1).refuses().tells(told);
    let content = "{\"sessions\":[{\"id\":5},{\"at\":\"yesterday\"}]}";
    sandbox.line("atomic-write a.json --backup --schema schema.json").stdin(content).ends(1).refuses().tells(told);
    sandbox.holds("a.json", "{\"sessions\":[]}");
    assert!(!sandbox.path("a.json.bak").exists());
    let call = sandbox.line("memory-update a.json 5 --schema schema.json").ends(1).refuses();
    call.tells(["  at the top: 5 is not of type \"object\"\n"]);
}

#[test]
fn a_dry_run_is_checked_too() {
    let sandbox = with_schema(SESSIONS);
    sandbox.line("memory-update a.json .sessions=5 --dry-run --schema schema.json").ends(1).refuses();
    sandbox.line("memory-update a.json .sessions=5 --diff --schema schema.json").ends(1).refuses();
    // So a file can be checked without being touched.
    sandbox.line("memory-update a.json . --dry-run -c --schema schema.json").succeeds().prints("{\"sessions\":[]}\n");
}

#[test]
fn a_bash_function_and_a_restored_backup_are_checked_too() {
    let sandbox = with_schema(SESSIONS);
    let script = "f() { echo 5; }; export -f f; memory-update a.json --function f --schema schema.json";
    sandbox.bash(script).ends(1).refuses().tells(["at the top"]);
    sandbox.write("a.json.bak", "{}");
    let call = sandbox.line("atomic-write a.json --restore --schema schema.json").ends(1).refuses();
    call.tells(["a.json.bak", "\"sessions\" is a required property"]);
    sandbox.holds("a.json", "{\"sessions\":[]}");
    sandbox.holds("a.json.bak", "{}");
}

#[test]
fn ten_places_are_named_and_the_others_counted() {
    let sandbox = with_schema(SESSIONS);
    for (count, more) in [(10, None), (11, Some("  and 1 more\n")), (1000, Some("  and 990 more\n"))] {
        let filter = format!(".sessions=[range({count})]");
        let text = sandbox.call(["memory-update", "a.json", &filter, "--schema", "schema.json"]).ends(1).stderr();
        assert_eq!(text.lines().filter(|line| line.starts_with("  at ")).count(), 10);
        assert_eq!(
            text.lines().last().map(|line| format!("{line}\n")).filter(|line| line.contains("more")).as_deref(),
            more
        );
    }
}

#[test]
fn long_values_and_paths_are_cut_and_nothing_reaches_a_terminal_raw() {
    let sandbox = with_schema(SESSIONS);
    let filter = ".sessions = \"x\" * 100000";
    let text = sandbox.call(["memory-update", "a.json", filter, "--schema", "schema.json"]).ends(1).stderr();
    assert!(text.len() < 1000 && text.contains("xxx… is not of type \"array\""), "{text}");
    sandbox.write("schema.json", r##"{"additionalProperties": {"$ref": "#"}, "type": "object"}"##);
    let filter = r#"{"a\u001b[31m\u202e\u009b": 1} | ."\("k" * 1000)" = 2"#;
    let text = sandbox.call(["memory-update", "a.json", filter, "--schema", "schema.json"]).ends(1).stderr();
    assert!(text.contains(r"at /a\u{1b}[31m\u{202e}\u{9b}: 1 is not of type"), "{text}");
    assert!(text.contains("kkk…: 2 is not of type") && text.len() < 1000, "{text}");
}

#[test]
fn an_unusable_schema_is_wrong_usage_and_reported_before_the_lock_is_taken() {
    let sandbox = with_schema(SESSIONS);
    let held = sandbox.holder("a.json");
    for (content, told) in [
        ("{", "is not JSON"),
        ("", "is not JSON"),
        ("5", "is not a valid JSON Schema"),
        (r#"{"type": "strin"}"#, "is not a valid JSON Schema: at /type: \"strin\""),
        (r#"{"pattern": "("}"#, "at /pattern"),
        (r##"{"$ref": "#/$defs/missing"}"##, "'/$defs/missing' does not exist"),
        (
            r#"{"$ref": "http://example.com/a.json"}"#,
            "refers to 'http://example.com/a.json', but only this file is read",
        ),
        (r#"{"$ref": "file:///etc/hostname"}"#, "refers to 'file:///etc/hostname'"),
        (r##"{"items": {"$ref": "other.json#/a"}}"##, "refers to 'other.json#/a'"),
        (r#"{"$schema": "http://example.com/own"}"#, "http://example.com/own"),
    ] {
        sandbox.write("schema.json", content);
        let call = sandbox.line("memory-update a.json .n=1 --schema schema.json").ends(2).refuses();
        call.tells(["schema 'schema.json'", told]);
        let call = sandbox.line("atomic-write a.json --content 1 --schema schema.json").ends(2).refuses();
        call.tells([told]);
    }
    for file in ["missing.json", "."] {
        sandbox.line("memory-update a.json .n=1 --schema").arg(file).ends(2).refuses().tells(["cannot be read"]);
        sandbox.line("atomic-write a.json --restore --schema").arg(file).ends(2).refuses().tells(["cannot be read"]);
    }
    held.ended();
}

#[test]
fn a_schema_means_that_the_content_is_json_whatever_the_file_is_called() {
    let sandbox = with_schema("true");
    sandbox.line("atomic-write a.txt --content text --schema schema.json").ends(1).refuses().tells(["a.txt"]);
    sandbox.line("atomic-write a.txt --content [1] --schema schema.json").succeeds();
    sandbox.write("schema.json", "false");
    sandbox.line("atomic-write a.txt --content [1] --schema schema.json").ends(1).refuses();
    sandbox.holds("a.txt", "[1]\n");
}

#[test]
fn numbers_are_compared_as_most_programs_read_them_and_keep_their_text() {
    let sandbox = with_schema(r#"{"items": {"type": "integer", "maximum": 18446744073709551615}}"#);
    let text = "[18446744073709551615,-9223372036854775808,1.0,1e3]";
    sandbox.line("atomic-write a.json --schema schema.json --content").arg(text).succeeds();
    sandbox.holds("a.json", &format!("{text}\n"));
    for (number, told) in
        [("12345678901234567890123", "at /0: 1.2345678901234568e+22 is greater"), ("1.5", "1.5 is not of type")]
    {
        let call = sandbox.line("atomic-write a.json --schema schema.json --content").arg(format!("[{number}]"));
        call.ends(1).refuses().tells([told]);
    }
    sandbox.write("schema.json", r#"{"items": {"type": "integer", "minimum": 1e22, "maximum": 1e23}}"#);
    sandbox.line("memory-update a.json --schema schema.json -c [12345678901234567890123]").succeeds();
    sandbox.holds("a.json", "[12345678901234567890123]\n");
    sandbox.write("schema.json", r#"{"items": {"type": "number", "maximum": 1e308}}"#);
    let call = sandbox.line("memory-update a.json --schema schema.json [-1e1000,1e1000]").ends(1).refuses();
    call.tells(["at /1: 1.7976931348623157e+308 is greater"]);
}

#[test]
fn nesting_as_deep_as_documents_go_is_checked() {
    let sandbox = with_schema(r##"{"type": "array", "items": {"$ref": "#"}}"##);
    let nested = |inner: &str| format!("{}{inner}{}", "[".repeat(9998), "]".repeat(9998));
    sandbox.write("a.json", nested("[]"));
    sandbox.line("memory-update a.json . -c --schema schema.json").succeeds();
    sandbox.line("atomic-write a.json --schema schema.json").stdin(nested("[]")).succeeds();
    sandbox.line("atomic-write a.json --schema schema.json").stdin(nested("5")).ends(1).refuses().tells(["at /0/0/0"]);
    let schema = format!("{}true{}", "{\"items\":".repeat(501), "}".repeat(501));
    sandbox.write("schema.json", schema);
    sandbox.line("memory-update a.json . --schema schema.json").ends(2).refuses().tells(["500 levels"]);
}

fn examples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/schemas")
}

#[test]
fn every_example_schema_is_one_and_its_examples_fit() {
    let sandbox = Sandbox::new();
    for name in ["sessions", "decisions", "context"] {
        let schema = examples().join(format!("{name}.schema.json"));
        let text = fs::read_to_string(&schema).unwrap();
        assert!(text.contains("https://json-schema.org/draft/2020-12/schema"), "{name}");
        sandbox.write("schema.json", &text);
        let count = sandbox.line("memory-read schema.json").arg(".examples | length").succeeds().stdout();
        assert!(count.trim().parse::<usize>().unwrap() > 0, "{name} has no examples");
        for place in 0..count.trim().parse().unwrap() {
            let example =
                sandbox.line("memory-read schema.json -c").arg(format!(".examples[{place}]")).succeeds().stdout();
            let call = sandbox.line("atomic-write example.json --schema").arg(&schema);
            call.stdin(example).succeeds();
        }
        sandbox.line("atomic-write example.json --content [] --schema").arg(&schema).ends(1).refuses();
    }
}

#[test]
fn a_document_can_name_its_schema_itself() {
    let sandbox = with_schema(SESSIONS);
    fs::create_dir(sandbox.path("notes")).unwrap();
    fs::create_dir(sandbox.path("schemas")).unwrap();
    sandbox.write("schemas/sessions.json", SESSIONS);
    sandbox.write("notes/b.json", "{\"$schema\":\"../schemas/sessions.json\",\"sessions\":[]}");
    let update = "memory-update notes/b.json .sessions=[{id:\"s1\"}] -c --schema";
    sandbox.line(update).succeeds();
    let told = ["the new content for 'notes/b.json'", "../schemas/sessions.json'", "at /sessions/0/id: 5"];
    sandbox.line("memory-update notes/b.json .sessions[0].id=5 --schema").ends(1).refuses().tells(told);
    let kept = sandbox.read("notes/b.json");
    let content = kept.replace("\"s1\"", "5");
    sandbox.line("atomic-write notes/b.json --schema").stdin(&content).ends(1).refuses().tells(told);
    sandbox.line("atomic-write notes/b.json --schema --content").arg(&kept).succeeds();
    // What is merged is checked as well: each side fits, and both together do not.
    sandbox.write("base.json", &kept);
    let limit = SESSIONS.replace("\"type\": \"array\"", "\"type\": \"array\", \"maxItems\": 2");
    sandbox.write("schemas/sessions.json", limit);
    sandbox.line("memory-update notes/b.json .sessions+=[{id:\"theirs\"}] -c --schema").succeeds();
    let ours = kept.trim_end().replace("]}", ",{\"id\":\"ours\"}]}");
    let merge = sandbox.line("atomic-write notes/b.json --base base.json --schema").stdin(&ours);
    merge.ends(1).refuses().tells(["has more than 2 items"]);
    assert!(!sandbox.read("notes/b.json").contains("ours"));
    // One that is not named, or is elsewhere.
    sandbox.line("memory-update a.json . --schema").ends(1).refuses().tells(["names no schema", "--schema FILE"]);
    sandbox.write("c.json", "{\"$schema\":\"https://example.com/s.json\"}");
    sandbox.line("memory-update c.json . --schema").ends(1).refuses().tells(["nothing is fetched", "--schema FILE"]);
    sandbox.write("d.json", "{\"$schema\":\"gone.json\"}");
    sandbox.line("memory-update d.json . --schema").ends(1).refuses().tells(["gone.json", "cannot be read"]);
}
