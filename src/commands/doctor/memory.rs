//! Memory files that are not valid JSON.

use super::{Check, Findings, quoted};
use crate::{document, replace};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Limits on entries and on nesting, so that a wrong directory does not take an afternoon.
const MOST_ENTRIES: usize = 100_000;
const DEEPEST: usize = 32;

/// The files to check.
#[derive(Default)]
pub struct Found {
    pub documents: Vec<PathBuf>,
    /// Where temporary files may lie.
    pub folders: Vec<PathBuf>,
    entries: usize,
}

/// The files given as arguments, and the `*.json` files in directories given as arguments, by default in `memory` below the
/// base directory.
///
/// Links are not followed, so it never leaves a directory; and directories whose names begin with a dot are left out.
pub fn find(paths: &[PathBuf], base: Option<&Path>, findings: &mut Findings) -> Found {
    let mut found = Found::default();
    for path in paths {
        match fs::metadata(path) {
            Ok(facts) if facts.is_dir() => walk(path, 0, &mut found, findings),
            Ok(facts) if facts.is_file() => {
                found.documents.push(path.clone());
                // A write goes to where a link leads, and so does its temporary file.
                let real = fs::canonicalize(path).ok();
                found.folders.extend(real.as_deref().and_then(Path::parent).map(Path::to_owned));
            }
            Ok(_) => findings.problem(Check::Memory, "a device, pipe or socket, not a file", Some(path), "name a file"),
            Err(error) => {
                findings.problem(
                    Check::Memory,
                    format!("cannot examine it: {error}"),
                    Some(path),
                    "name a file or a directory",
                );
            }
        }
    }
    if let (true, Some(memory)) = (paths.is_empty(), base.map(|base| base.join("memory"))) {
        match fs::metadata(&memory) {
            Ok(facts) if facts.is_dir() => walk(&memory, 0, &mut found, findings),
            Ok(_) => findings.problem(Check::Memory, "not a directory", Some(&memory), "move it away"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => findings.note(
                Check::Memory,
                "no directory of memory files",
                Some(&memory),
                "name your memory files, or their directory: memlatch doctor DIR",
            ),
            Err(error) => {
                findings.problem(
                    Check::Memory,
                    format!("cannot examine it: {error}"),
                    Some(&memory),
                    format!("ls -ld {}", quoted(&memory)),
                );
            }
        }
    }
    if found.entries >= MOST_ENTRIES {
        let what = format!("only the first {MOST_ENTRIES} entries were checked");
        findings.note(Check::Memory, what, None, "name the directory of the memory files alone");
    }
    found
}

fn walk(folder: &Path, depth: usize, found: &mut Found, findings: &mut Findings) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            let what = format!("cannot read the directory: {error}");
            return findings.problem(Check::Memory, what, Some(folder), format!("chmod u+rx {}", quoted(folder)));
        }
    };
    found.folders.push(folder.to_owned());
    let mut entries: Vec<fs::DirEntry> = entries.flatten().take(MOST_ENTRIES - found.entries).collect();
    found.entries += entries.len();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if kind.is_file() && path.extension().is_some_and(|ending| ending == "json") {
            found.documents.push(path);
        } else if kind.is_dir() && !is_hidden && depth < DEEPEST {
            walk(&path, depth + 1, found, findings);
        }
    }
}

/// Reads each file and reports those that are not one JSON value.
pub fn check(documents: &[PathBuf], findings: &mut Findings) {
    let mut valid = 0;
    for path in documents {
        match fs::read(path) {
            Ok(text) => match document::check(&text) {
                Ok(()) => valid += 1,
                Err(error) => {
                    let what =
                        if text.is_empty() { "empty, not JSON".to_owned() } else { format!("not valid JSON, {error}") };
                    findings.problem(Check::Memory, what, Some(path), remedy(path));
                }
            },
            // It existed a moment ago.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let what = format!("cannot be read: {error}");
                findings.problem(Check::Memory, what, Some(path), format!("ls -l {}", quoted(path)));
            }
        }
    }
    if valid > 0 {
        findings.ok(Check::Memory, format!("valid JSON: {valid} of {} files", documents.len()), None);
    }
}

/// The advice: restore the newest valid backup; without one, users have to look.
fn remedy(path: &Path) -> String {
    let backups = replace::backups(path).unwrap_or_default();
    let is_good = |file: &Path| fs::read(file).is_ok_and(|text| document::check(&text).is_ok());
    match backups.iter().find(|backup| is_good(&backup.path)) {
        Some(backup) if backup.number == 1 => format!("atomic-write {} --restore", quoted(path)),
        Some(backup) => format!("atomic-write {} --restore={}", quoted(path), backup.number),
        None => format!("there is no valid backup; correct it by hand: atomic-write {} < FIXED", quoted(path)),
    }
}
