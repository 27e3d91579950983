//! Objects: string keys to values, in the order in which the keys first came.
//!
//! Most objects have a few members, so a vector that is searched from the front is both the
//! smallest and the quickest; beyond that an index is kept beside it.

use super::{Str, Value};
use std::collections::HashMap;

/// From this many members on, keys are found through an index.
const INDEXED_FROM: usize = 24;

#[derive(Clone, Debug, Default)]
pub struct Map {
    members: Vec<(Str, Value)>,
    #[expect(clippy::box_collection, reason = "few objects have one: its place should be small")]
    index: Option<Box<HashMap<Str, u32>>>,
    depth: u32,
}

impl Map {
    pub fn with_capacity(n: usize) -> Self {
        Self { members: Vec::with_capacity(n), index: None, depth: 1 }
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// One more than the deepest member's depth.
    pub fn depth(&self) -> u32 {
        self.depth.max(1)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, (Str, Value)> {
        self.members.iter()
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).map(|&i| i as usize),
            None => self.members.iter().position(|(k, _)| k.as_str() == key),
        }
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.position(key).map(|i| &self.members[i].1)
    }

    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// Takes a member's value out, leaving null in its place.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        let i = self.position(key)?;
        Some(std::mem::take(&mut self.members[i].1))
    }

    pub fn insert(&mut self, key: Str, value: Value) {
        self.depth = self.depth().max(1 + value.depth());
        match self.position(&key) {
            Some(i) => self.members[i].1 = value,
            None => {
                if let Some(index) = &mut self.index {
                    index.insert(key.clone(), self.members.len() as u32);
                }
                self.members.push((key, value));
                if self.index.is_none() && self.members.len() >= INDEXED_FROM {
                    self.reindex();
                }
            }
        }
    }

    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let i = self.position(key)?;
        let (_, value) = self.members.remove(i);
        if self.index.is_some() {
            self.reindex();
        }
        Some(value)
    }

    /// Keeps the members for which `keep` is true.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.members.retain(|(k, _)| keep(k));
        if self.index.is_some() {
            self.reindex();
        }
    }

    fn reindex(&mut self) {
        let places = self.members.iter().enumerate();
        self.index = Some(Box::new(places.map(|(i, (k, _))| (k.clone(), i as u32)).collect()));
    }

    /// The members in the order of their keys.
    pub fn sorted(&self) -> Vec<&(Str, Value)> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        members
    }

    /// Replaces every value by what `f` makes of it; `None` drops the member.
    pub fn update<E>(&mut self, mut f: impl FnMut(Value) -> Result<Option<Value>, E>) -> Result<(), E> {
        let mut kept = Vec::with_capacity(self.members.len());
        let mut depth = 1;
        for (k, v) in std::mem::take(&mut self.members) {
            if let Some(v) = f(v)? {
                depth = depth.max(1 + v.depth());
                kept.push((k, v));
            }
        }
        self.depth = depth;
        self.members = kept;
        if self.index.is_some() {
            self.reindex();
        }
        Ok(())
    }

    /// Takes all members out.
    pub fn take_all(&mut self) -> Vec<(Str, Value)> {
        self.index = None;
        std::mem::take(&mut self.members)
    }
}

impl IntoIterator for Map {
    type Item = (Str, Value);
    type IntoIter = std::vec::IntoIter<(Str, Value)>;
    fn into_iter(mut self) -> Self::IntoIter {
        self.take_all().into_iter()
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if self.depth > super::SHALLOW {
            super::dismantle(self.take_all().into_iter().map(|(_, v)| v).collect());
        }
    }
}
