//! Memory files that are not valid JSON.

use super::{Check, Findings, quoted};
use crate::{document, replace};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Entries of folders that are looked at, and folders within folders: a wrong folder is not to cost an afternoon.
const MOST_ENTRIES: usize = 100_000;
const DEEPEST: usize = 32;

/// What is to be looked at.
#[derive(Default)]
pub struct Found {
    pub documents: Vec<PathBuf>,
    /// Where temporary files may lie.
    pub folders: Vec<PathBuf>,
    entries: usize,
}

/// The files that are named, and the `*.json` files in the folders that are named: by default in `memory`, below the
/// base folder.
///
/// Links are not followed, so it never leaves a folder; and folders whose names begin with a dot are left out.
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
                    format!("cannot look at it: {error}"),
                    Some(path),
                    "name a file or a folder",
                );
            }
        }
    }
    if let (true, Some(memory)) = (paths.is_empty(), base.map(|base| base.join("memory"))) {
        match fs::metadata(&memory) {
            Ok(facts) if facts.is_dir() => walk(&memory, 0, &mut found, findings),
            Ok(_) => findings.problem(Check::Memory, "not a folder", Some(&memory), "move it away"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => findings.note(
                Check::Memory,
                "no folder of memory files",
                Some(&memory),
                "name your memory files, or their folder: memlatch doctor DIR",
            ),
            Err(error) => {
                findings.problem(
                    Check::Memory,
                    format!("cannot look at it: {error}"),
                    Some(&memory),
                    format!("ls -ld {}", quoted(&memory)),
                );
            }
        }
    }
    if found.entries >= MOST_ENTRIES {
        let what = format!("only the first {MOST_ENTRIES} entries were looked at");
        findings.note(Check::Memory, what, None, "name the folder of the memory files alone");
    }
    found
}

fn walk(folder: &Path, depth: usize, found: &mut Found, findings: &mut Findings) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            let what = format!("cannot read the folder: {error}");
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

/// Reads each file and tells of those that are not one JSON value.
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
            // It was there a moment ago.
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

/// The newest good backup goes back; without one, people have to look.
fn remedy(path: &Path) -> String {
    let backups = replace::backups(path).unwrap_or_default();
    let is_good = |file: &Path| fs::read(file).is_ok_and(|text| document::check(&text).is_ok());
    match backups.iter().find(|backup| is_good(&backup.path)) {
        Some(backup) if backup.number == 1 => format!("atomic-write {} --restore", quoted(path)),
        Some(backup) => format!("atomic-write {} --restore={}", quoted(path), backup.number),
        None => format!("there is no good backup; put it right by hand: atomic-write {} < FIXED", quoted(path)),
    }
}
