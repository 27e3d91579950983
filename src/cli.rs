//! The command lines: their definitions for clap, and what they mean. The only home of defaults.

use crate::{
    document::{Indent, Layout},
    failure::Failure,
    lock::{Wait, lease::Terms},
    multicall::{Call, Tool},
    replace::Durability,
    settings,
};
use clap::{Arg, ArgAction, ArgMatches, Command, builder::NonEmptyStringValueParser, value_parser};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

/// What a command line asks for.
#[derive(Debug)]
pub enum Request {
    Acquire(Acquire),
    Release(Release),
    With(With),
    Status {
        file: PathBuf,
        json: bool,
    },
    Show {
        json: bool,
    },
    Cleanup {
        dry_run: bool,
        json: bool,
    },
    Update(Box<Update>),
    Read(Box<Read>),
    Write(Write),
    Install {
        folder: PathBuf,
        force: bool,
    },
    Completions {
        shell: clap_complete::Shell,
    },
    Manual {
        folder: Option<PathBuf>,
    },
    /// Help or a version, to be printed as data.
    Text(String),
}

#[derive(Debug)]
pub struct Acquire {
    pub file: PathBuf,
    pub wait: Wait,
    pub terms: Terms,
    pub client: Option<String>,
}

#[derive(Debug)]
pub struct Release {
    /// A lock ID, or a file.
    pub lock: OsString,
    pub wait: Wait,
    pub force: bool,
}

#[derive(Debug)]
pub struct With {
    pub files: Vec<PathBuf>,
    pub command: Vec<OsString>,
    pub wait: Wait,
    pub client: Option<String>,
    /// The exit status if the lock is not free in time.
    pub conflict_code: Option<u8>,
}

#[derive(Debug)]
pub struct Update {
    pub file: PathBuf,
    pub change: Change,
    pub backup: bool,
    /// What a missing file starts from, as JSON text.
    pub create: Option<String>,
    pub dry_run: bool,
    pub durability: Durability,
    pub wait: Wait,
    pub client: Option<String>,
    pub layout: Layout,
}

/// What makes the new content of the old.
#[derive(Debug)]
pub enum Change {
    Filter(Program),
    /// An exported bash function.
    Function(String),
}

#[derive(Debug)]
pub struct Read {
    pub file: PathBuf,
    pub show: Show,
    /// Whether to wait for writers.
    pub locked: bool,
    pub wait: Wait,
}

/// What to show of a file.
#[derive(Debug)]
pub enum Show {
    /// Its bytes as they are.
    Bytes,
    /// Pretty-printed if its name ends in `.json`, otherwise its bytes.
    Content(Layout),
    /// What a filter makes of it.
    Filtered { program: Program, layout: Layout, strings: Strings, status_from_output: bool, input: Input },
}

/// How strings among the outputs are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strings {
    Quoted,
    /// As they are, each on a line.
    Raw,
    /// As they are, nothing between them.
    Joined,
}

/// What the filter's input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The document.
    Document,
    /// `null`; the document comes by `input`.
    Null,
    /// An array that holds the document.
    Slurped,
    /// The document's parts, as jq streams them.
    Stream,
}

#[derive(Debug)]
pub struct Write {
    pub file: PathBuf,
    /// Otherwise standard input.
    pub content: Option<String>,
    pub validate: bool,
    pub backup: bool,
    pub locked: bool,
    pub durability: Durability,
    pub wait: Wait,
    pub client: Option<String>,
}

/// A filter and all that belongs to it.
#[derive(Debug)]
pub struct Program {
    pub source: Source,
    pub libraries: Vec<PathBuf>,
    pub named: Vec<(String, Binding)>,
    pub positional: Vec<Positional>,
    /// For how long it may run.
    pub time_limit: Option<Duration>,
}

#[derive(Debug)]
pub enum Source {
    Text(String),
    File(PathBuf),
}

/// Where the value of a variable comes from.
#[derive(Debug)]
pub enum Binding {
    Text(String),
    Json(String),
    /// A file's JSON values, as an array.
    JsonFile(PathBuf),
    /// A file's text.
    TextFile(PathBuf),
}

#[derive(Debug)]
pub enum Positional {
    Text(String),
    Json(String),
}

const DEFAULT_DOCUMENT: &str = "{}";

