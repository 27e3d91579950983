//! Functions of the language that are written in Rust.
//!
//! A table of names, arguments (`v` a value, `f` a filter) and functions; only those that a
//! program reaches are handed to the compiler.

use super::engine::{Cv, Engine, Outputs, World, children, update_at};
use super::{dates, formats, loops, math, regex, sorting};
use crate::document::{read::lenient, to_text};
use crate::value::{self, Array, Failure, MAX_DEPTH, Map, Value};
use jaq_core::box_iter::box_once;
use jaq_core::{Bind, Error, Exn, Native, ValX};
use std::{
    io::{self, Write},
    rc::Rc,
};

pub type Run = for<'a> fn(Cv<'a>) -> Outputs<'a>;

/// What a plain function of input and arguments gives.
pub type Outcome = Result<Value, Failure>;

pub fn args(kinds: &str) -> Box<[Bind]> {
    kinds.chars().map(|k| if k == 'f' { Bind::Fun(()) } else { Bind::Var(()) }).collect()
}

/// The kinds of arguments of a native function with that name.
pub fn find(name: &str, arity: usize) -> Option<&'static str> {
    let table = tables().map(|(n, k, _)| (*n, *k));
    let paths = [
        ("getpath", "v"),
        ("path", "f"),
        ("!guard", ""),
        ("error", ""),
        ("error", "v"),
        ("!nonpath", "f"),
        ("!noniterable", "f"),
        ("!noelement", "ff"),
    ];
    let core = [
        ("!descend", ""),
        ("recurse", "f"),
        ("!first", "f"),
        ("first", "f"),
        ("last", "f"),
        ("!limit", "vf"),
        ("!skip", "vf"),
    ];
    let mut all = table.chain(paths).chain(core);
    all.find(|(n, k)| *n == name && k.len() == arity).map(|(_, k)| k)
}

/// All functions that need no more than their implementation.
fn tables() -> impl Iterator<Item = &'static (&'static str, &'static str, Run)> {
    TABLE.iter().chain(math::TABLE).chain(loops::TABLE).chain(regex::TABLE).chain(sorting::TABLE)
}

/// The implementation of a native function.
pub fn native(name: &str, arity: usize) -> Option<Native<Engine>> {
    let own = tables();
    if let Some((.., run)) = own.into_iter().find(|(n, k, _)| *n == name && k.len() == arity) {
        return Some(Native::<Engine>::new(*run));
    }
    Some(match (name, arity) {
        ("getpath", 1) => Native::<Engine>::new(getpath).with_paths(|mut cv| {
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
        }),
        ("!guard", 0) => Native::<Engine>::new(guard)
            .with_paths(|cv| match super::stack::is_nearly_used_up() {
                false => box_once(Ok(cv.1)),
                true => fail_with(Value::from(super::stack::USED_UP)),
            })
            .with_update(|cv, f| match super::stack::is_nearly_used_up() {
                false => f(cv.1),
                true => fail_with(Value::from(super::stack::USED_UP)),
            }),
        ("error", 0) => Native::<Engine>::new(|cv| box_once(Err(Exn::from(Error::new(cv.1)))))
            .with_paths(|cv| box_once(Err(Exn::from(Error::new(cv.1.0))))),
        ("error", 1) => Native::<Engine>::new(|mut cv| box_once(Err(Exn::from(Error::new(cv.0.pop_var())))))
            .with_paths(|mut cv| box_once(Err(Exn::from(Error::new(cv.0.pop_var()))))),
        ("!nonpath", 1) => Native::<Engine>::new(run_argument).with_paths(|mut cv| {
            let (f, ctx) = cv.0.pop_fun();
            let (value, trail) = cv.1;
            Box::new(f.run((ctx, value.clone())).map(move |output| {
                let output = output?;
                match is_identical(&output, &value) {
                    true => Ok((output, trail.clone())),
                    false => Ok((output.clone(), trail.clone().cons(mark(output)))),
                }
            }))
        }),
        ("!noniterable", 1) => Native::<Engine>::new(run_argument).with_paths(|mut cv| {
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
        }),
        ("!noelement", 2) => Native::<Engine>::new(|mut cv| {
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
        }),
        ("path", 1) => Native::<Engine>::new(|mut cv| {
            let (f, ctx) = cv.0.pop_fun();
            let found = f.paths((ctx, (cv.1, Default::default())));
            Box::new(found.map(|found| {
                let (_, trail) = found?;
                Ok(Value::array(trail_of(trail.iter().cloned())?))
            }))
        }),
        ("!descend", 0) | ("recurse", 1) => return loops::native(name, arity),
        _ => {
            let core_name = name.trim_start_matches('!');
            let mut core = jaq_core::funs::<Engine>();
            core.find(|(n, a, _)| *n == core_name && a.len() == arity)?.2
        }
    })
}

