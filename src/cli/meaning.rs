//! What clap finds in a command line → what it asks for: words to their meaning, options to types.

use super::{
    Acquire, Binding, Change, Content, Doctor, Effect, Input, Listing, PROBE, Positional, Program, Read, Release,
    Request, Shell, Show, Source, Strings, Update, With, Write, definitions::definition,
};
use crate::{
    document::{Indent, Layout},
    failure::Failure,
    help,
    lock::{Wait, lease::Terms},
    multicall::{Call, Tool},
    replace::{Durability, Keep},
    settings,
};
use clap::ArgMatches;
use std::{
    ffi::OsString,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
    time::Duration,
};

/// Finds out what a command line asks for.
pub fn parse(call: Call) -> Result<Request, Failure> {
    if let (None, [first, second, file]) = (call.tool, call.words.as_slice())
        && first == "doctor"
        && second == PROBE
    {
        return Ok(Request::Probe(file.into()));
    }
    let words = match call.tool {
        Some(Tool::FileLock) => mark_command(call.words),
        _ => call.words,
    };
    // Neither is ever dropped: to take them apart costs a tenth of a small update's instructions, and the process is over soon.
    let mut definition = ManuallyDrop::new(definition(call.tool).no_binary_name(true));
    let matches = match definition.try_get_matches_from_mut(words) {
        Ok(matches) => ManuallyDrop::new(matches),
        Err(error) if error.use_stderr() => return Err(Failure::usage(complaint(&error))),
        Err(error) => return Ok(Request::Text(error.render().to_string())),
    };
    match call.tool {
        Some(Tool::FileLock) => file_lock_request(&matches),
        Some(Tool::MemoryUpdate) => Ok(Request::Update(Box::new(update_request(&matches)?))),
        Some(Tool::MemoryRead) => Ok(Request::Read(Box::new(read_request(&matches)?))),
        Some(Tool::AtomicWrite) => Ok(Request::Write(write_request(&matches)?)),
        None => memlatch_request(&matches),
    }
}

/// clap's message without its own prefix.
fn complaint(error: &clap::Error) -> String {
    let text = error.render().to_string();
    text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned()
}

fn file_lock_request(matches: &ArgMatches) -> Result<Request, Failure> {
    let (name, matches) = matches.subcommand().expect("clap requires a subcommand");
    Ok(match name {
        "acquire" => Request::Acquire(Acquire {
            file: one(matches, "file"),
            wait: wait(matches)?,
            terms: Terms {
                owner: match matches.get_one::<String>("owner") {
                    Some(text) => Some(settings::owner("--owner", text)?),
                    None => settings::lock_owner()?,
                },
                ttl: seconds(matches, "ttl")?,
            },
            client: matches.get_one("client").cloned(),
        }),
        "release" => Request::Release(Release {
            lock: one(matches, "lock"),
            wait: wait(matches)?,
            force: matches.get_flag("force"),
        }),
        "with" => Request::With(With {
            files: many(matches, "files"),
            command: many(matches, "command"),
            wait: wait(matches)?,
            client: matches.get_one("client").cloned(),
            conflict_code: matches.get_one("conflict").copied(),
        }),
        "status" => Request::Status { file: one(matches, "file"), json: matches.get_flag("json") },
        "show" => Request::Show(match (matches.get_flag("json"), matches.get_flag("watch")) {
            (true, _) => Listing::Json,
            (false, true) => Listing::Watch,
            (false, false) => Listing::Text,
        }),
        "cleanup" => Request::Cleanup { dry_run: matches.get_flag("dry-run"), json: matches.get_flag("json") },
        "help" => Request::Text(help_on(Some(Tool::FileLock), &many(matches, "words"))?),
        other => unreachable!("clap knows no subcommand {other}"),
    })
}

