//! The definitions of the command lines, for clap and the manual pages: options, help and examples. No logic.

mod memlatch;

use crate::{multicall::Tool, request::DEFAULT_DOCUMENT};
use clap::{Arg, ArgAction, Command, builder::NonEmptyStringValueParser, value_parser};
use std::{ffi::OsString, path::PathBuf};

/// The largest number of backups of one file. To write one, all of them are moved.
const MOST_BACKUPS: u32 = 99;

/// Which options a definition includes.
#[derive(Clone, Copy)]
pub enum Options<'a> {
    /// All options: for help, completions and manual pages, and to explain what is wrong with a command line.
    All,
    /// Only those that these words can refer to. An unused option costs clap as much time as a used one, and most
    /// command lines use none (docs/measurements.md).
    In(&'a [OsString]),
}

impl Options<'_> {
    /// May include an option that does not occur, such as one named in a value; never leaves out one that does.
    fn include(self, long: &str, letter: Option<char>) -> bool {
        let can_mean = |word: &OsString| {
            let word = word.as_encoded_bytes();
            match word.strip_prefix(b"--") {
                Some(name) => name.starts_with(long.as_bytes()),
                None => word.starts_with(b"-") && letter.is_some_and(|letter| word.contains(&(letter as u8))),
            }
        };
        match self {
            Options::All => true,
            Options::In(words) => words.iter().any(can_mean),
        }
    }
}

/// The command line of a tool, or that of memlatch itself, with the tools as subcommands.
pub fn definition(tool: Option<Tool>, options: Options<'_>) -> Command {
    match tool {
        Some(Tool::FileLock) => file_lock(),
        Some(Tool::MemoryUpdate) => memory_update(options),
        Some(Tool::MemoryRead) => memory_read(options),
        Some(Tool::AtomicWrite) => atomic_write(options),
        None => memlatch::memlatch(),
    }
}

/// The definition of a tool's command line while it is built.
struct Line<'a> {
    command: Command,
    options: Options<'a>,
}

impl<'a> Line<'a> {
    fn new(name: &'static str, options: Options<'a>) -> Self {
        let command = base(name)
            .disable_help_flag(!options.include("help", Some('h')))
            .disable_version_flag(!options.include("version", Some('V')));
        Line { command, options }
    }

    /// An argument that is always defined: a positional one, or an option that others refer to.
    fn arg(mut self, arg: Arg) -> Self {
        self.command = self.command.arg(arg);
        self
    }

    /// Lists the following options below this heading in the help.
    fn heading(mut self, heading: &'static str) -> Self {
        self.command = self.command.next_help_heading(heading);
        self
    }

    /// An option, if it is among those to be included.
    fn option(self, name: &'static str, make: fn(Arg) -> Arg) -> Self {
        if self.options.include(name, None) { self.arg(make(option(name))) } else { self }
    }

    /// An option that also has a one-letter form.
    fn lettered(self, letter: char, name: &'static str, make: fn(Arg) -> Arg) -> Self {
        if self.options.include(name, Some(letter)) { self.arg(make(option(name).short(letter))) } else { self }
    }
}

fn help_words() -> Arg {
    Arg::new("words").num_args(0..).action(ArgAction::Append)
}

fn base(name: &'static str) -> Command {
    // The words come without the name of the binary, but usage lines have to begin with it.
    Command::new(name).bin_name(name).version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true)
}

fn option(name: &'static str) -> Arg {
    Arg::new(name).long(name)
}

fn flag(name: &'static str) -> Arg {
    switch(option(name))
}

/// Turns an option into one without a value.
fn switch(option: Arg) -> Arg {
    option.action(ArgAction::SetTrue)
}

fn path(name: &'static str, value: &'static str) -> Arg {
    of_path(Arg::new(name), value)
}

/// Declares the value of an argument to be a path.
fn of_path(arg: Arg, value: &'static str) -> Arg {
    arg.value_name(value).value_parser(value_parser!(PathBuf))
}

/// Declares the value of an option to be a number of seconds. A negative number gets our own message, not clap's about an unknown option.
fn seconds(option: Arg) -> Arg {
    option.value_name("SECS").allow_negative_numbers(true)
}

/// Parses the number of a backup, which may be `most` at most.
fn backup_number(text: &str, most: u32) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| match most {
        u32::MAX => "give the number of a backup, 1 or more".to_owned(),
        most => format!("give a number from 1 to {most}"),
    })
}

fn timeout(option: Arg) -> Arg {
    seconds(option).help("Wait this long for the lock [LOCK_TIMEOUT, or 30]; 0 tries once")
}

