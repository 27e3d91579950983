//! Functions that jq defines in its own language as loops, written in Rust: as definitions they would cost several times
//! as much, or more than in proportion to the work.

use super::builtin::{Builtin, Param, any, give, leading, one};
use super::engine::{Cv, Engine, Outputs};
use super::places::{children, elements, set_path};
use super::values::length;
use crate::value::{self, Failure, Value};
use jaq_core::box_iter::{BoxIter, box_once};
use jaq_core::{Exn, Native, ValX};

#[rustfmt::skip]
pub static BUILTINS: &[Builtin] = &[
    one("isempty", &[Param::Filter], is_empty),
    one("any", &[Param::Filter, Param::Filter], |cv| decides(cv, true)),
    one("all", &[Param::Filter, Param::Filter], |cv| decides(cv, false)),
    one("IN", &[Param::Filter], is_in),
    one("IN", &[Param::Filter, Param::Filter], is_any_in),
    any("combinations", &[], combinations),
    any("paths", &[], |cv| Box::new(Places::below(cv.1).map(|(path, _)| Ok(path)))),
    any("paths", &[Param::Filter], paths_of),
    any("tostream", &[], |cv| Box::new(events(cv.1))),
    any("fromstream", &[Param::Filter], from_stream),
    DESCEND,
    leading("repeat", &[Param::Filter], repeat),
    leading("recurse", &[Param::Filter], recurse).leads(super::builtin::Leads::AlongLast),
];

/// `..`
pub const DESCEND: Builtin = leading("recurse", &[], || {
    Native::<Engine>::new(|cv| {
        depth_first(cv.1, |v| match elements(v) {
            Ok(inner) => Box::new(inner.map(|(_, v)| Ok(v))),
            Err(_) => Box::new(std::iter::empty()),
        })
    })
    .with_paths(|cv| {
        depth_first(cv.1, |(v, trail)| match elements(v) {
            Ok(inner) => Box::new(inner.map(move |(key, v)| Ok((v, trail.clone().cons(key))))),
            Err(_) => Box::new(std::iter::empty()),
        })
    })
});

/// The outputs of a filter for the same input, again and again.
fn repeat() -> Native<Engine> {
    Native::<Engine>::new(|mut cv: Cv<'_>| {
        let (f, ctx) = cv.0.pop_fun();
        Box::new(std::iter::repeat_with(move || f.run((ctx.clone(), cv.1.clone()))).flatten())
    })
    .with_paths(|mut cv| {
        let (f, ctx) = cv.0.pop_fun();
        Box::new(std::iter::repeat_with(move || f.paths((ctx.clone(), cv.1.clone()))).flatten())
    })
}

fn recurse() -> Native<Engine> {
    Native::<Engine>::new(|mut cv: Cv<'_>| {
        let (f, ctx) = cv.0.pop_fun();
        depth_first(cv.1, move |v| f.run((ctx.clone(), v)))
    })
    .with_paths(|mut cv| {
        let (f, ctx) = cv.0.pop_fun();
        depth_first(cv.1, move |place| f.paths((ctx.clone(), place)))
    })
}

/// Gives the first item, then all that `next` makes of it, and of those, and so on, each before its neighbour. What is
/// open waits in a list: an iterator inside an iterator would pass each output through all levels.
fn depth_first<'a, T: Clone + 'a>(
    first: T,
    mut next: impl FnMut(T) -> BoxIter<'a, ValX<'a, T, Value>> + 'a,
) -> BoxIter<'a, ValX<'a, T, Value>> {
    let mut open = vec![box_once(Ok(first))];
    let mut given: Option<T> = None;
    Box::new(std::iter::from_fn(move || {
        if let Some(item) = given.take() {
            open.push(next(item));
        }
        loop {
            let top = open.last_mut()?;
            let item = top.next();
            // What has nothing more to give does not wait: recursion with one output each would keep all of them.
            if item.is_none() || top.size_hint() == (0, Some(0)) {
                open.pop();
            }
            match item {
                None => {}
                Some(Ok(item)) => {
                    given = Some(item.clone());
                    return Some(Ok(item));
                }
                failed => {
                    open.clear();
                    return failed;
                }
            }
        }
    }))
}

// Search

