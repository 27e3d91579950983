//! `memory-update`: read, filter and replace a JSON file under its lock.

use super::{
    Context, append, condition, filtering,
    form::{self, Form},
    give_back, lock_folder, missing, no_stack, own_command, refuse_missing, resolve,
    rule::Rule,
    writing::{Writer, tell_of_other_names},
};
use crate::{
    document,
    failure::{self, Failure},
    filter::{self, InputName, Value},
    lock::{self, Claim, Guard, info::Kind, target::Target},
    outcome::{Deed, Outcome, Preview, Written},
    process,
    refusal::OtherType,
    replace,
    request::{Answer, Change, Effect, FilterSpec, Source, Update},
    revision::Hashing,
    settings::{self, Settings},
    sink::Note,
};
use memlatch_os::paths::{quoted, shown};
use std::{
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

/// The advice for a missing file.
const START_IT: &str = "--create starts it from {}, or --create=JSON from another value";

/// The value of `input_filename`.
pub fn input_name(file: &Path) -> InputName {
    let name = InputName::default();
    name.set(Some(file.to_string_lossy().into()));
    name
}

/// Updates the file, or prints what it would become.
pub fn run(request: &Update, context: Context<'_>) -> Result<Outcome, Failure> {
    filter::on_large_stack(|| match &request.change {
        Change::Append(lines) => append::run(request, lines, context),
        Change::Filter(_) | Change::Function(_) => update(request, context),
    })
    .map_err(no_stack)?
}

fn update(request: &Update, context: Context<'_>) -> Result<Outcome, Failure> {
    // Everything that can fail without the lock fails before it is taken: a typo neither waits nor blocks others.
    let change = Prepared::from(request, context.settings)?;
    let rule = Rule::prepare(request.schema.as_ref())?;
    let form = Form::of(&request.file);
    if form == Form::Sequence && !request.file.is_dir() {
        return Err(Failure::failed(format!(
            "'{}' is not named *.json, *.jsonl or *.ndjson; memory-update changes JSON files only",
            shown(&request.file)
        )));
    }
    let seed = request.create.as_deref().map(|json| form.seed(json)).transpose()?;
    let target = resolve(&request.file)?;
    refuse_missing(&target, request, START_IT)?;
    let claim = Claim { kind: Kind::Update, command: own_command(context.settings), client: request.client.clone() };
    let guard = lock::exclusive(&lock_folder(context)?, &target, &claim, request.wait, context.sink.observer())?;
    let directory = replace::open_directory(&target.path)?;
    let (mut old_text, mut torn) = (None, Vec::new());
    let mut is_new = false;
    let current = condition::current(&target)?;
    if let Some(expected) = &request.expected {
        condition::check(expected, current.as_deref(), &target, request.answer)?;
    }
    let old = match current {
        Some(mut text) => {
            old_text = (request.effect != Effect::Write).then(|| text.clone());
            torn = text.split_off(form.whole(&text));
            form.parse(text).map_err(|error| form::damaged(&target, &error))?
        }
        None => {
            is_new = true;
            seed.ok_or_else(|| missing(&target, START_IT))?
        }
    };
    let old_kind = (!is_new).then(|| old.kind());
    let (new, guard) = change.apply(old, guard, &target, context)?;
    rule.check_all(form, &new, &target.given)?;
    refuse_change_of_type(old_kind, &new, request)?;
    form.accept(&new, &target.given)?;
    let print = |out: &mut dyn Write| form.write(&new, &request.layout, out);
    if request.effect != Effect::Write {
        guard.release(context.sink.observer())?;
        let mut new = Vec::new();
        print(&mut new).map_err(Failure::from_output)?;
        let only_difference = request.effect == Effect::Difference;
        return Ok(Outcome::Preview(Preview { file: target.given, old: old_text, new, only_difference }));
    }
    let writer = Writer::under(&guard, request.wait, request.durability).keeping(request.backup);
    let mut revision = None;
    let replaced = writer.replace(&target, &directory, None, |out| {
        if request.answer == Answer::None {
            return print(out);
        }
        let mut hashing = Hashing::new(out);
        print(&mut hashing)?;
        revision = Some(hashing.revision());
        Ok(())
    })?;
    tell_of_other_names(replaced, &target, context);
    give_back(guard, context);
    if !torn.is_empty() {
        context.sink.note(Note::Mended { file: &target.given, torn: &torn });
    }
    let as_json = request.answer == Answer::Json;
    Ok(Outcome::Written(Written { file: target.given, deed: Deed::Updated, revision, as_json }))
}

/// Refuses a result that discards the document, as `.count` would with a number, and `.count == 1` with a boolean.
///
/// A document that is `null` holds nothing yet.
pub fn refuse_change_of_type(old: Option<&'static str>, new: &Value, request: &Update) -> Result<(), Failure> {
    let Some(old) = old.filter(|old| *old != new.kind() && *old != "null" && !request.may_change_type) else {
        return Ok(());
    };
    let advice = meant(&request.change, &request.file);
    let refused = OtherType { file: request.file.clone(), old, new: new.kind(), advice };
    Err(Failure { kind: failure::Kind::Failed, cause: refused.into() })
}

/// The likely intention of a change whose result has another type.
fn meant(change: &Change, file: &Path) -> String {
    let Change::Filter(FilterSpec { source: Source::Text(filter), .. }) = change else {
        return "the result has to be the whole document".to_owned();
    };
    let is_path = filter.starts_with('.') && !filter.contains([' ', '=', '|', '+', '(']);
    match filter.split_once("==") {
        Some((before, after)) if !after.contains("==") => {
            format!("to set a value, write = for ==: {}", quoted(Path::new(&format!("{before}={after}"))))
        }
        _ if is_path => {
            let whole = if Form::of(file) == Form::Lines { " -s" } else { "" };
            format!("to print a value: memory-read {} {}{whole}", quoted(file), quoted(Path::new(filter)))
        }
        _ => "the filter has to output the whole document, as '.count += 1' does and '.count + 1' does not".to_owned(),
    }
}

/// A change that is ready to be applied.
enum Prepared<'a> {
    Filter(filtering::Ready),
    Function(&'a str),
}

impl<'a> Prepared<'a> {
    fn from(request: &'a Update, settings: &Settings) -> Result<Self, Failure> {
        Ok(match &request.change {
            Change::Append(_) => unreachable!("lines are appended without a change of the others"),
            Change::Filter(source) => Prepared::Filter(filtering::prepare(source, input_name(&request.file))?),
            Change::Function(name) => {
                find_function(name, settings)?;
                Prepared::Function(name)
            }
        })
    }

    /// Makes the new content. When the time of a filter is up, the lock is released here, because the process exits then.
    fn apply(self, old: Value, guard: Guard, target: &Target, context: Context<'_>) -> Result<(Value, Guard), Failure> {
        let filter = match self {
            Prepared::Filter(filter) => filter,
            Prepared::Function(name) => {
                return Ok((call_function(name, &old, guard.token(), context.settings)?, guard));
            }
        };
        let held = Mutex::new(Some(guard));
        let take = || held.lock().expect("nobody panics while holding this").take();
        let give_up = |failure: &Failure| {
            drop(take());
            context.sink.last_words(failure);
        };
        let new = filter.only_output(old, give_up).map_err(|failure| failure.about(shown(&target.given)));
        match take() {
            Some(guard) => Ok((new?, guard)),
            // The process is about to exit and has printed the reason.
            None => loop {
                thread::park();
            },
        }
    }
}

/// Checks that an exported function of that name exists.
pub fn find_function(name: &str, settings: &Settings) -> Result<(), Failure> {
    if settings.has_bash_function(name) {
        return Ok(());
    }
    Err(Failure::usage(format!("there is no exported bash function '{name}'; define it and run: export -f {name}")))
}

/// Runs the function with the document on its standard input, and reads the new one from its output.
/// It works inside the hold of `token`.
pub fn call_function(name: &str, old: &Value, token: &str, settings: &Settings) -> Result<Value, Failure> {
    let cannot = |error: io::Error| Failure::failed(format!("cannot run bash for the function '{name}': {error}"));
    let mut input = Vec::new();
    document::write(old, &document::Layout::default(), &mut input).map_err(cannot)?;
    input.push(b'\n');
    let mut tokens = settings.inside();
    tokens.push(token.to_owned());
    process::reset_child_signal();
    // The name is an argument, not part of the program: bash calls what it names and evaluates nothing.
    let mut bash = Command::new("bash")
        .args(["-c", "\"$0\"", name])
        .env(settings::INSIDE, tokens.join(","))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let mut pipe = bash.stdin.take().expect("standard input was asked for");
    // A function need not read all of its input, and a full pipe must not stop us from reading its output.
    let feeder = thread::Builder::new().spawn(move || _ = pipe.write_all(&input));
    // Without a feeder its input has ended, so it does too.
    let output = bash.wait_with_output().map_err(cannot)?;
    _ = feeder.map_err(cannot)?.join();
    if !output.status.success() {
        return Err(Failure::failed(format!("the function '{name}' failed ({}); nothing has changed", output.status)));
    }
    document::parse(output.stdout)
        .map_err(|error| Failure::failed(format!("the function '{name}' did not print one JSON document: {error}")))
}
