//! `memory-read`: print a file, or what a filter makes of it, never half written.

use super::{Exit, is_json_name, lock_folder, missing, no_stack, parse, program, refuse_special, resolve, unreadable};
use crate::{
    cli::{Read, Show, Strings},
    document,
    failure::Failure,
    filter,
    lock::{self, target::Target},
    report::Console,
    revision::Revision,
};
use memlatch_jq::value::{Map, Value};
use memlatch_os::{Fresh, paths::shown};
use std::{
    fs::File,
    io::{self, Read as _, Write},
    ops::ControlFlow,
};

/// Prints the file.
pub fn run(request: &Read, console: &Console) -> Result<Exit, Failure> {
    match &request.show {
        Show::Revision => {
            let (_, bytes) = load(request, console)?;
            console.data(|out| writeln!(out, "{}", Revision::of(Some(&bytes))))?;
            Ok(Exit(0))
        }
        Show::Filtered { layout, .. } if request.with_revision => {
            filter::on_large_stack(|| print_with_revision(request, layout, console)).map_err(no_stack)?
        }
        Show::Content(layout) if is_json_name(&request.file) => {
            let (target, text) = load(request, console)?;
            let is_shallow = is_shallow(&text);
            let print = || print_document(text, layout, &target, console);
            if is_shallow { print() } else { filter::on_large_stack(print).map_err(no_stack)? }
        }
        Show::Bytes | Show::Content(_) => {
            let (_, bytes) = load(request, console)?;
            console.data(|out| out.write_all(&bytes))?;
            Ok(Exit(0))
        }
        Show::Filtered { program, layout, strings, status_from_output, input } => {
            filter::on_large_stack(|| {
                // A filter with a mistake in it waits for nobody.
                let filter = program::prepare(program, &request.file)?;
                let (target, text) = load(request, console)?;
                let outputs = print_outputs(filter, &target, parse(text, &target)?, *input, layout, *strings, console)?;
                Ok(if *status_from_output { outputs.as_status() } else { Exit(0) })
            })
            .map_err(no_stack)?
        }
    }
}

/// Prints the revision and the value that belong together: both are of the bytes that were read once.
fn print_with_revision(request: &Read, layout: &document::Layout, console: &Console) -> Result<Exit, Failure> {
    let Show::Filtered { program, status_from_output, input, .. } = &request.show else {
        unreachable!("a revision comes with a filter, if only with the one that changes nothing")
    };
    let filter = program::prepare(program, &request.file)?;
    let (target, bytes) = load(request, console)?;
    let revision = Value::from(Revision::of(Some(&bytes)).to_string());
    let (mut outputs, mut value) = (0_u64, None);
    filter.run(parse(bytes, &target)?, *input, |failure| console.failure(failure), &mut |output| {
        outputs += 1;
        value = Some(output);
        ControlFlow::Continue(())
    })?;
    let (1, Some(value)) = (outputs, value) else {
        return Err(Failure::failed(format!(
            "the filter gives {outputs} outputs, and a revision belongs to one; put them into an array: [FILTER]"
        )));
    };
    let status = Outputs { last_is_true: Some(value.truthy()) }.as_status();
    let members = [("revision", revision), ("value", value)];
    let mut both = Map::default();
    members.into_iter().for_each(|(name, value)| both.insert(name.into(), value));
    print_value(&Value::object(both), layout, console)?;
    Ok(if *status_from_output { status } else { Exit(0) })
}

fn print_value(value: &Value, layout: &document::Layout, console: &Console) -> Result<(), Failure> {
    console.data(|out| {
        document::write(value, layout, out)?;
        out.write_all(b"\n")
    })
}

/// Whether a text can be printed on any stack: it nests at most as deep as it has opening brackets. Long ones are not
/// searched for them, for their own time is long beside that of setting up a stack.
fn is_shallow(text: &[u8]) -> bool {
    text.len() <= 1 << 16 && text.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() <= 256
}

/// The file's bytes, as one writer left them.
pub fn load(request: &Read, console: &Console) -> Result<(Target, Vec<u8>), Failure> {
    let target = resolve(&request.file)?;
    let mut file = open(request, &target, console)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(|error| unreadable(&target, &error))?;
    Ok((target, text))
}

/// Opens the file while no writer holds its lock. From then on it cannot change: writers put a new one in its place.
fn open(request: &Read, target: &Target, console: &Console) -> Result<File, Failure> {
    let _guard =
        if request.locked { Some(lock::shared(&lock_folder()?, target, request.wait, console)?) } else { None };
    // After the lock and before the file: on a file server the name may be another file's since it was last looked up.
    // What is wrong with the directory, the file's own error tells.
    let _directory = Fresh::around(&target.path);
    if refuse_special(target)?.is_none() {
        return Err(missing(target, "look at the path, or make the file with atomic-write"));
    }
    File::open(&target.path).map_err(|error| unreadable(target, &error))
}

fn print_document(
    text: Vec<u8>,
    layout: &document::Layout,
    target: &Target,
    console: &Console,
) -> Result<Exit, Failure> {
    print_value(&parse(text, target)?, layout, console)?;
    Ok(Exit(0))
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
    target: &Target,
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
    result.map(|()| outputs).map_err(|failure| failure.about(shown(&target.given)))
}

fn print(out: &mut dyn Write, value: &filter::Value, layout: &document::Layout, strings: Strings) -> io::Result<()> {
    match (strings, value.as_str()) {
        (Strings::Raw | Strings::Joined, Some(text)) => out.write_all(text.as_bytes())?,
        _ => document::write(value, layout, out)?,
    }
    if strings == Strings::Joined { Ok(()) } else { out.write_all(b"\n") }
}