fn fail_with<'a, T: 'a>(failure: Failure) -> jaq_core::ValXs<'a, T, Value> {
    box_once(Err(Exn::from(failure)))
}

pub fn give<'a>(outcome: Outcome) -> Outputs<'a> {
    box_once(outcome.map_err(Exn::from))
}

/// A function of the input alone.
macro_rules! plain {
    ($f:expr) => {
        |cv| $crate::filter::natives::give($f(cv.1))
    };
}

/// A function of the input and one argument.
macro_rules! unary {
    ($f:expr) => {
        |mut cv| {
            let arg = cv.0.pop_var();
            $crate::filter::natives::give($f(cv.1, arg))
        }
    };
}

pub(super) use {plain, unary};

pub(super) fn fail<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Value::from(message.into()))
}

fn world<'a>(cv: &Cv<'a>) -> &'a World {
    cv.0.data().world
}

#[rustfmt::skip]
static TABLE: &[(&str, &str, Run)] = &[
    ("!nopath", "", plain!(|v: Value| fail(format!("Invalid path expression with result {}", v.brief())))),
    ("!one_or_null", "f", one_or_null),
    ("!modify", "ff", modify),
    ("!assign", "fv", assign),
    ("del", "f", delete),
    ("delpaths", "v", unary!(|v, paths: Value| delete_paths(v, paths))),
    ("setpath", "vv", |mut cv| {
        let value = cv.0.pop_var();
        let path = cv.0.pop_var();
        give(path_items(&path).and_then(|path| set_path(cv.1, path, |_| Ok::<_, Failure>(value))))
    }),
    ("length", "", plain!(length)),
    ("utf8bytelength", "", plain!(|v: Value| match &v {
        Value::String(s) => Ok(Value::from(s.len())),
        other => other.fail_alone("only strings have UTF-8 byte length"),
    })),
    ("type", "", plain!(|v: Value| Ok(Value::from(v.kind())))),
    ("keys", "", plain!(|v| keys(v, true))),
    ("keys_unsorted", "", plain!(|v| keys(v, false))),
    ("has", "v", unary!(has)),
    // To jq, true and false are of two kinds.
    ("contains", "v", unary!(|v: Value, part: Value| match (v.open(), part.open()) {
        (Value::Bool(x), Value::Bool(y)) if x != y => v.fail_pair(&part, "cannot have their containment checked"),
        _ if v.kind() == part.kind() => contains(&v, &part).map(Value::Bool),
        _ => v.fail_pair(&part, "cannot have their containment checked"),
    })),
    ("add", "f", sum),
    ("!range", "vv", range),
    ("tostring", "", plain!(|v: Value| Ok(jaq_core::ValT::into_string(v)))),
    ("tojson", "", plain!(|v: Value| Ok(Value::from(to_text(&v))))),
    ("fromjson", "", plain!(from_json)),
    ("tonumber", "", plain!(to_number)),
    ("toboolean", "", plain!(|v: Value| match v.as_str() {
        Some("true") => Ok(Value::Bool(true)),
        Some("false") => Ok(Value::Bool(false)),
        _ if matches!(v, Value::Bool(_)) => Ok(v),
        _ => v.fail_alone("cannot be parsed as a boolean"),
    })),
    ("!map_children", "f", map_children),
    ("!flatten", "v", unary!(|v: Value, depth: Value| {
        let mut flat = Vec::new();
        flatten(&v, &depth, &mut flat)?;
        Ok(Value::array(flat))
    })),
    ("!reverse", "", plain!(|v: Value| {
        let mut items = v.into_items()?;
        items.reverse();
        Ok(Value::array(items))
    })),
    ("from_entries", "", plain!(from_entries)),
    ("_strindices", "v", unary!(string_indices)),
    ("startswith", "v", unary!(|v: Value, part: Value| match (&v, &part) {
        (Value::String(s), Value::String(p)) => Ok(Value::Bool(s.starts_with(p.as_str()))),
        _ => fail("startswith() requires string inputs"),
    })),
    ("endswith", "v", unary!(|v: Value, part: Value| match (&v, &part) {
        (Value::String(s), Value::String(p)) => Ok(Value::Bool(s.ends_with(p.as_str()))),
        _ => fail("endswith() requires string inputs"),
    })),
    ("trim", "", plain!(|v| trim(v, true, true))),
    ("ltrim", "", plain!(|v| trim(v, true, false))),
    ("rtrim", "", plain!(|v| trim(v, false, true))),
    ("split", "v", unary!(|v: Value, separator: Value| match (&v, &separator) {
        (Value::String(s), Value::String(by)) => Ok(value::split(s, by)),
        _ => fail("split input and separator must be strings"),
    })),
    ("explode", "", plain!(|v: Value| match &v {
        Value::String(s) => Ok(s.chars().map(|c| Value::Number(f64::from(u32::from(c)))).collect()),
        _ => fail("explode input must be a string"),
    })),
    ("implode", "", plain!(implode)),
    ("!downcase", "", plain!(|v: Value| match &v {
        Value::String(s) => Ok(Value::from(s.to_ascii_lowercase())),
        _ => fail("explode input must be a string"),
    })),
    ("!upcase", "", plain!(|v: Value| match &v {
        Value::String(s) => Ok(Value::from(s.to_ascii_uppercase())),
        _ => fail("explode input must be a string"),
    })),
    ("!format", "v", unary!(formats::named)),
    ("@csv", "", plain!(formats::csv)),
    ("@tsv", "", plain!(formats::tsv)),
    ("@html", "", plain!(formats::html)),
    ("@uri", "", plain!(formats::uri)),
    ("@urid", "", plain!(formats::from_uri)),
    ("@sh", "", plain!(formats::sh)),
    ("@base64", "", plain!(formats::base64)),
    ("@base64d", "", plain!(formats::from_base64)),
    ("now", "", |_| give(dates::now())),
    ("mktime", "", plain!(dates::mktime)),
    ("gmtime", "", plain!(dates::gmtime)),
    ("localtime", "", plain!(dates::localtime)),
    ("strftime", "v", unary!(dates::strftime)),
    ("strflocaltime", "v", unary!(dates::strflocaltime)),
    ("strptime", "v", unary!(dates::strptime)),
    ("input", "", |cv| box_once(match next_input(world(&cv)) {
        Some(next) => next,
        None => Err(Value::from("break").into()),
    })),
    ("!inputs", "", |cv| { let world = world(&cv); Box::new(std::iter::from_fn(move || next_input(world))) }),
    ("input_filename", "", |cv| give(Ok(world(&cv).input_name.value()))),
    ("input_line_number", "", |_| give(Ok(Value::Number(0.0)))),
    ("debug", "", plain!(|v: Value| { remark(&format!("[\"DEBUG:\",{}]\n", to_text(&v))); Ok::<_, Failure>(v) })),
    ("stderr", "", plain!(|v: Value| {
        match v.as_str() { Some(s) => remark(s), None => remark(&to_text(&v)) }
        Ok::<_, Failure>(v)
    })),
    ("env", "", |cv| give(Ok(world(&cv).access.environment()))),
    ("halt", "", |_| box_once(Err(Exn::halt(0)))),
    ("halt_error", "v", |mut cv| {
        let status = cv.0.pop_var();
        match status.as_f64() {
            None => give(fail("halt_error/1: number required")),
            Some(code) => {
                // Here a halt is an error, whose message follows on a line of its own.
                let text = cv.1.as_str().map_or_else(|| to_text(&cv.1), str::to_owned);
                remark(&format!("{}\n", text.strip_suffix('\n').unwrap_or(&text)));
                box_once(Err(Exn::halt(code as i32)))
            }
        }
    }),
    ("builtins", "", |_| give(Ok(builtins()))),
    ("have_decnum", "", |_| give(Ok(Value::Bool(true)))),
    ("have_literal_numbers", "", |_| give(Ok(Value::Bool(true)))),
    ("get_search_list", "", |cv| give(Ok(world(&cv).search_list.clone()))),
    ("get_prog_origin", "", |cv| give(Ok(resolved(&world(&cv).origin)))),
    ("get_jq_origin", "", |cv| give(Ok(world(&cv).access.executable_directory().map_or(Value::Null, |p| Value::from(p.to_string_lossy().into_owned()))))),
    ("modulemeta", "", |cv| give(super::modules::describe(&cv.1, world(&cv)))),
    ("infinite", "", |_| give(Ok(Value::Number(f64::INFINITY)))),
    ("nan", "", |_| give(Ok(Value::Number(f64::NAN)))),
];

