//! Functions of paths: reading, setting and deleting what is at their end, and updates in general.
//!
//! A filter can be asked for the paths of its outputs instead of the outputs. Where a value has no path (a constant, a sum) a
//! mark stands in the trail, so that going on from there fails with jq's words, and passing it on does not.

use super::builtin::{Builtin, Count, Outcome, Param, any, fail, fail_with, give, leading, one, plain, unary};
use super::engine::{Cv, Engine, Outputs};
use super::places::{set_path, update_at};
use crate::value::{self, Array, Failure, Map, Value};
use jaq_core::Native;
use jaq_core::box_iter::box_once;
use std::collections::HashSet;
use std::rc::Rc;

#[rustfmt::skip]
pub static BUILTINS: &[Builtin] = &[
    leading("getpath", &[Param::Value], get_path_native).gives(Count::One),
    any("path", &[Param::Path], paths),
    one("setpath", &[Param::Value, Param::Value], |mut cv| {
        let value = cv.0.pop_var();
        let path = cv.0.pop_var();
        give(path_items(&path).and_then(|path| set_path(cv.1, path, |_| Ok::<_, Failure>(value))))
    }),
    one("del", &[Param::Path], delete),
    unary!("delpaths", delete_paths),
];

/// `paths |= f`, where jaq-core's own update gives something else.
pub const MODIFY: Builtin = one("modify", &[Param::Path, Param::Filter], modify);

/// `paths = $value`, likewise.
pub const ASSIGN: Builtin = one("assign", &[Param::Path, Param::Value], assign);

/// The output of an error handler is not a path.
pub const NO_PATH: Builtin =
    plain!("no_path", |v: Value| fail(format!("Invalid path expression with result {}", v.brief())));

/// Outputs that have no path: they are marked unless they are the input itself.
pub const OFF_PATH: Builtin = leading("off_path", &[Param::Filter], || {
    Native::<Engine>::new(run_argument).with_paths(|mut cv| {
        let (f, ctx) = cv.0.pop_fun();
        let (value, trail) = cv.1;
        Box::new(f.run((ctx, value.clone())).map(move |output| {
            let output = output?;
            match is_identical(&output, &value) {
                true => Ok((output, trail.clone())),
                false => Ok((output.clone(), trail.clone().cons(mark(output)))),
            }
        }))
    })
});

/// `[]` after what has no path.
pub const NOT_ITERABLE: Builtin = leading("not_iterable", &[Param::Filter], || {
    Native::<Engine>::new(run_argument).with_paths(|mut cv| {
        let (f, ctx) = cv.0.pop_fun();
        Box::new(f.paths((ctx, cv.1)).map(|found| {
            let (value, trail) = found?;
            match trail.head().and_then(marked) {
                None => Ok((value, trail)),
                Some(lost) => {
                    let text = format!("Invalid path expression near attempt to iterate through {}", lost.brief());
                    Err(Value::from(text).into())
                }
            }
        }))
    })
});

/// A key after what has no path.
pub const NO_ELEMENT: Builtin = leading("no_element", &[Param::Filter, Param::Filter], || {
    Native::<Engine>::new(|mut cv| {
        _ = cv.0.pop_fun();
        run_argument(cv)
    })
    .with_paths(|mut cv| {
        let (key, key_ctx) = cv.0.pop_fun();
        let (f, ctx) = cv.0.pop_fun();
        let input = cv.1.0.clone();
        Box::new(f.paths((ctx, cv.1)).map(move |found| {
            let (value, trail) = found?;
            let Some(lost) = trail.head().and_then(marked) else { return Ok((value, trail)) };
            let key = key.run((key_ctx.clone(), input.clone())).next().transpose()?.unwrap_or_default();
            Err(no_element(&key, lost).into())
        }))
    })
});

/// `l // r` in a path: jaq-core looks at the outputs of `l` first, which may be there where it has no path.
pub const ALTERNATIVE: Builtin = leading("alternative", &[Param::Filter, Param::Filter], || {
    Native::<Engine>::new(run_argument).with_paths(|mut cv| {
        let (right, right_ctx) = cv.0.pop_fun();
        let (left, left_ctx) = cv.0.pop_fun();
        let counts = |found: &jaq_core::ValX<'_, (Value, _), Value>| found.as_ref().map_or(true, |(v, _)| v.truthy());
        let mut found = left.paths((left_ctx, cv.1.clone())).filter(counts);
        match found.next() {
            Some(first) => Box::new(std::iter::once(first).chain(found)),
            None => right.paths((right_ctx, cv.1)),
        }
    })
});

