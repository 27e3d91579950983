//! Temporary files that writers left when they were killed.

use super::{Check, Findings, quoted};
use crate::{lock::census::Sighting, process, replace};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// A temporary file, and the word that names its writer's hold.
pub struct Temporary {
    path: PathBuf,
    token: String,
}

/// Lists the temporary files in some directories, not in those below.
pub fn find(folders: &[PathBuf]) -> Vec<Temporary> {
    let folders: BTreeSet<PathBuf> = folders.iter().filter_map(|folder| fs::canonicalize(folder).ok()).collect();
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut found: Vec<Temporary> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| Some(Temporary { token: replace::token_in(&entry.file_name())?, path: entry.path() }))
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Reports those whose writers are gone. The locks in `sightings` were read after the files were listed.
pub fn check(files: &[Temporary], sightings: &[Sighting], findings: &mut Findings) {
    for file in files {
        let hold = sightings.iter().find(|sighting| token_of(sighting) == Some(&file.token));
        match hold {
            Some(hold) if hold.is_held() => {}
            Some(_) => findings.note(
                Check::Leftovers,
                "the temporary file of a writer that died; the next writer removes it",
                Some(&file.path),
                "file-lock cleanup",
            ),
            // A writer that needs no lock, or one with another lock directory, may be at work; and one that was may be done.
            None if is_running(&file.token) || !is_old(&file.path) => {}
            None => findings.problem(
                Check::Leftovers,
                "a temporary file whose writer is gone, and that no lock mentions",
                Some(&file.path),
                format!("rm {}", quoted(&file.path)),
            ),
        }
    }
    if findings.is_clean(Check::Leftovers) {
        findings.ok(Check::Leftovers, "no temporary files are left", None);
    }
}

fn token_of(sighting: &Sighting) -> Option<&String> {
    sighting.info.as_ref()?.token.as_ref()
}

/// A token begins with its maker's PID.
fn is_running(token: &str) -> bool {
    let pid = token.split('-').next().and_then(|pid| process::Pid::from_str_radix(pid, 16).ok());
    pid.is_some_and(process::exists)
}

/// A write takes seconds. One from another container, whose processes cannot be seen from here, may be at work on a file
/// that is younger than this.
const OLD: Duration = Duration::from_secs(60 * 60);

fn is_old(path: &Path) -> bool {
    let changed = fs::symlink_metadata(path).and_then(|facts| facts.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age >= OLD))
}
