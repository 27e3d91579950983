//! Which words can come where in a command line, read from clap's definitions: shared by the completions and the manual.

use crate::{cli, help, multicall::Tool};
use clap::{Arg, ArgAction, Command, ValueHint};

/// A tool, a subcommand, or memlatch itself.
pub struct Level {
    /// The words that lead here: `file-lock with`. A tool's are its own, whether memlatch stands before them or not.
    pub path: String,
    pub about: String,
    /// The usage lines, as help shows them.
    pub usage: Vec<String>,
    /// What help says below the options.
    pub after: String,
    pub options: Vec<Opt>,
    /// Its subcommands' names and what they do.
    pub commands: Vec<(String, String)>,
    pub operands: Vec<Value>,
    /// What follows when the operands are used up.
    pub more: Kind,
    /// What stands behind `--`, if that is something else.
    pub tail: Option<Value>,
}

/// An option by all its names.
pub struct Opt {
    pub names: Vec<String>,
    pub help: String,
    pub values: Vec<Value>,
    /// Its value may be missing, and stands behind `=`.
    pub optional: bool,
    /// It may be given more than once.
    pub repeats: bool,
}

/// A value of an option, or an operand.
#[derive(Clone)]
pub struct Value {
    pub name: String,
    pub help: String,
    pub kind: Kind,
}

/// The kind of a word, as far as a shell can complete it.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// Anything that cannot be completed.
    Word,
    File,
    Folder,
    /// A command and its arguments, up to the end.
    Command,
    OneOf(Vec<String>),
}

impl Kind {
    /// One word without blanks, as the frames of bash and fish know it.
    pub fn word(&self) -> String {
        match self {
            Kind::Word => "word".to_owned(),
            Kind::File => "file".to_owned(),
            Kind::Folder => "folder".to_owned(),
            Kind::Command => "command".to_owned(),
            Kind::OneOf(values) => format!("={}", values.join(",")),
        }
    }
}

impl Level {
    /// All levels, each once.
    pub fn all() -> Vec<Level> {
        let mut levels = Vec::new();
        for tool in [None].into_iter().chain(Tool::ALL.map(Some)) {
            let mut command = cli::definition(tool, cli::Options::All);
            command.build();
            let name = command.get_name().to_owned();
            add(&command, name, &mut levels);
        }
        levels
    }

    /// The name of its manual page: the words joined.
    pub fn page(&self) -> String {
        self.path.replace(' ', "-")
    }

    /// Whether a command of the user comes after `--`.
    pub fn runs_command(&self) -> bool {
        self.tail.as_ref().is_some_and(|tail| tail.kind == Kind::Command)
    }

    /// The level that one of its subcommands leads to.
    pub fn below(&self, command: &str) -> String {
        if is_tool(command) { command.to_owned() } else { format!("{} {command}", self.path) }
    }
}

fn is_tool(name: &str) -> bool {
    Tool::ALL.iter().any(|tool| tool.name() == name)
}

fn add(command: &Command, path: String, levels: &mut Vec<Level>) {
    let visible: Vec<&Command> = command.get_subcommands().filter(|sub| !sub.is_hide_set()).collect();
    let mut level = Level {
        about: command.get_about().map(ToString::to_string).unwrap_or_default(),
        usage: usage(command),
        after: command.get_after_help().map(ToString::to_string).unwrap_or_default(),
        options: command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set()).map(option).collect(),
        commands: visible.iter().map(|sub| (sub.get_name().to_owned(), about(sub))).collect(),
        operands: Vec::new(),
        more: Kind::Word,
        tail: None,
        path,
    };
    for arg in command.get_positionals() {
        let values = values(arg);
        if arg.is_last_set() {
            level.tail = values.into_iter().next();
            continue;
        }
        if values.len() == 1 && arg.get_num_args().is_some_and(|range| range.max_values() > 1) {
            level.more = values[0].kind.clone();
        }
        level.operands.extend(values);
    }
    if let Some(root) = level.path.strip_suffix(" help").map(str::to_owned) {
        topics(&mut level, levels.iter().find(|level| level.path == root));
    }
    let below: Vec<(String, &Command)> = visible
        .into_iter()
        .filter(|sub| !is_tool(sub.get_name()))
        .map(|sub| (level.below(sub.get_name()), sub))
        .collect();
    levels.push(level);
    for (path, sub) in below {
        add(sub, path, levels);
    }
}

/// `help` takes the names of the commands beside it, and topics.
fn topics(level: &mut Level, root: Option<&Level>) {
    let commands = root.into_iter().flat_map(|root| &root.commands).map(|(name, _)| name.as_str());
    let words = commands.chain(help::TOPICS.iter().map(|topic| topic.name)).map(str::to_owned).collect();
    for operand in &mut level.operands {
        operand.kind = Kind::OneOf(Vec::clone(&words));
    }
    level.more = Kind::Word;
}

fn usage(command: &Command) -> Vec<String> {
    let text = command.clone().render_usage().to_string();
    text.trim_start_matches("Usage:").lines().map(|line| line.trim().to_owned()).collect()
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn option(arg: &Arg) -> Opt {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let takes_values = arg.get_action().takes_values();
    Opt {
        names: short.into_iter().chain(long).collect(),
        help: help_on(arg),
        values: if takes_values { values(arg) } else { Vec::new() },
        optional: takes_values && arg.get_num_args().is_some_and(|range| range.min_values() == 0),
        repeats: matches!(arg.get_action(), ArgAction::Append | ArgAction::Count),
    }
}

fn help_on(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

/// The values of an option, or the words that an operand stands for: one a word of its name.
fn values(arg: &Arg) -> Vec<Value> {
    let named: Vec<String> = match arg.get_value_names() {
        Some(names) => names.iter().flat_map(|name| name.split(' ')).map(str::to_owned).collect(),
        None => vec![arg.get_id().to_string().to_uppercase()],
    };
    named.into_iter().map(|name| Value { kind: kind(arg, &name), help: help_on(arg), name }).collect()
}

fn kind(arg: &Arg, name: &str) -> Kind {
    let listed = arg.get_possible_values();
    if !listed.is_empty() {
        return Kind::OneOf(listed.iter().map(|value| value.get_name().to_owned()).collect());
    }
    match name {
        "DIR" => Kind::Folder,
        "COMMAND" => Kind::Command,
        _ if name.ends_with("FILE") || arg.get_value_hint() == ValueHint::AnyPath => Kind::File,
        _ => Kind::Word,
    }
}