fn get_path_native() -> Native<Engine> {
    Native::<Engine>::new(getpath).with_paths(|mut cv| {
        let path = cv.0.pop_var();
        let (start, mut trail) = cv.1;
        let items = match path_items(&path) {
            Ok(items) => items,
            Err(failure) => return fail_with(failure),
        };
        // A path through what is not there leads to null.
        let end = match get_path(&start, items) {
            Ok(end) => end,
            Err(failure) => return fail_with(failure),
        };
        for key in items {
            trail = trail.cons(key.clone());
        }
        box_once(Ok((end, trail)))
    })
}

fn paths(mut cv: Cv<'_>) -> Outputs<'_> {
    let (f, ctx) = cv.0.pop_fun();
    let found = f.paths((ctx, (cv.1, Default::default())));
    Box::new(found.map(|found| {
        let (_, trail) = found?;
        Ok(Value::array(trail_of(trail.iter().cloned())?))
    }))
}

/// jq's limit for paths that are read, set and deleted.
const MAX_PATH: usize = 10_000;

fn path_items(path: &Value) -> Result<&[Value], Failure> {
    match path.as_array() {
        None => fail("Path must be specified as an array"),
        Some(items) if items.len() > MAX_PATH => fail("Path too deep"),
        Some(items) => Ok(items),
    }
}

pub fn get_path(value: &Value, path: &[Value]) -> Outcome {
    let mut here = value.clone();
    for key in path {
        here = here.get(key)?;
    }
    Ok(here)
}

fn getpath(mut cv: Cv<'_>) -> Outputs<'_> {
    let path = cv.0.pop_var();
    give(path_items(&path).and_then(|path| get_path(&cv.1, path)))
}

/// The path from a trail that was gathered from its end.
fn trail_of(trail: impl Iterator<Item = Value>) -> Result<Vec<Value>, Failure> {
    let mut path: Vec<_> = trail.collect();
    path.reverse();
    // A value that no path leads to is neither a result nor a place to continue from.
    let mut lost = None;
    for key in &path {
        match (marked(key), lost) {
            (Some(value), _) => lost = Some(value),
            (None, Some(value)) => {
                return Err(no_element(key, value));
            }
            _ => {}
        }
    }
    match lost {
        Some(value) => fail(format!("Invalid path expression with result {}", value.brief())),
        None => Ok(path),
    }
}

fn no_element(key: &Value, value: &Value) -> Failure {
    let (key, value) = (key.brief(), value.brief());
    format!("Invalid path expression near attempt to access element {key} of {value}").into()
}

/// The name of a marker's only member, which no document can have.
const MARK: &str = "\u{0}no path\u{0}";

/// Marks a value in a trail that no path leads to.
fn mark(value: Value) -> Value {
    let mut map = Map::default();
    map.insert(MARK.into(), value);
    Value::object(map)
}

fn marked(key: &Value) -> Option<&Value> {
    match key {
        Value::Object(map) => map.get(MARK),
        _ => None,
    }
}

/// True if jq would find the output to be the input itself.
fn is_identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Array(a), Value::Array(b)) => a.is_same(b),
        (Value::Object(a), Value::Object(b)) => Rc::ptr_eq(a, b),
        (Value::Raw(a), Value::Raw(b)) => Rc::ptr_eq(a, b),
        _ => false,
    }
}

