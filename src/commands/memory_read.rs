//! `memory-read`: print a file, or what a filter makes of it, never half written.

use super::{
    Exit,
    form::Form,
    inputs::{self, Text},
    lock_folder, missing, no_stack,
    printing::Printer,
    program, refuse_special, resolve, unreadable,
};
use crate::{
    diff,
    failure::Failure,
    filter::{self, InputName},
    lock::{self, SharedGuard, target::Target},
    report::Console,
    request::{Input, Read, Show, Style},
    revision::Revision,
    settings,
};
use memlatch_jq::value::{Map, Value};
use memlatch_os::{Fresh, paths::shown};
use std::{
    fs::{self, File},
    io::{self, Read as _},
    ops::ControlFlow,
    path::Path,
};

/// Prints what the request asks for.
pub fn run(request: &Read, console: &Console) -> Result<Exit, Failure> {
    run_on(request, &|file| load(file, request, console), console)
}

/// Finds the text that a word of the command line names.
pub type Loader<'a> = dyn Fn(&Path) -> Result<Text, Failure> + Sync + 'a;

/// The same with texts that come from wherever `load` finds them.
pub fn run_on(request: &Read, load: &Loader<'_>, console: &Console) -> Result<Exit, Failure> {
    match &request.show {
        Show::Revision => {
            let text = load(only_file(request))?;
            console.data(|out| writeln!(out, "{}", Revision::of(Some(&text.bytes))))?;
            Ok(Exit(0))
        }
        Show::Filtered { .. } if request.with_revision => {
            filter::on_large_stack(|| print_with_revision(request, load, console)).map_err(no_stack)?
        }
        Show::Content(style) if Form::of(only_file(request)) == Form::Document => {
            let text = load(only_file(request))?;
            let is_shallow = is_shallow(&text.bytes);
            let printer = printer(*style, console)?;
            let print = || print_document(text, &printer, console);
            if is_shallow { print() } else { filter::on_large_stack(print).map_err(no_stack)? }
        }
        Show::Bytes | Show::Content(_) => {
            let text = load(only_file(request))?;
            console.data(|out| out.write_all(&text.bytes))?;
            Ok(Exit(0))
        }
        Show::Filtered { program, style, status_from_output, input } => {
            filter::on_large_stack(|| {
                // A filter with a mistake in it waits for nobody.
                let name = InputName::default();
                let filter = program::prepare(program, name.clone())?;
                let texts: Vec<Text> = request.files.iter().map(|file| load(file)).collect::<Result<_, _>>()?;
                tell_of_torn_lines(&texts, console);
                let printer = printer(*style, console)?;
                let input = inputs::of(texts, *input, name.clone())?;
                let outputs =
                    print_outputs(filter, input, &printer, console).map_err(|failure| failure.about(subject(&name)))?;
                Ok(if *status_from_output { outputs.as_status() } else { Exit(0) })
            })
            .map_err(no_stack)?
        }
    }
}

/// The file of a request that can name only one.
fn only_file(request: &Read) -> &Path {
    &request.files[0]
}

fn tell_of_torn_lines(texts: &[Text], console: &Console) {
    texts.iter().filter_map(Text::torn_line).for_each(|torn| console.info(torn));
}

/// What a runtime error is about: the file of the current input, where there is one.
fn subject(name: &InputName) -> String {
    name.current().map_or_else(|| "standard input".to_owned(), |name| shown(Path::new(&*name)).to_string())
}

fn printer(style: Style, console: &Console) -> Result<Printer, Failure> {
    let in_color = style.color.unwrap_or_else(|| console.data_style() == diff::Style::Colored);
    Ok(Printer::new(style, if in_color { Some(settings::json_colors()?) } else { None }))
}

