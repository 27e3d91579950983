//! The places in a value: what is in it, what a key names, and a new value in its place.

use crate::value::{self, Failure, Key, Map, Str, Value};
use std::rc::Rc;

pub fn not_iterable(value: &Value) -> Failure {
    Value::from(format!("Cannot iterate over {}", value.described()))
}

/// The members of an object, one after the other.
struct Members(Rc<Map>, usize);

impl Iterator for Members {
    type Item = (Str, Value);
    fn next(&mut self) -> Option<(Str, Value)> {
        let (member, next) = self.0.member_from(self.1)?;
        self.1 = next;
        Some(member.clone())
    }
}

/// The children of a value with their indices or keys; the value itself if it can have none.
pub fn elements(value: Value) -> Result<Box<dyn Iterator<Item = (Value, Value)>>, Value> {
    match value.opened() {
        Value::Array(a) => Ok(Box::new(a.into_iter().enumerate().map(|(i, v)| (Value::from(i), v)))),
        Value::Object(o) => Ok(Box::new(Members(o, 0).map(|(k, v)| (Value::String(k), v)))),
        other => Err(other),
    }
}

/// The children of a value.
pub fn children(value: Value) -> Result<Box<dyn Iterator<Item = Value>>, Failure> {
    match value.opened() {
        Value::Array(a) => Ok(Box::new(a.into_iter())),
        Value::Object(o) => Ok(Box::new(Members(o, 0).map(|(_, v)| v))),
        other => Err(not_iterable(&other)),
    }
}

/// How the value can be indexed with the key, if at all.
fn key_for<'k>(value: &Value, key: &'k Value, bounds: &'k mut (Option<Value>, Option<Value>)) -> Option<Key<'k>> {
    match (value.open(), key.open()) {
        (Value::Object(_) | Value::Null, Value::String(k)) => Some(Key::Field(k)),
        (Value::Array(_) | Value::Null, Value::Number(_) | Value::Literal(_)) => {
            Some(Key::Index(key.as_f64().unwrap_or(f64::NAN)))
        }
        (Value::Array(_) | Value::Null, Value::Object(_)) => {
            *bounds = value::slice_bounds(key);
            Some(Key::Slice(bounds.0.as_ref(), bounds.1.as_ref()))
        }
        _ => None,
    }
}

/// Replaces what `key` names; the error is the one that reading it would give.
pub fn update_at<E: From<Failure>>(
    value: Value,
    key: &Value,
    f: impl FnOnce(Value) -> Result<Option<Value>, E>,
) -> Result<Value, E> {
    let mut bounds = (None, None);
    match key_for(&value, key, &mut bounds) {
        Some(key) => value.update(&key, f),
        None => match (value.open(), key.open()) {
            (Value::String(_), Value::Object(_)) => {
                f(value.get(key)?)?;
                Err(Value::from("Cannot update string slices").into())
            }
            (Value::Array(_), Value::Array(_)) => {
                Err(Value::from("Cannot update field at array index of array").into())
            }
            _ => match value.get(key) {
                Err(failure) => Err(failure.into()),
                Ok(_) => {
                    let text = format!("Cannot update field at {} index of {}", key.kind(), value.kind());
                    Err(Value::from(text).into())
                }
            },
        },
    }
}

/// Replaces what is at the end of a path.
pub fn set_path<E: From<Failure>>(
    value: Value,
    path: &[Value],
    f: impl FnOnce(Value) -> Result<Value, E>,
) -> Result<Value, E> {
    // The closure's type would grow with every level of the recursion.
    let mut f = Some(f);
    set_path_dyn(value, path, &mut |old| f.take().expect("called once, at the end")(old))
}

fn set_path_dyn<E: From<Failure>>(
    value: Value,
    path: &[Value],
    f: &mut dyn FnMut(Value) -> Result<Value, E>,
) -> Result<Value, E> {
    match path {
        [] => f(value),
        [key, rest @ ..] => update_at(value, key, |old| set_path_dyn(old, rest, f).map(Some)),
    }
}
