//! `memlatch merge`: by hand, and as git's driver.

use crate::sandbox::{Sandbox, available};
use serde_json::Value;

fn three(base: &str, ours: &str, theirs: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in [("base.json", base), ("ours.json", ours), ("theirs.json", theirs)] {
        sandbox.write(name, text);
    }
    sandbox
}

const MERGE: &str = "memlatch merge base.json ours.json theirs.json";

#[test]
fn clean_merges_contain_the_changes_of_both_sides() {
    // What is merged, and what comes out.
    let cases = [
        // Objects by member: kept, changed, removed.
        [
            r#"{"a":1,"b":2,"c":3}"#,
            r#"{"a":1,"b":5,"c":3,"x":1}"#,
            r#"{"a":1,"b":2,"y":2}"#,
            r#"{"a":1,"b":5,"y":2,"x":1}"#,
        ],
        // Elements by their identity, theirs as the frame, ours behind their neighbours.
        [
            r#"[{"id":1},{"id":2}]"#,
            r#"[{"id":1},{"id":7},{"id":2,"o":1},{"id":8}]"#,
            r#"[{"id":2,"t":1},{"id":1},{"id":9}]"#,
            r#"[{"id":2,"t":1,"o":1},{"id":8},{"id":1},{"id":9},{"id":7}]"#,
        ],
        [
            r#"[{"name":"a","v":1}]"#,
            r#"[{"name":"a","v":2}]"#,
            r#"[{"name":"a","v":1},{"name":"b"}]"#,
            r#"[{"name":"a","v":2},{"name":"b"}]"#,
        ],
        // Sequences: both append at one place, theirs first, and what both added once.
        [r#"[1,2]"#, r#"[1,2,5,3]"#, r#"[1,2,4,5]"#, r#"[1,2,4,5,3]"#],
        [r#"["a","b","c","d"]"#, r#"["a","c","d"]"#, r#"["a","b","c","x","d"]"#, r#"["a","c","x","d"]"#],
        // Text that nobody touched stays.
        [
            r#"{"a":1.10,"b":12345678901234567890123}"#,
            r#"{"a":1.10,"b":12345678901234567890123,"c":"é"}"#,
            r#"{"a":1.10,"b":12345678901234567890123,"d":[]}"#,
            r#"{"a":1.10,"b":12345678901234567890123,"d":[],"c":"é"}"#,
        ],
        // Equal changes on both sides, removals on both sides.
        [r#"{"a":1,"b":1}"#, r#"{"a":2}"#, r#"{"a":2}"#, r#"{"a":2}"#],
    ];
    for [base, ours, theirs, expected] in cases {
        let sandbox = three(base, ours, theirs);
        sandbox.line(MERGE).succeeds().reports("").prints(&format!("{expected}\n"));
    }
}

/// `tests/merge/compare` merges the same cases with other programs.
#[test]
fn memory_files_merge_as_their_users_expect() {
    let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/merge/cases.json");
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(cases).unwrap()).unwrap();
    assert!(cases.len() >= 40, "{}", cases.len());
    for case in cases {
        let text = |side: &str| case[side].to_string();
        let sandbox = three(&text("base"), &text("ours"), &text("theirs"));
        let (group, name) = (&case["group"], &case["name"]);
        let merged = sandbox.line(MERGE).output();
        if case["expect"] == "conflict" {
            assert_eq!(merged.status.code(), Some(1), "{group}, {name}: {merged:?}");
        } else {
            let result: Value = serde_json::from_slice(&merged.stdout).unwrap_or(Value::Null);
            assert_eq!(result, case["expect"], "{group}, {name}: {merged:?}");
        }
        // Whether it conflicts does not depend on the side.
        let turned = sandbox.line("memlatch merge base.json theirs.json ours.json").output();
        assert_eq!(turned.status, merged.status, "{group}, {name}");
    }
}

#[test]
fn each_kind_of_conflict_names_its_path_and_both_values() {
    let cases = [
        (
            r#"{"sessions":[{"id":"s3","title":"x"}]}"#,
            r#"{"sessions":[{"id":"s3","title":"o"}]}"#,
            r#"{"sessions":[{"id":"s3","title":"t"}]}"#,
            r#".sessions[] | select(.id == "s3") | .title: both changed it, and differently (base "x", ours "o", theirs "t")"#,
        ),
        (
            r#"{"a b":1}"#,
            "{}",
            r#"{"a b":2}"#,
            r#".["a b"]: one removed it, and the other changed it (base 1, ours nothing, theirs 2)"#,
        ),
        ("{}", r#"{"k":1}"#, r#"{"k":2}"#, ".k: both added it, and differently (base nothing, ours 1, theirs 2)"),
        ("[1,2,3]", "[1,5,3]", "[1,6,3]", ".[1:2]: both changed the same elements (base [2], ours [5], theirs [6])"),
        ("{}", "[]", "3", ".: both changed it, and differently (base {}, ours [], theirs 3)"),
    ];
    for (base, ours, theirs, told) in cases {
        let sandbox = three(base, ours, theirs);
        sandbox.line(MERGE).ends(1).refuses().tells([told, "1 conflict"]);
        let facts: Value = serde_json::from_str(&sandbox.line(&format!("{MERGE} --json")).ends(1).stdout()).unwrap();
        assert_eq!(facts["clean"], false);
        let path = facts["conflicts"][0]["path"].as_str().unwrap();
        assert!(told.starts_with(&format!("{path}: ")), "{path}");
        sandbox.line(&format!("{MERGE} --prefer ours")).succeeds();
        let theirs_again = sandbox.line(&format!("{MERGE} --prefer theirs")).succeeds().stdout();
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(value(&theirs_again), value(theirs));
        let marked = sandbox.line(&format!("{MERGE} --mark")).ends(1).stdout();
        assert!(marked.contains("\"_conflict\""), "{marked}");
    }
}

#[test]
fn keys_and_sums_can_be_named() {
    let sandbox = three(
        r#"{"n":1,"decisions":[{"title":"a","id":1}]}"#,
        r#"{"n":3,"decisions":[{"title":"a","id":1},{"title":"b","id":2}]}"#,
        r#"{"n":6,"decisions":[{"title":"a","id":1},{"title":"c","id":2}]}"#,
    );
    sandbox.line(MERGE).ends(1).tells([".n: ", ".decisions[] | select(.id == 2)"]);
    let rules = "--key .decisions=title --sum .n";
    let merged = r#"{"n":8,"decisions":[{"title":"a","id":1},{"title":"c","id":2},{"title":"b","id":2}]}"#;
    sandbox.line(&format!("{MERGE} {rules}")).succeeds().prints(&format!("{merged}\n"));
    // A field that does not tell the elements apart is a conflict.
    sandbox.write("ours.json", r#"{"n":3,"decisions":[{"title":"a","id":1},{"title":"a","id":2}]}"#);
    sandbox
        .line(&format!("{MERGE} {rules}"))
        .ends(1)
        .refuses()
        .tells([".decisions: two elements have the same identity"]);
    sandbox.line(&format!("{MERGE} --key title")).ends(2).refuses().tells(["--key is 'title'", ".decisions=title"]);
}

#[test]
fn bad_input_is_named_and_nothing_is_printed() {
    let sandbox = three("{}", "{}", "{}");
    sandbox.write("torn.json", "{\"a\":");
    sandbox.line("memlatch merge base.json torn.json theirs.json").ends(1).refuses().tells(["torn.json"]);
    sandbox.line("memlatch merge gone.json ours.json theirs.json").ends(1).refuses().tells(["gone.json"]);
    sandbox.line("memlatch merge base.json ours.json").ends(2).refuses();
    sandbox.line(&format!("{MERGE} --prefer mine")).ends(2).refuses();
    sandbox.line(&format!("{MERGE} --driver")).ends(2).refuses();
    sandbox.line(&format!("{MERGE} --mark --prefer ours")).ends(2).refuses();
}

/// A repository with memlatch as its driver, `main` and a branch `other` that both began with these files.
fn repository(files: &[(&str, &str)]) -> Option<Sandbox> {
    if !available("git") {
        return None;
    }
    let sandbox = Sandbox::new();
    git(&sandbox, "git init -q -b main . && git config user.name a && git config user.email a@b");
    sandbox.line("memlatch install --git-merge").succeeds().tells(["[OK] git merges JSON files", "commit it"]);
    for (name, text) in files {
        sandbox.write(name, text);
    }
    git(&sandbox, "git add .gitattributes *.json* && git commit -qm base && git branch other");
    Some(sandbox)
}

fn git(sandbox: &Sandbox, script: &str) {
    sandbox.bash(&format!("set -e\n{script}\n")).succeeds();
}

/// One change on each branch.
fn two_changes(sandbox: &Sandbox, ours: &str, theirs: &str) {
    git(
        sandbox,
        &format!(
            "git checkout -q other; {theirs}\ngit commit -qam theirs; git checkout -q main; {ours}\ngit commit -qam ours"
        ),
    );
}

const SESSIONS: &str = "{\n  \"sessions\": [\n    {\n      \"id\": \"s1\",\n      \"title\": \"one\"\n    }\n  ]\n}\n";

#[test]
fn git_merges_two_branches_that_both_append_without_a_hand() {
    let Some(sandbox) = repository(&[("sessions.json", SESSIONS), ("log.jsonl", "{\"id\":1}\n")]) else { return };
    let append = |id: &str| {
        format!(
            "memory-update sessions.json --arg id {id} '.sessions += [{{id: $id}}]' 2>/dev/null\n\
             echo '{{\"id\":\"{id}\"}}' >> log.jsonl"
        )
    };
    two_changes(&sandbox, &append("ours"), &append("theirs"));
    git(&sandbox, "git merge -q --no-edit other");
    let merged: Value = serde_json::from_str(&sandbox.read("sessions.json")).unwrap();
    let ids: Vec<&str> = merged["sessions"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["s1", "theirs", "ours"]);
    sandbox.holds("log.jsonl", "{\"id\":1}\n{\"id\":\"theirs\"}\n{\"id\":\"ours\"}\n");
    assert!(sandbox.read("sessions.json").starts_with(&SESSIONS[..60]), "the layout stays");
}

#[test]
fn git_leaves_marks_around_a_conflict_and_nowhere_else() {
    let Some(sandbox) = repository(&[("sessions.json", SESSIONS)]) else { return };
    let change = |title: &str| {
        format!("memory-update sessions.json --arg t {title} '.sessions[0].title = $t | .[$t] = 1' 2>/dev/null")
    };
    two_changes(&sandbox, &change("ours"), &change("theirs"));
    sandbox.line("git merge -q --no-edit other").ends(1);
    sandbox.holds(
        "sessions.json",
        "{\n  \"sessions\": [\n    {\n      \"id\": \"s1\",\n<<<<<<< ours\n      \"title\": \"ours\"\n||||||| base\n      \"title\": \"one\"\n=======\n      \"title\": \"theirs\"\n>>>>>>> theirs\n    }\n  ],\n  \"theirs\": 1,\n  \"ours\": 1\n}\n",
    );
}

#[test]
fn git_merges_invalid_json_by_lines_and_added_files_by_member() {
    let Some(sandbox) = repository(&[("torn.json", "{\n\n\n\n\n\n")]) else { return };
    let add = |key: &str| format!("echo '{{\"{key}\": 1}}' > new.json; git add new.json");
    two_changes(
        &sandbox,
        &format!("sed -i '1s/$/ ours/' torn.json; {}", add("ours")),
        &format!("sed -i '6s/$/ theirs/' torn.json; {}", add("theirs")),
    );
    git(&sandbox, "git merge -q --no-edit other");
    sandbox.holds("torn.json", "{ ours\n\n\n\n\n theirs\n");
    let merged: Value = serde_json::from_str(&sandbox.read("new.json")).unwrap();
    assert_eq!(merged, serde_json::json!({ "theirs": 1, "ours": 1 }));
}

#[test]
fn the_driver_is_set_once_and_taken_back() {
    let Some(sandbox) = repository(&[("a.json", "{}")]) else { return };
    sandbox.write(
        ".gitattributes",
        "*.png binary\n*.json merge=memlatch\n*.jsonl merge=memlatch\n*.ndjson merge=memlatch\n",
    );
    let before = sandbox.read(".gitattributes");
    sandbox.line("memlatch install --git-merge .").succeeds();
    sandbox.holds(".gitattributes", &before);
    sandbox.line("memlatch install --git-merge --remove").succeeds();
    sandbox.holds(".gitattributes", "*.png binary\n");
    sandbox.line("git config --get merge.memlatch.driver").ends(1);
    sandbox.line("memlatch install --git-merge --remove").succeeds();
    sandbox.line("memlatch install --git-merge /").ends(1).refuses().tells(["not a git repository"]);
}
