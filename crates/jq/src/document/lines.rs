//! JSON Lines (jsonlines.org, ndjson): a file of which each line is one value.
//!
//! A line is read as strictly as a document. Lines end with `\n`; `\r\n` is read too, because `\r` is white space to JSON,
//! and lines of white space alone are passed over. A file that programs append to can lack the end of its last line after
//! a crash: [`tail`] tells that from a last line that is whole. Nothing here touches files.

use super::{DocumentError, Indent, Layout, check, parse, write};
use crate::value::Value;
use std::io;

/// The values of a text, line by line, each read when it is asked for; what follows an error can still be read.
///
/// An error names the line of the text and the column in that line. A byte order mark before the first line is passed over.
pub fn lines(text: &[u8]) -> impl Iterator<Item = Result<Value, DocumentError>> {
    text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !is_blank(line)).map(|(i, line)| {
        let marked = i > 0 && line.starts_with(BYTE_ORDER_MARK);
        match marked {
            true => Err(DocumentError { line: 1, column: 1, what: "unexpected byte order mark".into() }),
            false => parse(line.to_vec()),
        }
        .map_err(|error| placed(error, i + 1))
    })
}

/// All values of a text.
///
/// # Errors
/// That of the first line that is not exactly one JSON value in UTF-8.
pub fn parse_lines(text: &[u8]) -> Result<Vec<Value>, DocumentError> {
    lines(text).collect()
}

/// How a text of lines ends, which decides what a writer has to do before it adds a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// With a line end, or the text is empty: a line can be added.
    Ended,
    /// With a whole value that lacks the line end: add that first. (A number at the very end may have lost digits; nothing
    /// can tell.)
    Unended,
    /// With part of a value, which begins at this byte: what a crash leaves of an append. All before it is whole lines.
    Torn(usize),
}

/// How the text ends; looks at its last line only.
pub fn tail(text: &[u8]) -> Tail {
    let start = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |i| i + 1);
    let last = &text[start..];
    match last {
        [] => Tail::Ended,
        last if is_blank(last) || check(last).is_ok() => Tail::Unended,
        _ => Tail::Torn(start),
    }
}

/// Writes a value as one line, with a newline. Unchanged numbers and strings keep their text.
///
/// # Errors
/// Those of `out`, and `InvalidData` for values nested deeper than can be read again.
pub fn write_line(value: &Value, sort_keys: bool, out: &mut dyn io::Write) -> io::Result<()> {
    write(value, &Layout { indent: Indent::Compact, sort_keys }, out)?;
    out.write_all(b"\n")
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// The error of a line as one of the whole text.
fn placed(error: DocumentError, line: usize) -> DocumentError {
    let what = match error.what.strip_suffix("end of text") {
        Some(before) => format!("{before}end of line"),
        None => error.what,
    };
    DocumentError { line, column: error.column, what }
}
