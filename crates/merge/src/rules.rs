//! How to merge where the documents alone do not say it.

use crate::path::{Path, normal};

/// One of the two sides of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Ours,
    Theirs,
}

/// What stands in the place of a conflict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Decision {
    /// The value of theirs; the result is of no use but for looking at the conflicts.
    #[default]
    Report,
    /// That of one side, and it is no conflict any more.
    Prefer(Side),
    /// An object that holds both: `{"_conflict": true, "_value": OURS, "_their_value": THEIRS}`.
    Mark,
    /// A string of this word and the conflict's number, for whoever writes the conflict in a form of their own.
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
    /// The usual rules, with a decision on conflicts.
    pub fn deciding(decision: Decision) -> Self {
        Rules { decision, ..Rules::default() }
    }

    /// Says which field tells apart the elements of the array at a path, such as `.decisions`. Within arrays a path goes
    /// on behind `[]`: `.projects[].sessions`.
    pub fn key(&mut self, path: &str, field: &str) {
        self.keys.push((normal(path), field.to_owned()));
    }

    /// Says that the number at a path is a counter: what both sides added to it is added up.
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
