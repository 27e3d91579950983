//! Completions in the shells themselves: bash and zsh in a terminal, fish by its own `complete -C`.

use std::{fs, path::Path};

use crate::{
    sandbox::{Sandbox, TOOLS, available, installed},
    terminal::Terminal,
};

/// A line up to the cursor, what is offered there, and what is not.
struct Case {
    line: &'static str,
    offered: &'static [&'static str],
    withheld: &'static [&'static str],
}

/// The same in all shells. More than one word is offered in each, so that a shell lists them and inserts none; and what
/// is withheld begins as what is offered does.
const CASES: &[Case] = &[
    Case {
        line: "memlatch ",
        offered: &["file-lock", "memory-update", "memory-read", "atomic-write", "install", "completions", "help"],
        withheld: &["acquire", "notes-a.json"],
    },
    Case {
        line: "file-lock ",
        offered: &["acquire", "release", "with", "status", "show", "cleanup", "help"],
        withheld: &["install", "notes-a.json"],
    },
    Case { line: "scripts/file-lock.sh ", offered: &["acquire", "cleanup"], withheld: &["install", "notes-a.json"] },
    Case { line: "memlatch file-lock ", offered: &["acquire", "cleanup"], withheld: &["install", "notes-a.json"] },
    Case { line: "memlatch completions ", offered: &["bash", "zsh", "fish"], withheld: &["notes-a.json"] },
    Case {
        line: "memlatch help ",
        offered: &["memory-read", "locking", "filters", "environment", "exit-codes"],
        withheld: &["notes-a.json"],
    },
    Case { line: "file-lock help ", offered: &["acquire", "locking"], withheld: &["memory-read", "notes-a.json"] },
    Case { line: "memory-update --s", offered: &["--slurpfile", "--sort-keys"], withheld: &["--stream", "--backup"] },
    Case { line: "memlatch memory-update --s", offered: &["--slurpfile", "--sort-keys"], withheld: &["--stream"] },
    Case { line: "memory-read.sh --s", offered: &["--slurpfile", "--sort-keys", "--stream"], withheld: &["--raw"] },
    Case { line: "memory-update notes-a.json . --ar", offered: &["--arg", "--argjson"], withheld: &["--raw"] },
    Case { line: "atomic-write --no-", offered: &["--no-lock", "--no-sync"], withheld: &["--backup"] },
    Case { line: "file-lock with --", offered: &["--timeout", "--client"], withheld: &["--json", "--owner"] },
    Case { line: "memory-update ", offered: &["notes-a.json", "notes-b.json", "folder-a"], withheld: &["--arg"] },
    Case { line: "scripts/memory-update.sh no", offered: &["notes-a.json", "notes-b.json"], withheld: &["folder-a"] },
    Case { line: "file-lock acquire no", offered: &["notes-a.json", "notes-b.json"], withheld: &["folder-a"] },
    Case { line: "file-lock with notes-a.json no", offered: &["notes-a.json", "notes-b.json"], withheld: &["--"] },
    Case { line: "memory-read --slurpfile x no", offered: &["notes-a.json", "notes-b.json"], withheld: &["--"] },
    Case { line: "memlatch install ", offered: &["folder-a", "folder-b"], withheld: &["notes-a.json", "file-lock"] },
    Case { line: "memory-update -L ", offered: &["folder-a", "folder-b"], withheld: &["notes-a.json"] },
    Case { line: "file-lock with notes-a.json -- cd fo", offered: &["folder-a", "folder-b"], withheld: &["notes-a"] },
    Case {
        line: "file-lock with notes-a.json -- memory-",
        offered: &["memory-read", "memory-update"],
        withheld: &["folder-a"],
    },
];

/// Lines at whose end there is one thing to insert, or nothing.
const INSERTED: &[(&str, &str)] = &[
    ("file-lock acq", "file-lock acquire"),
    ("scripts/file-lock.sh rel", "scripts/file-lock.sh release"),
    ("memlatch memory-u", "memlatch memory-update"),
    ("memlatch memory-update --back", "memlatch memory-update --backup"),
    ("memory-update notes-a", "memory-update notes-a.json"),
    ("atomic-write.sh notes-b", "atomic-write.sh notes-b.json"),
    ("file-lock with notes-a.json -- mem", "file-lock with notes-a.json -- mem"),
    ("file-lock with notes-a.json -- cat notes-b", "file-lock with notes-a.json -- cat notes-b.json"),
    (
        "file-lock with notes-a.json -- memory-update.sh --back",
        "file-lock with notes-a.json -- memory-update.sh --backup",
    ),
    ("memlatch file-lock with x -- memlatch inst", "memlatch file-lock with x -- memlatch install"),
    ("file-lock acquire notes-a.json --timeout no", "file-lock acquire notes-a.json --timeout no"),
    ("memory-update notes-a.json no", "memory-update notes-a.json no"),
    ("memory-read --from-file=notes-b", "memory-read --from-file=notes-b.json"),
];

