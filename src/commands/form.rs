//! The form of a file's content, which follows from its name.

use crate::{
    document::{
        self, DocumentError, Layout,
        lines::{self, Tail},
    },
    failure::Failure,
    filter::Value,
    lock::target::Target,
    replace,
    request::DEFAULT_DOCUMENT,
};
use memlatch_os::paths::{is_address, quoted, shown};
use std::{
    ffi::OsStr,
    io::{self, Write},
    path::Path,
};

/// How a text contains values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One value: `*.json`.
    Document,
    /// One value a line: `*.jsonl` and `*.ndjson`. As a whole they are an array.
    Lines,
    /// One after another, as in any other text that jq reads.
    Sequence,
}

impl Form {
    /// The form of a file, in whatever case its name is written: some file systems do not tell them apart.
    pub fn of(file: &Path) -> Self {
        let ending = file.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        match ending.as_deref() {
            Some("json") => Form::Document,
            Some("jsonl" | "ndjson") => Form::Lines,
            // Behind an address there can be options.
            Some(ending) if ending.contains('?') && is_address(file) => {
                let address = file.to_str().and_then(|address| address.split('?').next());
                address.map_or(Form::Sequence, |address| Form::of(Path::new(address)))
            }
            _ => Form::Sequence,
        }
    }

    /// The number of bytes of a file's text without a last line that a crash has cut off.
    pub fn whole(self, text: &[u8]) -> usize {
        match self {
            Form::Lines => match lines::tail(text) {
                Tail::Torn(start) => start,
                Tail::Ended | Tail::Unended => text.len(),
            },
            Form::Document | Form::Sequence => text.len(),
        }
    }

    /// A text as one value.
    ///
    /// # Errors
    /// It is not JSON in this form.
    pub fn parse(self, text: Vec<u8>) -> Result<Value, DocumentError> {
        match self {
            Form::Lines => lines::parse_lines(&text).map(|values| values.into_iter().collect()),
            Form::Document | Form::Sequence => document::parse(text),
        }
    }

    /// The content that a missing file starts from. A file of lines starts without any by default.
    pub fn seed(self, json: &str) -> Result<Value, Failure> {
        let json = if self == Form::Lines && json == DEFAULT_DOCUMENT { "[]" } else { json };
        let value = document::parse(json.as_bytes().to_vec())
            .map_err(|error| Failure::usage(format!("--create '{json}' is not JSON: {error}")))?;
        match self {
            Form::Lines if value.as_array().is_none() => Err(Failure::usage(format!(
                "--create '{json}' is not an array; each line of the file is one of its elements"
            ))),
            _ => Ok(value),
        }
    }

    /// Refuses a value that cannot be the whole content of a file.
    pub fn accept(self, value: &Value, file: &Path) -> Result<(), Failure> {
        if self == Form::Lines && value.as_array().is_none() {
            return Err(Failure::failed(format!(
                "the new content for '{}' is not an array, and each line of the file is one of its elements; put it into an array: \
                 [FILTER]",
                shown(file)
            )));
        }
        Ok(())
    }

    /// Writes a value that was accepted, as the whole content of a file.
    pub fn write(self, value: &Value, layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
        match (self, value.as_array()) {
            (Form::Lines, Some(elements)) => {
                elements.iter().try_for_each(|element| lines::write_line(element, layout.sort_keys, out))
            }
            _ => {
                document::write(value, layout, out)?;
                out.write_all(b"\n")
            }
        }
    }
}

/// The error for a target that is not JSON: where, and how to restore an earlier content.
pub fn damaged(target: &Target, error: &DocumentError) -> Failure {
    Failure::failed(format!("{}: {error}{}", shown(&target.given), way_back(target)))
}

/// What to do about a damaged file: restore the newest backup, or correct the text.
fn way_back(target: &Target) -> String {
    let file = quoted(&target.given);
    match replace::backups(&target.given).ok().and_then(|backups| backups.into_iter().next()) {
        Some(backup) => {
            let (name, number) = (shown(&backup.path), backup.number);
            format!("; '{name}' holds an earlier content; to restore it: atomic-write {file} --restore={number}")
        }
        // These tools never write a file of another name.
        None if Form::of(&target.given) == Form::Sequence => String::new(),
        None => {
            format!("; it has no backup: correct the text in a copy, and put it in place: atomic-write {file} < COPY")
        }
    }
}
