//! What people are told when something is wrong: who speaks, what is wrong, and what to do next.

use std::{collections::BTreeSet, fs};

use crate::sandbox::Sandbox;

/// Files of every kind that a mistaken command line may name.
fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"a\": 1}\n");
    sandbox.write("bad.json", "{\"a\":\n");
    sandbox.write("bad.json.bak", "{\"a\": 0}\n");
    sandbox.write("worse.json", "{\"a\":\n");
    fs::create_dir(sandbox.path("folder")).unwrap();
    fs::create_dir(sandbox.path("folder.json")).unwrap();
    sandbox
}

/// Runs a command line that is wrong, and gives the message behind the tool's name.
fn told(sandbox: &Sandbox, words: &[&str], status: i32) -> String {
    let text = sandbox.call(words).ends(status).refuses().stderr();
    let tag = format!("[ERROR] {}: ", words[0]);
    let message = text.strip_prefix(&tag).unwrap_or_else(|| panic!("{words:?}: not by {}: {text}", words[0]));
    assert!(!message.contains("(os error"), "{words:?}: {text}");
    message.to_owned()
}

#[test]
fn a_number_after_a_blank_is_answered_with_the_right_form() {
    let sandbox = furnished();
    for (words, remedy) in [
        (&["memory-update", "a.json", ".a = 2", "--backup", "3"][..], "--backup=3"),
        (&["memory-update", "a.json", "--backup", "3", ".a = 2"], "--backup=3"),
        (&["memory-update", "--backup", "3", "a.json", ".a = 2"], "--backup=3"),
        (&["atomic-write", "a.json", "--content", "1", "--backup", "3"], "--backup=3"),
        (&["atomic-write", "a.json", "--restore", "3"], "--restore=3"),
    ] {
        let message = told(&sandbox, words, 2);
        assert!(message.contains(remedy) && !message.contains("quote a filter"), "{words:?}: {message}");
    }
    sandbox.holds("a.json", "{\"a\": 1}\n");
}

#[test]
fn an_invalid_value_is_reported_with_the_valid_ones() {
    let sandbox = furnished();
    for (line, parts) in [
        ("memory-update a.json .a=2 --timeout -1", ["--timeout is '-1'", "number of seconds"]),
        ("memory-read a.json --timeout -1", ["--timeout is '-1'", "number of seconds"]),
        ("atomic-write a.json --content 1 --timeout -0.5", ["--timeout is '-0.5'", "number of seconds"]),
        ("file-lock with a.json --timeout -1 -- true", ["--timeout is '-1'", "number of seconds"]),
        ("file-lock acquire a.json --ttl -1", ["--ttl is '-1'", "number of seconds"]),
        ("memory-read a.json .a --eval-timeout -1", ["--eval-timeout is '-1'", "number of seconds"]),
        ("atomic-write a.json --restore=x", ["invalid value 'x'", "the number of a backup, 1 or more"]),
        ("atomic-write a.json --restore=0", ["invalid value '0'", "the number of a backup, 1 or more"]),
        ("memory-update a.json .a=2 --backup=0", ["invalid value '0'", "a number from 1 to 99"]),
        ("memory-update a.json .a=2 --backup=x", ["invalid value 'x'", "a number from 1 to 99"]),
    ] {
        let message = told(&sandbox, &line.split(' ').collect::<Vec<_>>(), 2);
        assert!(parts.iter().all(|part| message.contains(part)), "{line}: {message}");
    }
}

#[test]
fn swapping_file_and_filter_is_not_reported_as_an_error_in_the_filter() {
    let sandbox = furnished();
    sandbox.write("a.jsonl", "1\n");
    for tool in ["memory-update", "memory-read"] {
        for file in ["a.json", "a.jsonl"] {
            let message = told(&sandbox, &[tool, ".a = 1", file], 2);
            assert_eq!(message, format!("the file comes first, then the filter: {file} '.a = 1'\n"), "{tool}");
        }
    }
}

#[test]
fn a_directory_is_not_taken_for_a_file() {
    let sandbox = furnished();
    for words in [
        &["memory-update", "folder", ".a = 1"][..],
        &["memory-update", "folder.json", ".a = 1"],
        &["memory-read", "folder"],
        &["memory-read", "folder.json", ".a"],
        &["atomic-write", "folder", "--content", "x"],
        &["atomic-write", "folder.json", "--content", "1"],
    ] {
        let message = told(&sandbox, words, 1);
        assert!(message.contains("is a directory, not a file; name a file in it"), "{words:?}: {message}");
    }
}

#[test]
fn a_missing_file_is_reported_with_the_path_that_was_tried() {
    let sandbox = furnished();
    let home = sandbox.path("").display().to_string();
    let home = home.trim_end_matches('/');
    let message = told(&sandbox, &["memory-read", "nowhere.json"], 1);
    assert!(message.starts_with(&format!("'nowhere.json' does not exist in '{home}'; ")), "{message}");
    let message = told(&sandbox, &["memory-update", "nowhere.json", ".a = 1"], 1);
    assert!(message.starts_with(&format!("'nowhere.json' does not exist in '{home}'; --create ")), "{message}");
    let message = told(&sandbox, &["memory-read", &format!("{home}/nowhere.json")], 1);
    assert!(message.starts_with(&format!("'{home}/nowhere.json' does not exist; ")), "{message}");
}

