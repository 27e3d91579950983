//! The result of a write: done, previewed or refused.

use super::{Console, merged, terminal::Color};
use crate::{
    diff,
    failure::Failure,
    outcome::{Deed, Preview, Written},
    refusal::{Cause, Found, Stale},
};
use memlatch_os::paths::shown;
use serde_json::json;

/// Reports a write, to users and to programs.
pub fn tell(written: &Written, console: &Console) -> Result<u8, Failure> {
    let file = shown(&written.file);
    match &written.deed {
        Deed::Updated => console.ok(format_args!("Updated: {file}")),
        Deed::Written => console.ok(format_args!("Written: {file}")),
        Deed::Restored(backup) => console.ok(format_args!("Restored: {file} from {}", shown(backup))),
        Deed::Merged(kept) => {
            let s = if *kept == 1 { "" } else { "s" };
            console.ok(format_args!("Merged: {file} ({kept} change{s} of others kept)"));
        }
    }
    match &written.revision {
        None => {}
        Some(revision) if written.as_json => {
            let status = if let Deed::Merged(_) = written.deed { "merged" } else { "written" };
            console.json(&json!({ "status": status, "revision": revision.to_string() }))?;
        }
        Some(revision) => console.data(|out| writeln!(out, "{revision}"))?,
    }
    Ok(0)
}

/// Prints the new content for programs, and the difference for users or on request.
pub fn preview(preview: &Preview, console: &Console) -> Result<u8, Failure> {
    let Preview { file, old, new, only_difference } = preview;
    if !only_difference && !console.data_is_read_by_people() {
        return console.data(|out| out.write_all(new)).map(|()| 0);
    }
    let name = shown(file);
    if old.as_ref() == Some(new) {
        console.info(format_args!("no change: '{name}' would stay as it is"));
        return Ok(0);
    }
    let mut difference = difference(preview);
    if console.data_is_colored() {
        difference =
            difference.split_inclusive('\n').enumerate().map(|(place, line)| painted(line, place < 2)).collect();
    }
    console.data(|out| out.write_all(difference.as_bytes())).map(|()| 0)
}

fn painted(line: &str, is_header: bool) -> String {
    let color = match line.as_bytes().first() {
        _ if is_header => Color::Bold,
        Some(b'@') => Color::Cyan,
        Some(b'-') => Color::Red,
        Some(b'+') => Color::Green,
        _ => return line.to_owned(),
    };
    let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
    color.paint(body) + end
}

/// The difference, as a unified diff. A file that does not exist is `/dev/null` there.
pub fn difference(Preview { file, old, new, .. }: &Preview) -> String {
    let name = shown(file);
    let old_name = if old.is_some() { &name } else { "/dev/null" };
    // Both are JSON, and so UTF-8, but for a line that a crash has cut off.
    let (old, new) = (String::from_utf8_lossy(old.as_deref().unwrap_or_default()), String::from_utf8_lossy(new));
    diff::unified((old_name, &old), (&name, &new))
}

/// The JSON about a refused write, if a program asked for it.
pub fn refused(stale: &Stale, console: &Console) -> Result<(), Failure> {
    let answer = match &stale.cause {
        _ if !stale.as_json => return Ok(()),
        Cause::Gone { .. } => json!({ "status": "changed", "revision": "none" }),
        Cause::Exists(found) | Cause::Changed { found, .. } => {
            let Found { now, .. } = found;
            json!({ "status": "changed", "revision": now.to_string() })
        }
        Cause::Conflicts { now, conflicts } => {
            let conflicts: Vec<_> = conflicts.iter().map(merged::as_json).collect();
            json!({ "status": "conflict", "revision": now.to_string(), "conflicts": conflicts })
        }
        Cause::GoneSinceBase | Cause::BaseUnknown { .. } => return Ok(()),
    };
    console.json(&answer)
}
