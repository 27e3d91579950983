//! `memory-read`: print a file, or the outputs of a filter on it, never an incomplete content.

use super::{
    Context, filtering,
    form::Form,
    inputs::{self, Text},
    lock_folder, missing, no_stack, refuse_special, resolve, unreadable,
};
use crate::{
    failure::Failure,
    filter::{self, InputName},
    lock::{self, SharedGuard, target::Target},
    outcome::{Outcome, Values},
    request::{InputMode, Read, Show},
    revision::Revision,
    sink::Note,
};
use memlatch_jq::value::{Map, Value};
use memlatch_os::{Fresh, paths::shown};
use std::{
    fs::{self, File},
    io::{self, Read as _},
    ops::ControlFlow,
    path::Path,
};

/// Reads what the request asks for. Values are printed as they come.
pub fn run(request: &Read, context: Context<'_>) -> Result<Outcome, Failure> {
    run_on(request, &|file| load(file, request, context), context)
}

/// Finds the text that a word of the command line names.
pub type Loader<'a> = dyn Fn(&Path) -> Result<Text, Failure> + Sync + 'a;

/// The same with texts that come from wherever `load` finds them.
pub fn run_on(request: &Read, load: &Loader<'_>, context: Context<'_>) -> Result<Outcome, Failure> {
    match &request.show {
        Show::Revision => {
            let text = load(only_file(request))?;
            Ok(Outcome::Revision(Revision::of(Some(&text.bytes))))
        }
        Show::Filtered { .. } if request.with_revision => {
            filter::on_large_stack(|| print_with_revision(request, load, context)).map_err(no_stack)?
        }
        Show::Content(style) if Form::of(only_file(request)) == Form::Document => {
            let text = load(only_file(request))?;
            let is_shallow = is_shallow(&text.bytes);
            let print = || {
                let values = text.values()?;
                context.sink.values(*style, &mut |hand_over| _ = values.iter().try_for_each(hand_over))?;
                Ok(Outcome::Nothing)
            };
            if is_shallow { print() } else { filter::on_large_stack(print).map_err(no_stack)? }
        }
        Show::Bytes | Show::Content(_) => Ok(Outcome::Data(load(only_file(request))?.bytes)),
        Show::Filtered { filter, style, status_from_output, input } => {
            filter::on_large_stack(|| {
                // A filter with an error fails before any waiting.
                let name = InputName::default();
                let filter = filtering::prepare(filter, name.clone())?;
                let texts: Vec<Text> = request.files.iter().map(|file| load(file)).collect::<Result<_, _>>()?;
                tell_of_torn_lines(&texts, context);
                let input = inputs::of(texts, *input, name.clone())?;
                let (mut last_is_true, mut ran, mut prepared) = (None, Ok(()), Some((filter, input)));
                let printed = context.sink.values(*style, &mut |hand_over| {
                    let Some((filter, input)) = prepared.take() else { return };
                    ran = filter.run(input, |failure| context.sink.last_words(failure), &mut |output| {
                        last_is_true = Some(output.truthy());
                        hand_over(&output)
                    });
                });
                printed.and(ran).map_err(|failure| failure.about(subject(&name)))?;
                Ok(Outcome::Values(Values { last_is_true, asks_for_status: *status_from_output }))
            })
            .map_err(no_stack)?
        }
    }
}

/// The file of a request that can name only one.
fn only_file(request: &Read) -> &Path {
    &request.files[0]
}

fn tell_of_torn_lines(texts: &[Text], context: Context<'_>) {
    texts.iter().filter(|text| text.is_torn()).for_each(|text| context.sink.note(Note::TornLine(&text.name())));
}

/// What a runtime error is about: the file of the current input, where there is one.
fn subject(name: &InputName) -> String {
    name.current().map_or_else(|| "standard input".to_owned(), |name| shown(Path::new(&*name)).to_string())
}