fn client(option: Arg) -> Arg {
    option
        .value_name("NAME")
        .value_parser(NonEmptyStringValueParser::new())
        .help("Your name, shown to others while they wait")
}

fn no_sync(option: Arg) -> Arg {
    switch(option).help("Do not wait for the disk: faster, but a crash of the system may lose the update")
}

fn backup(option: Arg) -> Arg {
    option
        .value_name("N")
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("1")
        .value_parser(|text: &str| backup_number(text, MOST_BACKUPS))
        .help("Keep the previous content in FILE.bak, and N-1 older ones in FILE.bak.2 to FILE.bak.N")
}

/// The value of `--schema` if it is given without one. No argument can have this value.
pub const OWN_SCHEMA: &str = "\0";

fn if_revision(option: Arg) -> Arg {
    option
        .value_name("REVISION")
        .help("Write only if the file still has this revision, or with 'none' only if it does not exist")
}

fn print_revision(option: Arg) -> Arg {
    switch(option).help("Print the new revision")
}

fn json_answer(option: Arg) -> Arg {
    switch(option).help("Print the result of the write as JSON")
}

fn json() -> Arg {
    flag("json").help("Print JSON")
}

/// Only the options of the command that is called are built; those of the others remain functions.
fn file_lock() -> Command {
    base("file-lock")
        .about("Acquire, release and list locks on files")
        .subcommand_required(true)
        .subcommand(base("acquire").about("Take a lock that the calling shell keeps until 'release', or until it exits").defer(acquire))
        .subcommand(base("release").about("Release a lock that 'acquire' took").defer(release))
        .subcommand(base("with").about("Run a command while holding the locks on one or more files").defer(with))
        .subcommand(base("status").about("Print whether a file is locked: exit status 0 if free, 1 if held").defer(status))
        .subcommand(base("show").about("List all locks: as a table on a terminal, otherwise as lines for scripts").defer(show))
        .subcommand(base("cleanup").about("Remove what dead holders left: locks, temporary files, unused guards").defer(cleanup))
        .subcommand(base("help").about("Print help on a command or a topic").defer(file_lock_help))
        .after_help(
            "Examples:\n  file-lock with notes.json -- ./edit notes.json\n  lock=$(file-lock acquire notes.json); …; file-lock release \"$lock\"\n  file-lock show",
        )
}

fn acquire(command: Command) -> Command {
    command
        .arg(path("file", "FILE").required(true).help("The file to lock; it need not exist"))
        .arg(timeout(option("timeout")))
        .arg(
            option("owner")
                .value_name("PID|client")
                .help("The owner of the lock: a process, or the AI client that runs this command [LOCK_OWNER, or the calling shell]"),
        )
        .arg(seconds(option("ttl")).help("Release the lock automatically after this time"))
        .arg(client(option("client")))
        .after_help(
            "Prints the lock ID.\n\nExamples:\n  lock=$(file-lock acquire notes.json) && …; file-lock release \"$lock\"\n  file-lock acquire notes.json --owner client --ttl 600",
        )
}

fn release(command: Command) -> Command {
    command
        .arg(
            Arg::new("lock")
                .value_name("LOCK-ID|FILE")
                .required(true)
                .value_parser(value_parser!(OsString))
                .help("The ID that acquire printed, or the file"),
        )
        .arg(
            flag("force").help("Also release a lease of another owner, or one whose owner cannot be checked from here"),
        )
        .arg(timeout(option("timeout")))
        .after_help("Example:\n  file-lock release notes.json")
}

fn with(command: Command) -> Command {
    command
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
        .arg(timeout(option("timeout")))
        .arg(client(option("client")))
        .arg(
            option("conflict-exit-code")
                .short('E')
                .value_name("N")
                .value_parser(value_parser!(u8))
                .help("Exit with N if the lock is not free in time"),
        )
        .after_help(
            "Exits with the command's own status.\n\nExamples:\n  file-lock with notes.json -- ./edit notes.json\n  file-lock with a.json b.json -- ./move-entry a.json b.json",
        )
}

fn status(command: Command) -> Command {
    command
        .arg(path("file", "FILE").required(true).help("The file"))
        .arg(json())
        .after_help("Example:\n  file-lock status notes.json && echo free")
}

fn show(command: Command) -> Command {
    command
        .arg(
            path("of", "ADDRESS")
                .help("Of documents beyond this machine whose addresses begin so: memlatch help remote"),
        )
        .arg(json())
        .arg(flag("watch").conflicts_with("json").help("Draw the table again every second, until Ctrl-C"))
        .after_help("Examples:\n  file-lock show --watch\n  file-lock show --json")
}

