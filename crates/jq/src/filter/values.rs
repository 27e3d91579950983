//! Functions of values of any kind: their length, keys and contents, and what they are converted to.

use super::builtin::{Builtin, Outcome, Param, fail, give, one, plain, unary};
use super::engine::{Cv, Outputs};
use super::places::children;
use crate::document::{lenient, to_text};
use crate::value::{self, Failure, MAX_DEPTH, Map, Value};
use jaq_core::box_iter::box_once;
use std::rc::Rc;

#[rustfmt::skip]
pub static BUILTINS: &[Builtin] = &[
    LENGTH,
    plain!("utf8bytelength", |v: Value| match &v {
        Value::String(s) => Ok(Value::from(s.len())),
        other => other.fail_alone("only strings have UTF-8 byte length"),
    }),
    plain!("type", |v: Value| Ok(Value::from(v.kind()))),
    plain!("keys", |v| keys(v, true)),
    plain!("keys_unsorted", |v| keys(v, false)),
    unary!("has", has),
    // To jq, true and false are of two kinds.
    unary!("contains", |v: Value, part: Value| match (v.open(), part.open()) {
        (Value::Bool(x), Value::Bool(y)) if x != y => v.fail_pair(&part, "cannot have their containment checked"),
        _ if v.kind() == part.kind() => contains(&v, &part).map(Value::Bool),
        _ => v.fail_pair(&part, "cannot have their containment checked"),
    }),
    one("add", &[Param::Filter], sum),
    plain!("tostring", |v: Value| Ok(jaq_core::ValT::into_string(v))),
    plain!("tojson", |v: Value| Ok(Value::from(to_text(&v)))),
    plain!("fromjson", from_json),
    plain!("tonumber", to_number),
    plain!("toboolean", |v: Value| match v.as_str() {
        Some("true") => Ok(Value::Bool(true)),
        Some("false") => Ok(Value::Bool(false)),
        _ if matches!(v, Value::Bool(_)) => Ok(v),
        _ => v.fail_alone("cannot be parsed as a boolean"),
    }),
    one("map_children", &[Param::Filter], map_children).internal(),
    unary!("flatten_to", |v: Value, depth: Value| {
        let mut flat = Vec::new();
        flatten(&v, &depth, &mut flat)?;
        Ok(Value::array(flat))
    }).internal(),
    plain!("reverse_array", |v: Value| {
        let mut items = v.into_items()?;
        items.reverse();
        Ok(Value::array(items))
    }).internal(),
    plain!("from_entries", from_entries),
    INFINITE,
    NAN,
    plain!("have_decnum", |_| Ok(Value::Bool(true))),
    plain!("have_literal_numbers", |_| Ok(Value::Bool(true))),
];

