//! Literals of a program as values.

use crate::document::lenient;
use crate::value::Value;
use std::cell::RefCell;

/// A constant from its JSON text; jaq-core hands over only number literals, our parser any text.
pub fn constant(text: &str) -> Value {
    match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if text.starts_with('{') => lenient::parse_many(text).ok().and_then(|mut v| v.pop()).unwrap_or_default(),
        _ => lenient::number(text).unwrap_or(Value::Number(f64::NAN)),
    }
}

/// As [`constant`], for constants that are evaluated again and again: jaq-core keeps their text.
pub fn known_constant(text: &str) -> Value {
    type Known = (Box<str>, Value);
    thread_local! {
        static KNOWN: RefCell<Vec<Option<Known>>> = const { RefCell::new(Vec::new()) };
    }
    const SLOTS: usize = 64;
    let mix = |h: usize, b: &u8| h.wrapping_mul(31).wrapping_add(*b as usize);
    let slot = text.as_bytes().iter().take(16).fold(text.len(), mix) % SLOTS;
    KNOWN.with_borrow_mut(|known| {
        known.resize(SLOTS, None);
        match &known[slot] {
            Some((t, value)) if **t == *text => value.clone(),
            _ => {
                let value = constant(text);
                known[slot] = Some((text.into(), value.clone()));
                value
            }
        }
    })
}
