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

/// What a comparison is for: the two differ in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// `==`, `<` and the like: not-a-number is smaller even than itself, and a literal is compared with what was
    /// calculated as a double.
    Operator,
    /// Sorting needs a total order.
    Sorting,
}

/// Compares two values.
pub fn compare(a: &Value, b: &Value, purpose: Purpose) -> Ordering {
    match (a.open(), b.open()) {
        (Value::Number(x), Value::Number(y)) => compare_numbers(*x, *y, purpose),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Literal(a), Value::Literal(b)) => number::compare_literals(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            let pairs = a.iter().zip(b.iter()).map(|(a, b)| compare(a, b, purpose));
            pairs.into_iter().find(|o| o.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => compare_objects(a, b, purpose),
        (Value::Number(x), Value::Literal(text)) => compare_mixed(*x, text, purpose),
        (Value::Literal(text), Value::Number(x)) => compare_mixed(*x, text, purpose).reverse(),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

fn compare_mixed(x: f64, text: &str, purpose: Purpose) -> Ordering {
    match purpose {
        Purpose::Operator => number::compare_with_text(x, text),
        Purpose::Sorting => number::order_with_text(x, text),
    }
}

fn compare_numbers(x: f64, y: f64, purpose: Purpose) -> Ordering {
    match (x.is_nan(), y.is_nan()) {
        (true, true) if purpose == Purpose::Operator => Ordering::Less,
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => x.partial_cmp(&y).expect("neither is not-a-number"),
    }
}

fn compare_objects(a: &Map, b: &Map, purpose: Purpose) -> Ordering {
    let (a, b) = (a.sorted(), b.sorted());
    let keys = a.iter().map(|m| &m.0).cmp(b.iter().map(|m| &m.0));
    let mut values = a.iter().zip(&b).map(|(a, b)| compare(&a.1, &b.1, purpose));
    keys.then_with(|| values.find(|o| o.is_ne()).unwrap_or(Ordering::Equal))
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self.open(), other.open()) {
            (Self::Array(a), Self::Array(b)) => a.len() == b.len() && a.iter().eq(b.iter()),
            (Self::Object(a), Self::Object(b)) => a.len() == b.len() && a.iter().all(|(k, v)| b.get(k) == Some(v)),
            (a, b) => compare(a, b, Purpose::Operator).is_eq(),
        }
    }
}

impl Eq for Value {}

#[expect(clippy::non_canonical_partial_ord_impl, reason = "jq's `<` finds nan < nan")]
impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(compare(self, other, Purpose::Operator))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self, other, Purpose::Sorting)
    }
}