fn run_argument(mut cv: Cv<'_>) -> Outputs<'_> {
    let (f, ctx) = cv.0.pop_fun();
    f.run((ctx, cv.1))
}

/// `paths |= f` in general: every path of the input is updated by the first output of `f`;
/// those without an output are deleted in the end.
fn modify(mut cv: Cv<'_>) -> Outputs<'_> {
    let (f, f_ctx) = cv.0.pop_fun();
    let (paths, ctx) = cv.0.pop_fun();
    let mut value = cv.1.clone();
    let mut gone = Vec::new();
    box_once((|| {
        for found in paths.paths((ctx, (cv.1, Default::default()))) {
            let path = trail_of(found?.1.iter().cloned())?;
            // What will be deleted stays until then: later paths may look at it.
            match f.run((f_ctx.clone(), get_path(&value, &path)?)).next().transpose()? {
                None => gone.push(Value::array(path)),
                Some(new) => value = set_path(value, &path, |_| Ok::<_, Failure>(new))?,
            }
        }
        if gone.is_empty() { Ok(value) } else { Ok(delete_paths(value, Value::array(gone))?) }
    })())
}

/// `paths = $value` in general.
fn assign(mut cv: Cv<'_>) -> Outputs<'_> {
    let new = cv.0.pop_var();
    let (paths, ctx) = cv.0.pop_fun();
    let mut value = cv.1.clone();
    box_once((|| {
        for found in paths.paths((ctx, (cv.1, Default::default()))) {
            let path = trail_of(found?.1.iter().cloned())?;
            let new = new.clone();
            value = set_path(value, &path, |_| Ok::<_, Failure>(new))?;
        }
        Ok(value)
    })())
}

fn delete(mut cv: Cv<'_>) -> Outputs<'_> {
    let (f, ctx) = cv.0.pop_fun();
    box_once((|| {
        // Members or elements of the input, the most common case, need neither paths nor an order.
        let mut keys = Vec::new();
        let mut deeper = Vec::new();
        for found in f.paths((ctx, (cv.1.clone(), Default::default()))) {
            let (_, trail) = found?;
            let mut steps = trail.iter();
            match (steps.next(), steps.next()) {
                (Some(key @ Value::String(_)), None) => keys.push(key.clone()),
                _ => deeper.push(Value::array(trail_of(trail.iter().cloned())?)),
            }
        }
        if deeper.is_empty() && cv.1.as_object().is_some() {
            return Ok(delete_keys(cv.1, &keys.iter().collect::<Vec<_>>())?);
        }
        deeper.extend(keys.into_iter().map(|key| Value::array(vec![key])));
        Ok(delete_paths(cv.1, Value::array(deeper))?)
    })())
}

/// Deletes all paths at once, the longest and last first.
fn delete_paths(value: Value, paths: Value) -> Outcome {
    let Ok(mut paths) = paths.into_items() else {
        return fail("Paths must be specified as an array");
    };
    paths.sort_by(Ord::cmp);
    let mut lists = Vec::with_capacity(paths.len());
    for path in &paths {
        match path.as_array() {
            None => {
                return fail(format!("Path must be specified as array, not {}", path.kind()));
            }
            Some(items) if items.len() > MAX_PATH => return fail("Path too deep"),
            Some(items) => lists.push(&items[..]),
        }
    }
    match lists.first() {
        None => Ok(value),
        Some([]) => Ok(Value::Null),
        Some(_) => delete_sorted(value, &lists, 0),
    }
}

fn delete_sorted(mut value: Value, paths: &[&[Value]], depth: usize) -> Outcome {
    let mut keys = Vec::new();
    let mut i = 0;
    while i < paths.len() {
        let key = &paths[i][depth];
        let same = paths[i..].iter().take_while(|p| &p[depth] == key).count().max(1);
        if paths[i].len() == depth + 1 {
            keys.push(key);
        } else if !matches!(value.get(key)?, Value::Null) {
            let group = &paths[i..i + same];
            value = update_at(value, key, |old| delete_sorted(old, group, depth + 1).map(Some))?;
        }
        i += same;
    }
    delete_keys(value, &keys)
}

fn delete_keys(value: Value, keys: &[&Value]) -> Outcome {
    if keys.is_empty() {
        return Ok(value);
    }
    match value.opened() {
        Value::Null => Ok(Value::Null),
        Value::Object(mut map) => {
            if let Some(key) = keys.iter().find(|k| k.as_str().is_none()) {
                return fail(format!("Cannot delete {} field of object", key.kind()));
            }
            match keys {
                [key] if !map.contains_key(key.as_str().unwrap_or_default()) => {}
                [key] => _ = Rc::make_mut(&mut map).remove(key.as_str().unwrap_or_default()),
                _ => delete_members(Rc::make_mut(&mut map), keys),
            }
            Ok(Value::Object(map))
        }
        Value::Array(array) => delete_elements(array, keys),
        other => fail(format!("Cannot delete fields from {}", other.kind())),
    }
}

fn delete_members(map: &mut Map, keys: &[&Value]) {
    // Mostly they are in the order of the members.
    let mut rest = keys.iter().filter_map(|key| key.as_str()).peekable();
    map.retain(|key| rest.next_if_eq(&key).is_none());
    let rest: HashSet<_> = rest.collect();
    if !rest.is_empty() {
        map.retain(|key| !rest.contains(key));
    }
}

fn delete_elements(mut array: Array, keys: &[&Value]) -> Outcome {
    let len = array.len();
    let mut gone = Vec::with_capacity(keys.len());
    for key in keys {
        match key.open() {
            Value::Object(_) => {
                let (from, upto) = value::slice_bounds(key);
                gone.push(value::slice_range(from.as_ref(), upto.as_ref(), len)?);
            }
            _ => match key.as_f64() {
                None => return fail(format!("Cannot delete {} element of array", key.kind())),
                Some(i) if i.is_nan() => {}
                Some(i) => {
                    let i = if i < 0.0 { i.trunc() + len as f64 } else { i.trunc() };
                    if i >= 0.0 && (i as usize) < len {
                        gone.push(i as usize..i as usize + 1);
                    }
                }
            },
        }
    }
    match &gone[..] {
        [] => {}
        [range] => array.remove(range.clone()),
        _ => {
            let mut kept = vec![true; len];
            gone.into_iter().for_each(|range| kept[range].fill(false));
            array.retain(|i| kept[i]);
        }
    }
    Ok(Value::Array(array))
}
