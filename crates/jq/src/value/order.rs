//! jq's order of values: null, false, true, numbers, strings, arrays, objects.

use super::{Map, Value, number};
use std::cmp::Ordering;

fn rank(v: &Value) -> u8 {
    match v.kind() {
        "null" => 0,
        "boolean" => 1,
        "number" => 3,
        "string" => 4,
        "array" => 5,
        _ => 6,
    }
}

/// Compares two values; `nan_nan` says how not-a-number compares with itself.
///
/// Sorting needs a total order (equal), the operators find it smaller even than itself.
pub fn compare(a: &Value, b: &Value, nan_nan: Ordering) -> Ordering {
    match (a.open(), b.open()) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Literal(a), Value::Literal(b)) => number::compare_texts(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            let pairs = a.iter().zip(b.iter()).map(|(a, b)| compare(a, b, nan_nan));
            pairs.into_iter().find(|o| o.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => compare_objects(a, b, nan_nan),
        (a, b) => match (a.as_f64(), b.as_f64()) {
            (Some(x), Some(y)) => compare_numbers(x, y, nan_nan),
            _ => rank(a).cmp(&rank(b)),
        },
    }
}

fn compare_numbers(x: f64, y: f64, nan_nan: Ordering) -> Ordering {
    match (x.is_nan(), y.is_nan()) {
        (true, true) => nan_nan,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => x.partial_cmp(&y).expect("neither is not-a-number"),
    }
}

fn compare_objects(a: &Map, b: &Map, nan_nan: Ordering) -> Ordering {
    let (a, b) = (a.sorted(), b.sorted());
    let keys = a.iter().map(|m| &m.0).cmp(b.iter().map(|m| &m.0));
    let mut values = a.iter().zip(&b).map(|(a, b)| compare(&a.1, &b.1, nan_nan));
    keys.then_with(|| values.find(|o| o.is_ne()).unwrap_or(Ordering::Equal))
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self.open(), other.open()) {
            (Self::Array(a), Self::Array(b)) => a.len() == b.len() && a.iter().eq(b.iter()),
            (Self::Object(a), Self::Object(b)) => a.len() == b.len() && a.iter().all(|(k, v)| b.get(k) == Some(v)),
            (a, b) => compare(a, b, Ordering::Less).is_eq(),
        }
    }
}

impl Eq for Value {}

#[expect(clippy::non_canonical_partial_ord_impl, reason = "jq's `<` finds nan < nan")]
impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(compare(self, other, Ordering::Less))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self, other, Ordering::Equal)
    }
}
