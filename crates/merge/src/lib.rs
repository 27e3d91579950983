//! Three-way merge of JSON documents: a base and two changed versions of it, combined into one document.
//!
//! - **Objects** merge by member, to any depth.
//! - **Arrays of objects with an identity**, a field with a unique scalar value that every element has, merge by element
//!   ([`keyed`]).
//! - **Other arrays** merge as sequences, as diff3(1) merges lines ([`sequence`]).
//! - **Scalars** that both sides changed are a conflict, unless both changed them to the same value, or they are counters.
//!
//! The result keeps the order of theirs; what ours added comes after the neighbour that it follows in ours.
//! A clean result has everything that either side added. Parts that neither side touched keep their text, because values read from a
//! document are slices of it ([`memlatch_jq::value`]).
//!
//! # Limitations
//!
//! Reordering an array does not count as a change: if both sides changed an array, the order of theirs stays.

mod conflict;
mod keyed;
mod path;
mod rules;
mod sequence;

pub use conflict::{Conflict, Kind};
pub use rules::{Decision, Rules, Side};

use memlatch_jq::value::{Map, Value, add, subtract};
use path::{Path, Step};
use std::time::{Duration, Instant};

/// The limit on the time to search for the smallest differences between sequences, for a whole document.
const SEARCH_TIME: Duration = Duration::from_secs(2);

/// The result of a merge.
#[derive(Debug)]
pub struct Merged {
    /// The merged document. In the place of conflicts it has what the rules decide.
    pub value: Value,
    pub conflicts: Vec<Conflict>,
    /// The number of changes of theirs that it contains.
    pub kept: usize,
    /// Whether the search for the smallest differences reached its time limit. The parts that it had not matched by then count as changed, so
    /// there may be conflicts that a longer search would have avoided.
    pub gave_up: bool,
}

/// Merges two changed versions of `base`.
///
/// Values can be deeply nested: call it on a large stack ([`memlatch_jq::filter::on_large_stack`]).
pub fn merge(base: &Value, ours: &Value, theirs: &Value, rules: &Rules) -> Merged {
    let mut merger = Merger {
        rules,
        path: Path::default(),
        conflicts: Vec::new(),
        kept: 0,
        deadline: Instant::now() + SEARCH_TIME,
        gave_up: false,
    };
    let value = merger.values(Some(base), Some(ours), Some(theirs));
    Merged {
        value: value.unwrap_or(Value::Null),
        conflicts: merger.conflicts,
        kept: merger.kept,
        gave_up: merger.gave_up,
    }
}

struct Merger<'a> {
    rules: &'a Rules,
    path: Path,
    conflicts: Vec<Conflict>,
    kept: usize,
    deadline: Instant,
    gave_up: bool,
}

