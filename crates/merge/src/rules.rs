//! Rules for what the documents alone do not decide.

use crate::path::{Path, normal};

/// One of the two sides of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Ours,
    Theirs,
}

/// What the result has in the place of a conflict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Decision {
    /// The value of theirs. The result is not meant to be used, only its conflicts are.
    #[default]
    Report,
    /// The value of one side; this resolves the conflict.
    Prefer(Side),
    /// An object with both values: `{"_conflict": true, "_value": OURS, "_their_value": THEIRS}`.
    Mark,
    /// A string of this word and the number of the conflict, as a placeholder for the caller to replace.
    Place(String),
}

/// The rules of one merge.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    keys: Vec<(String, String)>,
    sums: Vec<String>,
    pub decision: Decision,
}

impl Rules {
    /// The default rules with this decision on conflicts.
    pub fn deciding(decision: Decision) -> Self {
        Rules { decision, ..Rules::default() }
    }

    /// Declares the field that identifies the elements of the array at a path, such as `.decisions`. Inside an array the path
    /// continues after `[]`: `.projects[].sessions`.
    pub fn key(&mut self, path: &str, field: &str) {
        self.keys.push((normal(path), field.to_owned()));
    }

    /// Declares the number at a path to be a counter: what both sides added to it is added up.
    pub fn sum(&mut self, path: &str) {
        self.sums.push(normal(path));
    }

    pub(crate) fn key_of(&self, path: &Path) -> Option<&str> {
        if self.keys.is_empty() {
            return None;
        }
        let place = path.place();
        self.keys.iter().find(|(path, _)| *path == place).map(|(_, field)| field.as_str())
    }

    pub(crate) fn is_sum(&self, path: &Path) -> bool {
        !self.sums.is_empty() && self.sums.contains(&path.place())
    }
}
