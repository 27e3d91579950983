//! The library: every function of the language, in the files of what they do.

use super::builtin::{Builtin, plain};
use super::{control, dates, definitions, formats, loops, math, paths, regex, sorting, strings, values, world};
use crate::value::Value;

static PARTS: &[&[Builtin]] = &[
    definitions::BUILTINS,
    control::BUILTINS,
    values::BUILTINS,
    strings::BUILTINS,
    paths::BUILTINS,
    loops::BUILTINS,
    sorting::BUILTINS,
    regex::BUILTINS,
    math::BUILTINS,
    dates::BUILTINS,
    formats::BUILTINS,
    world::BUILTINS,
    &[plain!("builtins", |_| Ok(names()))],
];

fn all() -> impl Iterator<Item = &'static Builtin> {
    PARTS.iter().copied().flatten()
}

/// The function of that name and number of arguments; those that are not public only for the library's own definitions.
pub fn find(name: &str, arity: usize, internal: bool) -> Option<&'static Builtin> {
    all().find(|b| b.name == name && b.params.len() == arity && (b.public || internal))
}

/// The functions that programs can call, as `builtins` lists them.
fn names() -> Value {
    let listed = all().filter(|b| b.public && !b.name.starts_with(['@', '_']));
    listed.map(|b| Value::from(format!("{}/{}", b.name, b.params.len()))).collect()
}
