//! Conditional writes: only over the content that the writer has read, or merged with the changes of others.

use super::{Context, form::Form, unreadable};
use crate::{
    document::{Indent, Layout},
    failure::Failure,
    lock::target::Target,
    outcome::Conflict,
    refusal::{Cause, Found, Stale},
    replace,
    request::{Answer, Base},
    revision::{Expected, Revision},
    sink::Note,
};
use memlatch_jq::value::Value;
use memlatch_merge::{Rules, merge};
use memlatch_os::paths::shown;
use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// The content of the target. Called under its lock, so that it cannot change.
pub fn current(target: &Target) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(&target.path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(target, &error)),
    }
}

/// Refuses the write if the target does not have the revision that the writer has read.
pub fn check(expected: &Expected, current: Option<&[u8]>, target: &Target, answer: Answer) -> Result<(), Failure> {
    let now = Revision::of(current);
    if expected.is(&now) {
        return Ok(());
    }
    let written = fs::metadata(&target.path).ok().map(|facts| facts.mtime());
    let (expected, found) = (expected.clone(), Found { now, written });
    Err(refused(
        target,
        answer,
        match (current, expected.is_none()) {
            (None, _) => Cause::Gone { expected },
            (Some(_), true) => Cause::Exists(found),
            (Some(_), false) => Cause::Changed { expected, found },
        },
    ))
}

fn refused(target: &Target, answer: Answer, cause: Cause) -> Failure {
    Stale { file: target.given.clone(), cause, as_json: answer == Answer::Json }.into()
}

/// The result of a write with a base.
pub enum Combined {
    /// Nobody else has written since.
    Untouched,
    /// The writer's content merged with the changes of others, and their number.
    Merged { document: Value, layout: Layout, kept: usize },
}

/// Merges the new content with the changes of others since the base.
pub fn merged(
    base: &Base,
    new: &[u8],
    current: Option<&[u8]>,
    target: &Target,
    answer: Answer,
    context: Context<'_>,
) -> Result<Combined, Failure> {
    match base {
        Base::Revision(expected) if expected.is_none() || current.is_none() => {
            return check(expected, current, target, answer).map(|()| Combined::Untouched);
        }
        _ => {}
    }
    let found = base_content(base, current, target, answer)?;
    if current == Some(&found) {
        return Ok(Combined::Untouched);
    }
    let Some(current) = current else { return Err(refused(target, answer, Cause::GoneSinceBase)) };
    let [base, ours, theirs] = [("the base", &found[..]), ("the new content", new), ("the file", current)]
        .map(|(what, text)| parsed(text, what, target));
    let merged = merge(&base?, &ours?, &theirs?, &Rules::default());
    if merged.gave_up {
        context.sink.note(Note::SearchGivenUp);
    }
    if merged.conflicts.is_empty() {
        return Ok(Combined::Merged { document: merged.value, layout: layout_of(new), kept: merged.kept });
    }
    let conflicts = merged.conflicts.iter().map(Conflict::from).collect();
    Err(refused(target, answer, Cause::Conflicts { now: Revision::of(Some(current)), conflicts }))
}

/// The content that the new one was made from.
fn base_content(base: &Base, current: Option<&[u8]>, target: &Target, answer: Answer) -> Result<Vec<u8>, Failure> {
    let expected = match base {
        Base::File(file) => {
            return fs::read(file)
                .map_err(|error| Failure::failed(format!("cannot read the base '{}': {error}", shown(file))));
        }
        Base::Content(content) => return Ok(content.clone()),
        Base::Revision(expected) => expected,
    };
    if let Some(content) = current.filter(|content| expected.is(&Revision::of(Some(content)))) {
        return Ok(content.to_vec());
    }
    for backup in replace::backups(&target.given)? {
        // A backup that cannot be read is skipped; the next may be the base.
        let content = fs::read(&backup.path).ok();
        if let Some(content) = content.filter(|content| expected.is(&Revision::of(Some(content)))) {
            return Ok(content);
        }
    }
    Err(refused(target, answer, Cause::BaseUnknown { expected: expected.clone() }))
}

fn parsed(text: &[u8], what: &str, target: &Target) -> Result<Value, Failure> {
    Form::of(&target.given).parse(text.to_vec()).map_err(|error| {
        Failure::failed(format!(
            "'{}' has changed since the base, and {what} is not JSON, so they cannot be merged: {error}",
            shown(&target.given)
        ))
    })
}

/// The layout of a document's text, as far as its first indented line shows it.
pub fn layout_of(text: &[u8]) -> Layout {
    let usual = Layout::default();
    let text = text.trim_ascii();
    let Some(line) = text.split(|byte| *byte == b'\n').nth(1) else {
        let is_whole = text.iter().any(|byte| matches!(byte, b'{' | b'[')) && text.len() > 2;
        return if is_whole { Layout { indent: Indent::Compact, ..usual } } else { usual };
    };
    let width = line.iter().take_while(|byte| **byte == b' ').count();
    match line.first() {
        Some(b'\t') => Layout { indent: Indent::Tab, ..usual },
        Some(b' ') if width <= 7 => Layout { indent: Indent::Spaces(width as u8), ..usual },
        _ => usual,
    }
}

/// Parses the base of a write: a file or a revision. If a file of that name exists, it is the file.
pub fn base(text: std::ffi::OsString) -> Result<Base, Failure> {
    let path = Path::new(&text);
    if path.exists() {
        return Ok(Base::File(path.to_owned()));
    }
    match text.to_str().and_then(Expected::parse) {
        Some(expected) => Ok(Base::Revision(expected)),
        None => Err(Failure::usage(format!(
            "--base is '{}', which is neither a file nor a revision; a revision has 12 to 64 digits of 0-9 and a-f",
            shown(path)
        ))),
    }
}
