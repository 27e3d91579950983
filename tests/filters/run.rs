//! Programs run through the library.

use memlatch_jq::document::{self, Layout};
use memlatch_jq::filter::{Bindings, Input, Program, RunError, compile, on_large_stack};
use std::{ops::ControlFlow, path::PathBuf};

/// What a run gave: compact outputs, then the error that ended it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    pub outputs: Vec<String>,
    pub error: Option<String>,
    /// the program did not compile
    pub refused: bool,
}

/// Runs a program on one document.
pub fn run(program: &str, input: &str) -> Outcome {
    with_libraries(program, input, &[])
}

pub fn with_libraries(program: &str, input: &str, libraries: &[PathBuf]) -> Outcome {
    on_large_stack(|| {
        let program = Program {
            text: program.into(),
            libraries: libraries.to_vec(),
            bindings: Bindings::default(),
            ..Program::default()
        };
        let filter = match compile(program) {
            Ok(filter) => filter,
            Err(e) => {
                return Outcome { error: Some(e.message), refused: true, ..Outcome::default() };
            }
        };
        let input = match document::parse(input.as_bytes().to_vec()) {
            Ok(value) => value,
            Err(e) => {
                return Outcome { error: Some(e.to_string()), ..Outcome::default() };
            }
        };
        let mut outputs = Vec::new();
        let compact = Layout { indent: document::Indent::Compact, sort_keys: false };
        let result = filter.run(Input::One(input), &mut |value| {
            let mut text = Vec::new();
            document::write(&value, &compact, &mut text).expect("memory takes everything");
            outputs.push(String::from_utf8(text).expect("JSON is UTF-8"));
            if outputs.len() < 1000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let error = result.err().map(|e| match e {
            RunError::Halted(status) => format!("halted with {status}"),
            failed => failed.to_string(),
        });
        Outcome { outputs, error, refused: false }
    })
    .expect("there is room for one more stack")
}

/// Two JSON texts are the same value: numbers as doubles, members in any order.
pub fn same(a: &str, b: &str) -> bool {
    match (serde_json::from_str::<serde_json::Value>(a), serde_json::from_str::<serde_json::Value>(b)) {
        (Ok(a), Ok(b)) => equal(&a, &b),
        _ => run(". as [$a, $b] | $a == $b", &format!("[{a},{b}]")).outputs == ["true"],
    }
}

fn equal(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (a, b) {
        (Number(a), Number(b)) => a.as_f64() == b.as_f64(),
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Object(a), Object(b)) => a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| equal(v, w))),
        (a, b) => a == b,
    }
}
