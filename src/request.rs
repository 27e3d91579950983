//! Requests: [`cli`](crate::cli) makes them from command lines, and the commands carry them out.

use crate::{
    document::Layout,
    filter::Access,
    lock::{Wait, lease::Terms},
    mcp_entry::Client,
    replace::{Durability, Keep},
    revision::Expected,
};
use memlatch_merge::Rules;
use std::{ffi::OsString, path::PathBuf, time::Duration};

/// The default content that a missing file starts from.
pub const DEFAULT_DOCUMENT: &str = "{}";

/// The argument of `doctor` for a [`Request::SecondProcess`]. Not an option, because users have no use for it.
pub const SECOND_PROCESS: &str = "--second-process";

/// The argument of `mcp` for a [`Request::McpCall`]. Not an option, for the same reason.
pub const MCP_CALL: &str = "--call";

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
        listing: Listing,
        /// Beyond this machine: of all documents whose addresses begin so.
        of: Option<PathBuf>,
    },
    Cleanup {
        dry_run: bool,
        json: bool,
    },
    Update(Box<Update>),
    Read(Box<Read>),
    Write(Write),
    Install {
        folder: Option<PathBuf>,
        force: bool,
    },
    Merge(Merge),
    /// As a merge driver of git; the path is the name of the file in git.
    DriveMerge(Merge, PathBuf),
    InstallGitMerge {
        repository: Option<PathBuf>,
        remove: bool,
    },
    InstallMcp {
        client: Client,
        print: bool,
    },
    Mcp(Mcp),
    /// One call of a tool, which the server of `mcp` delegates to a process of its own.
    McpCall,
    Doctor(Doctor),
    /// The second process of `doctor`'s test of locks: it reports which locks on a file it is granted.
    SecondProcess(PathBuf),
    /// One side of `doctor`'s test of locks between two machines.
    BetweenHosts(Part),
    Completions {
        shell: Shell,
    },
    Manual {
        folder: Option<PathBuf>,
    },
    /// Help or a version, to be printed as data.
    Text(String),
}

/// How all locks are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// A table on a terminal, and the lines that scripts know elsewhere.
    Text,
    Json,
    /// A table that is drawn again every second.
    Watch,
}

/// A shell that there are completions for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    pub const NAMES: [&str; 3] = ["bash", "zsh", "fish"];

    pub fn named(name: &str) -> Shell {
        match name {
            "bash" => Shell::Bash,
            "zsh" => Shell::Zsh,
            _ => Shell::Fish,
        }
    }
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
    pub backup: Option<Keep>,
    /// The content that a missing file starts from, as JSON text.
    pub create: Option<String>,
    /// The revision that the file must have.
    pub expected: Option<Expected>,
    pub answer: Answer,
    /// Whether the new content may have another type than the old, such as an array in place of an object.
    pub may_change_type: bool,
    pub effect: Effect,
    /// What the new content must conform to.
    pub schema: Option<SchemaOf>,
    pub durability: Durability,
    pub wait: Wait,
    pub client: Option<String>,
    pub layout: Layout,
}

/// The side of this machine in `doctor`'s test of locks between two machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Hold,
    Probe,
}

#[derive(Debug)]
pub struct Merge {
    pub base: PathBuf,
    pub ours: PathBuf,
    pub theirs: PathBuf,
    pub rules: Rules,
    pub json: bool,
}

/// A request to `mcp`.
#[derive(Debug)]
pub struct Mcp {
    pub serves: Serves,
    pub read_only: bool,
}

/// What `mcp` serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serves {
    /// The memory files below these directories, or if empty, below the default ones.
    Files { roots: Vec<PathBuf> },
    /// A knowledge graph in this file, or by default in `MEMORY_FILE_PATH`.
    Graph { file: Option<PathBuf> },
}

#[derive(Debug)]
pub struct Doctor {
    /// Memory files and directories of them; if empty, the default directory.
    pub paths: Vec<PathBuf>,
    pub json: bool,
}

/// What to do with the new content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It goes into the file.
    Write,
    /// Print it, or on a terminal the changes.
    Preview,
    /// Print the changes.
    Difference,
}

/// How the new content is made from the old.
#[derive(Debug)]
pub enum Change {
    Filter(FilterSpec),
    /// A filter, run on null, whose outputs are added to a file of lines.
    Append(FilterSpec),
    /// An exported bash function.
    Function(String),
}

