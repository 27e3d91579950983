//! Conflicts: changes of the two sides to one place that cannot both be kept.

use memlatch_jq::value::{Map, Value};
use std::fmt;

/// Why two changes cannot both be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ChangedTwice,
    RemovedAndChanged,
    AddedTwice,
    /// Changes of a sequence overlap.
    Overlap,
    /// Two elements of one document have the same value in the field that identifies them.
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
            Kind::SameKey => "two elements have the same identity",
        })
    }
}

/// One place with a conflict.
#[derive(Clone, Debug)]
pub struct Conflict {
    pub kind: Kind,
    /// A jq path: `.sessions[] | select(.id == "s3") | .title`.
    pub path: String,
    /// The value in each document; for a sequence, the elements as an array.
    pub base: Option<Value>,
    pub ours: Option<Value>,
    pub theirs: Option<Value>,
}

/// An object with the values of both sides; a side without a value is left out.
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
