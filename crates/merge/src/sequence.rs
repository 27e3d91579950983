//! Arrays as sequences, merged as diff3(1) merges lines (Khanna, Kunal and Pierce, "A Formal Investigation of Diff3", 2007).

use crate::{Kind, Merger, path::Step};
use memlatch_jq::value::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};
use std::{collections::BTreeMap, ops::Range, time::Instant};

/// Elements represented by numbers: equal elements have equal numbers.
type Tokens = Vec<u32>;

/// Corresponding parts of the three arrays.
#[derive(Clone)]
struct Region {
    base: Range<usize>,
    ours: Range<usize>,
    theirs: Range<usize>,
}

impl Merger<'_> {
    pub(crate) fn sequences(&mut self, base: &[Value], ours: &[Value], theirs: &[Value]) -> Value {
        let [b, o, t] = tokens([base, ours, theirs]);
        let (in_ours, in_theirs) = (self.matches(&b, &o), self.matches(&b, &t));
        let mut merged = Vec::with_capacity(theirs.len());
        let mut begun = Region { base: 0..0, ours: 0..0, theirs: 0..0 };
        let stable = (0..b.len()).filter_map(|place| Some((place, in_ours[place]?, in_theirs[place]?)));
        for (place, in_ours, in_theirs) in stable.chain([(b.len(), o.len(), t.len())]) {
            let region = Region {
                base: begun.base.end..place,
                ours: begun.ours.end..in_ours,
                theirs: begun.theirs.end..in_theirs,
            };
            self.region(&region, [base, ours, theirs], [&b, &o, &t], &mut merged);
            merged.extend(theirs.get(in_theirs).cloned());
            begun = Region { base: 0..place + 1, ours: 0..in_ours + 1, theirs: 0..in_theirs + 1 };
        }
        Value::array(merged)
    }

    /// The index in `new` of each element of `old`.
    fn matches(&mut self, old: &Tokens, new: &Tokens) -> Vec<Option<usize>> {
        let mut places = vec![None; old.len()];
        for operation in capture_diff_slices_deadline(Algorithm::Myers, old, new, Some(self.deadline)) {
            if let DiffOp::Equal { old_index, new_index, len } = operation {
                for step in 0..len {
                    places[old_index + step] = Some(new_index + step);
                }
            }
        }
        self.gave_up |= Instant::now() >= self.deadline;
        places
    }

    /// Merges the parts between two elements that all three arrays have.
    fn region(&mut self, region: &Region, values: [&[Value]; 3], tokens: [&Tokens; 3], merged: &mut Vec<Value>) {
        let Region { base, ours, theirs } = region.clone();
        let [b, o, t] = [&tokens[0][base.clone()], &tokens[1][ours.clone()], &tokens[2][theirs.clone()]];
        if o == t || o == b {
            self.kept += usize::from(o != t) * t.len().max(1);
            merged.extend_from_slice(&values[2][theirs]);
        } else if t == b {
            merged.extend_from_slice(&values[1][ours]);
        } else if b.is_empty() {
            // Both sides added here: theirs comes first, then ours; what both added comes once.
            self.kept += t.len();
            merged.extend_from_slice(&values[2][theirs]);
            let mut twice: BTreeMap<u32, usize> = BTreeMap::new();
            t.iter().for_each(|token| *twice.entry(*token).or_default() += 1);
            for (place, token) in ours.zip(o) {
                match twice.get_mut(token) {
                    Some(count) if *count > 0 => *count -= 1,
                    _ => merged.push(values[1][place].clone()),
                }
            }
        } else {
            let part = |array: &[Value], range: &Range<usize>| Value::array(array[range.clone()].to_vec());
            let [b, o, t] = [part(values[0], &base), part(values[1], &ours), part(values[2], &theirs)];
            self.path.push(Step::Slice(base));
            let chosen = self.conflict(Kind::Overlap, Some(&b), Some(&o), Some(&t));
            self.path.pop();
            match chosen {
                // The elements of one side.
                Some(Value::Array(elements)) => merged.extend(elements.iter().cloned()),
                // One mark or placeholder for all elements.
                other => merged.extend(other),
            }
        }
    }
}

#[expect(
    clippy::mutable_key_type,
    reason = "parsing a slice inside a value changes neither its order nor its equality"
)]
fn tokens(arrays: [&[Value]; 3]) -> [Tokens; 3] {
    let mut known: BTreeMap<&Value, u32> = BTreeMap::new();
    arrays.map(|array| {
        let token = |value| {
            let next = u32::try_from(known.len()).expect("a document has fewer elements");
            *known.entry(value).or_insert(next)
        };
        array.iter().map(token).collect()
    })
}
