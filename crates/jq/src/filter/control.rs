//! What steers a program: errors, ranges, recursion, the first of many.

use super::builtin::{Builtin, Count, Param, any, core, fail, fail_with, give, leading, one};
use super::engine::{Cv, Engine, Outputs};
use crate::value::Value;
use jaq_core::box_iter::box_once;
use jaq_core::{Error, Exn, Native};

#[rustfmt::skip]
pub static BUILTINS: &[Builtin] = &[
    ERROR,
    leading("error", &[Param::Value], || Native::<Engine>::new(|mut cv| box_once(Err(Exn::from(Error::new(cv.0.pop_var())))))
            .with_paths(|mut cv| box_once(Err(Exn::from(Error::new(cv.0.pop_var())))))),
    FIRST,
    core("last", &[Param::Filter], "last").gives(Count::First),
    core("limit_to", &[Param::Value, Param::Filter], "limit").internal(),
    core("skip_first", &[Param::Value, Param::Filter], "skip").internal(),
    any("range_between", &[Param::Value, Param::Value], range).internal(),
];

pub const ERROR: Builtin = leading("error", &[], || {
    Native::<Engine>::new(|cv| box_once(Err(Exn::from(Error::new(cv.1)))))
        .with_paths(|cv| box_once(Err(Exn::from(Error::new(cv.1.0)))))
});

/// `first(f)`
pub const FIRST: Builtin = core("first", &[Param::Filter], "first").gives(Count::First);

/// Recursive functions begin with this: deep recursion ends in an error, not in a crash.
pub const GUARD: Builtin = leading("guard", &[], || {
    Native::<Engine>::new(guard)
        .with_paths(|cv| match super::stack::is_nearly_used_up() {
            false => box_once(Ok(cv.1)),
            true => fail_with(Value::from(super::stack::USED_UP)),
        })
        .with_update(|cv, f| match super::stack::is_nearly_used_up() {
            false => f(cv.1),
            true => fail_with(Value::from(super::stack::USED_UP)),
        })
})
.gives(Count::One);

/// The last output of a filter, or null: what `reduce` goes on with.
pub const LAST_OR_NULL: Builtin = one("last_or_null", &[Param::Filter], last_or_null);

fn guard(cv: Cv<'_>) -> Outputs<'_> {
    match super::stack::is_nearly_used_up() {
        false => box_once(Ok(cv.1)),
        true => give(fail(super::stack::USED_UP)),
    }
}

fn last_or_null(mut cv: Cv<'_>) -> Outputs<'_> {
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
