//! Arrays: a vector that knows how deep its elements are nested.

use super::Value;
use std::ops::Deref;

#[derive(Clone, Debug, Default)]
pub struct Array {
    items: Vec<Value>,
    depth: u32,
}

impl Array {
    /// One more than the deepest element's depth (an upper bound after removals).
    pub fn depth(&self) -> u32 {
        self.depth.max(1)
    }

    pub fn push(&mut self, value: Value) {
        self.depth = self.depth().max(1 + value.depth());
        self.items.push(value);
    }

    /// Puts `value` at `i`, filling with nulls up to there.
    pub fn set(&mut self, i: usize, value: Value) {
        self.depth = self.depth().max(1 + value.depth());
        if i >= self.items.len() {
            self.items.resize(i + 1, Value::Null);
        }
        self.items[i] = value;
    }

    /// Takes the element at `i` out, leaving null in its place.
    pub fn take(&mut self, i: usize) -> Value {
        self.items.get_mut(i).map(std::mem::take).unwrap_or_default()
    }

    pub fn remove(&mut self, i: usize) {
        self.items.remove(i);
    }

    pub fn drain(&mut self, range: std::ops::Range<usize>) {
        self.items.drain(range);
    }

    pub fn append(&mut self, other: &[Value]) {
        other.iter().for_each(|v| self.push(v.clone()));
    }

    /// Puts other elements in the place of a range.
    pub fn splice(&mut self, range: std::ops::Range<usize>, with: &[Value]) {
        for v in with {
            self.depth = self.depth().max(1 + v.depth());
        }
        self.items.splice(range, with.iter().cloned());
    }

    pub fn items_mut(&mut self) -> &mut [Value] {
        &mut self.items
    }

    pub fn into_vec(mut self) -> Vec<Value> {
        std::mem::take(&mut self.items)
    }
}

impl Deref for Array {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        &self.items
    }
}

impl From<Vec<Value>> for Array {
    fn from(items: Vec<Value>) -> Self {
        let depth = 1 + items.iter().map(Value::depth).max().unwrap_or(0);
        Self { items, depth }
    }
}

impl FromIterator<Value> for Array {
    fn from_iter<I: IntoIterator<Item = Value>>(iter: I) -> Self {
        Vec::from_iter(iter).into()
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        if self.depth > super::SHALLOW {
            super::dismantle(std::mem::take(&mut self.items));
        }
    }
}
