//! Refusals because the file is not what the user expected, as data: users and models get different
//! texts.

use crate::{
    lock::info::utc,
    outcome::Conflict,
    revision::{Expected, Revision},
};
use memlatch_os::{
    paths::{quoted, shown},
    text::shortened,
};
use std::{fmt, path::PathBuf};

/// The most characters of a value to print.
const LONGEST: usize = 60;

/// A write over content that the writer has not read.
#[derive(Debug)]
pub struct Stale {
    /// The path as the user wrote it.
    pub file: PathBuf,
    pub cause: Cause,
    /// Whether the writer is a program that asked for JSON.
    pub as_json: bool,
}

/// How the file differs from what the writer expected.
#[derive(Debug)]
pub enum Cause {
    /// There is no file any more.
    Gone { expected: Expected },
    /// There is a file where none was expected.
    Exists(Found),
    /// The file has changed since this revision.
    Changed { expected: Expected, found: Found },
    /// The file that the new content could be merged with is gone.
    GoneSinceBase,
    /// The changes of others since the base conflict with the new content.
    Conflicts { now: Revision, conflicts: Vec<Conflict> },
    /// The content of the base is no longer available.
    BaseUnknown { expected: Expected },
}

/// What the file is instead.
#[derive(Debug)]
pub struct Found {
    pub now: Revision,
    /// When it was last written, in seconds since 1970.
    pub written: Option<i64>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.written {
            Some(written) => write!(f, "{}, written {}", self.now, utc(written)),
            None => self.now.fmt(f),
        }
    }
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, word) = (shown(&self.file), quoted(&self.file));
        let next = format!("read it again: memory-read {word} --with-revision");
        match &self.cause {
            Cause::Gone { expected } => {
                write!(f, "'{file}' no longer exists, but {expected} was expected; nothing has changed; {next}")
            }
            Cause::Exists(found) => {
                write!(f, "'{file}' exists already, at revision {found}; nothing has changed; {next}")
            }
            Cause::Changed { expected, found } => write!(
                f,
                "'{file}' has changed since revision {expected}: it is at {found}; nothing has changed on disk; {next}, or \
                 let memlatch merge a whole document: atomic-write {word} --base {expected}"
            ),
            Cause::GoneSinceBase => write!(f, "'{file}' no longer exists; nothing has changed"),
            Cause::Conflicts { conflicts, .. } => {
                write!(f, "'{file}' has changed since the base, and {}", in_conflict(conflicts.len()))?;
                f.write_str("; nothing has changed; read it again and decide")?;
                conflicts.iter().try_for_each(|conflict| write!(f, "\n  {conflict}"))
            }
            Cause::BaseUnknown { expected } => write!(
                f,
                "revision {expected} is neither what '{file}' holds nor one of its backups, so there is nothing to merge from; \
                 nothing has changed; read the file again, keep what you have read in a file and name that: --base BASEFILE, \
                 or let every write leave backups: --backup=9"
            ),
        }
    }
}

impl std::error::Error for Stale {}

/// A file that is not there.
#[derive(Debug)]
pub struct Missing {
    /// The path as the user wrote it.
    pub file: PathBuf,
    /// The working directory, for a relative path: the script may have been started in an unexpected directory.
    pub directory: Option<PathBuf>,
    /// What to do about it on the command line.
    pub remedy: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' does not exist", shown(&self.file))?;
        if let Some(directory) = &self.directory {
            write!(f, " in '{}'", shown(directory))?;
        }
        write!(f, "; {}", self.remedy)
    }
}

impl std::error::Error for Missing {}

/// New content of another type than the old, which would discard the document.
#[derive(Debug)]
pub struct OtherType {
    pub file: PathBuf,
    pub old: &'static str,
    pub new: &'static str,
    /// What was probably meant, on the command line.
    pub advice: String,
}

impl OtherType {
    /// What is wrong, without what to do about it.
    pub fn described(&self) -> String {
        let (old, new) = (with_article(self.old), with_article(self.new));
        format!("'{}' holds {old}, and the new content is {new}; nothing has changed", shown(&self.file))
    }
}

impl fmt::Display for OtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}, or if you mean it, add --allow-type-change", self.described(), self.advice)
    }
}

impl std::error::Error for OtherType {}

fn with_article(kind: &str) -> String {
    match kind {
        "array" | "object" => format!("an {kind}"),
        "null" => kind.to_owned(),
        _ => format!("a {kind}"),
    }
}

/// So many places are in conflict.
pub fn in_conflict(count: usize) -> String {
    if count == 1 { "one place is in conflict".to_owned() } else { format!("{count} places are in conflict") }
}

/// In one line.
impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [base, ours, theirs] = [&self.base, &self.ours, &self.theirs].map(|side| brief(side.as_deref()));
        let path = memlatch_os::paths::escape(self.path.as_bytes());
        write!(f, "{path}: {} (base {base}, ours {ours}, theirs {theirs})", self.kind)
    }
}

fn brief(json: Option<&str>) -> String {
    json.map_or_else(
        || "nothing".to_owned(),
        |json| shortened(&memlatch_os::paths::escape(json.as_bytes()), LONGEST).into_owned(),
    )
}
