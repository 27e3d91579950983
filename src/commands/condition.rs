//! Conditional writes: only over the content that the writer has read, or merged with what others made of it.

use super::{form::Form, unreadable};
use crate::{
    commands::facts::print_json,
    document::{Indent, Layout},
    failure::{Failure, Kind},
    lock::{info::utc, target::Target},
    replace,
    report::Console,
    request::{Answer, Base},
    revision::{Expected, Revision},
};
use memlatch_jq::value::Value;
use memlatch_merge::{Conflict, Rules, merge};
use memlatch_os::paths::{quoted, shown};
use serde_json::json;
use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// What the target holds. Called under its lock, so it stays so.
pub fn current(target: &Target) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(&target.path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(target, &error)),
    }
}

/// Refuses to go on if the target is not at the revision that the writer has read.
pub fn check(
    expected: &Expected,
    current: Option<&[u8]>,
    target: &Target,
    answer: Answer,
    console: &Console,
) -> Result<(), Failure> {
    let now = Revision::of(current);
    if expected.is(&now) {
        return Ok(());
    }
    if answer == Answer::Json {
        let facts = json!({ "status": "changed", "revision": now.to_string() });
        console.data(|out| print_json(out, &facts))?;
    }
    Err(Failure::new(Kind::Changed, changed(expected, current, &now, target)))
}

fn changed(expected: &Expected, current: Option<&[u8]>, now: &Revision, target: &Target) -> String {
    let file = shown(&target.given);
    let next = format!("read it again: memory-read {} --with-revision", quoted(&target.given));
    match (current, expected.is_none()) {
        (None, _) => {
            format!("'{file}' does not exist any more, and {expected} was expected; nothing has changed; {next}")
        }
        (Some(_), true) => {
            format!("'{file}' exists already, at revision {now}{}; nothing has changed; {next}", written(target))
        }
        (Some(_), false) => format!(
            "'{file}' has changed since revision {expected}: it is at {now}{}; nothing has changed on disk; {next}, or \
             let memlatch merge a whole document: atomic-write {} --base {expected}",
            written(target),
            quoted(&target.given)
        ),
    }
}

/// When the target was last written.
fn written(target: &Target) -> String {
    fs::metadata(&target.path).map_or(String::new(), |facts| format!(", written {}", utc(facts.mtime())))
}

/// What a write over a base comes to.
pub enum Outcome {
    /// Nobody else has written since.
    Untouched,
    /// The writer's content and that of others, put together; with the number of their changes.
    Merged { document: Value, layout: Layout, kept: usize },
}

/// Puts the new content together with what others have made of the base since.
pub fn merged(
    base: &Base,
    new: &[u8],
    current: Option<&[u8]>,
    target: &Target,
    answer: Answer,
    console: &Console,
) -> Result<Outcome, Failure> {
    match base {
        Base::Revision(expected) if expected.is_none() || current.is_none() => {
            return check(expected, current, target, answer, console).map(|()| Outcome::Untouched);
        }
        _ => {}
    }
    let found = base_content(base, current, target)?;
    if current == Some(&found) {
        return Ok(Outcome::Untouched);
    }
    let Some(current) = current else {
        let text = format!("'{}' does not exist any more; nothing has changed", shown(&target.given));
        return Err(Failure::new(Kind::Changed, text));
    };
    let [base, ours, theirs] = [("the base", &found[..]), ("the new content", new), ("the file", current)]
        .map(|(what, text)| parsed(text, what, target));
    let merged = merge(&base?, &ours?, &theirs?, &Rules::default());
    if merged.gave_up {
        console.info("the search for the smallest difference took too long; what it had not found counts as changed");
    }
    if merged.conflicts.is_empty() {
        return Ok(Outcome::Merged { document: merged.value, layout: layout_of(new), kept: merged.kept });
    }
    if answer == Answer::Json {
        let facts = json!({
            "status": "conflict",
            "revision": Revision::of(Some(current)).to_string(),
            "conflicts": merged.conflicts.iter().map(as_json).collect::<Vec<_>>(),
        });
        console.data(|out| print_json(out, &facts))?;
    }
    Err(Failure::new(Kind::Changed, told(&merged.conflicts, target)))
}

/// The content that the new one was made from.
fn base_content(base: &Base, current: Option<&[u8]>, target: &Target) -> Result<Vec<u8>, Failure> {
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
        // One that cannot be read is none, and the next may be the one.
        let content = fs::read(&backup.path).ok();
        if let Some(content) = content.filter(|content| expected.is(&Revision::of(Some(content)))) {
            return Ok(content);
        }
    }
    Err(Failure::new(
        Kind::Changed,
        format!(
            "revision {expected} is neither what '{file}' holds nor one of its backups, so there is nothing to merge from; \
             nothing has changed; read the file again, keep what you have read in a file and name that: --base BASEFILE, \
             or let every write leave backups: --backup=9",
            file = shown(&target.given)
        ),
    ))
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

/// How much of a value is told.
const LONGEST: usize = 60;

fn told(conflicts: &[Conflict], target: &Target) -> String {
    let mut text = format!(
        "'{}' has changed since the base, and {} in conflict; nothing has changed; read it again and decide",
        shown(&target.given),
        match conflicts.len() {
            1 => "one place is".to_owned(),
            count => format!("{count} places are"),
        }
    );
    for conflict in conflicts {
        text.push_str("\n  ");
        text.push_str(&line(conflict));
    }
    text
}

/// A conflict in one line.
pub fn line(conflict: &Conflict) -> String {
    let [base, ours, theirs] = [&conflict.base, &conflict.ours, &conflict.theirs].map(|value| brief(value.as_ref()));
    let path = memlatch_os::paths::escape(conflict.path.as_bytes());
    format!("{path}: {} (base {base}, ours {ours}, theirs {theirs})", conflict.kind)
}

fn brief(value: Option<&Value>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let text = memlatch_os::paths::escape(value.to_string().as_bytes());
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A conflict as a JSON object.
pub fn as_json(conflict: &Conflict) -> serde_json::Value {
    let value = |value: &Option<Value>| {
        value.as_ref().map(|value| serde_json::from_str(&value.to_string()).unwrap_or(serde_json::Value::Null))
    };
    let mut object = json!({ "path": conflict.path, "kind": conflict.kind.word() });
    if let Some(members) = object.as_object_mut() {
        for (name, part) in [("base", &conflict.base), ("ours", &conflict.ours), ("theirs", &conflict.theirs)] {
            members.extend(value(part).map(|value| (name.to_owned(), value)));
        }
    }
    object
}

/// Tells a program what it asked to be told of a write that was made.
pub fn answer(answer: Answer, status: &str, revision: &Revision, console: &Console) -> Result<(), Failure> {
    match answer {
        Answer::None => Ok(()),
        Answer::Revision => console.data(|out| writeln!(out, "{revision}")),
        Answer::Json => {
            let facts = json!({ "status": status, "revision": revision.to_string() });
            console.data(|out| print_json(out, &facts))
        }
    }
}

/// Reads the base of a write: a file, or a revision. A file of that name comes first.
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
