//! The manual pages and the help on topics: sound, complete, and found where they are looked up.

use std::{collections::BTreeSet, fs, path::Path};

use crate::sandbox::{Sandbox, TOOLS, available};

const TOPICS: [&str; 6] = ["locking", "filters", "environment", "mcp", "remote", "exit-codes"];
const OWN: [&str; 4] = ["install", "completions", "man", "help"];
const LOCK_COMMANDS: [&str; 7] = ["acquire", "release", "with", "status", "show", "cleanup", "help"];

fn source(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a file of the project")
}

/// The pages in a folder that `man -M` takes: `man/man1`.
fn pages(sandbox: &Sandbox) -> Vec<String> {
    sandbox.line("memlatch man man/man1").succeeds();
    let entries = fs::read_dir(sandbox.path("man/man1")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The page as `man` shows it on a wide terminal.
fn shown(sandbox: &Sandbox, name: &str) -> String {
    let folder = sandbox.path("man");
    let call = sandbox.call(["man", "-P", "cat", "-M"]).arg(folder).arg(name);
    call.env("MANWIDTH", "200").env("MAN_KEEP_FORMATTING", "").succeeds().reports("").stdout()
}

/// The text of a section of a page.
fn section(page: &str, title: &str) -> String {
    let lines = page.lines().skip_while(|line| *line != title).skip(1);
    lines.take_while(|line| line.is_empty() || line.starts_with(' ')).map(|line| format!("{line}\n")).collect()
}

/// Each variable that is read, by the sources that may read the environment.
fn variables() -> BTreeSet<String> {
    let settings = ["src/settings.rs", "src/clients.rs"].map(source).concat();
    let language = source("crates/jq/src/filter/dates.rs");
    let reads = language.lines().filter(|line| line.contains("var_os(")).collect::<String>();
    let words = [settings, reads].concat();
    let words = words.split('"').skip(1).step_by(2);
    let variables: BTreeSet<String> = words
        .filter(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .map(str::to_owned)
        .collect();
    assert!(variables.contains("LOCK_TIMEOUT") && variables.contains("TZ"), "{variables:?}");
    variables
}

/// Each exit status that has a number of its own in the source.
fn statuses() -> BTreeSet<String> {
    let failure = source("src/failure.rs");
    let code = failure.split("fn exit_code").nth(1).and_then(|rest| rest.split("\n    }").next()).expect("the table");
    let numbers = code.lines().filter_map(|line| line.trim().strip_suffix(',')?.split("=> ").nth(1));
    let statuses: BTreeSet<String> =
        numbers.filter(|number| number.parse::<u8>().is_ok()).map(str::to_owned).chain(["0".to_owned()]).collect();
    assert!(statuses.contains("75") && statuses.len() > 4, "{statuses:?}");
    statuses
}

#[test]
fn memlatchs_own_page_is_printed() {
    let page = Sandbox::new().line("memlatch man").succeeds().reports("").stdout();
    assert!(page.starts_with(".TH MEMLATCH 1 "), "{page}");
}

#[test]
fn there_is_a_page_for_each_name_command_and_topic() {
    let sandbox = Sandbox::new();
    let mut expected = vec!["memlatch.1".to_owned()];
    expected.extend(TOOLS.iter().flat_map(|tool| [format!("{tool}.1"), format!("{tool}.sh.1")]));
    expected.extend(LOCK_COMMANDS.iter().map(|command| format!("file-lock-{command}.1")));
    expected.extend(OWN.iter().chain(&TOPICS).map(|name| format!("memlatch-{name}.1")));
    let pages = pages(&sandbox);
    for page in expected {
        assert!(pages.contains(&page), "{page} is not in {pages:?}");
    }
    // Again, over the pages of an earlier version.
    sandbox.line("memlatch man man/man1").succeeds();
}

#[test]
fn man_and_mandoc_have_nothing_to_complain_about() {
    let sandbox = Sandbox::new();
    for page in pages(&sandbox) {
        let file = sandbox.path("man/man1").join(&page);
        if available("man") {
            let call = sandbox.call(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"]).arg(&file);
            call.succeeds().reports("");
        }
        if available("mandoc") {
            sandbox.call(["mandoc", "-T", "lint", "-W", "warning"]).arg(&file).succeeds().prints("").reports("");
        }
    }
}

#[test]
fn man_finds_the_pages_by_every_name() {
    if !available("man") {
        return;
    }
    let sandbox = Sandbox::new();
    pages(&sandbox);
    for name in ["memlatch", "file-lock.sh", "memory-update", "file-lock-with", "memlatch-install", "memlatch-filters"]
    {
        let page = shown(&sandbox, name);
        assert!(page.contains("\nNAME\n") && page.contains("\nSEE ALSO\n"), "{name}:\n{page}");
    }
    let page = shown(&sandbox, "memory-read.sh");
    assert!(page.contains("\n       memory-read - "), "{page}");
}

#[test]
fn a_page_has_all_options_with_statuses_variables_files_and_examples() {
    if !available("man") {
        return;
    }
    let sandbox = Sandbox::new();
    pages(&sandbox);
    for words in
        [&["memory-update"][..], &["memory-read"], &["atomic-write"], &["file-lock", "with"], &["file-lock", "acquire"]]
    {
        let page = shown(&sandbox, &words.join("-"));
        let help = sandbox.call(words).arg("--help").succeeds().stdout();
        let options = section(&page, "OPTIONS");
        for option in
            help.lines().filter_map(|line| line.trim_start().split("--").nth(1)?.split([' ', '[', '.']).next())
        {
            assert!(option.is_empty() || options.contains(&format!("--{option}")), "--{option}, {words:?}:\n{options}");
        }
        let environment = section(&page, "ENVIRONMENT");
        for variable in variables() {
            assert!(environment.contains(&variable), "{variable}, {words:?}:\n{environment}");
        }
        let statuses = section(&page, "EXIT STATUS");
        for status in ["0 ", "1 ", "2 ", "75 ", "141 "] {
            assert!(statuses.contains(&format!("       {status}")), "{status}, {words:?}:\n{statuses}");
        }
        assert!(section(&page, "FILES").contains(".locks/ID.lock/info"), "{page}");
        assert!(section(&page, "EXAMPLES").contains(&words.join(" ")), "{page}");
        assert!(section(&page, "SEE ALSO").contains("memlatch-exit-codes(1)"), "{page}");
    }
}

#[test]
fn a_status_of_one_command_is_on_its_page_and_not_on_others() {
    if !available("man") {
        return;
    }
    let sandbox = Sandbox::new();
    pages(&sandbox);
    for (page, told) in [("file-lock-with", true), ("file-lock", true), ("memlatch", true), ("memory-update", false)] {
        let text = section(&shown(&sandbox, page), "EXIT STATUS");
        assert_eq!(text.contains("\n       127 "), told, "{page}:\n{text}");
    }
}

#[test]
fn each_topic_is_a_screen_of_plain_text() {
    let sandbox = Sandbox::new();
    for topic in TOPICS {
        let text = sandbox.call(["memlatch", "help", topic]).succeeds().reports("").stdout();
        assert!(text.is_ascii() && text.lines().count() <= 24, "{topic} has {} lines", text.lines().count());
        for line in text.lines() {
            assert!(line.len() <= 80 && !line.ends_with(' '), "{topic}: {line}");
        }
        assert_eq!(sandbox.call(["file-lock", "help", topic]).succeeds().stdout(), text);
    }
}

#[test]
fn the_topics_name_every_variable_and_every_status() {
    let sandbox = Sandbox::new();
    let environment = sandbox.line("memlatch help environment").succeeds().stdout();
    for variable in variables() {
        let mut words = environment.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        assert!(words.any(|word| word == variable), "{variable} is not told in\n{environment}");
    }
    let codes = sandbox.line("memlatch help exit-codes").succeeds().stdout();
    let page = source("docs/exit-codes.md");
    for status in statuses() {
        assert!(
            codes.lines().any(|line| line.starts_with(&format!("  {status} "))),
            "{status} is not told in\n{codes}"
        );
        assert!(page.contains(&format!("| {status} |")), "{status} is not in docs/exit-codes.md");
    }
}

#[test]
fn help_lists_commands_and_topics_and_gives_the_help_on_each() {
    let sandbox = Sandbox::new();
    let list = sandbox.line("memlatch help").succeeds().reports("").stdout();
    for word in TOOLS.into_iter().chain(TOPICS) {
        assert!(list.contains(word), "{word} is not in\n{list}");
    }
    assert_eq!(sandbox.line("memlatch --help").succeeds().stdout(), list);
    for tool in TOOLS {
        let help = sandbox.call([tool, "--help"]).succeeds().stdout();
        assert_eq!(sandbox.call(["memlatch", "help", tool]).succeeds().stdout(), help);
    }
    for command in LOCK_COMMANDS {
        let help = sandbox.call(["file-lock", command, "--help"]).succeeds().stdout();
        assert_eq!(sandbox.call(["file-lock", "help", command]).succeeds().stdout(), help);
        assert_eq!(sandbox.call(["memlatch", "help", "file-lock", command]).succeeds().stdout(), help);
    }
    assert!(sandbox.line("memlatch help install").succeeds().stdout().contains("--force"));
}

#[test]
fn help_on_an_unknown_topic_lists_all_topics() {
    let sandbox = Sandbox::new();
    sandbox.line("memlatch help cooking").ends(2).refuses().tells(["cooking"].into_iter().chain(TOOLS).chain(TOPICS));
    sandbox.line("file-lock help cooking").ends(2).refuses().tells(LOCK_COMMANDS.into_iter().chain(TOPICS));
    sandbox.line("memlatch help memory-read cooking").ends(2).refuses().tells(["cooking"]);
    sandbox.line("memlatch help file-lock cooking").ends(2).refuses().tells(["cooking", "cleanup"]);
}

#[test]
fn the_packages_and_the_pages_are_of_the_version_that_is_built() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(source("packaging/memlatch.rb").contains(&format!("/v{version}.tar.gz\"")), "packaging/memlatch.rb");
    // Once the version is released, its pages bear the day of its release.
    let changelog = source("docs/changelog.md");
    let heading = changelog.lines().find_map(|line| line.strip_prefix(&format!("## {version} (")));
    if let Some(date) = heading.and_then(|rest| rest.strip_suffix(')')) {
        assert!(source("src/manual/pages.rs").contains(&format!("\"{date}\"")), "{date} is not the day of the pages");
    }
}