fn sum(mut cv: Cv<'_>) -> Outputs<'_> {
    let (f, ctx) = cv.0.pop_fun();
    let mut total = Value::Null;
    for output in f.run((ctx, cv.1)) {
        total = match output {
            Err(e) => return box_once(Err(e)),
            Ok(v) => match value::add(total, v) {
                Ok(total) => total,
                Err(failure) => return give(Err(failure)),
            },
        };
    }
    give(Ok(total))
}

pub const LENGTH: Builtin = plain!("length", length);

pub const INFINITE: Builtin = plain!("infinite", |_| Ok(Value::Number(f64::INFINITY)));

pub const NAN: Builtin = plain!("nan", |_| Ok(Value::Number(f64::NAN)));

/// `.[] |= f` of arrays and objects, everything else as it is: one step of `walk`.
fn map_children(mut cv: Cv<'_>) -> Outputs<'_> {
    let (f, ctx) = cv.0.pop_fun();
    let run = |v| f.run((ctx.clone(), v));
    box_once((|| match cv.1.opened() {
        Value::Array(a) => {
            let mut out = Vec::with_capacity(a.len());
            for v in a {
                for output in run(v) {
                    out.push(output?);
                }
            }
            Ok(Value::array(out))
        }
        Value::Object(mut o) => {
            Rc::make_mut(&mut o).update(|v| run(v).next().transpose())?;
            Ok(Value::Object(o))
        }
        other => Ok(other),
    })())
}

pub fn length(v: Value) -> Outcome {
    Ok(match v.open() {
        Value::Null => Value::Number(0.0),
        Value::String(s) => Value::from(s.char_count()),
        Value::Array(a) => Value::from(a.len()),
        Value::Object(o) => Value::from(o.len()),
        Value::Number(x) => Value::Number(x.abs()),
        Value::Literal(text) if text.starts_with('-') => return value::negate(v),
        Value::Literal(_) => return Ok(v),
        other => return other.fail_alone("has no length"),
    })
}

fn keys(v: Value, sorted: bool) -> Outcome {
    match v.open() {
        Value::Object(o) if sorted => Ok(o.sorted().into_iter().map(|(k, _)| Value::String(k.clone())).collect()),
        Value::Object(o) => Ok(o.iter().map(|(k, _)| Value::String(k.clone())).collect()),
        Value::Array(a) => Ok((0..a.len()).map(Value::from).collect()),
        other => other.fail_alone("has no keys"),
    }
}

fn has(v: Value, key: Value) -> Outcome {
    match (v.open(), &key) {
        (Value::Null, _) => Ok(Value::Bool(false)),
        (Value::Object(o), Value::String(k)) => Ok(Value::Bool(o.contains_key(k))),
        (Value::Array(a), k) if k.is_number() => {
            let i = k.as_f64().unwrap_or(f64::NAN).trunc();
            Ok(Value::Bool(i >= 0.0 && i < a.len() as f64))
        }
        (v, k) => fail(format!("Cannot check whether {} has a {} key", v.kind(), k.kind())),
    }
}

fn contains(whole: &Value, part: &Value) -> Result<bool, Failure> {
    if whole.depth().min(part.depth()) > MAX_DEPTH {
        return fail("Containment check too deep");
    }
    match (whole.open(), part.open()) {
        (Value::Object(w), Value::Object(p)) => {
            for (k, v) in p.iter() {
                match w.get(k) {
                    Some(w) if contains(w, v)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (Value::Array(w), Value::Array(p)) => {
            for v in p.iter() {
                let mut found = false;
                for w in w.iter() {
                    if contains(w, v)? {
                        found = true;
                        break;
                    }
                }
                if !found {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::String(w), Value::String(p)) => Ok(w.contains(p.as_str())),
        (w, p) => Ok(w == p),
    }
}

fn from_json(v: Value) -> Outcome {
    let Value::String(text) = &v else {
        return v.fail_alone("only strings can be parsed");
    };
    let mut values = match lenient::parse_many(text) {
        Ok(values) => values,
        Err(what) => return fail(format!("{what} (while parsing '{}')", text.as_str())),
    };
    match (values.pop(), values.is_empty()) {
        (Some(value), true) => Ok(value),
        (None, _) => fail(format!("Expected JSON value (while parsing '{}')", text.as_str())),
        _ => fail(format!("Unexpected extra JSON values (while parsing '{}')", text.as_str())),
    }
}

fn to_number(v: Value) -> Outcome {
    match &v {
        Value::Number(_) | Value::Literal(_) => Ok(v),
        Value::String(s) => match lenient::number(s) {
            Some(n) => Ok(n),
            _ if matches!(s.as_str(), "nan") => Ok(Value::Number(f64::NAN)),
            _ => v.fail_alone("cannot be parsed as a number"),
        },
        _ => v.fail_alone("cannot be parsed as a number"),
    }
}

fn flatten(v: &Value, depth: &Value, into: &mut Vec<Value>) -> Result<(), Failure> {
    for item in children(v.clone())? {
        match item.as_array() {
            Some(_) if depth.as_f64() != Some(0.0) => {
                let less = value::subtract(depth.clone(), Value::Number(1.0))?;
                flatten(&item, &less, into)?;
            }
            _ => into.push(item),
        }
    }
    Ok(())
}

/// `{key, value}` objects to one object; the names that `to_entries` of other tools use count too.
fn from_entries(v: Value) -> Outcome {
    let mut map = Map::default();
    for entry in children(v)? {
        let field = |name: &str| entry.get(&Value::from(name));
        let mut key = Value::Null;
        for name in ["key", "Key", "name", "Name"] {
            key = field(name)?;
            if key.truthy() {
                break;
            }
        }
        let mut value = Value::Null;
        for name in ["value", "Value"] {
            if entry.as_object().is_some_and(|o| o.contains_key(name)) {
                value = field(name)?;
                break;
            }
        }
        match key {
            Value::String(key) => map.insert(key, value),
            key => return fail(format!("Cannot use {} as object key", key.described())),
        }
    }
    Ok(Value::object(map))
}
