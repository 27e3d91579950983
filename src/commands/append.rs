//! `memory-update --append`: lines for a file of JSON Lines, added at its end under its lock. The rest is not written again.

use super::{
    Context, condition, filtering, form::Form, give_back, lock_folder, missing, own_command, refuse_missing, resolve,
    rule::Rule, writing::Writer,
};
use crate::{
    document::lines::{self, Tail},
    failure::Failure,
    filter::{self, InputName, Value},
    lock::{self, Claim, info::Kind, target::Target},
    outcome::{Deed, Outcome, Preview, Written},
    replace::{self, append::Appending},
    request::{Answer, Effect, FilterSpec, Update},
    revision::Revision,
    sink::Note,
};
use memlatch_os::paths::shown;
use std::{cell::RefCell, ops::ControlFlow};

/// The advice for a missing file.
const START_IT: &str = "--create makes it without lines";

/// Adds the outputs of the filter, which runs on null, as one line each.
pub fn run(request: &Update, filter: &FilterSpec, context: Context<'_>) -> Result<Outcome, Failure> {
    if Form::of(&request.file) != Form::Lines {
        return Err(Failure::usage(format!(
            "--append works with *.jsonl and *.ndjson, and '{}' is neither; to append to an array in a document: '.LIST += [VALUE]'",
            shown(&request.file)
        )));
    }
    let rule = Rule::prepare(request.schema.as_ref())?;
    let seed = request.create.as_deref().map(seed).transpose()?;
    // The lines are complete before the lock is taken.
    let new = new_lines(request, filter, &rule, context)?;
    let target = resolve(&request.file)?;
    refuse_missing(&target, request, START_IT)?;
    let claim = Claim { kind: Kind::Update, command: own_command(context.settings), client: request.client.clone() };
    let guard = lock::exclusive(&lock_folder(context)?, &target, &claim, request.wait, context.sink.observer())?;
    let directory = replace::open_directory(&target.path)?;
    if let Some(expected) = &request.expected {
        condition::check(expected, condition::current(&target)?.as_deref(), &target, request.answer)?;
    }
    let found = Appending::open(&target.path, &directory)?;
    let writer = Writer::under(&guard, request.wait, request.durability);
    let would_be = match (&request.effect, found) {
        (Effect::Preview, _) => Some(Outcome::Data(new)),
        (Effect::Difference, _) => {
            let old = condition::current(&target)?;
            let new = after(old.as_deref(), seed.as_deref(), &new);
            Some(Outcome::Preview(Preview { file: target.given.clone(), old, new, only_difference: true }))
        }
        (Effect::Write, Some(file)) => {
            add(file, &new, request, &target, &writer, context)?;
            None
        }
        (Effect::Write, None) => {
            let seed = seed.ok_or_else(|| missing(&target, START_IT))?;
            writer.replace(&target, &directory, None, |out| out.write_all(&seed).and_then(|()| out.write_all(&new)))?;
            None
        }
    };
    let now = match (request.effect, request.answer) {
        (Effect::Write, Answer::Revision | Answer::Json) => condition::current(&target)?,
        _ => None,
    };
    give_back(guard, context);
    Ok(would_be.unwrap_or_else(|| {
        let revision = now.map(|now| Revision::of(Some(&now)));
        let as_json = request.answer == Answer::Json;
        Outcome::Written(Written { file: target.given, deed: Deed::Updated, revision, as_json })
    }))
}

/// Appends the lines to an existing file, after removing an unfinished last line.
fn add(
    file: Appending<'_>,
    new: &[u8],
    request: &Update,
    target: &Target,
    writer: &Writer<'_>,
    context: Context<'_>,
) -> Result<(), Failure> {
    let (start, last) = file.last_line()?;
    let end = start + last.len() as u64;
    let permit = &|| writer.confirm();
    match lines::tail(&last) {
        Tail::Ended => file.append(end, new, request.durability, permit)?,
        Tail::Unended => file.append(end, &[b"\n", new].concat(), request.durability, permit)?,
        Tail::Torn(_) => {
            file.append(start, new, request.durability, permit)?;
            context.sink.note(Note::Mended { file: &target.given, torn: &last });
        }
    }
    Ok(())
}

/// The filter's outputs as lines.
pub fn new_lines(request: &Update, filter: &FilterSpec, rule: &Rule, context: Context<'_>) -> Result<Vec<u8>, Failure> {
    let filter = filtering::prepare(filter, InputName::default())?;
    let text = RefCell::new(Vec::new());
    let failed = RefCell::new(Ok(()));
    let give_up = |failure: &Failure| context.sink.last_words(failure);
    let ran = filter.run(filter::Input::One(Value::Null), give_up, &mut |value| {
        let written = rule.check(&value, &request.file).and_then(|()| {
            let sort_keys = request.layout.sort_keys;
            lines::write_line(&value, sort_keys, &mut *text.borrow_mut()).map_err(Failure::from_output)
        });
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                *failed.borrow_mut() = Err(failure);
                ControlFlow::Break(())
            }
        }
    });
    ran.map_err(|failure| failure.about("the filter of --append, whose input is null"))?;
    failed.into_inner()?;
    let text = text.into_inner();
    if text.is_empty() {
        return Err(Failure::failed("the filter has no output, so there is no line to append"));
    }
    Ok(text)
}

/// The content that the file would have.
pub fn after(old: Option<&[u8]>, seed: Option<&[u8]>, new: &[u8]) -> Vec<u8> {
    let kept = old.map(|old| &old[..Form::Lines.whole(old)]).or(seed).unwrap_or_default();
    let end: &[u8] = if kept.is_empty() || kept.ends_with(b"\n") { b"" } else { b"\n" };
    [kept, end, new].concat()
}

/// The lines that a missing file starts from.
pub fn seed(json: &str) -> Result<Vec<u8>, Failure> {
    let value = Form::Lines.seed(json)?;
    let mut text = Vec::new();
    Form::Lines.write(&value, &crate::document::Layout::default(), &mut text).map_err(Failure::from_output)?;
    Ok(text)
}
