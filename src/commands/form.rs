//! How the values of a file stand in it, which its name tells.

use super::way_back;
use crate::{
    document::{self, DocumentError, Layout, lines},
    failure::Failure,
    filter::Value,
    lock::target::Target,
    request::DEFAULT_DOCUMENT,
};
use memlatch_os::paths::shown;
use std::{
    ffi::OsStr,
    io::{self, Write},
    path::Path,
};

/// How values stand in a text.
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
    /// The form of a file.
    pub fn of(file: &Path) -> Self {
        match file.extension().and_then(OsStr::to_str) {
            Some("json") => Form::Document,
            Some("jsonl" | "ndjson") => Form::Lines,
            _ => Form::Sequence,
        }
    }

    /// The whole content of a file as one value.
    ///
    /// # Errors
    /// It is not JSON; the message says where, and how to get back what the file held.
    pub fn parse(self, text: Vec<u8>, target: &Target) -> Result<Value, Failure> {
        self.values(&text)
            .map_err(|error| Failure::failed(format!("{}: {error}{}", shown(&target.given), way_back(target))))
    }

    /// The same without a word on files.
    pub fn values(self, text: &[u8]) -> Result<Value, DocumentError> {
        match self {
            Form::Lines => lines::parse_lines(&text[..whole_lines(text)]).map(|values| values.into_iter().collect()),
            Form::Document | Form::Sequence => document::parse(text.to_vec()),
        }
    }

    /// What a missing file starts from. One of lines starts without any, unless it is told otherwise.
    pub fn seed(self, json: &str) -> Result<Value, Failure> {
        let json = if self == Form::Lines && json == DEFAULT_DOCUMENT { "[]" } else { json };
        let value = document::parse(json.as_bytes().to_vec())
            .map_err(|error| Failure::usage(format!("--create '{json}' is not JSON: {error}")))?;
        match self {
            Form::Lines if value.as_array().is_none() => Err(Failure::usage(format!(
                "--create '{json}' is not a list; each line of the file is an element of one"
            ))),
            _ => Ok(value),
        }
    }

    /// Refuses a value that cannot be the whole content of a file.
    pub fn accept(self, value: &Value, file: &Path) -> Result<(), Failure> {
        if self == Form::Lines && value.as_array().is_none() {
            return Err(Failure::failed(format!(
                "the new content for '{}' is not a list, and each line of the file is an element of one; put it into one: \
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

/// How many bytes there are before a last line that a crash has cut off.
pub fn whole_lines(text: &[u8]) -> usize {
    match lines::tail(text) {
        lines::Tail::Torn(start) => start,
        lines::Tail::Ended | lines::Tail::Unended => text.len(),
    }
}

/// What a writer says of the last line that it found cut off.
pub fn mended(target: &Target, torn: &[u8]) -> String {
    let shown_part = memlatch_os::paths::escape(&torn[..torn.len().min(80)]);
    let dots = if torn.len() > 80 { "…" } else { "" };
    format!(
        "'{}' ended in an unfinished line, as after a crash, which was taken out: {shown_part}{dots}",
        shown(&target.given)
    )
}
