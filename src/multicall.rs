//! The tool to run: by the name that the binary was called with, or else by the first argument. Pure.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

/// The tools in this binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    FileLock,
    MemoryUpdate,
    MemoryRead,
    AtomicWrite,
}

impl Tool {
    /// All tools, in the order in which help lists them.
    pub const ALL: [Tool; 4] = [Tool::FileLock, Tool::MemoryUpdate, Tool::MemoryRead, Tool::AtomicWrite];

    /// The tool's name, as a command and as a first word.
    pub fn name(self) -> &'static str {
        match self {
            Tool::FileLock => "file-lock",
            Tool::MemoryUpdate => "memory-update",
            Tool::MemoryRead => "memory-read",
            Tool::AtomicWrite => "atomic-write",
        }
    }

    fn named(name: &OsStr) -> Option<Self> {
        Tool::ALL.into_iter().find(|tool| name == tool.name())
    }
}

/// A command line whose tool has been determined.
#[derive(Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// `None` for memlatch itself.
    pub tool: Option<Tool>,
    /// The arguments after the tool's name.
    pub words: &'a [OsString],
}

/// Determines the tool. Only exact names count, with or without `.sh` or `.exe` in `argv[0]`.
pub fn dispatch(words: &[OsString]) -> Call<'_> {
    let (called, words) = words.split_first().map_or((OsStr::new(""), words), |(called, words)| (called, words));
    if let Some(tool) = by_path(Path::new(called)) {
        return Call { tool: Some(tool), words };
    }
    match words.split_first().map(|(first, rest)| (Tool::named(first), rest)) {
        Some((Some(tool), rest)) => Call { tool: Some(tool), words: rest },
        _ => Call { tool: None, words },
    }
}

fn by_path(path: &Path) -> Option<Tool> {
    let name = path.file_name()?;
    let stem = path.file_stem()?;
    let has_ending = path.extension().is_some_and(|ending| ending == "sh" || ending == "exe");
    Tool::named(if has_ending { stem } else { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(args: &[&str]) -> (Option<Tool>, usize) {
        let words: Vec<OsString> = args.iter().map(OsString::from).collect();
        let call = dispatch(&words);
        (call.tool, call.words.len())
    }

    #[test]
    fn only_whole_names_are_tools() {
        assert_eq!(tool(&["/x/file-lock", "show"]), (Some(Tool::FileLock), 1));
        assert_eq!(tool(&["./scripts/memory-update.sh", "f", "."]), (Some(Tool::MemoryUpdate), 2));
        assert_eq!(tool(&["memory-read.exe"]), (Some(Tool::MemoryRead), 0));
        assert_eq!(tool(&["memlatch", "atomic-write", "f"]), (Some(Tool::AtomicWrite), 1));
        for other in ["my-file-lock", "file-lock2", "file-lock.sh.bak", "file-lock.py", "FILE-LOCK"] {
            assert_eq!(tool(&[other, "x"]), (None, 1), "{other}");
        }
        assert_eq!(tool(&["memlatch", "file-lock.sh"]), (None, 1));
        assert_eq!(tool(&[]), (None, 0));
    }
}
