//! The findings of `memlatch doctor`: what is in order, worth knowing, or in need of fixing.

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
    /// Worth knowing; needs no action.
    Note,
    /// Needs fixing.
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

/// The checks.
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
    /// The command to run, or what to do.
    pub remedy: Option<String>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds a finding that something is in order.
    pub fn ok(&mut self, check: Check, what: impl Into<String>, place: Option<&Path>) {
        self.add(check, Level::Ok, what.into(), place, None);
    }

    /// Something is worth knowing.
    pub fn note(&mut self, check: Check, what: impl Into<String>, place: Option<&Path>, remedy: impl Into<String>) {
        self.add(check, Level::Note, what.into(), place, Some(remedy.into()));
    }

    /// Needs fixing.
    pub fn problem(&mut self, check: Check, what: impl Into<String>, place: Option<&Path>, remedy: impl Into<String>) {
        self.add(check, Level::Problem, what.into(), place, Some(remedy.into()));
    }

    fn add(&mut self, check: Check, level: Level, what: String, place: Option<&Path>, remedy: Option<String>) {
        self.0.push(Finding { check, level, what, place: place.map(Path::to_owned), remedy });
    }

    pub fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    /// Whether a check has found a note or a problem.
    pub fn is_clean(&self, check: Check) -> bool {
        self.0.iter().all(|finding| finding.check != check || finding.level == Level::Ok)
    }
}
