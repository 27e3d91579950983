//! What a program sees of the world around it: its inputs, the environment, standard error.

use super::builtin::{Builtin, Param, any, fail, give, one, plain};
use super::engine::{Cv, World};
use crate::document::to_text;
use crate::value::Value;
use jaq_core::box_iter::box_once;
use jaq_core::{Exn, ValX};
use std::io::{self, Write};

#[rustfmt::skip]
pub static BUILTINS: &[Builtin] = &[
    one("input", &[], |cv| box_once(match next_input(world(&cv)) {
        Some(next) => next,
        None => Err(Value::from("break").into()),
    })),
    any("inputs", &[], |cv| { let world = world(&cv); Box::new(std::iter::from_fn(move || next_input(world))) }),
    one("input_filename", &[], |cv| give(Ok(world(&cv).input_name.value()))),
    plain!("input_line_number", |_| Ok(Value::Number(0.0))),
    plain!("debug", |v: Value| { remark(&format!("[\"DEBUG:\",{}]\n", to_text(&v))); Ok(v) }),
    plain!("stderr", |v: Value| {
        match v.as_str() { Some(s) => remark(s), None => remark(&to_text(&v)) }
        Ok(v)
    }),
    one("env", &[], |cv| give(Ok(world(&cv).access.environment()))),
    one("halt", &[], |_| box_once(Err(Exn::halt(0)))),
    one("halt_error", &[Param::Value], |mut cv| {
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
    one("get_search_list", &[], |cv| give(Ok(world(&cv).search_list.clone()))),
    one("get_prog_origin", &[], |cv| give(Ok(resolved(&world(&cv).origin)))),
    one("get_jq_origin", &[], |cv| give(Ok(world(&cv).access.executable_directory().map_or(Value::Null, |p| Value::from(p.to_string_lossy().into_owned()))))),
    one("modulemeta", &[], |cv| give(super::modules::describe(&cv.1, world(&cv)))),
];

fn world<'a>(cv: &Cv<'a>) -> &'a World {
    cv.0.data().world
}

/// Says something on standard error while the filter runs, as jq's `debug` and `stderr` do.
fn remark(text: &str) {
    // Without a reader for the messages there is still a result; `eprint!` would panic.
    _ = io::stderr().write_all(text.as_bytes());
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
