//! Whether a value is among many, as `==` compares: by a hash, so that it does not cost as much as they are.

use super::{Purpose, Value, compare};
use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState},
};

/// The elements of an array, to be looked up.
pub struct Set<'a> {
    items: &'a [Value],
    hashes: RandomState,
    /// None for arrays that are searched faster from the front.
    places: Option<Places>,
}

/// Where the elements of each hash are.
struct Places {
    last: HashMap<u64, usize, BuildHasherDefault<AsItIs>>,
    /// For each element the one before it with the same hash.
    before: Vec<Option<usize>>,
}

impl Places {
    fn of(&self, hash: u64) -> impl Iterator<Item = usize> {
        std::iter::successors(self.last.get(&hash).copied(), |&i| self.before[i])
    }
}

/// Up to this many elements are compared one by one.
const FEW: usize = 8;

impl<'a> Set<'a> {
    pub fn new(items: &'a [Value]) -> Self {
        let hashes = RandomState::new();
        let places = (items.len() > FEW).then(|| {
            let last = HashMap::with_capacity_and_hasher(items.len(), BuildHasherDefault::default());
            let mut places = Places { last, before: vec![None; items.len()] };
            for (i, item) in items.iter().enumerate() {
                let hash = hash(item, &hashes);
                // One of several equal elements will do, and what is not equal to itself is never found.
                let found =
                    compare(item, item, Purpose::Operator).is_ne() || places.of(hash).any(|j| items[j] == *item);
                if !found {
                    places.before[i] = places.last.insert(hash, i);
                }
            }
            places
        });
        Self { items, hashes, places }
    }

    pub fn contains(&self, value: &Value) -> bool {
        match &self.places {
            None => self.items.contains(value),
            Some(places) => places.of(hash(value, &self.hashes)).any(|i| self.items[i] == *value),
        }
    }
}

/// A hash that is the same for values that are equal: of numbers that of their doubles, of objects whatever their order.
fn hash(value: &Value, hashes: &RandomState) -> u64 {
    match value.open() {
        Value::Null => hashes.hash_one(0u8),
        Value::Bool(b) => hashes.hash_one(b),
        Value::String(s) => hashes.hash_one(s),
        Value::Array(a) => {
            let mut hasher = hashes.build_hasher();
            a.iter().for_each(|v| hash(v, hashes).hash(&mut hasher));
            hasher.finish()
        }
        Value::Object(o) => {
            let member = |(k, v): &(_, Value)| hashes.hash_one((k, hash(v, hashes)));
            o.iter().fold(o.len() as u64, |sum, m| sum.wrapping_add(member(m)))
        }
        // Both zeros are one.
        number => hashes.hash_one((number.as_f64().unwrap_or_default() + 0.0).to_bits()),
    }
}

/// The hasher of what is a hash already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are looked up")
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