/// Finds out what a command line asks for.
pub fn parse(call: Call) -> Result<Request, Failure> {
    let words = match call.tool {
        Some(Tool::FileLock) => mark_command(call.words),
        _ => call.words,
    };
    let matches = match definition(call.tool).no_binary_name(true).try_get_matches_from(words) {
        Ok(matches) => matches,
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

/// The command line of a tool, or that of memlatch itself with all tools below it.
pub fn definition(tool: Option<Tool>) -> Command {
    match tool {
        Some(Tool::FileLock) => file_lock(),
        Some(Tool::MemoryUpdate) => memory_update(),
        Some(Tool::MemoryRead) => memory_read(),
        Some(Tool::AtomicWrite) => atomic_write(),
        None => memlatch(),
    }
}

fn memlatch() -> Command {
    let tools = Tool::ALL.map(|tool| definition(Some(tool)));
    base("memlatch")
        .disable_help_subcommand(false)
        .about("Safe concurrent access to JSON memory files")
        .subcommand_required(true)
        .subcommands(tools)
        .subcommand(
            base("install")
                .about("Put links for the four tools into a folder, with and without .sh")
                .arg(path("folder", "DIR").required(true).help("Where the links go"))
                .arg(flag("force").help("Rename a script of the same name to NAME.orig"))
                .after_help("Example:\n  memlatch install ~/aiconfig/scripts"),
        )
        .subcommand(
            base("completions")
                .about("Print completions for a shell")
                .arg(Arg::new("shell").required(true).value_parser(value_parser!(clap_complete::Shell)).help("The shell"))
                .after_help("Example:\n  memlatch completions bash > ~/.local/share/bash-completion/completions/memlatch"),
        )
        .subcommand(
            base("man")
                .about("Print the manual page, or write all of them into a folder")
                .arg(path("folder", "DIR").help("Where the pages go"))
                .after_help("Example:\n  memlatch man | man -l -"),
        )
        .after_help(
            "Examples:\n  memlatch memory-update sessions.json '.count += 1'\n  memlatch file-lock show\n  memlatch install ~/aiconfig/scripts",
        )
}

fn base(name: &'static str) -> Command {
    // The words come without the name of the binary, and usage lines are to begin with it.
    Command::new(name).bin_name(name).version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true)
}

fn flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

fn path(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).value_name(value).value_parser(value_parser!(PathBuf))
}

fn timeout() -> Arg {
    Arg::new("timeout")
        .long("timeout")
        .value_name("SECS")
        .help("Wait this long for the lock [LOCK_TIMEOUT, or 30]; 0 tries once")
}

fn client() -> Arg {
    Arg::new("client")
        .long("client")
        .value_name("NAME")
        .value_parser(NonEmptyStringValueParser::new())
        .help("Your name, for those who wait")
}

fn no_sync() -> Arg {
    flag("no-sync").help("Do not wait for the disk: faster, but a crash of the system may lose the update")
}

fn file_lock() -> Command {
    let json = || flag("json").help("Print JSON");
    base("file-lock")
        .about("Take, give back and look at locks on files")
        .subcommand_required(true)
        .subcommand(
            base("acquire")
                .about("Take a lock that the calling shell keeps until 'release', or until it ends")
                .arg(path("file", "FILE").required(true).help("The file to lock; it need not exist"))
                .arg(timeout())
                .arg(
                    Arg::new("owner")
                        .long("owner")
                        .value_name("PID")
                        .value_parser(value_parser!(u32))
                        .help("The process that keeps the lock [LOCK_OWNER, or the calling shell]"),
                )
                .arg(Arg::new("ttl").long("ttl").value_name("SECS").help("Give the lock back by itself after this long"))
                .arg(client())
                .after_help(
                    "Prints the lock ID.\n\nExamples:\n  lock=$(file-lock acquire notes.json) && …; file-lock release \"$lock\"\n  file-lock acquire notes.json --owner $PPID --ttl 600",
                ),
        )
        .subcommand(
            base("release")
                .about("Give back what 'acquire' took")
                .arg(Arg::new("lock").value_name("LOCK-ID|FILE").required(true).value_parser(value_parser!(OsString)).help("What acquire printed, or the file"))
                .arg(flag("force").help("Even if it is not yours, or cannot be judged from here"))
                .arg(timeout())
                .after_help("Example:\n  file-lock release notes.json"),
        )
        .subcommand(
            base("with")
                .about("Run a command while holding the locks on one or more files")
                .override_usage("file-lock with [OPTIONS] FILE... -- COMMAND [ARG...]\n       file-lock with [OPTIONS] FILE COMMAND [ARG...]")
                .arg(path("files", "FILE").required(true).num_args(1..).action(ArgAction::Append).help("The files to lock"))
                .arg(
                    Arg::new("command")
                        .value_name("COMMAND")
                        .required(true)
                        .last(true)
                        .num_args(1..)
                        .allow_hyphen_values(true)
                        .value_parser(value_parser!(OsString))
                        .help("The command and its arguments"),
                )
                .arg(timeout())
                .arg(client())
                .arg(
                    Arg::new("conflict")
                        .short('E')
                        .long("conflict-exit-code")
                        .value_name("N")
                        .value_parser(value_parser!(u8))
                        .help("Exit with N if the lock is not free in time"),
                )
                .after_help(
                    "Exits with the command's own status.\n\nExamples:\n  file-lock with notes.json -- ./edit notes.json\n  file-lock with a.json b.json -- ./move-entry a.json b.json",
                ),
        )
        .subcommand(
            base("status")
                .about("Tell whether a file is locked: exit status 0 if free, 1 if held")
                .arg(path("file", "FILE").required(true).help("The file"))
                .arg(json())
                .after_help("Example:\n  file-lock status notes.json && echo free"),
        )
        .subcommand(base("show").about("List all locks").arg(json()).after_help("Example:\n  file-lock show --json"))
        .subcommand(
            base("cleanup")
                .about("Remove what dead holders left: locks, temporary files, idle guards")
                .arg(flag("dry-run").help("Only say what would be removed"))
                .arg(json())
                .after_help("Example, for cron:\n  17 * * * * file-lock cleanup"),
        )
        .subcommand(base("help").about("Print help").arg(Arg::new("topic").value_name("COMMAND").help("A subcommand")))
        .after_help(
            "Examples:\n  file-lock with notes.json -- ./edit notes.json\n  lock=$(file-lock acquire notes.json); …; file-lock release \"$lock\"\n  file-lock show",
        )
}

