//! `memlatch doctor`: looks at everything that locks and writes depend on, and says of each fault how to mend it.
//!
//! It changes nothing; only the test of the kernel's lock makes a file, and removes it. Whether locks exclude between two
//! machines takes both of them ([`two_hosts`]), and what was seen is written down.

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

use super::{Exit, facts::print_json};
use crate::{
    failure::Failure,
    lock::{
        census::{self, Sighting},
        folder::Folder,
    },
    report::{
        Console,
        terminal::{Color, Terminal},
    },
    request::Doctor,
    settings,
};
use memlatch_os::paths::{quoted, shown};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Ok,
    /// Worth knowing; nothing has to be done.
    Note,
    /// Something has to be mended.
    Problem,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Problem => "problem",
        }
    }

    /// The mark of a line, as messages have it.
    fn mark(self) -> (&'static str, Color) {
        match self {
            Level::Ok => ("[OK]", Color::Green),
            Level::Note => ("[INFO]", Color::Blue),
            Level::Problem => ("[ERROR]", Color::Red),
        }
    }
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Environment,
    LockFolder,
    Links,
    Locks,
    Leftovers,
    Memory,
    Sharing,
    Servers,
}

impl Check {
    fn word(self) -> &'static str {
        match self {
            Check::Environment => "environment",
            Check::LockFolder => "lock-folder",
            Check::Links => "links",
            Check::Locks => "locks",
            Check::Leftovers => "leftovers",
            Check::Memory => "memory",
            Check::Sharing => "sharing",
            Check::Servers => "servers",
        }
    }
}

/// One thing that was found.
#[derive(Debug)]
struct Finding {
    check: Check,
    level: Level,
    what: String,
    place: Option<PathBuf>,
    /// What to run, or to do.
    remedy: Option<String>,
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    /// All is well there.
    fn ok(&mut self, check: Check, what: impl Into<String>, place: Option<&Path>) {
        self.add(check, Level::Ok, what.into(), place, None);
    }

    /// Something is worth knowing.
    fn note(&mut self, check: Check, what: impl Into<String>, place: Option<&Path>, remedy: impl Into<String>) {
        self.add(check, Level::Note, what.into(), place, Some(remedy.into()));
    }

    /// Something has to be mended.
    fn problem(&mut self, check: Check, what: impl Into<String>, place: Option<&Path>, remedy: impl Into<String>) {
        self.add(check, Level::Problem, what.into(), place, Some(remedy.into()));
    }

    fn add(&mut self, check: Check, level: Level, what: String, place: Option<&Path>, remedy: Option<String>) {
        self.0.push(Finding { check, level, what, place: place.map(Path::to_owned), remedy });
    }

    fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    /// Whether a check has found anything but what is well.
    fn is_clean(&self, check: Check) -> bool {
        self.0.iter().all(|finding| finding.check != check || finding.level == Level::Ok)
    }
}

/// Looks at everything, and tells.
pub fn run(request: &Doctor, console: &Console) -> Result<Exit, Failure> {
    let findings = examine(&request.paths);
    let problems = findings.count(Level::Problem);
    if request.json {
        console.data(|out| print_json(out, &as_json(&findings)))?;
    } else {
        let terminal = Terminal::on_stdout();
        console.data(|out| print(out, &findings, terminal.as_ref()))?;
    }
    Ok(Exit(u8::from(problems > 0)))
}

fn examine(paths: &[PathBuf]) -> Findings {
    let mut findings = Findings::default();
    environment::check(&mut findings);
    let folder = settings::lock_folder().ok();
    let base = folder.as_deref().and_then(Path::parent);
    if let Some(folder) = &folder {
        lock_folder::check(folder, &mut findings);
    }
    links::check(paths, base, &mut findings);
    let mut found = memory::find(paths, base, &mut findings);
    memory::check(&found.documents, &mut findings);
    if let Some(folder) = folder.as_deref().and_then(|folder| folder.ancestors().find(|above| above.is_dir())) {
        sharing::check(folder, &found.folders, &mut findings);
    }
    servers::check(&mut findings);
    if let Some(folder) = folder.map(Folder::at) {
        found.folders.push(folder.path().to_owned());
        let named =
            sightings(&folder, &mut Findings::default()).into_iter().filter_map(|sighting| sighting.info?.target);
        found.folders.extend(named.filter_map(|target| Some(target.parent()?.to_owned())));
        // Files first, locks after: a writer has its lock before its file, so none at work is taken for a dead one.
        let temporary = leftovers::find(&found.folders);
        let sightings = sightings(&folder, &mut findings);
        locks::check(&sightings, &mut findings);
        leftovers::check(&temporary, &sightings, &mut findings);
    }
    findings
}

/// All locks, those within others too. What cannot be looked at is a finding.
fn sightings(folder: &Folder, findings: &mut Findings) -> Vec<Sighting> {
    let all = match census::look_at_each(folder) {
        Ok(all) => all,
        // The check of the lock folder says what is wrong with it.
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
                findings.problem(Check::Locks, error.to_string(), Some(folder.path()), "look at it, and move it away")
            }
        }
    }
    sightings
}

fn print(out: &mut dyn Write, findings: &Findings, terminal: Option<&Terminal>) -> io::Result<()> {
    for finding in &findings.0 {
        let (mark, color) = finding.level.mark();
        let painted = terminal.map_or_else(|| mark.to_owned(), |terminal| terminal.paint(Some(color), mark));
        write!(out, "{painted} {}", finding.what)?;
        if let Some(place) = &finding.place {
            write!(out, ": {}", shown(place))?;
        }
        writeln!(out)?;
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "  remedy: {remedy}")?;
        }
    }
    let counted = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    match (findings.count(Level::Problem), findings.count(Level::Note)) {
        (0, 0) => writeln!(out, "all is well"),
        (0, notes) => writeln!(out, "all is well, with {}", counted(notes, "note")),
        (problems, 0) => writeln!(out, "{}", counted(problems, "problem")),
        (problems, notes) => writeln!(out, "{}, {}", counted(problems, "problem"), counted(notes, "note")),
    }
}

/// All findings as JSON; `docs/memlatch.md` lists the members.
fn as_json(findings: &Findings) -> Value {
    let all = findings.0.iter().map(|finding| {
        json!({
            "check": finding.check.word(),
            "level": finding.level.word(),
            "what": finding.what,
            "where": finding.place.as_deref().map(shown),
            "remedy": finding.remedy,
        })
    });
    json!({
        "version": 1,
        "ok": findings.count(Level::Problem) == 0,
        "problems": findings.count(Level::Problem),
        "notes": findings.count(Level::Note),
        "findings": all.collect::<Vec<_>>(),
    })
}
