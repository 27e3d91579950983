//! What both sides made of one place, and cannot both be had.

use memlatch_jq::value::{Map, Value};
use std::fmt;

/// Why two changes cannot both be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ChangedTwice,
    RemovedAndChanged,
    AddedTwice,
    /// Changes of a sequence overlap.
    Overlap,
    /// Two elements of one document have the same value in the field that tells them apart.
    SameKey,
}

impl Kind {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Kind::ChangedTwice => "changed-twice",
            Kind::RemovedAndChanged => "removed-and-changed",
            Kind::AddedTwice => "added-twice",
            Kind::Overlap => "overlap",
            Kind::SameKey => "same-key",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::ChangedTwice => "both changed it, and differently",
            Kind::RemovedAndChanged => "one removed it, and the other changed it",
            Kind::AddedTwice => "both added it, and differently",
            Kind::Overlap => "both changed the same elements",
            Kind::SameKey => "two elements have one identity",
        })
    }
}

/// One place where the sides do not agree.
#[derive(Clone, Debug)]
pub struct Conflict {
    pub kind: Kind,
    /// A path of jq's: `.sessions[] | select(.id == "s3") | .title`.
    pub path: String,
    /// What each has there; of a sequence, the elements as an array.
    pub base: Option<Value>,
    pub ours: Option<Value>,
    pub theirs: Option<Value>,
}

/// Both values in one; a side that has none is left out.
pub fn marked(ours: Option<&Value>, theirs: Option<&Value>) -> Value {
    let mut mark = Map::with_capacity(3);
    mark.insert("_conflict".into(), Value::from(true));
    for (name, value) in [("_value", ours), ("_their_value", theirs)] {
        if let Some(value) = value {
            mark.insert(name.into(), value.clone());
        }
    }
    Value::object(mark)
}