/// Prints the revision and the value that belong together: both are of the bytes that were read once.
fn print_with_revision(request: &Read, load: &Loader<'_>, console: &Console) -> Result<Exit, Failure> {
    let Show::Filtered { program, style, status_from_output, .. } = &request.show else {
        unreachable!("a revision comes with a filter, if only with the one that changes nothing")
    };
    let name = InputName::default();
    let filter = program::prepare(program, name.clone())?;
    let text = load(only_file(request))?;
    let revision = Value::from(Revision::of(Some(&text.bytes)).to_string());
    tell_of_torn_lines(std::slice::from_ref(&text), console);
    // The whole content is one value, of lines as well.
    let whole = Input { slurp: text.form() == Form::Lines, ..Input::default() };
    let subject = text.name();
    let inputs = inputs::of(vec![text], whole, name)?;
    let (mut outputs, mut value) = (0_u64, None);
    filter
        .run(inputs, |failure| console.failure(failure), &mut |output| {
            outputs += 1;
            value = Some(output);
            ControlFlow::Continue(())
        })
        .map_err(|failure| failure.about(subject))?;
    let (1, Some(value)) = (outputs, value) else {
        return Err(Failure::failed(format!(
            "the filter gives {outputs} outputs, and a revision belongs to one; put them into an array: [FILTER]"
        )));
    };
    let status = Outputs { last_is_true: Some(value.truthy()) }.as_status();
    let members = [("revision", revision), ("value", value)];
    let mut both = Map::default();
    members.into_iter().for_each(|(name, value)| both.insert(name.into(), value));
    let printer = printer(*style, console)?;
    console.data(|out| printer.print(&Value::object(both), out))?;
    Ok(if *status_from_output { status } else { Exit(0) })
}

/// Whether a text can be printed on any stack: it nests at most as deep as it has opening brackets. Long ones are not
/// searched for them, for their own time is long beside that of setting up a stack.
fn is_shallow(text: &[u8]) -> bool {
    text.len() <= 1 << 16 && text.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() <= 256
}

/// The text of one file, as one writer left it; `-` is standard input.
pub fn load(file: &Path, request: &Read, console: &Console) -> Result<Text, Failure> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        let failed = |error| Failure::failed(format!("cannot read standard input: {error}"));
        io::stdin().lock().read_to_end(&mut bytes).map_err(failed)?;
        return Ok(Text { target: None, bytes });
    }
    let target = resolve(file)?;
    let (mut opened, guard) =
        if is_stream(file) { (open_stream(file)?, None) } else { open(request, &target, console)? };
    // A file of lines can grow while it is open; any other that is written is another file.
    let _guard = guard.filter(|_| Form::of(file) == Form::Lines);
    opened.read_to_end(&mut bytes).map_err(|error| unreadable(&target, &error))?;
    Ok(Text { target: Some(target), bytes })
}

/// Whether a path names what the shell has opened: `/dev/stdin`, or `/dev/fd/63` of `<(…)`. Other pipes are refused: to open
/// one can take for ever.
fn is_stream(file: &Path) -> bool {
    (file.starts_with("/dev") || file.starts_with("/proc/self/fd"))
        && fs::metadata(file).is_ok_and(|facts| !facts.is_dir())
}

/// Nobody can lock a stream, and nobody replaces it.
fn open_stream(file: &Path) -> Result<File, Failure> {
    File::open(file).map_err(|error| Failure::failed(format!("cannot read '{}': {error}", shown(file))))
}

/// Opens the file while no writer holds its lock. From then on it cannot change: writers put a new one in its place.
fn open(request: &Read, target: &Target, console: &Console) -> Result<(File, Option<SharedGuard>), Failure> {
    let guard = if request.locked { Some(lock::shared(&lock_folder()?, target, request.wait, console)?) } else { None };
    // After the lock and before the file: on a file server the name may be another file's since it was last looked up.
    // What is wrong with the directory, the file's own error tells.
    let _directory = Fresh::around(&target.path);
    if refuse_special(target)?.is_none() {
        let is_first = request.files.first().is_some_and(|first| *first == target.given);
        return Err(missing(target, if is_first { IS_FILE } else { IS_LATER_FILE }));
    }
    let file = File::open(&target.path).map_err(|error| unreadable(target, &error))?;
    Ok((file, guard))
}

const IS_FILE: &str = "look at the path, or make the file with atomic-write";
const IS_LATER_FILE: &str = "the second word is the filter, and those after it are more files; quote a filter with blanks, and put --args before words for $ARGS";

fn print_document(text: Text, printer: &Printer, console: &Console) -> Result<Exit, Failure> {
    let values = text.values()?;
    console.data(|out| values.iter().try_for_each(|value| printer.print(value, out)))?;
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
    input: filter::Input,
    printer: &Printer,
    console: &Console,
) -> Result<Outputs, Failure> {
    let mut outputs = Outputs::default();
    let mut result = Ok(());
    console.data(|out| {
        let mut written: io::Result<()> = Ok(());
        result = filter.run(input, |failure| console.failure(failure), &mut |output| {
            outputs.last_is_true = Some(output.truthy());
            written = printer.print(&output, out);
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        written
    })?;
    result.map(|()| outputs)
}
