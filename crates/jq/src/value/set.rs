//! Whether a value is among many, as `==` compares: by a hash, so that it does not cost as much as they are.

use super::{Purpose, Value, compare};
use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
};

/// The elements of an array, to be looked up.
pub struct Set<'a> {
    items: &'a [Value],
    hashes: RandomState,
    /// Where the elements of each hash are; none for arrays that are searched faster from the front.
    places: Option<HashMap<u64, Vec<usize>>>,
}

/// Up to this many elements are compared one by one.
const FEW: usize = 8;

impl<'a> Set<'a> {
    pub fn new(items: &'a [Value]) -> Self {
        let hashes = RandomState::new();
        let places = (items.len() > FEW).then(|| {
            let mut places: HashMap<u64, Vec<usize>> = HashMap::with_capacity(items.len());
            // What is not equal to itself is never found.
            let sought = |item: &Value| compare(item, item, Purpose::Operator).is_eq();
            for (i, item) in items.iter().enumerate().filter(|(_, item)| sought(item)) {
                let same = places.entry(hash(item, &hashes)).or_default();
                // One of several equal elements will do.
                if !same.iter().any(|&known| items[known] == *item) {
                    same.push(i);
                }
            }
            places
        });
        Self { items, hashes, places }
    }

    pub fn contains(&self, value: &Value) -> bool {
        match &self.places {
            None => self.items.contains(value),
            Some(places) => {
                let same = places.get(&hash(value, &self.hashes));
                same.is_some_and(|same| same.iter().any(|&i| self.items[i] == *value))
            }
        }
    }
}

/// A hash that is the same for values that are equal: of numbers that of their doubles, of objects whatever their order.
fn hash(value: &Value, hashes: &RandomState) -> u64 {
    let mut hasher = hashes.build_hasher();
    match value.open() {
        Value::Null => 0u8.hash(&mut hasher),
        Value::Bool(b) => b.hash(&mut hasher),
        Value::String(s) => s.hash(&mut hasher),
        Value::Array(a) => a.iter().for_each(|v| hash(v, hashes).hash(&mut hasher)),
        Value::Object(o) => {
            let member = |(k, v): &(_, Value)| hashes.hash_one((k, hash(v, hashes)));
            o.iter().fold(o.len() as u64, |sum, m| sum.wrapping_add(member(m))).hash(&mut hasher);
        }
        // Both zeros are one.
        number => (number.as_f64().unwrap_or_default() + 0.0).to_bits().hash(&mut hasher),
    }
    hasher.finish()
}