fn is_empty(mut cv: Cv<'_>) -> Outputs<'_> {
    let (f, ctx) = cv.0.pop_fun();
    let first = f.run((ctx, cv.1)).next();
    box_once(first.map_or(Ok(Value::Bool(true)), |output| output.map(|_| Value::Bool(false))))
}

/// `any(generator; condition)`, or `all` if false is `wanted`: stops at the first output that decides.
fn decides(mut cv: Cv<'_>, wanted: bool) -> Outputs<'_> {
    let (condition, condition_ctx) = cv.0.pop_fun();
    let (generator, ctx) = cv.0.pop_fun();
    let mut outputs = generator
        .run((ctx, cv.1))
        .flat_map(|v| match v {
            Ok(v) => condition.run((condition_ctx.clone(), v)),
            failed => box_once(failed),
        })
        .filter(|output| output.as_ref().map_or(true, |v| v.truthy() == wanted));
    box_once(match outputs.next() {
        None => Ok(Value::Bool(!wanted)),
        Some(Ok(_)) => Ok(Value::Bool(wanted)),
        Some(failed) => failed,
    })
}

fn is_in(mut cv: Cv<'_>) -> Outputs<'_> {
    let (f, ctx) = cv.0.pop_fun();
    let value = cv.1.clone();
    for output in f.run((ctx, cv.1)) {
        match output {
            Ok(v) if v == value => return box_once(Ok(Value::Bool(true))),
            Ok(_) => {}
            failed => return box_once(failed),
        }
    }
    box_once(Ok(Value::Bool(false)))
}

fn is_any_in(mut cv: Cv<'_>) -> Outputs<'_> {
    let (set, set_ctx) = cv.0.pop_fun();
    let (source, ctx) = cv.0.pop_fun();
    box_once((|| {
        for wanted in set.run((set_ctx, cv.1.clone())) {
            let wanted = wanted?;
            for v in source.run((ctx.clone(), cv.1.clone())) {
                if v? == wanted {
                    return Ok(Value::Bool(true));
                }
            }
        }
        Ok(Value::Bool(false))
    })())
}

// Arrays

/// All ways to take one element of each array, the last one changing fastest.
fn combinations(cv: Cv<'_>) -> Outputs<'_> {
    let lists = match length(cv.1.clone()) {
        Ok(Value::Number(0.0)) => return box_once(Ok(Value::array(Vec::new()))),
        Ok(_) => cv.1,
        Err(failure) => return give(Err(failure)),
    };
    let Some(count) = lists.as_array().map(|lists| lists.len()) else {
        // Not a list of lists: the error of looking for the first one.
        return give(lists.get(&Value::from(0usize)));
    };
    // One iterator for each list from which an element is taken, or is to be taken next.
    let mut open: Vec<Box<dyn Iterator<Item = Value>>> = Vec::with_capacity(count);
    let mut taken: Vec<Value> = Vec::with_capacity(count);
    let mut more = true;
    Box::new(std::iter::from_fn(move || {
        if taken.len() == count {
            taken.pop();
        }
        while more {
            if open.len() == taken.len() {
                match children(lists.as_array()?[open.len()].clone()) {
                    Ok(list) => open.push(list),
                    Err(failure) => {
                        more = false;
                        return Some(Err(failure.into()));
                    }
                }
            }
            if let Some(v) = open.last_mut()?.next() {
                taken.push(v);
                if taken.len() == count {
                    return Some(Ok(Value::array(taken.clone())));
                }
            } else {
                open.pop();
                more = taken.pop().is_some();
            }
        }
        None
    }))
}

// Paths and streams

/// Every place below a value, with its path: what is in a container comes after the container.
struct Places {
    open: Vec<Box<dyn Iterator<Item = (Value, Value)>>>,
    /// the keys on the way to the place given last
    path: Vec<Value>,
}

impl Places {
    fn below(value: Value) -> Self {
        Self { open: elements(value).into_iter().collect(), path: Vec::new() }
    }
}

impl Iterator for Places {
    type Item = (Value, Value);

    fn next(&mut self) -> Option<(Value, Value)> {
        loop {
            match self.open.last_mut()?.next() {
                None => _ = self.open.pop(),
                Some((key, value)) => {
                    self.path.truncate(self.open.len() - 1);
                    self.path.push(key);
                    self.open.extend(elements(value.clone()));
                    return Some((Value::array(self.path.clone()), value));
                }
            }
        }
    }
}

/// The paths to the values for which the filter gives something true, once for each time.
fn paths_of(mut cv: Cv<'_>) -> Outputs<'_> {
    let (f, ctx) = cv.0.pop_fun();
    Box::new(Places::below(cv.1).flat_map(move |(path, value)| {
        f.run((ctx.clone(), value)).filter_map(move |output| match output {
            Ok(v) => v.truthy().then(|| Ok(path.clone())),
            failed => Some(failed),
        })
    }))
}

/// `[path, leaf]` for each leaf, and `[path]` of the last one at the end of each container.
fn events<'a>(value: Value) -> impl Iterator<Item = ValX<'a, Value>> {
    let mut open: Vec<Box<dyn Iterator<Item = (Value, Value)>>> = Vec::new();
    let mut path: Vec<Value> = Vec::new();
    let mut next = Some(value);
    std::iter::from_fn(move || {
        loop {
            let value = match next.take() {
                Some(value) => value,
                None => match open.last_mut()?.next() {
                    Some((key, value)) => {
                        path.truncate(open.len() - 1);
                        path.push(key);
                        value
                    }
                    None => {
                        path.truncate(open.len());
                        open.pop();
                        return Some(Ok(Value::array(vec![Value::array(path.clone())])));
                    }
                },
            };
            match is_leaf(&value) {
                true => return Some(Ok([Value::array(path.clone()), value].into_iter().collect())),
                false => open.extend(elements(value)),
            }
        }
    })
}

fn is_leaf(value: &Value) -> bool {
    match value.open() {
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
        _ => true,
    }
}

/// Values from the events of streams, each when it is whole.
fn from_stream(mut cv: Cv<'_>) -> Outputs<'_> {
    let (f, ctx) = cv.0.pop_fun();
    let mut whole = Value::Null;
    let mut step = move |event: Value| -> Result<Option<Value>, Failure> {
        let with_leaf = length(event.clone())? == Value::Number(2.0);
        let path = event.get(&Value::from(0usize))?;
        let depth = length(path.clone())?;
        if with_leaf {
            // jq builds the value as a member of an object.
            let place = value::add(Value::array(vec![Value::from("x")]), path)?;
            let leaf = event.get(&Value::from(1usize))?;
            let keys = place.as_array().map_or(&[][..], |keys| &keys[1..]);
            whole = set_path(std::mem::take(&mut whole), keys, |_| Ok::<_, Failure>(leaf))?;
        }
        let last = if with_leaf { 0.0 } else { 1.0 };
        Ok((depth == Value::Number(last)).then(|| std::mem::take(&mut whole)))
    };
    Box::new(f.run((ctx, cv.1)).filter_map(move |event| match event {
        Ok(event) => step(event).map_err(Exn::from).transpose(),
        failed => Some(failed),
    }))
}