fn cleanup(command: Command) -> Command {
    command
        .arg(flag("dry-run").help("Only print what would be removed"))
        .arg(json())
        .after_help("Example, for cron:\n  17 * * * * file-lock cleanup")
}

fn file_lock_help(command: Command) -> Command {
    command.arg(help_words().value_name("COMMAND|TOPIC").help("A command, or a topic"))
}

fn memory_update(options: Options<'_>) -> Command {
    Line::new("memory-update", options)
        .arg(words("FILE FILTER"))
        .filter_options()
        .option("function", |option| {
            option
                .value_name("NAME")
                .value_parser(NonEmptyStringValueParser::new())
                .conflicts_with("from-file")
                .help("Instead of a filter, run an exported bash function: JSON on its standard input, new JSON on its output")
        })
        .heading("Writing")
        .option("backup", backup)
        .option("append", |option| {
            switch(option).help("Append the filter's outputs as lines to a *.jsonl file without rewriting it; the filter's input is null")
        })
        .option("create", |option| {
            option
                .value_name("JSON")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value(DEFAULT_DOCUMENT)
                .help("If the file is missing, start from JSON [{}]")
        })
        .option("allow-type-change", |option| {
            switch(option).help("Allow a result of another type, such as an array in place of an object")
        })
        .option("dry-run", |option| switch(option).help("Print the new content, or on a terminal the changes; change nothing"))
        .option("diff", |option| switch(option).help("Print the changes as a diff; change nothing"))
        .schema_option()
        .option("no-sync", no_sync)
        .layout_options()
        .heading("Revisions")
        .option("if-revision", if_revision)
        .option("print-revision", print_revision)
        .option("json", json_answer)
        .heading("Locking")
        .option("timeout", timeout)
        .option("client", client)
        .command
        .about("Change a JSON file with a jq filter: read, filter and replace it under its lock")
        .override_usage("memory-update [OPTIONS] FILE FILTER\n       memory-update [OPTIONS] FILE -f PROGRAM\n       memory-update [OPTIONS] FILE --function NAME")
        .after_help(
            "Examples:\n  memory-update sessions.json '.sessions += [$s]' --argjson s '{\"id\": 1}'\n  memory-update notes.json '.count += 1' --create --backup=5\n  memory-update notes.json 'del(.draft)' --diff",
        )
}

fn memory_read(options: Options<'_>) -> Command {
    Line::new("memory-read", options)
        .arg(words("FILE FILTER"))
        .filter_options()
        .heading("Input")
        .lettered('R', "raw-input", |option| switch(option).help("Give the filter each line as a string; with -s all text as one"))
        .lettered('n', "null-input", |option| {
            switch(option).help("Give the filter null; 'input' reads the values")
        })
        .lettered('s', "slurp", |option| switch(option).help("Give the filter one array of all values"))
        .option("stream", |option| switch(option).help("Give the filter the parts of each value, as jq streams them"))
        .layout_options()
        .option("raw", |option| switch(option).conflicts_with("from-file").help("Print the bytes as they are"))
        .lettered('r', "raw-output", |option| switch(option).help("Print strings without quotes"))
        .lettered('j', "join-output", |option| {
            switch(option).help("Print strings without quotes, and no newlines between outputs")
        })
        .option("raw-output0", |option| switch(option).help("Print strings without quotes, and NUL after each output"))
        .lettered('a', "ascii-output", |option| switch(option).help("Print non-ASCII characters as \\u escapes"))
        .option("seq", |option| switch(option).help("Print the ASCII record separator before each output (RFC 7464)"))
        .lettered('C', "color-output", |option| switch(option).help("Print in the colours of JQ_COLORS [on a terminal]"))
        .lettered('M', "monochrome-output", |option| switch(option).help("Print without colour"))
        .option("unbuffered", |option| switch(option).hide(true))
        .lettered('b', "binary", |option| switch(option).hide(true))
        .lettered('e', "exit-status", |option| {
            switch(option).help("Exit with 1 if the last output is false or null, 4 if there is none")
        })
        .heading("Revisions")
        .option("revision", |option| switch(option).help("Print the revision of the file's bytes and nothing else"))
        .option("with-revision", |option| {
            switch(option).help("Print {\"revision\": R, \"value\": V} from one read")
        })
        .heading("Locking")
        .option("no-lock", |option| switch(option).help("Do not wait for writers"))
        .option("timeout", timeout)
        .command
        .about("Print a file, or what a jq filter makes of it, never an incomplete one")
        .override_usage("memory-read [OPTIONS] FILE [FILTER [FILE...]]\n       memory-read [OPTIONS] -f PROGRAM FILE...")
        .after_help("Examples:\n  memory-read notes.json\n  memory-read sessions.json '.sessions[-1].id' -r\n  date +'{\"day\": %j}' | memory-read - .day")
}

