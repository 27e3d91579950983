//! Arrays: a range of elements that several values can share.
//!
//! A slice is a view of the same elements, so that loops over `.[1:]` or `.[:-1]` copy nothing. What is changed belongs to
//! one value only: elements that others hold too are copied first. Removing from the front moves the start of the view, and
//! a push takes amortised constant time.

use super::Value;
use std::{ops::Deref, ops::Range, rc::Rc};

/// The elements of an array; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Array {
    shared: Rc<Items>,
    start: usize,
    end: usize,
}

#[derive(Debug, Default)]
struct Items {
    values: Vec<Value>,
    /// how deep the deepest element is nested, or more
    depth: u32,
}

impl Array {
    /// One more than the deepest element's depth (an upper bound after removals).
    pub fn depth(&self) -> u32 {
        1 + self.shared.depth
    }

    /// The elements of a range of this array.
    pub fn view(&self, range: Range<usize>) -> Self {
        if self.depth() > super::SHALLOW {
            // The bound of the whole might be far from the part's.
            return self[range].to_vec().into();
        }
        Self { shared: self.shared.clone(), start: self.start + range.start, end: self.start + range.end }
    }

    /// True if both are the same elements at the same place in memory.
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared) && (self.start, self.end) == (other.start, other.end)
    }

    /// The elements for this value alone, ending where this array ends, and where it starts among them.
    fn own(&mut self) -> (&mut Items, usize) {
        if Rc::get_mut(&mut self.shared).is_none() {
            let items = Items { values: self.to_vec(), depth: self.shared.depth };
            *self = Self { start: 0, end: items.values.len(), shared: Rc::new(items) };
        }
        let items = Rc::get_mut(&mut self.shared).expect("nobody else has them now");
        items.values.truncate(self.end);
        (items, self.start)
    }

    /// Adds an element at the end.
    pub fn push(&mut self, value: Value) {
        let (items, start) = self.own();
        items.depth = items.depth.max(value.depth());
        // What a queue left behind at its front must not grow for ever.
        let wasted = start > items.values.len() / 2;
        if wasted {
            items.values.drain(..start);
        }
        items.values.push(value);
        self.end = self.shared.values.len();
        if wasted {
            self.start = 0;
        }
    }

    /// Puts `value` at `i`, filling with nulls up to there.
    pub fn set(&mut self, i: usize, value: Value) {
        let (items, start) = self.own();
        items.depth = items.depth.max(value.depth());
        let i = start + i;
        if i >= items.values.len() {
            items.values.resize(i + 1, Value::Null);
        }
        items.values[i] = value;
        self.end = self.shared.values.len();
    }

    /// Takes the element at `i` out, leaving null in its place.
    pub fn take(&mut self, i: usize) -> Value {
        self.items_mut().get_mut(i).map(std::mem::take).unwrap_or_default()
    }

    /// Removes a range of elements; at either end of the array only the range itself is touched.
    pub fn remove(&mut self, range: Range<usize>) {
        if range.end == self.len() {
            self.end = self.start + range.start;
            if let Some(items) = Rc::get_mut(&mut self.shared) {
                items.values.truncate(self.end);
            }
        } else if range.start == 0 {
            if let Some(items) = Rc::get_mut(&mut self.shared) {
                items.values[self.start..self.start + range.end].fill(Value::Null);
            }
            self.start += range.end;
        } else {
            let (items, start) = self.own();
            items.values.drain(start + range.start..start + range.end);
            self.end = self.shared.values.len();
        }
    }

    /// Keeps the elements for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut place = 0..;
        let mut kept = std::mem::take(self).into_vec();
        kept.retain(|_| keep(place.next().unwrap_or_default()));
        *self = kept.into();
    }

    /// Adds the elements of another array at the end.
    pub fn append(&mut self, other: &Self) {
        if self.is_empty() {
            *self = other.clone();
            return;
        }
        other.iter().for_each(|v| self.push(v.clone()));
    }

    /// Puts other elements in the place of a range.
    pub fn splice(&mut self, range: Range<usize>, with: &Self) {
        let (items, start) = self.own();
        items.depth = items.depth.max(with.shared.depth);
        items.values.splice(start + range.start..start + range.end, with.iter().cloned());
        self.end = self.shared.values.len();
    }

    /// The elements, to be changed in place; only for changes that nest nothing deeper.
    pub(super) fn items_mut(&mut self) -> &mut [Value] {
        let (items, start) = self.own();
        &mut items.values[start..]
    }

    /// The elements if this is their only owner, including those outside of this view.
    pub(super) fn into_own(mut self) -> Vec<Value> {
        Rc::get_mut(&mut self.shared).map(|items| std::mem::take(&mut items.values)).unwrap_or_default()
    }

    /// The elements, copied only if they have another owner.
    pub fn into_vec(mut self) -> Vec<Value> {
        match Rc::get_mut(&mut self.shared) {
            None => self.to_vec(),
            Some(items) => {
                let mut values = std::mem::take(&mut items.values);
                values.truncate(self.end);
                values.drain(..self.start);
                values
            }
        }
    }
}

impl Deref for Array {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        &self.shared.values[self.start..self.end]
    }
}

impl From<Vec<Value>> for Array {
    fn from(values: Vec<Value>) -> Self {
        let depth = values.iter().map(Value::depth).max().unwrap_or(0);
        Self { start: 0, end: values.len(), shared: Rc::new(Items { values, depth }) }
    }
}

impl FromIterator<Value> for Array {
    fn from_iter<I: IntoIterator<Item = Value>>(iter: I) -> Self {
        Vec::from_iter(iter).into()
    }
}

/// The elements of an array, one after the other.
pub enum Elements {
    Own(std::vec::IntoIter<Value>),
    Shared(Array, usize),
}

impl Iterator for Elements {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        match self {
            Self::Own(values) => values.next(),
            Self::Shared(array, at) => {
                *at += 1;
                array.get(*at - 1).cloned()
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match self {
            Self::Own(values) => values.len(),
            Self::Shared(array, at) => array.len().saturating_sub(*at),
        };
        (left, Some(left))
    }
}

impl IntoIterator for Array {
    type Item = Value;
    type IntoIter = Elements;
    fn into_iter(mut self) -> Elements {
        match Rc::get_mut(&mut self.shared) {
            Some(_) => Elements::Own(self.into_vec().into_iter()),
            None => Elements::Shared(self, 0),
        }
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        if self.depth >= super::SHALLOW {
            super::dismantle(std::mem::take(&mut self.values));
        }
    }
}
