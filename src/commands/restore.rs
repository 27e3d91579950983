//! `atomic-write --restore`: a backup becomes the content of the file, and the present content the newest backup.
//!
//! Nothing is lost: the restored backup leaves the row, and the present content enters it in
//! front. So a second `--restore` undoes the first, and no number of restores makes the row longer.

use super::{
    Context,
    rule::Rule,
    writing::{self, Put, Writer, tell_of_other_names},
};
use crate::{
    failure::Failure,
    lock::target::Target,
    replace::{self, Backup, Keep},
    request,
    sink::Note,
};
use memlatch_os::{paths::shown, text::span};
use std::time::SystemTime;

/// Restores a backup.
///
/// Until the file is replaced the backup stays where it is, or one further up; only then does it leave the row.
pub fn put_back(
    number: u32,
    request: &request::Write,
    target: &Target,
    writer: Writer<'_>,
    rule: &Rule,
    context: Context<'_>,
) -> Result<Put, Failure> {
    let Some((content, model)) = replace::read_backup(&target.given, number)? else {
        return Err(missing(number, target)?);
    };
    let name = replace::backup_of(&target.given, number);
    writing::check(&content, request, rule).map_err(|failure| failure.about(shown(&name)))?;
    let directory = replace::open_directory(&target.path)?;
    let writer = writer.keeping(Some(Keep::All));
    let replaced = writer.replace(target, &directory, Some(&model), |out| out.write_all(&content))?;
    tell_of_other_names(replaced, target, context);
    // Where there was no file, the row is as it was.
    let Some(freed) = replaced.freed else { return Ok(Put { content, kept: None }) };
    let place = if number < freed { number + 1 } else { number };
    if let Err(error) = replace::close_gap(&target.given, place, request.durability) {
        context.sink.note(Note::GapLeft(&error));
    }
    Ok(Put { content, kept: None })
}

/// The error that lists the existing backups.
fn missing(number: u32, target: &Target) -> Result<Failure, Failure> {
    let file = shown(&target.given);
    let backups = replace::backups(&target.given)?;
    if backups.is_empty() {
        return Ok(Failure::failed(format!("'{file}' has no backup; --backup on a write leaves one")));
    }
    let listed: Vec<String> = backups.iter().map(described).collect();
    Ok(Failure::failed(format!("'{file}' has no backup {number}; there are: {}", listed.join(", "))))
}

fn described(backup: &Backup) -> String {
    let age = backup.made.map(|made| SystemTime::now().duration_since(made).unwrap_or_default().as_secs());
    let age = age.map_or(String::new(), |seconds| format!(", {} old", span(seconds)));
    format!("{} ({}{age})", backup.number, shown(&backup.path))
}
