//! `memory-read`: print a file, or what a filter makes of it, never half written.

use super::{Exit, is_json_name, lock_folder, no_stack, program, refuse_special, resolve};
use crate::{
    cli::{Read, Show, Strings},
    document,
    failure::Failure,
    filter,
    lock::{self, shown, target::Target},
    report::Console,
};
use std::{
    fs::File,
    io::{self, Read as _, Write},
    ops::ControlFlow,
};

/// Prints the file.
pub fn run(request: &Read, console: &Console) -> Result<Exit, Failure> {
    filter::on_large_stack(|| read(request, console)).map_err(no_stack)?
}

fn read(request: &Read, console: &Console) -> Result<Exit, Failure> {
    // A filter with a mistake in it waits for nobody.
    let filter = match &request.show {
        Show::Filtered { program, .. } => Some(program::prepare(program, &request.file)?),
        Show::Bytes | Show::Content(_) => None,
    };
    let target = resolve(&request.file)?;
    let file = open(request, &target, console)?;
    let text = || load(file, &target);
    match (&request.show, filter) {
        (Show::Content(layout), _) if is_json_name(&request.file) => {
            let value = document::parse(text()?).map_err(|error| Failure::from(error).about(shown(&target.given)))?;
            console.data(|out| {
                document::write(&value, layout, out)?;
                out.write_all(b"\n")
            })?;
            Ok(Exit(0))
        }
        (Show::Filtered { layout, strings, status_from_output, input, .. }, Some(filter)) => {
            let value = document::parse(text()?).map_err(|error| Failure::from(error).about(shown(&target.given)))?;
            let outputs = print_outputs(filter, value, *input, layout, *strings, console)?;
            Ok(if *status_from_output { outputs.as_status() } else { Exit(0) })
        }
        _ => {
            let bytes = text()?;
            console.data(|out| out.write_all(&bytes))?;
            Ok(Exit(0))
        }
    }
}

/// Opens the file while no writer holds its lock. From then on it cannot change: writers put a new one in its place.
fn open(request: &Read, target: &Target, console: &Console) -> Result<File, Failure> {
    let _guard =
        if request.locked { Some(lock::shared(&lock_folder()?, target, request.wait, console)?) } else { None };
    if refuse_special(target)?.is_none() {
        return Err(Failure::failed(format!("'{}' does not exist", shown(&target.given))));
    }
    File::open(&target.path)
        .map_err(|error| Failure::failed(format!("cannot read '{}': {error}", shown(&target.given))))
}

fn load(mut file: File, target: &Target) -> Result<Vec<u8>, Failure> {
    let size = file.metadata().map_or(0, |facts| facts.len());
    let mut text = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.read_to_end(&mut text)
        .map_err(|error| Failure::failed(format!("cannot read '{}': {error}", shown(&target.given))))?;
    Ok(text)
}

/// What `-e` asks about.
#[derive(Default)]
struct Outputs {
    last_is_true: Option<bool>,
}

impl Outputs {
    /// As jq has it: 4 if there was no output, 1 if the last was false or null.
    fn as_status(&self) -> Exit {
        match self.last_is_true {
            None => Exit(4),
            Some(false) => Exit(1),
            Some(true) => Exit(0),
        }
    }
}

fn print_outputs(
    filter: program::Ready,
    value: filter::Value,
    input: crate::cli::Input,
    layout: &document::Layout,
    strings: Strings,
    console: &Console,
) -> Result<Outputs, Failure> {
    let mut outputs = Outputs::default();
    let mut result = Ok(());
    console.data(|out| {
        let mut written: io::Result<()> = Ok(());
        result = filter.run(value, input, |failure| console.failure(failure), &mut |output| {
            outputs.last_is_true = Some(output.truthy());
            written = print(out, &output, layout, strings);
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        written
    })?;
    result.map(|()| outputs)
}

fn print(out: &mut dyn Write, value: &filter::Value, layout: &document::Layout, strings: Strings) -> io::Result<()> {
    match (strings, value.as_str()) {
        (Strings::Raw | Strings::Joined, Some(text)) => out.write_all(text.as_bytes())?,
        _ => document::write(value, layout, out)?,
    }
    if strings == Strings::Joined { Ok(()) } else { out.write_all(b"\n") }
}