fn atomic_write(options: Options<'_>) -> Command {
    Line::new("atomic-write", options)
        .arg(path("file", "FILE").required(true).help("The file; missing parent directories are made"))
        .heading("Writing")
        .arg(option("content").value_name("TEXT").allow_hyphen_values(true).help("Write TEXT instead of standard input"))
        .schema_option()
        .option("validate", |option| switch(option).help("Refuse content that is not JSON; always on for *.json"))
        .option("backup", backup)
        .option("restore", |option| {
            option
                .value_name("K")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("1")
                .value_parser(|text: &str| backup_number(text, u32::MAX))
                .conflicts_with("content")
                .help("Restore backup K [1, which is FILE.bak]; the present content becomes FILE.bak")
        })
        .option("no-sync", no_sync)
        .heading("Revisions")
        .option("if-revision", if_revision)
        .option("base", |option| {
            option
                .value_name("REVISION|BASEFILE")
                .value_parser(value_parser!(OsString))
                .help("What the new content was made from: merge in the changes that others have made since")
        })
        .option("print-revision", print_revision)
        .option("json", json_answer)
        .heading("Locking")
        .arg(flag("no-lock").help("Do not lock: another writer's update may be lost"))
        .option("lock", |option| switch(option).overrides_with("no-lock").help("Lock, which is the default"))
        .option("timeout", timeout)
        .option("client", client)
        .command
        .about("Write standard input to a file: the old content or the new, never a mixture")
        .after_help(
            "Examples:\n  echo '{\"a\": 1}' | atomic-write notes.json\n  atomic-write notes.json --content '{}' --backup\n  atomic-write notes.json --restore",
        )
}

/// The positional words of the tools that take a filter. The options decide what each word means.
fn words(names: &'static str) -> Arg {
    Arg::new("words")
        .value_name(names)
        .required(true)
        .num_args(1..)
        .action(ArgAction::Append)
        .value_parser(value_parser!(OsString))
        .help("The file, and the filter in jq's language")
}

/// Options that more than one tool has.
impl Line<'_> {
    fn filter_options(self) -> Self {
        fn pair(option: Arg, second: &'static str) -> Arg {
            option
                .num_args(2)
                .value_names(["NAME", second])
                .action(ArgAction::Append)
                .allow_hyphen_values(true)
                .value_parser(value_parser!(OsString))
        }
        self.heading("Filter")
            .option("arg", |option| pair(option, "TEXT").help("Set $NAME to a string"))
            .option("argjson", |option| pair(option, "JSON").help("Set $NAME to a JSON value"))
            .option("slurpfile", |option| {
                pair(option, "FILE").help("Set $NAME to an array of the JSON values in a file")
            })
            .option("rawfile", |option| pair(option, "FILE").help("Set $NAME to the text of a file"))
            .option("args", |option| {
                option.action(ArgAction::Count).help("Put the following arguments into $ARGS.positional as strings")
            })
            .option("jsonargs", |option| {
                option.action(ArgAction::Count).help("Put the following arguments into $ARGS.positional as JSON values")
            })
            .arg(of_path(option("from-file").short('f'), "PROGRAM").help("Read the filter from a file"))
            .lettered('L', "library-path", |option| {
                of_path(option, "DIR").action(ArgAction::Append).help("Look for modules in DIR")
            })
            .option("eval-timeout", |option| seconds(option).help("Stop a filter that runs longer than this"))
    }

    fn layout_options(self) -> Self {
        self.heading("Output")
            .lettered('c', "compact-output", |option| switch(option).help("Print JSON on one line"))
            .lettered('S', "sort-keys", |option| switch(option).help("Print the keys of objects sorted"))
            .option("tab", |option| switch(option).help("Indent with tabs"))
            .option("indent", |option| {
                option
                    .value_name("N")
                    .value_parser(value_parser!(u8).range(0..=7))
                    .help("Indent with N spaces, 7 at most [2]")
            })
    }

    fn schema_option(self) -> Self {
        if !cfg!(feature = "schema") {
            return self;
        }
        self.option("schema", |option| {
            option
                .value_name("FILE")
                .value_parser(value_parser!(OsString))
                .num_args(0..=1)
                .default_missing_value(OWN_SCHEMA)
                .help("Refuse content that does not conform to the JSON Schema in FILE, or without FILE to the one in its $schema")
        })
    }
}
