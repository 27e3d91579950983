//! What a write of a whole content goes by, whether it is new or comes from a backup.

use super::{form::Form, rule::Rule};
use crate::{
    document::{self, lines},
    failure::Failure,
    request,
};
use memlatch_os::paths::shown;
use std::io;

/// What was written.
pub struct Written {
    pub content: Vec<u8>,
    /// If it was merged: how many changes of others are in it.
    pub kept: Option<usize>,
}

/// Under which lock a file is written, if any.
pub struct Writer<'a> {
    pub token: &'a str,
    pub permit: &'a dyn Fn() -> io::Result<()>,
}

/// Refuses what is not as it has to be. Tells whether it has to be JSON.
pub fn check(content: &[u8], request: &request::Write, rule: &Rule) -> Result<bool, Failure> {
    let form = Form::of(&request.file);
    let is_json = request.validate || !rule.is_any() || form == Form::Document;
    let no_json = |error| Failure::from(error).about(format_args!("the new content for '{}'", shown(&request.file)));
    if form == Form::Lines && is_json {
        // Here the last line is to be whole as well.
        let lines = lines::parse_lines(content).map_err(no_json)?.into_iter().collect();
        rule.check_all(form, &lines, &request.file)?;
    } else if !rule.is_any() {
        let document = document::parse(content.to_vec()).map_err(no_json)?;
        rule.check(&document, &request.file)?;
    } else if is_json {
        document::check(content).map_err(no_json)?;
    }
    Ok(is_json)
}
