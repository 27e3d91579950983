//! Runs a jq program on one JSON document: `cargo run -p memlatch-jq --example filter -- '.a + 1' < document.json`
//!
//! Shows the whole of the crate's use: read, compile, run, write.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "the rules are for the product")]

use memlatch_jq::document::{self, Indent, Layout};
use memlatch_jq::filter::{self, Input, Program};
use std::{
    error::Error,
    io::{Read, Write},
    ops::ControlFlow,
    process::ExitCode,
};

fn main() -> ExitCode {
    let mut program = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    // `@file` is a program in a file.
    if let Some(file) = program.strip_prefix('@') {
        program = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(e) => return failed(&format!("{file}: {e}")),
        };
    }
    // Parsing, compiling, running and dropping deep values need more stack than a thread has.
    match filter::on_large_stack(|| run(program).map_err(|e| e.to_string())) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(what)) => failed(&what),
        Err(e) => failed(&format!("no memory for the stack: {e}")),
    }
}

fn failed(what: &str) -> ExitCode {
    eprintln!("{what}");
    ExitCode::FAILURE
}

fn run(text: String) -> Result<(), Box<dyn Error>> {
    let filter = filter::compile(Program { text, ..Program::default() })?;
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let input = document::parse(bytes)?;
    let layout = Layout { indent: Indent::Compact, sort_keys: false };
    let mut out = std::io::stdout().lock();
    let mut written = Ok(());
    filter.run(Input::One(input), &mut |output| {
        written = document::write(&output, &layout, &mut out).and_then(|()| out.write_all(b"\n"));
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(written?)
}