fn memory_update() -> Command {
    layout_args(filter_args(base("memory-update")))
        .about("Change a JSON file by a jq filter: read, filter and replace it under its lock")
        .override_usage("memory-update [OPTIONS] FILE FILTER\n       memory-update [OPTIONS] FILE -f PROGRAM\n       memory-update [OPTIONS] FILE --function NAME")
        .arg(words("FILE FILTER"))
        .arg(flag("backup").help("Leave the previous content in FILE.bak"))
        .arg(
            Arg::new("create")
                .long("create")
                .value_name("JSON")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value(DEFAULT_DOCUMENT)
                .help("Start a missing file from JSON [{}]"),
        )
        .arg(flag("dry-run").help("Print the new content and change nothing"))
        .arg(
            Arg::new("function")
                .long("function")
                .value_name("NAME")
                .value_parser(NonEmptyStringValueParser::new())
                .conflicts_with("from-file")
                .help("Change by an exported bash function: JSON on its standard input, new JSON on its output"),
        )
        .arg(no_sync())
        .arg(timeout())
        .arg(client())
        .after_help(
            "Examples:\n  memory-update sessions.json '.sessions += [$s]' --argjson s '{\"id\": 1}'\n  memory-update notes.json '.count += 1' --create --backup",
        )
}

fn memory_read() -> Command {
    layout_args(filter_args(base("memory-read")))
        .about("Print a file, or what a jq filter makes of it, never half written")
        .override_usage("memory-read [OPTIONS] FILE [FILTER]")
        .arg(words("FILE FILTER"))
        .arg(flag("raw").conflicts_with("from-file").help("Print the bytes as they are"))
        .arg(flag("no-lock").help("Do not wait for writers"))
        .arg(flag("raw-output").short('r').help("Print strings without quotes"))
        .arg(flag("join-output").short('j').help("Print strings without quotes, and no newlines between outputs"))
        .arg(flag("exit-status").short('e').help("Exit with 1 if the last output is false or null, 4 if there is none"))
        .arg(flag("null-input").short('n').help("Give the filter null; the document comes by 'input'"))
        .arg(flag("slurp").short('s').help("Give the filter an array that holds the document"))
        .arg(flag("stream").help("Give the filter the document's parts, as jq streams them"))
        .arg(timeout())
        .after_help("Examples:\n  memory-read notes.json\n  memory-read sessions.json '.sessions[-1].id' -r")
}

fn atomic_write() -> Command {
    base("atomic-write")
        .about("Write standard input to a file: the old content or the new, never a mixture")
        .arg(path("file", "FILE").required(true).help("The file; missing folders above it are made"))
        .arg(flag("validate").help("Refuse what is not JSON, as is always done for *.json"))
        .arg(flag("backup").help("Leave the previous content in FILE.bak"))
        .arg(Arg::new("content").long("content").value_name("TEXT").allow_hyphen_values(true).help("Write TEXT instead of standard input"))
        .arg(flag("no-lock").help("Do not lock: another writer's update may be lost"))
        .arg(flag("lock").overrides_with("no-lock").help("Lock, which is the default"))
        .arg(no_sync())
        .arg(timeout())
        .arg(client())
        .after_help(
            "Examples:\n  echo '{\"a\": 1}' | atomic-write notes.json\n  atomic-write notes.json --content '{}' --backup",
        )
}

