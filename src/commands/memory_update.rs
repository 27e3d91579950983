//! `memory-update`: read, filter and replace a JSON file under its lock.

use super::{
    Exit, append, condition,
    form::{self, Form},
    give_back, lock_folder, missing, no_stack, own_command, program, refuse_special, resolve,
    rule::Rule,
    show_difference, tell_of_other_names,
};
use crate::{
    document,
    failure::Failure,
    filter::{self, InputName, Value},
    lock::{self, Claim, Guard, info::Kind, target::Target},
    process,
    replace::{self, Replacement},
    report::Console,
    request::{Answer, Change, Effect, Program, Source, Update},
    revision::Hashing,
    settings,
};
use memlatch_os::paths::{quoted, shown};
use std::{
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

/// What to do about a file that is not there.
const START_IT: &str = "--create starts it from {}, or --create=JSON from something else";

/// The name that `input_filename` gives.
pub fn input_name(file: &Path) -> InputName {
    let name = InputName::default();
    name.set(Some(file.to_string_lossy().into()));
    name
}

/// Updates the file, or prints what it would become.
pub fn run(request: &Update, console: &Console) -> Result<Exit, Failure> {
    filter::on_large_stack(|| match &request.change {
        Change::Append(lines) => append::run(request, lines, console),
        Change::Filter(_) | Change::Function(_) => update(request, console),
    })
    .map_err(no_stack)?
}

fn update(request: &Update, console: &Console) -> Result<Exit, Failure> {
    // Everything that can fail without the lock fails before it is taken: a typo waits for nobody and blocks nobody.
    let change = Prepared::from(request)?;
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
    // With a condition, what is missing has changed.
    if refuse_special(&target)?.is_none() && seed.is_none() && request.expected.is_none() {
        return Err(missing(&target, START_IT));
    }
    let claim = Claim { kind: Kind::Update, command: own_command(), client: request.client.clone() };
    let guard = lock::exclusive(&lock_folder()?, &target, &claim, request.wait, console)?;
    let compares = match request.effect {
        Effect::Write => false,
        Effect::Preview => console.data_is_read_by_people(),
        Effect::Difference => true,
    };
    let directory = replace::open_directory(&target.path)?;
    let mut old_text = None;
    let mut is_new = false;
    let mut torn = Vec::new();
    let current = condition::current(&target)?;
    if let Some(expected) = &request.expected {
        condition::check(expected, current.as_deref(), &target, request.answer, console)?;
    }
    let old = match current {
        Some(mut text) => {
            old_text = compares.then(|| text.clone());
            torn = text.split_off(form.whole(&text));
            form.parse(text).map_err(|error| form::damaged(&target, &error))?
        }
        None => {
            is_new = true;
            seed.ok_or_else(|| missing(&target, START_IT))?
        }
    };
    let old_kind = (!is_new).then(|| old.kind());
    let (new, guard) = change.apply(old, guard, &target, console)?;
    rule.check_all(form, &new, &target.given)?;
    refuse_change_of_type(old_kind, &new, request)?;
    form.accept(&new, &target.given)?;
    let print = |out: &mut dyn Write| form.write(&new, &request.layout, out);
    if request.effect != Effect::Write {
        guard.release(console)?;
        if compares {
            let mut new_text = Vec::new();
            print(&mut new_text).map_err(Failure::from_output)?;
            show_difference(old_text.as_deref(), &new_text, &target, console)?;
        } else {
            console.data(print)?;
        }
        return Ok(Exit(0));
    }
    let replacement = Replacement {
        target: &target.path,
        directory: &directory,
        token: guard.token(),
        patience: request.wait.timeout,
        durability: request.durability,
        model: None,
        backup: request.backup.map(|keep| (target.given.as_path(), keep)),
        permit: &|| guard.confirm(),
    };
    let mut revision = None;
    let replaced = replace::replace(&replacement, |out| {
        if request.answer == Answer::None {
            return print(out);
        }
        let mut hashing = Hashing::new(out);
        print(&mut hashing)?;
        revision = Some(hashing.revision());
        Ok(())
    })?;
    tell_of_other_names(replaced, &target, console);
    give_back(guard, console);
    if !torn.is_empty() {
        console.info(form::mended(&target, &torn));
    }
    console.ok(format_args!("Updated: {}", shown(&target.given)));
    if let Some(revision) = revision {
        condition::answer(request.answer, "written", &revision, console)?;
    }
    Ok(Exit(0))
}

/// Refuses a result that throws the document away: `.count` makes a number of it, and `.count == 1` a boolean.
///
/// A document that is `null` holds nothing yet.
pub fn refuse_change_of_type(old: Option<&str>, new: &Value, request: &Update) -> Result<(), Failure> {
    let Some(old) = old.filter(|old| *old != new.kind() && *old != "null" && !request.may_change_type) else {
        return Ok(());
    };
    let (file, old, new) = (shown(&request.file), with_article(old), with_article(new.kind()));
    Err(Failure::failed(format!(
        "'{file}' holds {old}, and the new content is {new}; nothing has changed; {}, or if it is meant, add \
         --allow-type-change",
        meant(&request.change, &request.file)
    )))
}

/// What was probably meant by a change that gives a value of another type.
fn meant(change: &Change, file: &Path) -> String {
    let Change::Filter(Program { source: Source::Text(filter), .. }) = change else {
        return "the change has to give the whole document".to_owned();
    };
    let is_path = filter.starts_with('.') && !filter.contains([' ', '=', '|', '+', '(']);
    match filter.split_once("==") {
        Some((before, after)) if !after.contains("==") => {
            format!("to set a value, write = for ==: {}", quoted(Path::new(&format!("{before}={after}"))))
        }
        _ if is_path => {
            let whole = if Form::of(file) == Form::Lines { " -s" } else { "" };
            format!("to look at a value: memory-read {} {}{whole}", quoted(file), quoted(Path::new(filter)))
        }
        _ => "the filter has to give the whole document, as '.count += 1' does and '.count + 1' does not".to_owned(),
    }
}

fn with_article(kind: &str) -> String {
    match kind {
        "array" | "object" => format!("an {kind}"),
        "null" => kind.to_owned(),
        _ => format!("a {kind}"),
    }
}

/// A change that is ready to be applied.
enum Prepared<'a> {
    Filter(program::Ready),
    Function(&'a str),
}

impl<'a> Prepared<'a> {
    fn from(request: &'a Update) -> Result<Self, Failure> {
        Ok(match &request.change {
            Change::Append(_) => unreachable!("lines are appended without a change of the others"),
            Change::Filter(source) => Prepared::Filter(program::prepare(source, input_name(&request.file))?),
            Change::Function(name) => {
                find_function(name)?;
                Prepared::Function(name)
            }
        })
    }

    /// Makes the new content. A filter whose time is up gives the lock back by itself, as the process ends with it.
    fn apply(self, old: Value, guard: Guard, target: &Target, console: &Console) -> Result<(Value, Guard), Failure> {
        let filter = match self {
            Prepared::Filter(filter) => filter,
            Prepared::Function(name) => return Ok((call_function(name, &old, guard.token())?, guard)),
        };
        let held = Mutex::new(Some(guard));
        let take = || held.lock().expect("nobody panics while holding this").take();
        let give_up = |failure: &Failure| {
            drop(take());
            console.failure(failure);
        };
        let new = filter.only_output(old, give_up).map_err(|failure| failure.about(shown(&target.given)));
        match take() {
            Some(guard) => Ok((new?, guard)),
            // The process is about to end, and has told why.
            None => loop {
                thread::park();
            },
        }
    }
}

/// Makes sure that there is an exported function of that name.
pub fn find_function(name: &str) -> Result<(), Failure> {
    match settings::bash_function(name) {
        Some(_) => Ok(()),
        None => Err(Failure::usage(format!(
            "there is no exported bash function '{name}'; define it and run: export -f {name}"
        ))),
    }
}

/// Runs the function with the document on its standard input, and reads the new one from its output.
/// It works inside the hold of `token`.
pub fn call_function(name: &str, old: &Value, token: &str) -> Result<Value, Failure> {
    let cannot = |error: io::Error| Failure::failed(format!("cannot run bash for the function '{name}': {error}"));
    let mut input = Vec::new();
    document::write(old, &document::Layout::default(), &mut input).map_err(cannot)?;
    input.push(b'\n');
    let mut tokens = settings::inside();
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