#[test]
fn a_file_is_not_created_where_there_is_no_directory() {
    let sandbox = furnished();
    for words in [
        &["memory-update", "nowhere/x.json", "--create", ".a = 1"][..],
        &["memory-update", "nowhere/x.jsonl", "--create", "--append", "1"],
    ] {
        let message = told(&sandbox, words, 1);
        assert!(message.contains("there is no directory '"), "{message}");
        assert!(message.contains("nowhere'; look at the path, or make it: mkdir -p "), "{message}");
    }
    let message = told(&sandbox, &["memory-update", "a.json/x.json", ".a = 1"], 1);
    assert_eq!(message, "cannot find 'a.json/x.json': 'a.json' is a file, not a directory\n");
}

#[test]
fn damaged_json_without_a_backup_is_told_with_the_way_to_mend_it() {
    let sandbox = furnished();
    let message = told(&sandbox, &["memory-update", "worse.json", "."], 1);
    assert!(message.ends_with(
        "it has no backup: correct the text in a copy, and put it in place: atomic-write worse.json < COPY\n"
    ));
}

#[test]
fn the_cause_of_an_error_is_printed_without_its_number() {
    let sandbox = furnished();
    for (line, status) in [
        ("memory-read a.json . --slurpfile x nowhere.json", 1),
        ("memory-read a.json -f nowhere.jq", 1),
        ("memory-update a.json .a=2 --schema nowhere.json", 2),
        ("file-lock with a.json -- ./nowhere", 127),
        ("file-lock with a.json -- ./folder", 126),
        ("memlatch merge a.json a.json nowhere.json", 1),
        ("memlatch man /proc/nowhere", 1),
        ("memlatch install /proc/nowhere", 1),
    ] {
        let message = told(&sandbox, &line.split(' ').collect::<Vec<_>>(), status);
        let causes = ["No such file or directory", "Permission denied", "does not exist"];
        assert!(causes.iter().any(|cause| message.contains(cause)), "{line}: {message}");
    }
}

#[test]
fn an_error_of_a_filter_names_the_file() {
    let sandbox = furnished();
    for words in [
        &["memory-read", "a.json", ".a[0]"][..],
        &["memory-read", "a.json", ".a | error(\"no\")"],
        &["memory-update", "a.json", ".a[0] = 1"],
        &["memory-update", "a.json", "error(\"no\")"],
    ] {
        let message = told(&sandbox, words, 1);
        assert!(message.contains("a.json"), "{words:?}: {message}");
    }
}

#[test]
fn invalid_json_is_reported_with_the_backup_that_is_still_valid() {
    let sandbox = furnished();
    for words in
        [&["memory-read", "bad.json", ".a"][..], &["memory-read", "bad.json"], &["memory-update", "bad.json", ".a = 1"]]
    {
        let message = told(&sandbox, words, 1);
        let remedy = "'bad.json.bak' holds an earlier content; to restore it: atomic-write bad.json --restore=1";
        assert!(message.contains("line 2") && message.contains(remedy), "{words:?}: {message}");
    }
    // Nothing is promised where there is none.
    assert!(!told(&sandbox, &["memory-read", "worse.json", ".a"], 1).contains("restore"));
    sandbox.line("atomic-write bad.json --restore=1").succeeds();
    sandbox.holds("bad.json", "{\"a\": 0}\n");
}

#[test]
fn a_tool_without_a_command_shows_its_help() {
    let sandbox = Sandbox::new();
    for (tool, command) in [("memlatch", "memory-update  "), ("file-lock", "acquire  ")] {
        let message = told(&sandbox, &[tool], 2);
        assert!(message.starts_with("the command is missing\n\n"), "{message}");
        assert!(message.contains("Usage: ") && message.contains(command) && message.contains("Examples:"), "{message}");
    }
}

#[test]
fn options_are_listed_below_their_heading() {
    let sandbox = Sandbox::new();
    for (tool, headings) in [
        ("memory-update", &["Options", "Filter", "Writing", "Output", "Revisions", "Locking"][..]),
        ("memory-read", &["Options", "Filter", "Input", "Output", "Revisions", "Locking"]),
        ("atomic-write", &["Options", "Writing", "Revisions", "Locking"]),
    ] {
        let help = sandbox.call([tool, "--help"]).succeeds().stdout();
        let mut groups: Vec<(String, BTreeSet<String>)> = Vec::new();
        for line in help.lines() {
            if let Some(heading) = line.strip_suffix(':').filter(|line| !line.starts_with(' ')) {
                groups.push((heading.to_owned(), BTreeSet::new()));
            } else if let (Some((_, options)), Some(option)) =
                (groups.last_mut(), line.split_whitespace().find(|word| word.starts_with("--")))
            {
                options.insert(option.trim_end_matches(',').to_owned());
            }
        }
        let found: Vec<&str> =
            groups.iter().map(|(heading, _)| heading.as_str()).filter(|name| headings.contains(name)).collect();
        assert_eq!(found, headings, "{help}");
        let (_, ungrouped) = groups.iter().find(|(heading, _)| heading == "Options").unwrap();
        assert_eq!(ungrouped.iter().collect::<Vec<_>>(), ["--help", "--version"], "{help}");
    }
}

#[test]
fn a_stale_lock_is_reported_in_the_words_of_the_scripts() {
    let sandbox = Sandbox::new();
    let pid = sandbox.dead_pid();
    sandbox.plant_script_lock("a.json", pid);
    let text = sandbox.line("file-lock show").succeeds().stdout();
    assert!(text.lines().any(|line| line == format!("  Status: STALE (process {pid} is dead)")), "{text}");
    sandbox.line("file-lock cleanup").succeeds();
}