/// The positional words of the tools that take a filter: what each means depends on the options around it.
fn words(names: &'static str) -> Arg {
    Arg::new("words")
        .value_name(names)
        .required(true)
        .num_args(1..)
        .action(ArgAction::Append)
        .value_parser(value_parser!(OsString))
        .help("The file, and the filter in jq's language")
}

fn filter_args(command: Command) -> Command {
    let pair = |name: &'static str, second: &'static str| {
        Arg::new(name)
            .long(name)
            .num_args(2)
            .value_names(["NAME", second])
            .action(ArgAction::Append)
            .allow_hyphen_values(true)
            .value_parser(value_parser!(OsString))
    };
    command
        .arg(pair("arg", "TEXT").help("Set $NAME to a string"))
        .arg(pair("argjson", "JSON").help("Set $NAME to a JSON value"))
        .arg(pair("slurpfile", "FILE").help("Set $NAME to an array of the JSON values in a file"))
        .arg(pair("rawfile", "FILE").help("Set $NAME to the text of a file"))
        .arg(
            Arg::new("args")
                .long("args")
                .action(ArgAction::Count)
                .help("Take the words that follow for strings in $ARGS.positional"),
        )
        .arg(
            Arg::new("jsonargs")
                .long("jsonargs")
                .action(ArgAction::Count)
                .help("Take the words that follow for JSON values in $ARGS.positional"),
        )
        .arg(path("from-file", "PROGRAM").short('f').long("from-file").help("Read the filter from a file"))
        .arg(
            path("library", "DIR")
                .short('L')
                .long("library-path")
                .action(ArgAction::Append)
                .help("Look for modules here"),
        )
        .arg(
            Arg::new("eval-timeout")
                .long("eval-timeout")
                .value_name("SECS")
                .help("Give up on a filter that runs longer"),
        )
}

fn layout_args(command: Command) -> Command {
    command
        .arg(flag("compact-output").short('c').help("Print JSON on one line"))
        .arg(flag("sort-keys").short('S').help("Print the keys of objects sorted"))
        .arg(flag("tab").help("Indent with tabs"))
        .arg(
            Arg::new("indent")
                .long("indent")
                .value_name("N")
                .value_parser(value_parser!(u8).range(0..=7))
                .help("Indent with N spaces, 7 at most [2]"),
        )
}

fn file_lock_request(matches: &ArgMatches) -> Result<Request, Failure> {
    let (name, matches) = matches.subcommand().expect("clap requires a subcommand");
    Ok(match name {
        "acquire" => Request::Acquire(Acquire {
            file: one(matches, "file"),
            wait: wait(matches)?,
            terms: Terms {
                owner: match matches.get_one("owner") {
                    Some(&owner) => Some(owner),
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
        "show" => Request::Show { json: matches.get_flag("json") },
        "cleanup" => Request::Cleanup { dry_run: matches.get_flag("dry-run"), json: matches.get_flag("json") },
        "help" => Request::Text(help_on(matches.get_one::<String>("topic"))?),
        other => unreachable!("clap knows no subcommand {other}"),
    })
}

fn help_on(topic: Option<&String>) -> Result<String, Failure> {
    let mut tool = file_lock().bin_name("file-lock");
    tool.build();
    let command = match topic {
        None => Some(&mut tool),
        Some(name) => tool.find_subcommand_mut(name),
    };
    match command {
        Some(command) => Ok(command.render_long_help().to_string()),
        None => Err(Failure::usage(format!(
            "file-lock has no command '{}'; see 'file-lock help'",
            topic.map_or("", String::as_str)
        ))),
    }
}

fn memlatch_request(matches: &ArgMatches) -> Result<Request, Failure> {
    let (name, matches) = matches.subcommand().expect("clap requires a subcommand");
    Ok(match name {
        "install" => Request::Install { folder: one(matches, "folder"), force: matches.get_flag("force") },
        "completions" => Request::Completions { shell: one(matches, "shell") },
        "man" => Request::Manual { folder: matches.get_one("folder").cloned() },
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
        backup: matches.get_flag("backup"),
        create: matches.get_one("create").cloned(),
        dry_run: matches.get_flag("dry-run"),
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
        content: matches.get_one("content").cloned(),
        validate: matches.get_flag("validate"),
        backup: matches.get_flag("backup"),
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