fn surroundings(shell: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    for file in ["notes-a.json", "notes-b.json"] {
        sandbox.write(file, "{}");
    }
    for folder in ["folder-a", "folder-b"] {
        fs::create_dir(sandbox.path(folder)).unwrap();
    }
    let script = sandbox.call(["memlatch", "completions", shell]).succeeds().reports("").stdout();
    fs::write(sandbox.home().join(format!("completions.{shell}")), script).unwrap();
    sandbox
}

/// Whether the text has the word, not merely as a part of a longer one.
fn has(text: &str, word: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || c == '/').any(|found| found == word)
}

#[track_caller]
fn lists(terminal: &Terminal, keys: &[&str]) {
    for case in CASES {
        terminal.clears();
        terminal.types(case.line);
        terminal.press(keys);
        let below = |screen: &str| screen.split_once('\n').map(|(_, below)| below.to_owned()).unwrap_or_default();
        terminal.until(&format!("{:?} after {:?}", case.offered, case.line), |screen| {
            case.offered.iter().all(|word| has(&below(screen), word))
        });
        let list = below(&terminal.screen());
        for word in case.withheld {
            assert!(!has(&list, word), "{word:?} is offered after {:?}:\n{list}", case.line);
        }
    }
}

#[track_caller]
fn inserts(terminal: &Terminal) {
    for (line, completed) in INSERTED {
        terminal.clears();
        terminal.types(line);
        // The key is handled before the next one, so what that one types stands behind all that was inserted.
        terminal.press(&["Tab", "|"]);
        terminal.until(&format!("{line:?} to become {completed:?}"), |screen| {
            let shown = screen.lines().next().unwrap_or_default().trim_start_matches("ready> ");
            shown.strip_suffix('|').is_some_and(|shown| shown.trim_end() == *completed)
        });
    }
}

#[test]
fn bash_completes_all_names_at_a_terminal() {
    if !available("tmux") {
        return;
    }
    let sandbox = surroundings("bash");
    let terminal = Terminal::start(&sandbox, &["bash", "--norc", "--noprofile", "-i"]);
    terminal.shows("ready>");
    terminal.types("bind 'set bell-style none'; bind 'set show-all-if-ambiguous on'; source ~/completions.bash");
    terminal.press(&["Enter"]);
    lists(&terminal, &["Tab"]);
    terminal.clears();
    terminal.types("bind 'set show-all-if-ambiguous off'");
    terminal.press(&["Enter"]);
    inserts(&terminal);
}

#[test]
fn bash_hands_a_command_over_to_bash_completion_where_that_is_loaded() {
    const LOADED: &str = "/usr/share/bash-completion/bash_completion";
    if !available("tmux") || !installed(LOADED) {
        return;
    }
    let sandbox = surroundings("bash");
    let terminal = Terminal::start(&sandbox, &["bash", "--norc", "--noprofile", "-i"]);
    terminal.shows("ready>");
    terminal.types(&format!("bind 'set bell-style none'; source {LOADED}; source ~/completions.bash"));
    terminal.press(&["Enter"]);
    inserts(&terminal);
}

#[test]
fn zsh_completes_all_names_when_the_script_is_sourced() {
    if !available("tmux") || !available("zsh") {
        return;
    }
    let sandbox = surroundings("zsh");
    let terminal = Terminal::start(&sandbox, &["zsh", "-f", "-i"]);
    terminal.shows("ready>");
    terminal
        .types("autoload -Uz compinit && compinit -D -u; setopt no_beep no_list_ambiguous; source ~/completions.zsh");
    terminal.press(&["Enter"]);
    lists(&terminal, &["Tab"]);
    inserts(&terminal);
}