/// Prints the revision and the value that belong together: both are of the bytes that were read once.
fn print_with_revision(request: &Read, load: &Loader<'_>, context: Context<'_>) -> Result<Outcome, Failure> {
    let Show::Filtered { filter, style, status_from_output, .. } = &request.show else {
        unreachable!("a revision comes with a filter, if only with the one that changes nothing")
    };
    let name = InputName::default();
    let filter = filtering::prepare(filter, name.clone())?;
    let text = load(only_file(request))?;
    let revision = Value::from(Revision::of(Some(&text.bytes)).to_string());
    tell_of_torn_lines(std::slice::from_ref(&text), context);
    // The whole content is one value, of lines as well.
    let whole = InputMode { slurp: text.form() == Form::Lines, ..InputMode::default() };
    let subject = text.name();
    let inputs = inputs::of(vec![text], whole, name)?;
    let (mut outputs, mut value) = (0_u64, None);
    filter
        .run(inputs, |failure| context.sink.last_words(failure), &mut |output| {
            outputs += 1;
            value = Some(output);
            ControlFlow::Continue(())
        })
        .map_err(|failure| failure.about(subject))?;
    let (1, Some(value)) = (outputs, value) else {
        return Err(Failure::failed(format!(
            "the filter has {outputs} outputs, and a revision belongs to exactly one; put them into an array: [FILTER]"
        )));
    };
    let last_is_true = Some(value.truthy());
    let members = [("revision", revision), ("value", value)];
    let mut both = Map::default();
    members.into_iter().for_each(|(name, value)| both.insert(name.into(), value));
    let both = Value::object(both);
    context.sink.values(*style, &mut |hand_over| _ = hand_over(&both))?;
    Ok(Outcome::Values(Values { last_is_true, asks_for_status: *status_from_output }))
}

/// Whether a text can be printed on any stack: it nests at most as deep as it has opening brackets. Long ones are not
/// searched for them, for their own time is long beside that of setting up a stack.
fn is_shallow(text: &[u8]) -> bool {
    text.len() <= 1 << 16 && text.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() <= 256
}

/// The text of one file, as one writer left it; `-` is standard input.
pub fn load(file: &Path, request: &Read, context: Context<'_>) -> Result<Text, Failure> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        let failed = |error| Failure::failed(format!("cannot read standard input: {error}"));
        io::stdin().lock().read_to_end(&mut bytes).map_err(failed)?;
        return Ok(Text { target: None, bytes });
    }
    let target = resolve(file)?;
    let (mut opened, guard) =
        if is_stream(file) { (open_stream(file)?, None) } else { open(request, &target, context)? };
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

/// A stream cannot be locked, and is not replaced.
fn open_stream(file: &Path) -> Result<File, Failure> {
    File::open(file).map_err(|error| Failure::failed(format!("cannot read '{}': {error}", shown(file))))
}

/// Opens the file while no writer holds its lock. After that it cannot change: writers replace it with a new one.
fn open(request: &Read, target: &Target, context: Context<'_>) -> Result<(File, Option<SharedGuard>), Failure> {
    let guard = if request.locked {
        Some(lock::shared(&lock_folder(context)?, target, request.wait, context.sink.observer())?)
    } else {
        None
    };
    // After the lock and before the file: on a file server the name may be another file's since it was last looked up.
    // Errors of the directory show up as errors of the file.
    let _directory = Fresh::around(&target.path);
    if refuse_special(target)?.is_none() {
        let is_first = request.files.first().is_some_and(|first| *first == target.given);
        return Err(missing(target, if is_first { IS_FILE } else { IS_LATER_FILE }));
    }
    let file = File::open(&target.path).map_err(|error| unreadable(target, &error))?;
    Ok((file, guard))
}

const IS_FILE: &str = "check the path, or make the file with atomic-write";
const IS_LATER_FILE: &str = "the second argument is the filter, and those after it are more files; quote a filter that contains blanks, and put --args before arguments for $ARGS";