/// The help on a command, by the words that lead to it, or on a topic.
fn help_on(tool: Option<Tool>, words: &[String]) -> Result<String, Failure> {
    let (tool, words) = match (tool, words) {
        (None, [first, rest @ ..]) => match Tool::ALL.into_iter().find(|tool| tool.name() == first) {
            Some(tool) => (Some(tool), rest),
            None => (None, words),
        },
        _ => (tool, words),
    };
    if let [word] = words
        && let Some(topic) = help::topic(word)
    {
        return Ok(topic.text.to_owned());
    }
    let mut root = definition(tool);
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

fn memlatch_request(matches: &ArgMatches) -> Result<Request, Failure> {
    let (name, matches) = matches.subcommand().expect("clap requires a subcommand");
    Ok(match name {
        "install" => Request::Install { folder: one(matches, "folder"), force: matches.get_flag("force") },
        "doctor" => Request::Doctor(Doctor { paths: many(matches, "paths"), json: matches.get_flag("json") }),
        "completions" => Request::Completions { shell: Shell::named(&one::<String>(matches, "shell")) },
        "man" => Request::Manual { folder: matches.get_one("folder").cloned() },
        "help" => Request::Text(help_on(None, &many(matches, "words"))?),
        // A tool's name as first word has been dealt with by `multicall::dispatch`.
        other => unreachable!("clap knows no subcommand {other}"),
    })
}

/// Marks where the command of `with` begins, in the form without `--`: behind the first file.
///
/// Everything behind that mark belongs to the command, whatever it looks like.
fn mark_command(mut words: Vec<OsString>) -> Vec<OsString> {
    if words.first().is_none_or(|word| word != "with") || words.iter().any(|word| word == "--") {
        return words;
    }
    let skip_options = |mut at: usize| {
        while let Some(word) = words.get(at).map(|word| word.to_string_lossy()) {
            at += match word.as_ref() {
                "--timeout" | "--client" | "--conflict-exit-code" | "-E" => 2,
                option if option.starts_with('-') && option != "-" => 1,
                _ => break,
            };
        }
        at
    };
    // Options between the file and the command still belong to `with`.
    let at = skip_options(skip_options(1) + 1);
    if at < words.len() {
        words.insert(at, "--".into());
    }
    words
}

fn update_request(matches: &ArgMatches) -> Result<Update, Failure> {
    let function: Option<String> = matches.get_one("function").cloned();
    let wants_filter = function.is_none() && !matches.contains_id("from-file");
    let words = sort_words(matches, usize::from(wants_filter))?;
    let change =
        match function {
            Some(name) => Change::Function(name),
            None => Change::Filter(program(matches, words.filter, words.positional)?.ok_or_else(|| {
                Failure::usage("the filter is missing; say what to change, for example '.count += 1'")
            })?),
        };
    Ok(Update {
        file: words.file,
        change,
        backup: backup(matches),
        create: matches.get_one("create").cloned(),
        effect: match (matches.get_flag("dry-run"), matches.get_flag("diff")) {
            (_, true) => Effect::Difference,
            (true, false) => Effect::Preview,
            (false, false) => Effect::Write,
        },
        schema: schema(matches),
        durability: durability(matches),
        wait: wait(matches)?,
        client: matches.get_one("client").cloned(),
        layout: layout(matches),
    })
}

fn read_request(matches: &ArgMatches) -> Result<Read, Failure> {
    let words = sort_words(matches, usize::from(!matches.contains_id("from-file")))?;
    let program = program(matches, words.filter, words.positional)?;
    let strings = match (matches.get_flag("raw-output"), matches.get_flag("join-output")) {
        (_, true) => Strings::Joined,
        (true, false) => Strings::Raw,
        (false, false) => Strings::Quoted,
    };
    let input = match (matches.get_flag("null-input"), matches.get_flag("slurp"), matches.get_flag("stream")) {
        (false, false, false) => Input::Document,
        (true, false, false) => Input::Null,
        (false, true, false) => Input::Slurped,
        (false, false, true) => Input::Stream,
        _ => return Err(Failure::usage("of --null-input, --slurp and --stream only one can be meant")),
    };
    let status_from_output = matches.get_flag("exit-status");
    let plain = strings == Strings::Quoted && input == Input::Document && !status_from_output;
    let show = match (program, matches.get_flag("raw")) {
        (None, true) => Show::Bytes,
        (Some(_), true) => {
            return Err(Failure::usage(
                "--raw prints the file's bytes and takes no filter; for strings without quotes say -r",
            ));
        }
        (None, false) if plain => Show::Content(layout(matches)),
        (program, false) => Show::Filtered {
            program: program.unwrap_or_else(Program::identity),
            layout: layout(matches),
            strings,
            status_from_output,
            input,
        },
    };
    Ok(Read { file: words.file, show, locked: !matches.get_flag("no-lock"), wait: wait(matches)? })
}

fn write_request(matches: &ArgMatches) -> Result<Write, Failure> {
    Ok(Write {
        file: one(matches, "file"),
        content: match (matches.get_one("content").cloned(), matches.get_one("restore")) {
            (Some(text), _) => Content::Text(text),
            (None, Some(&number)) => Content::Backup(number),
            (None, None) => Content::StandardInput,
        },
        validate: matches.get_flag("validate"),
        schema: schema(matches),
        backup: backup(matches),
        locked: !matches.get_flag("no-lock"),
        durability: durability(matches),
        wait: wait(matches)?,
        client: matches.get_one("client").cloned(),
    })
}

impl Program {
    /// The filter that changes nothing.
    fn identity() -> Self {
        let source = Source::Text(".".to_owned());
        Program { source, libraries: Vec::new(), named: Vec::new(), positional: Vec::new(), time_limit: None }
    }
}

/// The positional words by their meaning.
struct Words {
    file: PathBuf,
    filter: Option<String>,
    positional: Vec<Positional>,
}

/// The first word is the file, the next the filter if one is expected, and the others belong to the `--args` or
/// `--jsonargs` before them.
fn sort_words(matches: &ArgMatches, filters: usize) -> Result<Words, Failure> {
    let words: Vec<OsString> = many(matches, "words");
    let places: Vec<usize> = matches.indices_of("words").into_iter().flatten().collect();
    let strings: Vec<usize> = occurrences(matches, "args");
    let values: Vec<usize> = occurrences(matches, "jsonargs");
    let mut words = words.into_iter().zip(places);
    let (file, _) = words.next().ok_or_else(|| Failure::usage("the file is missing"))?;
    let filter = match words.by_ref().take(filters).next() {
        Some((filter, _)) => Some(text(filter, "the filter")?),
        None => None,
    };
    let mut positional = Vec::new();
    for (word, place) in words {
        let last = |marks: &[usize]| marks.iter().rev().find(|&&mark| mark < place).copied();
        let word = text(word, "an argument")?;
        positional.push(match (last(&strings), last(&values)) {
            (None, None) => {
                return Err(Failure::usage(format!(
                    "unexpected word '{word}': one file and one filter are all that is taken; quote a filter with blanks, and put --args before words for $ARGS"
                )));
            }
            (string, value) if string > value => Positional::Text(word),
            _ => Positional::Json(word),
        });
    }
    Ok(Words { file: file.into(), filter, positional })
}

fn occurrences(matches: &ArgMatches, name: &str) -> Vec<usize> {
    if matches.get_count(name) == 0 { Vec::new() } else { matches.indices_of(name).into_iter().flatten().collect() }
}

fn program(
    matches: &ArgMatches,
    filter: Option<String>,
    positional: Vec<Positional>,
) -> Result<Option<Program>, Failure> {
    let source = match (matches.get_one::<PathBuf>("from-file"), filter) {
        (Some(file), _) => Source::File(file.clone()),
        (None, Some(filter)) => Source::Text(filter),
        (None, None) => return Ok(None),
    };
    Ok(Some(Program {
        source,
        libraries: many(matches, "library"),
        named: named(matches)?,
        positional,
        time_limit: seconds(matches, "eval-timeout")?,
    }))
}

/// The variables, in the order in which they were given.
fn named(matches: &ArgMatches) -> Result<Vec<(String, Binding)>, Failure> {
    let mut found = Vec::new();
    for option in ["arg", "argjson", "slurpfile", "rawfile"] {
        let values: Vec<OsString> = many(matches, option);
        let places = matches.indices_of(option).into_iter().flatten();
        for (pair, place) in values.chunks(2).zip(places.step_by(2)) {
            let [name, value] = pair else { unreachable!("clap gives both values or none") };
            let value = value.clone();
            let binding = match option {
                "arg" => Binding::Text(text(value, "the value of --arg")?),
                "argjson" => Binding::Json(text(value, "the value of --argjson")?),
                "slurpfile" => Binding::JsonFile(value.into()),
                _ => Binding::TextFile(value.into()),
            };
            found.push((place, (text(name.clone(), "the name of a variable")?, binding)));
        }
    }
    found.sort_by_key(|(place, _)| *place);
    Ok(found.into_iter().map(|(_, binding)| binding).collect())
}

fn layout(matches: &ArgMatches) -> Layout {
    let indent = if matches.get_flag("compact-output") {
        Indent::Compact
    } else if matches.get_flag("tab") {
        Indent::Tab
    } else {
        match matches.get_one::<u8>("indent") {
            Some(0) => Indent::Compact,
            Some(&width) => Indent::Spaces(width),
            None => Layout::default().indent,
        }
    };
    Layout { indent, sort_keys: matches.get_flag("sort-keys") }
}

fn backup(matches: &ArgMatches) -> Option<Keep> {
    matches.get_one("backup").map(|&number| Keep::UpTo(number))
}

/// Without the feature of that name clap does not know the option, and must not be asked for it.
fn schema(matches: &ArgMatches) -> Option<PathBuf> {
    if cfg!(feature = "schema") { matches.get_one("schema").cloned() } else { None }
}

fn durability(matches: &ArgMatches) -> Durability {
    if matches.get_flag("no-sync") { Durability::Unsynced } else { Durability::Synced }
}

fn wait(matches: &ArgMatches) -> Result<Wait, Failure> {
    let timeout = match seconds(matches, "timeout")? {
        Some(timeout) => timeout,
        None => settings::lock_timeout()?,
    };
    Ok(Wait { timeout, retry: settings::lock_retry()? })
}

fn seconds(matches: &ArgMatches, option: &str) -> Result<Option<Duration>, Failure> {
    let given: Option<&String> = matches.get_one(option);
    given.map(|text| settings::seconds(&format!("--{option}"), text)).transpose().map_err(Failure::from)
}

fn one<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> T {
    matches.get_one(name).cloned().expect("clap requires this argument")
}

fn many<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> Vec<T> {
    matches.get_many(name).into_iter().flatten().cloned().collect()
}

fn text(word: OsString, what: &str) -> Result<String, Failure> {
    word.into_string()
        .map_err(|word| Failure::usage(format!("{what} is not UTF-8: '{}'", crate::lock::shown(Path::new(&word)))))
}