#[test]
fn zsh_completes_all_names_if_the_script_is_in_fpath() {
    if !available("tmux") || !available("zsh") {
        return;
    }
    let sandbox = surroundings("zsh");
    fs::create_dir(sandbox.home().join("functions")).unwrap();
    fs::rename(sandbox.home().join("completions.zsh"), sandbox.home().join("functions/_memlatch")).unwrap();
    let terminal = Terminal::start(&sandbox, &["zsh", "-f", "-i"]);
    terminal.shows("ready>");
    terminal
        .types("fpath=(~/functions $fpath); autoload -Uz compinit && compinit -D -u; setopt no_beep no_list_ambiguous");
    terminal.press(&["Enter"]);
    lists(&terminal, &["Tab"]);
    inserts(&terminal);
}

#[test]
fn zsh_says_what_is_missing_if_the_script_is_sourced_too_early() {
    if !available("zsh") {
        return;
    }
    let sandbox = surroundings("zsh");
    sandbox.call(["zsh", "-f", "-c", "source ~/completions.zsh"]).ends(1).tells(["compinit"]);
}

#[test]
fn fish_completes_all_names() {
    if !available("fish") {
        return;
    }
    let sandbox = surroundings("fish");
    let complete = |line: &str| {
        let script = "source ~/completions.fish; complete -C $argv[1]";
        sandbox.call(["fish", "--no-config", "-c", script, line]).succeeds().reports("").stdout()
    };
    for case in CASES {
        let list = complete(case.line);
        for word in case.offered {
            assert!(has(&list, word), "{word:?} is not offered after {:?}:\n{list}", case.line);
        }
        for word in case.withheld {
            assert!(!has(&list, word), "{word:?} is offered after {:?}:\n{list}", case.line);
        }
    }
    for (line, completed) in INSERTED {
        let list = complete(line);
        let last = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
        let found = list.lines().any(|found| found.split('\t').next() == Some(last(completed).as_str()));
        assert!(found || line == completed, "{completed:?} is not offered after {line:?}:\n{list}");
    }
}

#[test]
fn fish_loads_the_script_by_each_name_without_saying_things_twice() {
    if !available("fish") {
        return;
    }
    let sandbox = surroundings("fish");
    let folder = sandbox.home().join(".config/fish/completions");
    fs::create_dir_all(&folder).unwrap();
    for name in TOOLS.into_iter().chain(["memlatch"]) {
        fs::copy(sandbox.home().join("completions.fish"), folder.join(format!("{name}.fish"))).unwrap();
    }
    let script = "complete -C 'memory-read --ex'; complete -C 'memlatch instal'; complete -C 'memory-read --ex'";
    let list = sandbox.call(["fish", "-c", script]).succeeds().reports("").stdout();
    let words: Vec<&str> = list.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(words, ["--exit-status", "install", "--exit-status"]);
}

#[test]
fn every_shell_knows_every_name_and_option() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.call(["memlatch", "completions", shell]).succeeds().reports("").stdout();
        let last = script.lines().filter(|line| line.contains("memory-read.sh")).collect::<Vec<_>>().join("\n");
        for tool in TOOLS {
            assert!(has(&last, tool) && has(&last, &format!("{tool}.sh")), "{shell}: {tool} is not registered");
            let help = sandbox.call([tool, "--help"]).succeeds().stdout();
            let options = help.lines().filter_map(|line| line.trim_start().split("--").nth(1));
            for option in
                options.filter_map(|rest| rest.split([' ', '[', '=', '.']).next()).filter(|name| !name.is_empty())
            {
                assert!(script.contains(&format!("--{option}")), "{shell}: --{option} of {tool}");
            }
        }
    }
}

#[test]
fn the_scripts_are_sound_to_their_own_shells_and_to_shellcheck() {
    let checks: [&[&str]; 4] =
        [&["bash", "-n"], &["zsh", "-f", "-n"], &["fish", "--no-config", "-n"], &["shellcheck", "-s", "bash"]];
    for check in checks {
        if available(check[0]) {
            let shell = if check[0] == "shellcheck" { "bash" } else { check[0] };
            let sandbox = surroundings(shell);
            let script = sandbox.home().join(format!("completions.{shell}"));
            sandbox.call(check.iter().map(Path::new).chain([script.as_path()])).succeeds().prints("").reports("");
        }
    }
}
