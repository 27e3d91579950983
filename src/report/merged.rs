//! Merged documents and their conflicts.

use super::Console;
use crate::{
    failure::Failure,
    outcome::{Conflict, Driven, Merged},
};
use memlatch_os::paths::shown;
use serde_json::{Value, json};

/// The status of a merge with conflicts. git takes 1 to 127 from a driver for that, and what is above for a failure.
const CONFLICTS: u8 = 1;

/// Prints the result and the conflicts.
pub fn tell(merged: &Merged, console: &Console) -> Result<u8, Failure> {
    let Merged { document, conflicts, as_json } = merged;
    if *as_json {
        console.json(&json!({
            "clean": conflicts.is_empty(),
            "value": document.as_ref().map(|document| parsed(document)),
            "conflicts": conflicts.iter().map(self::as_json).collect::<Vec<_>>(),
        }))?;
    } else if let Some(document) = document {
        console.data(|out| out.write_all(document))?;
    }
    if conflicts.is_empty() {
        return Ok(0);
    }
    if !as_json {
        console.error(summary(conflicts, document.is_some()));
    }
    Ok(CONFLICTS)
}

fn summary(conflicts: &[Conflict], are_marked: bool) -> String {
    let count = conflicts.len();
    let next = if are_marked {
        "both values are in the result, as \"_conflict\""
    } else {
        "--prefer ours|theirs decides all of them, --mark keeps both values"
    };
    let lines: String = conflicts.iter().map(|conflict| format!("\n  {conflict}")).collect();
    format!("{count} conflict{}; {next}{lines}", if count == 1 { "" } else { "s" })
}

/// Reports the result of a merge to git.
pub fn driven(driven: &Driven, console: &Console) -> u8 {
    let name = shown(&driven.file);
    for conflict in &driven.conflicts {
        console.info(format_args!("conflict in {name} at {conflict}"));
    }
    if driven.is_clean { 0 } else { CONFLICTS }
}

/// A conflict as a JSON object. A side that has nothing there is left out.
pub fn as_json(conflict: &Conflict) -> Value {
    let mut object = json!({ "path": conflict.path, "kind": conflict.kind.word() });
    for (name, side) in [("base", &conflict.base), ("ours", &conflict.ours), ("theirs", &conflict.theirs)] {
        if let Some(side) = side {
            object[name] = parsed(side.as_bytes());
        }
    }
    object
}

/// A value nested too deeply for the JSON of answers is `null` there.
fn parsed(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or(Value::Null)
}
