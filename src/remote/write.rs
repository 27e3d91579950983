//! `atomic-write` on a document beyond this machine.

use crate::{
    Means,
    place::Subject,
    session::{Attempt, Row, Session, claim},
    update::row_with,
};
use memlatch::{
    commands::{
        atomic_write, condition,
        form::Form,
        no_stack, own_command,
        rule::Rule,
        writing::{self, Put},
    },
    failure::Failure,
    outcome::{Deed, Outcome, Written},
    request::{Answer, Base, Condition, Content, Write},
    revision::{Expected, Revision},
};
use memlatch_jq::filter;
use memlatch_lock::info::Kind;
use memlatch_os::paths::shown;
use memlatch_remote::engine::{Seen, Wanted};
use memlatch_replace::backup_of;

/// Writes the document.
pub fn run(request: &Write, means: Means<'_>) -> Result<u8, Failure> {
    filter::on_large_stack(|| write(request, means)).map_err(no_stack)?
}

fn write(request: &Write, means: Means<'_>) -> Result<u8, Failure> {
    let subject = Subject::find(&request.file, means.settings)?;
    let rule = Rule::prepare(request.schema.as_ref())?;
    let content = match &request.content {
        Content::StandardInput => atomic_write::checked(atomic_write::read_input()?, request, &rule)?,
        Content::Text(text) => atomic_write::checked(text.trim_end_matches('\n').as_bytes().to_vec(), request, &rule)?,
        Content::Backup(_) => Vec::new(),
    };
    let wants_backups = request.backup.is_some()
        || matches!(request.content, Content::Backup(_))
        || matches!(request.condition, Condition::Base(Base::Revision(_)));
    let wanted = if wants_backups { Wanted::Backups } else { Wanted::Document };
    let claim = claim(&subject, Kind::Write, own_command(means.settings), request.client.clone());
    let mut session = Session::begin(&subject, claim, request.wait, means)?;
    let mut seen = session.look(wanted)?;
    let written = loop {
        let (written, row) = session.keeping(|| made(request, &subject, &content, &seen, &rule, means))?;
        match session.put(&seen, &written.content, row)? {
            Attempt::Done => break written,
            Attempt::Again(now) => seen = now,
        }
    };
    tell(request, &subject, &written, means)
}

/// The new content and the new row of backups.
fn made<'s>(
    request: &Write,
    subject: &Subject,
    content: &[u8],
    seen: &'s Seen,
    rule: &Rule,
    means: Means<'_>,
) -> Result<(Put, Row<'s>), Failure> {
    let (current, target) = (seen.document.as_deref(), &subject.target);
    if let Condition::Revision(expected) = &request.condition {
        condition::check(expected, current, target, request.answer)?;
    }
    if let Content::Backup(number) = request.content {
        let content = backup(number, subject, seen)?;
        let name = shown(&backup_of(&target.given, number));
        writing::check(content, request, rule).map_err(|failure| failure.about(name))?;
        let row = row_without(number as usize, current, &seen.backups);
        return Ok((Put { content: content.to_vec(), kept: None }, row));
    }
    let row = row_with(current, &seen.backups, request.backup);
    let Condition::Base(base) = &request.condition else {
        return Ok((Put { content: content.to_vec(), kept: None }, row));
    };
    let found = match base {
        Base::Revision(expected) => older(expected, seen),
        Base::File(_) | Base::Content(_) => None,
    };
    let base = found.as_ref().unwrap_or(base);
    let written = match condition::merged(base, content, current, target, request.answer, means.context())? {
        condition::Combined::Untouched => Put { content: content.to_vec(), kept: None },
        condition::Combined::Merged { document, layout, kept } => {
            let form = Form::of(&target.given);
            rule.check_all(form, &document, &target.given)?;
            let mut content = Vec::new();
            form.write(&document, &layout, &mut content).map_err(Failure::from_output)?;
            Put { content, kept: Some(kept) }
        }
    };
    Ok((written, row))
}

/// An earlier content of that revision, among the backups.
fn older(expected: &Expected, seen: &Seen) -> Option<Base> {
    let found = seen.backups.iter().find(|content| expected.is(&Revision::of(Some(content))))?;
    Some(Base::Content(found.clone()))
}

fn backup<'s>(number: u32, subject: &Subject, seen: &'s Seen) -> Result<&'s [u8], Failure> {
    let found = (number as usize).checked_sub(1).and_then(|place| seen.backups.get(place));
    found.map(Vec::as_slice).ok_or_else(|| {
        let file = shown(&subject.target.given);
        Failure::failed(match seen.backups.len() {
            0 => format!("'{file}' has no backup; --backup on a write leaves one"),
            count => format!("'{file}' has no backup {number}; there are {count}"),
        })
    })
}

/// The row of backups after a restore: the former content of the document is in front, and the restored backup is gone.
fn row_without<'s>(number: usize, current: Option<&'s [u8]>, backups: &'s [Vec<u8>]) -> Row<'s> {
    let others =
        backups.iter().enumerate().filter(|(place, _)| place + 1 != number).map(|(_, content)| content.as_slice());
    match current {
        // Later backups stay where they are.
        Some(current) => Row { matters: true, new: [current].into_iter().chain(others).take(number).collect() },
        None => Row { matters: true, new: Vec::new() },
    }
}

fn tell(request: &Write, subject: &Subject, put: &Put, means: Means<'_>) -> Result<u8, Failure> {
    let file = subject.target.given.clone();
    let deed = match (&request.content, put.kept) {
        (Content::Backup(number), _) => Deed::Restored(backup_of(&file, *number)),
        (_, None) => Deed::Written,
        (_, Some(kept)) => Deed::Merged(kept),
    };
    let revision = (request.answer != Answer::None).then(|| Revision::of(Some(&put.content)));
    let as_json = request.answer == Answer::Json;
    means.console.tell(&Outcome::Written(Written { file, deed, revision, as_json }))
}