#[derive(Debug)]
pub struct Read {
    /// In the order in which they are read; `-` is standard input. Only a filter can have more than one.
    pub files: Vec<PathBuf>,
    pub show: Show,
    /// Whether to print the revision together with the value, as one JSON object.
    pub with_revision: bool,
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
    Content(OutputStyle),
    /// The revision of its bytes.
    Revision,
    /// The outputs of a filter on it.
    Filtered { filter: FilterSpec, style: OutputStyle, status_from_output: bool, input: InputMode },
}

/// How outputs are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputStyle {
    pub layout: Layout,
    pub strings: Strings,
    /// Whether non-ASCII characters are escaped.
    pub ascii: bool,
    /// Whether in colour; `None`: on a terminal.
    pub color: Option<bool>,
    /// Whether as a sequence of RFC 7464.
    pub sequence: bool,
}

/// How strings among the outputs are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strings {
    #[default]
    Quoted,
    /// As they are, each on a line.
    Raw,
    /// As they are, nothing between them.
    Joined,
    /// As they are, each ended by NUL.
    NulEnded,
}

/// What the filter is run on: the values of the files, but for what is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputMode {
    /// The lines of the text, as strings, in the place of its values.
    pub raw: bool,
    /// The parts of each value, as jq streams them.
    pub stream: bool,
    /// All of them at once, in one array, or one string.
    pub slurp: bool,
    /// `null`; they come by `input`.
    pub null: bool,
}

#[derive(Debug)]
pub struct Write {
    pub file: PathBuf,
    pub content: Content,
    pub condition: Condition,
    pub answer: Answer,
    pub validate: bool,
    /// What the content must conform to.
    pub schema: Option<SchemaOf>,
    pub backup: Option<Keep>,
    pub locked: bool,
    pub durability: Durability,
    pub wait: Wait,
    pub client: Option<String>,
}

/// Where the schema of a content is.
#[derive(Debug)]
pub enum SchemaOf {
    File(PathBuf),
    /// The content names it, as `$schema`.
    Document,
}

/// The content that a write may replace.
#[derive(Debug)]
pub enum Condition {
    Any,
    /// Only content with this revision.
    Revision(Expected),
    /// Any content; the changes since this base are merged in.
    Base(Base),
}

/// The base that a new content was made from.
#[derive(Debug)]
pub enum Base {
    File(PathBuf),
    /// Itself.
    Content(Vec<u8>),
    Revision(Expected),
}

/// What a write prints on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    None,
    /// The new revision.
    Revision,
    /// The result of the write, as JSON.
    Json,
}

/// Where the new content comes from.
#[derive(Debug)]
pub enum Content {
    StandardInput,
    Text(String),
    /// The backup of this number.
    Backup(u32),
}

/// A filter with its variables, modules and limits.
#[derive(Debug)]
pub struct FilterSpec {
    pub source: Source,
    pub libraries: Vec<PathBuf>,
    pub named: Vec<(String, Binding)>,
    pub positional: Vec<Positional>,
    /// The time limit.
    pub time_limit: Option<Duration>,
    /// What it can reach on the machine.
    pub access: Access,
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

impl FilterSpec {
    /// A filter without variables.
    pub fn of(text: String, access: Access) -> Self {
        let source = Source::Text(text);
        FilterSpec {
            source,
            libraries: Vec::new(),
            named: Vec::new(),
            positional: Vec::new(),
            time_limit: None,
            access,
        }
    }

    /// The filter that changes nothing.
    pub fn identity(access: Access) -> Self {
        FilterSpec::of(".".to_owned(), access)
    }
}

impl Update {
    /// A change of a file that is there, with nothing beside it.
    pub fn of(file: PathBuf, change: Change, wait: Wait) -> Self {
        Update {
            file,
            change,
            backup: None,
            create: None,
            expected: None,
            answer: Answer::None,
            may_change_type: false,
            effect: Effect::Write,
            schema: None,
            durability: Durability::Synced,
            wait,
            client: None,
            layout: Layout::default(),
        }
    }
}

impl Write {
    /// New content for a file, with nothing beside it.
    pub fn of(file: PathBuf, content: Content, condition: Condition, wait: Wait) -> Self {
        Write {
            file,
            content,
            condition,
            answer: Answer::None,
            validate: false,
            schema: None,
            backup: None,
            locked: true,
            durability: Durability::Synced,
            wait,
            client: None,
        }
    }
}
