//! Functions of strings.

use super::builtin::{Builtin, Outcome, fail, plain, unary};
use super::places::children;
use crate::value::{self, Value};

#[rustfmt::skip]
pub static BUILTINS: &[Builtin] = &[
    unary!("_strindices", string_indices),
    unary!("startswith", |v: Value, part: Value| match (&v, &part) {
        (Value::String(s), Value::String(p)) => Ok(Value::Bool(s.starts_with(p.as_str()))),
        _ => fail("startswith() requires string inputs"),
    }),
    unary!("endswith", |v: Value, part: Value| match (&v, &part) {
        (Value::String(s), Value::String(p)) => Ok(Value::Bool(s.ends_with(p.as_str()))),
        _ => fail("endswith() requires string inputs"),
    }),
    plain!("trim", |v| trim(v, true, true)),
    plain!("ltrim", |v| trim(v, true, false)),
    plain!("rtrim", |v| trim(v, false, true)),
    unary!("ltrimstr", |v, left| trim_text(v, Some(&left), None)),
    unary!("rtrimstr", |v, right| trim_text(v, None, Some(&right))),
    unary!("trimstr", |v, both: Value| trim_text(v, Some(&both), Some(&both))),
    unary!("split", |v: Value, separator: Value| match (&v, &separator) {
        (Value::String(s), Value::String(by)) => Ok(value::split(s, by)),
        _ => fail("split input and separator must be strings"),
    }),
    unary!("join", join),
    plain!("explode", |v: Value| match &v {
        Value::String(s) => Ok(s.chars().map(|c| Value::Number(f64::from(u32::from(c)))).collect()),
        _ => fail("explode input must be a string"),
    }),
    plain!("implode", implode),
    plain!("ascii_downcase", |v: Value| match &v {
        Value::String(s) => Ok(Value::from(s.to_ascii_lowercase())),
        _ => fail("explode input must be a string"),
    }),
    plain!("ascii_upcase", |v: Value| match &v {
        Value::String(s) => Ok(Value::from(s.to_ascii_uppercase())),
        _ => fail("explode input must be a string"),
    }),
];

fn string_indices(v: Value, part: Value) -> Outcome {
    let Value::String(s) = &v else {
        return v.fail_alone("cannot be searched, as it is not a string");
    };
    let Value::String(p) = &part else {
        return part.fail_alone("is not a string");
    };
    if p.is_empty() {
        return Ok(Value::array(Vec::new()));
    }
    // Overlapping places count, in code points.
    let mut places = Vec::new();
    for (n, (i, _)) in s.char_indices().enumerate() {
        if s[i..].starts_with(p.as_str()) {
            places.push(Value::from(n));
        }
    }
    Ok(Value::array(places))
}

fn trim(v: Value, left: bool, right: bool) -> Outcome {
    let Value::String(s) = &v else {
        return fail("trim input must be a string");
    };
    let white = |c: char| {
        matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
            || matches!(
                c,
                '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{2000}'
                    ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
            )
    };
    let mut part: &str = s;
    if left {
        part = part.trim_start_matches(white);
    }
    if right {
        part = part.trim_end_matches(white);
    }
    Ok(Value::String(s.slice(part)))
}

fn implode(v: Value) -> Outcome {
    let Some(items) = v.as_array() else {
        return fail("implode input must be an array");
    };
    let mut text = String::new();
    for item in items.iter() {
        let Some(code) = item.as_f64().filter(|x| !x.is_nan()) else {
            return item.fail_alone("can't be imploded, unicode codepoint needs to be numeric");
        };
        let code = u32::try_from(code as i64).ok().and_then(char::from_u32);
        text.push(code.unwrap_or('\u{fffd}'));
    }
    Ok(Value::from(text))
}

/// The elements as one string; null counts as empty, numbers and booleans as their text.
fn join(v: Value, separator: Value) -> Outcome {
    let mut joined: Option<Value> = None;
    for item in children(v)? {
        let part = match item {
            Value::Null => Value::from(""),
            Value::Bool(_) | Value::Number(_) | Value::Literal(_) => Value::from(item.to_string()),
            other => other,
        };
        let before = match joined {
            None => Value::from(""),
            Some(before) => value::add(before, separator.clone())?,
        };
        joined = Some(value::add(before, part)?);
    }
    Ok(joined.unwrap_or_else(|| Value::from("")))
}

/// The string without what it starts and ends with, where it does.
fn trim_text(v: Value, left: Option<&Value>, right: Option<&Value>) -> Outcome {
    let mut v = v;
    if let Some(left) = left {
        let (Value::String(s), Value::String(part)) = (&v, left) else {
            return fail("startswith() requires string inputs");
        };
        if let Some(rest) = s.strip_prefix(part.as_str()) {
            v = Value::String(s.slice(rest));
        }
    }
    if let Some(right) = right {
        let (Value::String(s), Value::String(part)) = (&v, right) else {
            return fail("endswith() requires string inputs");
        };
        if let Some(rest) = s.strip_suffix(part.as_str()) {
            v = Value::String(s.slice(rest));
        }
    }
    Ok(v)
}
