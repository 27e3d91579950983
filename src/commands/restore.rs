//! `atomic-write --restore`: a backup takes the place of the file, and the file that of the newest backup.
//!
//! Nothing is lost by it: with its content in the file, the backup leaves the row, and what the file held enters it in
//! front. So `--restore` twice is as if nothing had happened, and no number of restores makes the row longer.

use super::{
    rule::Rule,
    tell_of_other_names,
    writing::{self, Writer, Written},
};
use crate::{
    failure::Failure,
    lock::target::Target,
    replace::{self, Backup, Keep, Replacement},
    report::Console,
    request,
};
use memlatch_os::paths::shown;
use std::time::SystemTime;

/// Puts a backup back.
///
/// Until the file is replaced the backup stays where it is, or one further up; only then does it leave the row.
pub fn put_back(
    number: u32,
    request: &request::Write,
    target: &Target,
    writer: Writer<'_>,
    rule: &Rule,
    console: &Console,
) -> Result<Written, Failure> {
    let Some((content, model)) = replace::read_backup(&target.given, number)? else {
        return Err(missing(number, target)?);
    };
    let name = replace::backup_of(&target.given, number);
    writing::check(&content, request, rule).map_err(|failure| failure.about(shown(&name)))?;
    let replacement = Replacement {
        target: &target.path,
        directory: &replace::open_directory(&target.path)?,
        token: writer.token,
        patience: request.wait.timeout,
        durability: request.durability,
        model: Some(&model),
        backup: Some((target.given.as_path(), Keep::All)),
        permit: writer.permit,
    };
    let replaced = replace::replace(&replacement, |out| out.write_all(&content))?;
    tell_of_other_names(replaced, target, console);
    // Where there was no file, the row is as it was.
    let Some(freed) = replaced.freed else { return Ok(Written { content, kept: None }) };
    let place = if number < freed { number + 1 } else { number };
    if let Err(error) = replace::close_gap(&target.given, place, request.durability) {
        console.info(error);
    }
    Ok(Written { content, kept: None })
}

/// Tells which backups there are.
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
    let age = age.map_or(String::new(), |seconds| format!(", {} old", duration(seconds)));
    format!("{} ({}{age})", backup.number, shown(&backup.path))
}

/// In the largest unit of which there are two.
fn duration(seconds: u64) -> String {
    let units = [("d", 24 * 60 * 60), ("h", 60 * 60), ("min", 60)];
    let unit = units.into_iter().find(|(_, length)| seconds >= 2 * length);
    unit.map_or_else(|| format!("{seconds} s"), |(name, length)| format!("{} {name}", seconds / length))
}
