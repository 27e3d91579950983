//! What `memlatch doctor` has found: one finding for each thing that is well, worth knowing, or to be mended.

use std::path::{Path, PathBuf};

/// All that was found.
pub struct Diagnosis {
    pub findings: Findings,
    pub as_json: bool,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Ok,
    /// Worth knowing; nothing has to be done.
    Note,
    /// Something has to be mended.
    Problem,
}

impl Level {
    pub fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Problem => "problem",
        }
    }
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
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
    pub fn word(self) -> &'static str {
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
pub struct Finding {
    pub check: Check,
    pub level: Level,
    pub what: String,
    pub place: Option<PathBuf>,
    /// What to run, or to do.
    pub remedy: Option<String>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// All is well there.
    pub fn ok(&mut self, check: Check, what: impl Into<String>, place: Option<&Path>) {
        self.add(check, Level::Ok, what.into(), place, None);
    }

    /// Something is worth knowing.
    pub fn note(&mut self, check: Check, what: impl Into<String>, place: Option<&Path>, remedy: impl Into<String>) {
        self.add(check, Level::Note, what.into(), place, Some(remedy.into()));
    }

    /// Something has to be mended.
    pub fn problem(&mut self, check: Check, what: impl Into<String>, place: Option<&Path>, remedy: impl Into<String>) {
        self.add(check, Level::Problem, what.into(), place, Some(remedy.into()));
    }

    fn add(&mut self, check: Check, level: Level, what: String, place: Option<&Path>, remedy: Option<String>) {
        self.0.push(Finding { check, level, what, place: place.map(Path::to_owned), remedy });
    }

    pub fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    /// Whether a check has found anything but what is well.
    pub fn is_clean(&self, check: Check) -> bool {
        self.0.iter().all(|finding| finding.check != check || finding.level == Level::Ok)
    }
}
