//! Revisions and conditional writes: what a client thought about for minutes is not lost, and loses nothing of others.

use crate::sandbox::{Sandbox, code};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;

fn with(content: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", content);
    sandbox
}

fn revision(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All that is in the working folder, to see that nothing has changed.
fn everything(sandbox: &Sandbox) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(sandbox.path("")).unwrap().map(|entry| entry.unwrap());
    let mut all: Vec<_> = entries
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_revision_of_a_file_is_the_sum_of_its_bytes() {
    let sandbox = with("{\"n\": 1.10}\n");
    let expected = revision(b"{\"n\": 1.10}\n");
    sandbox.line("memory-read a.json --revision").succeeds().prints(&format!("{expected}\n"));
    let both = sandbox.line("memory-read a.json --with-revision -c").succeeds();
    both.prints(&format!("{{\"revision\":\"{expected}\",\"value\":{{\"n\":1.10}}}}\n"));
    let both = sandbox.line("memory-read a.json .n --with-revision").succeeds().stdout();
    assert_eq!(json(&both)["revision"], expected.as_str());
    assert!(both.contains("\"value\": 1.10"), "{both}");
    let status = json(&sandbox.line("file-lock status a.json --json").succeeds().stdout());
    assert_eq!(status["revision"], expected.as_str());
    let status = json(&sandbox.line("file-lock status b.json --json").succeeds().stdout());
    assert_eq!(status["revision"], "none");
    // Any bytes have one.
    sandbox.write("notes.txt", b"\xff not JSON");
    let expected = revision(b"\xff not JSON");
    sandbox.line("memory-read notes.txt --revision").succeeds().prints(&format!("{expected}\n"));
    sandbox.line("memory-read b.json --revision").ends(1).refuses().tells(["b.json"]);
    sandbox.line("memory-read a.json empty --with-revision").ends(1).refuses().tells(["0 outputs"]);
    sandbox.line("memory-read a.json .n,.n --with-revision").ends(1).refuses().tells(["2 outputs"]);
}

#[test]
fn an_invalid_revision_is_wrong_usage() {
    let sandbox = with("{}");
    let long = "a".repeat(65);
    let upper = revision(b"{}").to_uppercase();
    for wrong in ["", "None", "1234567890a", "44136fa355b3z", upper.as_str(), long.as_str(), "latest"] {
        for line in ["memory-update a.json .n=1 --if-revision", "atomic-write a.json --content 1 --if-revision"] {
            sandbox.line(line).arg(wrong).ends(2).refuses().tells(["--if-revision"]);
        }
        sandbox.line("atomic-write a.json --content 1 --base").arg(wrong).ends(2).refuses().tells(["--base"]);
    }
    for both in [
        "--base none --restore",
        "--base none --no-lock",
        "--if-revision none --no-lock",
        "--if-revision none --base none",
    ] {
        sandbox.line(&format!("atomic-write a.json {both}")).ends(2).refuses().tells(["cannot be used together"]);
    }
    sandbox.line("memory-update a.json .n=1 --dry-run --print-revision").ends(2).refuses();
    sandbox.holds("a.json", "{}");
}

#[test]
fn a_write_over_another_revision_changes_nothing_and_says_what_to_do() {
    let sandbox = with("{\"n\":1}");
    sandbox.write("a.json.bak", "{\"n\":0}");
    let before = everything(&sandbox);
    let now = revision(b"{\"n\":1}");
    let stale = revision(b"{\"n\":0}");
    for line in [
        "memory-update a.json .n=2 --backup=3",
        "memory-update a.json .n=2 --dry-run",
        "memory-update a.json .n=2 --diff",
        "atomic-write a.json --content {} --backup=3",
        "atomic-write a.json --restore",
    ] {
        for expected in [stale.as_str(), &stale[..12], "none"] {
            let call = sandbox.line(&format!("{line} --if-revision {expected}"));
            call.ends(76).refuses().tells([
                &now,
                "a.json",
                "nothing has changed",
                "memory-read a.json --with-revision",
            ]);
            assert_eq!(everything(&sandbox), before, "{line}");
        }
    }
    let told = sandbox.line(&format!("memory-update a.json .n=2 --json --if-revision {stale}")).ends(76).stdout();
    assert_eq!(json(&told), serde_json::json!({ "status": "changed", "revision": now }));
    // Something that is gone has changed, too.
    for line in ["memory-update b.json .n=2", "memory-update b.json .n=2 --create", "atomic-write b.json --content {}"]
    {
        sandbox.line(&format!("{line} --if-revision {stale}")).ends(76).refuses().tells(["no longer exists"]);
    }
    assert_eq!(everything(&sandbox), before);
}

#[test]
fn a_write_over_the_same_revision_succeeds_and_prints_the_next() {
    let sandbox = with("{\"n\":1}");
    let mut at = revision(b"{\"n\":1}");
    for n in 2..6 {
        let short = &at[..12 + n];
        let call =
            sandbox.line(&format!("memory-update a.json .n={n} --if-revision {short} --print-revision --backup=2"));
        at = call.succeeds().stdout().trim().to_owned();
        assert_eq!(at, revision(&sandbox.bytes("a.json")));
    }
    let call = sandbox.line(&format!("atomic-write a.json --content {{}} --if-revision {at} --json"));
    let told = json(&call.succeeds().stdout());
    assert_eq!(told, serde_json::json!({ "status": "written", "revision": revision(b"{}\n") }));
    let inside = format!("file-lock with a.json -- memory-update a.json .n=9 --if-revision {}", revision(b"{}\n"));
    sandbox.line(&inside).succeeds();
    sandbox.line(&inside).ends(76);
}

#[test]
fn of_sixteen_that_initialise_a_file_exactly_one_succeeds() {
    let lines =
        ["atomic-write new.json --if-revision none --content", "memory-update new.json --create --if-revision none"];
    for line in lines {
        let sandbox = Sandbox::new();
        let statuses: Vec<i32> = std::thread::scope(|scope| {
            let start = |client: usize| {
                let content =
                    if line.contains("update") { format!(".by={client}") } else { format!("{{\"by\":{client}}}") };
                let call = sandbox.line(line).arg(content);
                scope.spawn(move || code(call.output().status))
            };
            let running: Vec<_> = (0..16).map(start).collect();
            running.into_iter().map(|client| client.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 0).count(), 1, "{line}: {statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 76).count(), 15, "{line}: {statuses:?}");
        let winner = statuses.iter().position(|status| *status == 0).unwrap();
        assert_eq!(json(&sandbox.read("new.json"))["by"], winner);
    }
}

#[test]
fn a_write_with_a_base_keeps_the_changes_of_others() {
    let base = "{\n    \"n\": 1.10,\n    \"sessions\": [\n        {\"id\": \"s1\"}\n    ]\n}\n";
    let sandbox = with(base);
    sandbox.write("base.json", base);
    let at = revision(base.as_bytes());
    let ours = "{\n    \"n\": 1.10,\n    \"mine\": true,\n    \"sessions\": [\n        {\"id\": \"s1\"},\n        {\"id\": \"mine\"}\n    ]\n}\n";
    // Nobody has written since: it is simply replaced.
    for name in [at.as_str(), &at[..12], "base.json"] {
        let told = sandbox.line(&format!("atomic-write a.json --base {name}")).stdin(ours).succeeds().stderr();
        assert!(told.contains("[OK] Written: a.json"), "{told}");
        sandbox.holds("a.json", ours);
        sandbox.write("a.json", base);
    }
    // Somebody has, and left a backup.
    sandbox
        .call(["memory-update", "a.json", ".sessions += [{id: \"theirs\"}]", "--backup", "--indent", "4"])
        .succeeds();
    let call = sandbox.line(&format!("atomic-write a.json --json --base {at}")).stdin(ours).succeeds();
    assert_eq!(json(&call.stdout())["status"], "merged");
    let merged = call.tells(["[OK] Merged: a.json (1 change of others kept)"]);
    drop(merged);
    let expected = "{\n    \"n\": 1.10,\n    \"sessions\": [\n        {\n            \"id\": \"s1\"\n        },\n        {\n            \"id\": \"theirs\"\n        },\n        {\n            \"id\": \"mine\"\n        }\n    ],\n    \"mine\": true\n}\n";
    assert_eq!(json(&sandbox.read("a.json")), json(expected));
    assert!(sandbox.read("a.json").starts_with("{\n    \"n\": 1.10,\n"), "{}", sandbox.read("a.json"));
}

#[test]
fn a_conflict_or_a_base_that_cannot_be_found_changes_nothing() {
    let sandbox = with("{\"title\":\"theirs\",\"n\":1}");
    sandbox.write("base.json", "{\"title\":\"old\",\"n\":1}");
    sandbox.write("list.json", "[]");
    sandbox.write("torn.json", "{\"title\":");
    let before = everything(&sandbox);
    let ours = "{\"title\":\"ours\",\"n\":1}";
    let conflict = sandbox.line("atomic-write a.json --backup --base base.json").stdin(ours).ends(76).refuses();
    conflict.tells([".title: both changed it", "\"old\"", "\"ours\"", "\"theirs\"", "nothing has changed"]);
    let told = sandbox.line("atomic-write a.json --base base.json --json").stdin(ours).ends(76).stdout();
    let told = json(&told);
    assert_eq!(told["status"], "conflict");
    assert_eq!(told["conflicts"][0]["path"], ".title");
    assert_eq!(told["revision"], revision(&sandbox.bytes("a.json")).as_str());
    // Never taken for an empty one.
    let gone = revision(b"nobody has this");
    let call = sandbox.line(&format!("atomic-write a.json --base {gone}")).stdin(ours);
    call.ends(76).refuses().tells([&gone, "nothing to merge from", "--backup"]);
    sandbox.line("atomic-write a.json --base none").stdin(ours).ends(76).refuses().tells(["exists already"]);
    sandbox.line("atomic-write a.json --base list.json").stdin(ours).ends(76).refuses().tells(["  .: both changed it"]);
    sandbox.line("atomic-write a.json --base torn.json").stdin(ours).ends(1).refuses().tells(["the base is not JSON"]);
    sandbox.line(&format!("atomic-write b.json --base {gone}")).stdin(ours).ends(76).refuses();
    sandbox.line("atomic-write b.json --base base.json").stdin(ours).ends(76).refuses().tells(["no longer exists"]);
    assert_eq!(everything(&sandbox), before);
}

/// Eight clients read the whole document, think for 2 to 20 ms, and write it back with a session of their own more.
fn clients(sandbox: &Sandbox, how: &str) {
    let script = format!(
        "add() {{\n\
           while true; do\n\
             both=$(memory-read sessions.json --with-revision -c) || return\n\
             revision=${{both:13:64}}\n\
             document=$(printf '%s' \"$both\" | sed 's/^{{\"revision\":\"[0-9a-f]*\",\"value\"://; s/}}$//')\n\
             sleep 0.0$((RANDOM % 19 + 2))\n\
             printf '%s' \"${{document%]\\}}}},{{\\\"id\\\":\\\"$1\\\"}}]}}\" | atomic-write sessions.json --backup=99 {how} \"$revision\" 2>>log\n\
             case $? in 0) return ;; 76) ;; *) return 1 ;; esac\n\
           done\n\
         }}\n\
         for client in 1 2 3 4 5 6 7 8; do\n\
           (for n in 1 2 3 4 5; do add \"c$client-$n\" || echo failed >>failures; done) &\n\
         done\n\
         wait; [ ! -e failures ] || cat log >&2; [ ! -e failures ]\n"
    );
    sandbox.bash(&script).succeeds();
    let sessions = json(&sandbox.read("sessions.json"))["sessions"].clone();
    let mut ids: Vec<String> =
        sessions.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    let mut expected: Vec<String> = (1..=8).flat_map(|c| (1..=5).map(move |n| format!("c{c}-{n}"))).collect();
    expected.push("first".to_owned());
    expected.sort();
    assert_eq!(ids, expected, "{how}");
}

#[test]
fn eight_clients_that_think_and_try_again_lose_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("sessions.json", "{\"sessions\":[{\"id\":\"first\"}]}\n");
    clients(&sandbox, "--if-revision");
}

#[test]
fn eight_clients_that_think_and_name_their_base_lose_nothing_and_need_not_try_again() {
    let sandbox = Sandbox::new();
    sandbox.write("sessions.json", "{\"sessions\":[{\"id\":\"first\"}]}\n");
    clients(&sandbox, "--base");
    assert!(!sandbox.read("log").contains("[ERROR]"), "{}", sandbox.read("log"));
}
