//! `memlatch doctor`: checks everything that locks and writes depend on, and says how to fix each problem.
//!
//! It changes nothing; only the test of the kernel's lock makes a file, and removes it. Whether locks exclude between two
//! machines takes both of them ([`two_hosts`]), and the result is recorded.

mod environment;
mod leftovers;
mod links;
mod lock_folder;
mod locks;
mod memory;
mod self_test;
mod servers;
mod sharing;
mod two_hosts;

pub use self_test::second_process;
pub use two_hosts::run as between_hosts;

use super::Context;
use crate::{
    failure::Failure,
    lock::{
        census::{self, Sighting},
        folder::Folder,
    },
    outcome::{
        Outcome,
        diagnosis::{Check, Diagnosis, Findings},
    },
    request::Doctor,
    settings::Settings,
};
use memlatch_os::paths::quoted;
use std::path::{Path, PathBuf};

/// Runs all checks.
pub fn run(request: &Doctor, context: Context<'_>) -> Result<Outcome, Failure> {
    let findings = examine(&request.paths, context.settings);
    Ok(Outcome::Diagnosis(Diagnosis { findings, as_json: request.json }))
}

fn examine(paths: &[PathBuf], settings: &Settings) -> Findings {
    let mut findings = Findings::default();
    environment::check(settings, &mut findings);
    let folder = settings.lock_folder().ok();
    let base = folder.as_deref().and_then(Path::parent);
    if let Some(folder) = &folder {
        lock_folder::check(folder, settings, &mut findings);
    }
    links::check(paths, base, settings, &mut findings);
    let mut found = memory::find(paths, base, &mut findings);
    memory::check(&found.documents, &mut findings);
    if let Some(folder) = folder.as_deref().and_then(|folder| folder.ancestors().find(|above| above.is_dir())) {
        sharing::check(folder, &found.folders, &mut findings);
    }
    servers::check(settings, &mut findings);
    if let Some(folder) = folder.map(Folder::at) {
        found.folders.push(folder.path().to_owned());
        let named =
            sightings(&folder, &mut Findings::default()).into_iter().filter_map(|sighting| sighting.info?.target);
        found.folders.extend(named.filter_map(|target| Some(target.parent()?.to_owned())));
        // Files first, then locks: a writer takes its lock before it makes its file, so a living writer is not mistaken for a dead one.
        let temporary = leftovers::find(&found.folders);
        let sightings = sightings(&folder, &mut findings);
        locks::check(&sightings, &mut findings);
        leftovers::check(&temporary, &sightings, &mut findings);
    }
    findings
}

/// All locks, including those inside others. A lock that cannot be examined is a finding.
fn sightings(folder: &Folder, findings: &mut Findings) -> Vec<Sighting> {
    let all = match census::look_at_each(folder) {
        Ok(all) => all,
        // The check of the lock directory says what is wrong with it.
        Err(_) => return Vec::new(),
    };
    let mut sightings = Vec::new();
    for sighting in all {
        match sighting {
            Ok(sighting) => {
                let mut next = Some(sighting);
                while let Some(mut sighting) = next {
                    next = sighting.inside.take().map(|inside| *inside);
                    sightings.push(sighting);
                }
            }
            Err(error) => {
                findings.problem(Check::Locks, error.to_string(), Some(folder.path()), "examine it, and move it away")
            }
        }
    }
    sightings
}
