//! Objects: string keys to values, in the order in which the keys first came.
//!
//! Most objects have a few members, so a vector that is searched from the front is both the
//! smallest and the quickest; beyond that an index is kept beside it. A member that is removed from an indexed object
//! leaves a gap, and gaps are closed when they are as many as the members: removing takes amortised constant time.

use super::{Str, Value};
use std::collections::HashMap;

/// From this many members on, keys are found through an index.
const INDEXED_FROM: usize = 24;

/// A key and its value.
pub type Member = (Str, Value);

/// The members of an object.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// Only a map with an index has gaps.
    slots: Vec<Option<Member>>,
    gaps: usize,
    #[expect(clippy::box_collection, reason = "few objects have one: its place should be small")]
    index: Option<Box<HashMap<Str, u32>>>,
    depth: u32,
}

impl Map {
    pub fn with_capacity(n: usize) -> Self {
        Self { slots: Vec::with_capacity(n), gaps: 0, index: None, depth: 1 }
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.gaps
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more than the deepest member's depth (an upper bound after removals).
    pub fn depth(&self) -> u32 {
        self.depth.max(1)
    }

    /// The members in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Member> + Clone {
        self.slots.iter().flatten()
    }

    /// The first member at or after a place, and the place after it: for iterators that own the map.
    pub(crate) fn member_from(&self, place: usize) -> Option<(&Member, usize)> {
        let slots = self.slots.get(place..)?;
        let (i, member) = slots.iter().enumerate().find_map(|(i, slot)| Some((i, slot.as_ref()?)))?;
        Some((member, place + i + 1))
    }

    /// Where a key is; a member keeps its place until one is removed.
    pub(super) fn place(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).map(|&i| i as usize),
            None => self.iter().position(|(k, _)| k.as_str() == key),
        }
    }

    fn value_at(&mut self, place: usize) -> &mut Value {
        &mut self.slots[place].as_mut().expect("the place of a key is no gap").1
    }

    /// Takes the value at a place out, leaving null.
    pub(super) fn take_at(&mut self, place: usize) -> Value {
        std::mem::take(self.value_at(place))
    }

    pub(super) fn put_at(&mut self, place: usize, value: Value) {
        self.depth = self.depth().max(1 + value.depth());
        *self.value_at(place) = value;
    }

    pub(super) fn remove_at(&mut self, place: usize) {
        let Some(index) = &mut self.index else {
            self.slots.remove(place);
            return;
        };
        if let Some((key, _)) = self.slots[place].take() {
            index.remove(&key);
            self.gaps += 1;
        }
        if self.gaps > self.len() {
            self.slots.retain(Option::is_some);
            self.reindex();
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.place(key).and_then(|i| self.slots[i].as_ref()).map(|member| &member.1)
    }

    pub fn contains_key(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// Takes a member's value out, leaving null in its place.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.place(key).map(|place| self.take_at(place))
    }

    /// Puts a value at a key: in its place if the key is there, else at the end.
    pub fn insert(&mut self, key: Str, value: Value) {
        match self.place(&key) {
            Some(place) => self.put_at(place, value),
            None => {
                self.depth = self.depth().max(1 + value.depth());
                if let Some(index) = &mut self.index {
                    index.insert(key.clone(), self.slots.len() as u32);
                }
                self.slots.push(Some((key, value)));
                if self.index.is_none() && self.slots.len() >= INDEXED_FROM {
                    self.reindex();
                }
            }
        }
    }

    /// Removes a member; the order of the others stays.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let place = self.place(key)?;
        let value = self.take_at(place);
        self.remove_at(place);
        Some(value)
    }

    /// Keeps the members for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.slots.retain(|slot| slot.as_ref().is_some_and(|(k, _)| keep(k)));
        self.reindex();
    }

    /// Rebuilds the index, from slots without gaps.
    fn reindex(&mut self) {
        self.gaps = 0;
        let places = self.iter().enumerate().map(|(i, (k, _))| (k.clone(), i as u32));
        self.index = (self.slots.len() >= INDEXED_FROM).then(|| Box::new(places.collect()));
    }

    /// The members in the order of their keys.
    pub fn sorted(&self) -> Vec<&Member> {
        let mut members: Vec<_> = self.iter().collect();
        members.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        members
    }

    /// Replaces every value by what `f` makes of it; `None` drops the member.
    pub fn update<E>(&mut self, mut f: impl FnMut(Value) -> Result<Option<Value>, E>) -> Result<(), E> {
        let mut depth = 1;
        let mut dropped = false;
        for slot in &mut self.slots {
            let Some((_, value)) = slot else { continue };
            match f(std::mem::take(value))? {
                Some(new) => {
                    depth = depth.max(1 + new.depth());
                    *value = new;
                }
                None => {
                    *slot = None;
                    dropped = true;
                }
            }
        }
        self.depth = depth;
        if dropped {
            self.slots.retain(Option::is_some);
            self.reindex();
        }
        Ok(())
    }

    /// Takes all members out.
    pub fn take_all(&mut self) -> impl Iterator<Item = Member> + use<> {
        self.index = None;
        self.gaps = 0;
        std::mem::take(&mut self.slots).into_iter().flatten()
    }
}

impl IntoIterator for Map {
    type Item = Member;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Option<Member>>>;
    fn into_iter(mut self) -> Self::IntoIter {
        self.index = None;
        std::mem::take(&mut self.slots).into_iter().flatten()
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if self.depth > super::SHALLOW {
            super::dismantle(self.take_all().map(|(_, v)| v).collect());
        }
    }
}
