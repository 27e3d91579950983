//! The commands of memlatch itself: installing, merging, serving, checking the setup, and help.

use super::{Options, base, definition, flag, help_words, json, option, path};
use crate::{help, mcp_entry::Client, multicall::Tool, request::Shell};
use clap::{Arg, ArgAction, Command};

/// memlatch's own command line, with the tools as subcommands.
pub fn memlatch() -> Command {
    let tools = Tool::ALL.map(|tool| definition(Some(tool), Options::All));
    base("memlatch")
        .about("Safe concurrent access to JSON memory files")
        .subcommand_required(true)
        .subcommands(tools)
        .subcommand(
            base("install")
                .about("Put links to memlatch and its four tools into a directory")
                .arg(path("folder", "DIR").help("The directory for the links [~/.local/bin]"))
                .arg(flag("force").help("Rename a script of the same name to NAME.orig"))
                .arg(flag("git-merge").conflicts_with("force").help("Instead, make git merge JSON files in the repository DIR [.] by member and element"))
                .arg(flag("remove").requires("git-merge").help("Undo --git-merge"))
                .arg(option("mcp").value_name("CLIENT").value_parser(Client::NAMES).conflicts_with_all(["folder", "force", "git-merge"]).help("Instead, configure this AI client to start 'memlatch mcp'"))
                .arg(flag("print").requires("mcp").help("Print what --mcp would write, and where it goes"))
                .after_help("Examples:\n  memlatch install\n  memlatch install --force ~/aiconfig/scripts\n  memlatch install --git-merge ~/aiconfig\n  memlatch install --mcp codex"),
        )
        .subcommand(
            base("merge")
                .about("Merge three JSON documents: a base and two changed versions of it")
                .arg(path("base", "BASE").required(true).help("The document that both sides started from"))
                .arg(path("ours", "OURS").required(true).help("The version of one side"))
                .arg(path("theirs", "THEIRS").required(true).help("The version of the other side, whose order is kept"))
                .arg(path("path", "PATH").requires("driver").help("The name of the file in git, with --driver"))
                .arg(option("key").value_name("PATH=FIELD").action(ArgAction::Append).help("Identify the elements of the array at PATH by FIELD [id, key, name, uuid or path]"))
                .arg(option("sum").value_name("PATH").action(ArgAction::Append).help("Add up what both sides have added to the number at PATH"))
                .arg(option("prefer").value_name("SIDE").value_parser(["ours", "theirs"]).help("Resolve every conflict in favour of one side"))
                .arg(flag("mark").conflicts_with("prefer").help("Keep both values of a conflict: {\"_conflict\": true, \"_value\": OURS, \"_their_value\": THEIRS}"))
                .arg(json())
                .arg(flag("driver").requires("path").conflicts_with_all(["mark", "json"]).help("Run as a merge driver of git: write the result to OURS"))
                .after_help(
                    "Exits with 1 if there are conflicts.\n\nExamples:\n  memlatch merge base.json mine.json theirs.json > merged.json\n  memlatch merge base.json mine.json theirs.json --key .decisions=title --sum .count",
                ),
        )
        .subcommand(
            base("mcp")
                .about("Serve memory files to an AI client over the Model Context Protocol")
                .arg(path("root", "DIR").long("root").action(ArgAction::Append).help("Serve the files below DIR [$AICONFIG_PATH/memory and ./memory]"))
                .arg(path("graph", "FILE").long("graph").num_args(0..=1).conflicts_with("root").help("Instead, serve the knowledge graph in FILE [$MEMORY_FILE_PATH], as @modelcontextprotocol/server-memory does"))
                .arg(flag("read-only").help("Offer no tool that changes anything"))
                .after_help("Examples:\n  memlatch mcp --root ~/aiconfig/memory\n  memlatch mcp --graph ~/memory.jsonl"),
        )
        .subcommand(
            base("doctor")
                .about("Check the setup: lock directory, links, locks, leftover files, memory files, environment")
                .arg(path("paths", "FILE|DIR").num_args(0..).action(ArgAction::Append).help("Memory files, or directories of them [$AICONFIG_PATH/memory]"))
                .arg(flag("json").help("Print JSON"))
                .arg(flag("hold").conflicts_with_all(["paths", "json"]).help("Hold a lock for another machine to probe"))
                .arg(flag("probe").conflicts_with_all(["paths", "json", "hold"]).help("Probe the lock that another machine holds"))
                .after_help(
                    "Exits with 1 if something needs fixing. It changes nothing, except with --probe: if locks were seen to exclude between two machines, it records that in the lock directory, and from then on holders that died on other machines are known to be dead.\n\nExamples:\n  memlatch doctor\n  memlatch doctor ~/notes sessions.json --json\n  memlatch doctor --hold          # on one machine, then on the other:\n  memlatch doctor --probe",
                ),
        )
        .subcommand(
            base("completions")
                .about("Print completions for a shell")
                .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(Shell::NAMES).help("The shell"))
                .after_help(
                    "Examples:\n  source <(memlatch completions bash)\n  memlatch completions fish | source",
                ),
        )
        .subcommand(
            base("man")
                .about("Print the manual page, or write all of them into a directory")
                .arg(path("folder", "DIR").help("The directory for the pages"))
                .after_help("Examples:\n  memlatch man | man -l -\n  memlatch man ~/.local/share/man/man1"),
        )
        .subcommand(
            base("help")
                .about("Print help on a command or a topic")
                .arg(help_words().value_name("COMMAND|TOPIC").help("A command, or a topic"))
                .after_help("Examples:\n  memlatch help memory-update\n  memlatch help file-lock with\n  memlatch help filters"),
        )
        .after_help(format!(
            "'memlatch help TOPIC' explains more; topics: {}.\n\nExamples:\n  memlatch memory-update sessions.json '.count += 1'\n  memlatch file-lock show\n  memlatch install",
            help::topics()
        ))
}