/// Says something on standard error while the filter runs, as jq's `debug` and `stderr` do.
fn remark(text: &str) {
    // Whoever does not listen to remarks still gets the result; `eprint!` would panic.
    _ = io::stderr().write_all(text.as_bytes());
}

/// The functions that programs can call, as `builtins` lists them.
fn builtins() -> Value {
    let defined = super::definitions::DEFINITIONS.iter().map(|(n, a, _)| (*n, *a));
    let native = tables().map(|(n, k, _)| (*n, k.len()));
    let core = [("getpath", 1), ("path", 1), ("recurse", 1), ("first", 1), ("last", 1), ("error", 0), ("error", 1)];
    let public = |(name, _): &(&str, usize)| !name.starts_with(['!', '@', '_']);
    let all = defined.chain(native).chain(core).filter(public);
    all.map(|(name, arity)| Value::from(format!("{name}/{arity}"))).collect()
}

/// A directory without links and `..`, as jq tells it.
fn resolved(directory: &Value) -> Value {
    let path = directory.as_str().and_then(|path| std::fs::canonicalize(path).ok());
    path.map_or_else(|| directory.clone(), |path| Value::from(path.to_string_lossy().into_owned()))
}

fn next_input<'a>(world: &World) -> Option<ValX<'a, Value>> {
    let next = world.inputs.borrow_mut().next()?;
    Some(next.map_err(|e| Value::from(e).into()))
}

