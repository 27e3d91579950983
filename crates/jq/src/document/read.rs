//! From bytes to values: whole documents, checked strictly.

use crate::json::{DocumentError, survey, utf8, values};
use crate::value::{Text, Value, read};
use std::rc::Rc;

/// Reads a document: exactly one JSON value.
///
/// # Errors
/// What [`super::check()`] refuses, and texts of 4 GB and more.
pub fn parse(bytes: Vec<u8>) -> Result<Value, DocumentError> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => return Err(utf8(e.as_bytes()).expect_err("it is not UTF-8")),
    };
    let found = survey(&text)?;
    if u32::try_from(text.len()).is_err() {
        return Err(DocumentError::at(b"", 0, "documents of 4 GB and more are not supported"));
    }
    let text = Rc::new(Text::new(text, found.layout, found.depth));
    Ok(read(&text, found.start))
}

/// Reads all documents of a text that holds any number of them, as strictly. A byte order mark before the first is passed
/// over.
///
/// # Errors
/// What [`super::check()`] refuses, but for there being none or several.
pub fn parse_all(bytes: &[u8]) -> Result<Vec<Value>, DocumentError> {
    let text = utf8(bytes)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    values(text)?.into_iter().map(|place| parse(text.as_bytes()[place].to_vec())).collect()
}
