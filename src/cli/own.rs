//! The commands of memlatch itself: parsed command lines → requests.

use super::{
    definitions::{Options, definition},
    matches::{flag, many, one, value},
};
use crate::{
    failure::Failure,
    help,
    mcp_entry::Client,
    multicall::Tool,
    request::{Doctor, MCP_CALL, Mcp, Merge, Part, Request, SECOND_PROCESS, Serves, Shell},
};
use clap::ArgMatches;
use memlatch_merge::{Decision, Rules, Side};
use std::ffi::OsString;

/// Requests from one memlatch process to another.
pub fn between_processes(words: &[OsString]) -> Option<Request> {
    match words {
        [doctor, second, file] if doctor == "doctor" && second == SECOND_PROCESS => {
            Some(Request::SecondProcess(file.into()))
        }
        [mcp, call] if mcp == "mcp" && call == MCP_CALL => Some(Request::McpCall),
        _ => None,
    }
}

/// What the command line of one of them asks for.
pub fn request(matches: &ArgMatches) -> Result<Request, Failure> {
    let (name, matches) = matches.subcommand().expect("clap requires a subcommand");
    Ok(match name {
        "install" if flag(matches, "git-merge") => {
            Request::InstallGitMerge { repository: value(matches, "folder"), remove: flag(matches, "remove") }
        }
        "merge" => {
            let merge = Merge {
                base: one(matches, "base"),
                ours: one(matches, "ours"),
                theirs: one(matches, "theirs"),
                rules: rules(matches)?,
                json: flag(matches, "json"),
            };
            match value(matches, "path") {
                Some(path) => Request::DriveMerge(merge, path),
                None => Request::Merge(merge),
            }
        }
        "install" if value::<String>(matches, "mcp").is_some() => {
            Request::InstallMcp { client: Client::named(&one::<String>(matches, "mcp")), print: flag(matches, "print") }
        }
        "install" => Request::Install { folder: value(matches, "folder"), force: flag(matches, "force") },
        "mcp" => Request::Mcp(Mcp {
            serves: match matches.contains_id("graph") {
                true => Serves::Graph { file: value(matches, "graph") },
                false => Serves::Files { roots: many(matches, "root") },
            },
            read_only: flag(matches, "read-only"),
        }),
        "doctor" if flag(matches, "hold") => Request::BetweenHosts(Part::Hold),
        "doctor" if flag(matches, "probe") => Request::BetweenHosts(Part::Probe),
        "doctor" => Request::Doctor(Doctor { paths: many(matches, "paths"), json: flag(matches, "json") }),
        "completions" => Request::Completions { shell: Shell::named(&one::<String>(matches, "shell")) },
        "man" => Request::Manual { folder: value(matches, "folder") },
        "help" => Request::Text(help_on(None, &many(matches, "words"))?),
        // A tool's name as first word has been dealt with by `multicall::dispatch`.
        other => unreachable!("clap knows no subcommand {other}"),
    })
}

/// How documents are merged.
fn rules(matches: &ArgMatches) -> Result<Rules, Failure> {
    let mut rules = Rules::deciding(match value::<String>(matches, "prefer").as_deref() {
        Some("ours") => Decision::Prefer(Side::Ours),
        Some(_) => Decision::Prefer(Side::Theirs),
        None if flag(matches, "mark") => Decision::Mark,
        None => Decision::Report,
    });
    for text in many::<String>(matches, "key") {
        let (path, field) = text.rsplit_once('=').filter(|(_, field)| !field.is_empty()).ok_or_else(|| {
            Failure::usage(format!("--key is '{text}'; give the path of an array and a field: --key .decisions=title"))
        })?;
        rules.key(path, field);
    }
    many::<String>(matches, "sum").iter().for_each(|path| rules.sum(path));
    Ok(rules)
}

/// The help on a command, by the words that lead to it, or on a topic.
pub fn help_on(tool: Option<Tool>, words: &[String]) -> Result<String, Failure> {
    let (tool, words) = match (tool, words) {
        (None, [first, rest @ ..]) => match Tool::ALL.into_iter().find(|tool| tool.name() == first) {
            Some(tool) => (Some(tool), rest),
            None => (None, words),
        },
        _ => (tool, words),
    };
    if let Some(topic) = words.first().filter(|_| words.len() == 1).and_then(|word| help::topic(word)) {
        return Ok(topic.text.to_owned());
    }
    let mut root = definition(tool, Options::All);
    root.build();
    let mut command = &mut root;
    for word in words {
        let commands: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        let topics = help::TOPICS.iter().map(|topic| topic.name.to_owned());
        let known = commands.into_iter().chain(topics).collect::<Vec<_>>().join(", ");
        command = command
            .find_subcommand_mut(word)
            .ok_or_else(|| Failure::usage(format!("no help on '{word}'; there is help on: {known}")))?;
    }
    Ok(command.render_help().to_string())
}