impl Merger<'_> {
    /// Merges the values at one place; `None` stands for no value.
    fn values(&mut self, base: Option<&Value>, ours: Option<&Value>, theirs: Option<&Value>) -> Option<Value> {
        if ours == theirs {
            return theirs.cloned();
        }
        if ours == base {
            self.kept += 1;
            return theirs.cloned();
        }
        if theirs == base {
            return ours.cloned();
        }
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            if let Some(sum) = self.sum(base, ours, theirs) {
                self.kept += 1;
                return Some(sum);
            }
            if let Some(base) = base {
                if let (Some(b), Some(o), Some(t)) = (base.as_object(), ours.as_object(), theirs.as_object()) {
                    return Some(self.objects(b, o, t));
                }
                if let (Some(b), Some(o), Some(t)) = (base.as_array(), ours.as_array(), theirs.as_array()) {
                    return Some(self.arrays(b, o, t));
                }
            }
        }
        let kind = match (base, ours, theirs) {
            (None, ..) => Kind::AddedTwice,
            (_, None, _) | (_, _, None) => Kind::RemovedAndChanged,
            _ => Kind::ChangedTwice,
        };
        self.conflict(kind, base, ours, theirs)
    }

    /// Records a conflict and returns the value that takes its place.
    fn conflict(
        &mut self,
        kind: Kind,
        base: Option<&Value>,
        ours: Option<&Value>,
        theirs: Option<&Value>,
    ) -> Option<Value> {
        let chosen = match self.rules.decision {
            Decision::Prefer(Side::Ours) => return ours.cloned(),
            Decision::Prefer(Side::Theirs) => return theirs.cloned(),
            Decision::Report => theirs.cloned(),
            Decision::Mark => Some(conflict::marked(ours, theirs)),
            Decision::Place(ref word) => Some(Value::from(format!("{word}{}", self.conflicts.len()))),
        };
        let [base, ours, theirs] = [base, ours, theirs].map(|value| value.cloned());
        self.conflicts.push(Conflict { kind, path: self.path.to_string(), base, ours, theirs });
        chosen
    }

    /// The sum of what both sides added to a counter, if the place is declared as one.
    fn sum(&self, base: Option<&Value>, ours: &Value, theirs: &Value) -> Option<Value> {
        let are_numbers = ours.is_number() && theirs.is_number() && base.is_none_or(Value::is_number);
        if !are_numbers || !self.rules.is_sum(&self.path) {
            return None;
        }
        let base = base.cloned().unwrap_or_else(|| Value::from(0_usize));
        let added = subtract(ours.clone(), base).ok()?;
        add(theirs.clone(), added).ok()
    }

    fn objects(&mut self, base: &Map, ours: &Map, theirs: &Map) -> Value {
        let mut frame = Vec::with_capacity(theirs.len());
        for (key, theirs) in theirs.iter() {
            let value = self.member(key, base.get(key), ours.get(key), Some(theirs));
            let is_new = !base.contains_key(key) && !ours.contains_key(key);
            frame.extend(value.map(|value| Placed { id: key.clone(), value, is_new }));
        }
        let mut guests = Vec::new();
        for (key, ours) in ours.iter() {
            let value = match theirs.contains_key(key) {
                true => None,
                false => self.member(key, base.get(key), Some(ours), None),
            };
            guests.push((key.clone(), value));
        }
        let mut merged = Map::with_capacity(frame.len() + guests.len());
        for (key, value) in interleave(frame, guests) {
            merged.insert(key, value);
        }
        Value::object(merged)
    }

    fn member(
        &mut self,
        key: &memlatch_jq::value::Str,
        base: Option<&Value>,
        ours: Option<&Value>,
        theirs: Option<&Value>,
    ) -> Option<Value> {
        self.path.push(Step::Member(key.clone()));
        let value = self.values(base, ours, theirs);
        self.path.pop();
        value
    }

    fn arrays(&mut self, base: &[Value], ours: &[Value], theirs: &[Value]) -> Value {
        match self.rules.key_of(&self.path) {
            Some(field) => self.by_named_key(field, base, ours, theirs),
            None => match keyed::identity(base, ours, theirs) {
                Some(field) => self.by_key(field, base, ours, theirs),
                None => self.sequences(base, ours, theirs),
            },
        }
    }
}

/// A member or element of theirs.
struct Placed<I> {
    id: I,
    value: Value,
    /// Theirs added it: neither base nor ours has it.
    is_new: bool,
}

/// Inserts the members that only ours has, each after the neighbour that it follows in ours, and after what
/// theirs added there.
///
/// `guests` are all members of ours, in their order: those with a value are inserted, the others are neighbours.
fn interleave<I: Eq + std::hash::Hash + Clone>(
    frame: Vec<Placed<I>>,
    guests: Vec<(I, Option<Value>)>,
) -> Vec<(I, Value)> {
    let places: std::collections::HashMap<&I, usize> =
        frame.iter().enumerate().map(|(place, placed)| (&placed.id, place)).collect();
    // The members to insert before the first member of theirs, and after each one.
    let mut after: Vec<Vec<(I, Value)>> = Vec::new();
    after.resize_with(frame.len() + 1, Vec::new);
    let mut anchor = 0;
    for (id, value) in guests {
        match value {
            Some(value) => after[anchor].push((id, value)),
            None => anchor = places.get(&id).map_or(anchor, |place| place + 1),
        }
    }
    let mut after = after.into_iter();
    let mut waiting = after.next().unwrap_or_default();
    let mut merged = Vec::with_capacity(frame.len());
    for (placed, next) in frame.into_iter().zip(after) {
        if !placed.is_new {
            merged.append(&mut waiting);
        }
        merged.push((placed.id, placed.value));
        waiting.extend(next);
    }
    merged.append(&mut waiting);
    merged
}