// Control

/// Recursive functions begin with this: deep recursion ends in an error, not in a crash.
fn guard(cv: Cv<'_>) -> Outputs<'_> {
    match super::stack::is_nearly_used_up() {
        false => box_once(Ok(cv.1)),
        true => give(fail(super::stack::USED_UP)),
    }
}

/// The last output of a filter, or null: what `reduce` goes on with.
fn one_or_null(mut cv: Cv<'_>) -> Outputs<'_> {
    let (f, ctx) = cv.0.pop_fun();
    let mut last = Value::Null;
    for output in f.run((ctx, cv.1)) {
        match output {
            Ok(v) => last = v,
            e => return box_once(e),
        }
    }
    box_once(Ok(last))
}

/// Numbers from one bound up to another.
fn range(mut cv: Cv<'_>) -> Outputs<'_> {
    let (upto, from) = (cv.0.pop_var(), cv.0.pop_var());
    let (Some(mut at), Some(upto)) = (from.as_f64(), upto.as_f64()) else {
        return give(fail("Range bounds must be numeric"));
    };
    let mut numbers = std::iter::from_fn(move || {
        let next = at + 1.0;
        (at < upto).then(|| Ok(Value::Number(std::mem::replace(&mut at, next))))
    });
    match from {
        // The first number is the bound itself, with its text.
        Value::Literal(_) => Box::new(numbers.next().map(|_| Ok(from)).into_iter().chain(numbers)),
        _ => Box::new(numbers),
    }
}

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

// Paths

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

/// The path from a trail that was gathered from its end.
fn trail_of(trail: impl Iterator<Item = Value>) -> Result<Vec<Value>, Failure> {
    let mut path: Vec<_> = trail.collect();
    path.reverse();
    // A value that no path leads to cannot be gone on from, and is no result.
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

/// Stands in a trail where a value came from nowhere.
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
        let mut paths = Vec::new();
        // Members of one object, the most common case, need neither paths nor an order.
        let mut members = cv.1.as_object().is_some();
        for found in f.paths((ctx, (cv.1.clone(), Default::default()))) {
            let path = trail_of(found?.1.iter().cloned())?;
            members &= matches!(&path[..], [Value::String(_)]);
            paths.push(path);
        }
        Ok(match members {
            true => delete_keys(cv.1, &paths.iter().map(|path| &path[0]).collect::<Vec<_>>()),
            false => delete_paths(cv.1, paths.into_iter().map(Value::array).collect()),
        }?)
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
                _ => {
                    let gone: std::collections::HashSet<_> = keys.iter().filter_map(|k| k.as_str()).collect();
                    Rc::make_mut(&mut map).retain(|k| !gone.contains(k));
                }
            }
            Ok(Value::Object(map))
        }
        Value::Array(array) => delete_elements(array, keys),
        other => fail(format!("Cannot delete fields from {}", other.kind())),
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

// Values

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
