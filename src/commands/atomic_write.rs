//! `atomic-write`: new content for a file, completely or not at all.

use super::{
    Context,
    condition::{self, Combined},
    form::Form,
    give_back, lock_folder, no_stack, own_command, refuse_special, resolve, restore,
    rule::Rule,
    writing::{Put, Writer, check, tell_of_other_names},
};
use crate::{
    failure::Failure,
    filter,
    lock::{self, Claim, info::Kind, target::Target},
    outcome::{Deed, Outcome, Written},
    replace,
    request::{self, Answer, Condition, Content},
    revision::Revision,
    sink::Note,
};
use memlatch_os::{Fresh, paths::shown};
use std::io::{self, Read};

/// Writes the file.
pub fn run(request: &request::Write, context: Context<'_>) -> Result<Outcome, Failure> {
    match request.schema {
        // Checking a schema recurses as deep as the document.
        Some(_) => filter::on_large_stack(|| write(request, context)).map_err(no_stack)?,
        None => write(request, context),
    }
}

fn write(request: &request::Write, context: Context<'_>) -> Result<Outcome, Failure> {
    let rule = Rule::prepare(request.schema.as_ref())?;
    let target = resolve(&request.file)?;
    refuse_special(&target)?;
    // The content is complete before the lock is taken: a slow pipe keeps nobody waiting.
    let content = match &request.content {
        Content::StandardInput => Some(checked(read_input()?, request, &rule)?),
        Content::Text(text) => Some(checked(text.trim_end_matches('\n').as_bytes().to_vec(), request, &rule)?),
        Content::Backup(_) => None,
    };
    let put = |writer: Writer<'_>| {
        let current = match &request.condition {
            Condition::Any => None,
            Condition::Revision(_) | Condition::Base(_) => {
                // Opened freshly, so that a file server looks the name up again. Without the directory there is no file either.
                let _directory = Fresh::around(&target.path);
                condition::current(&target)?
            }
        };
        if let Condition::Revision(expected) = &request.condition {
            condition::check(expected, current.as_deref(), &target, request.answer)?;
        }
        match (&request.content, content) {
            (Content::Backup(number), _) => restore::put_back(*number, request, &target, writer, &rule, context),
            (_, content) => {
                let content = content.unwrap_or_default();
                let ours = with_theirs(request, content, current.as_deref(), &target, &rule, context)?;
                put(request, &target, &writer, &ours.content, context)?;
                Ok(ours)
            }
        }
    };
    let written = if request.locked {
        let claim = Claim { kind: Kind::Write, command: own_command(context.settings), client: request.client.clone() };
        let guard = lock::exclusive(&lock_folder(context)?, &target, &claim, request.wait, context.sink.observer())?;
        let written = put(Writer::under(&guard, request.wait, request.durability).keeping(request.backup))?;
        give_back(guard, context);
        written
    } else {
        put(Writer::without_lock(request.wait, request.durability).keeping(request.backup))?
    };
    let revision = (request.answer != Answer::None).then(|| Revision::of(Some(&written.content)));
    let deed = match (&request.content, written.kept) {
        (Content::Backup(number), _) => Deed::Restored(replace::backup_of(&target.given, *number)),
        (_, Some(kept)) => Deed::Merged(kept),
        (_, None) => Deed::Written,
    };
    let as_json = request.answer == Answer::Json;
    Ok(Outcome::Written(Written { file: target.given, deed, revision, as_json }))
}

/// The new content, merged with the changes of others since its base.
pub fn with_theirs(
    request: &request::Write,
    content: Vec<u8>,
    current: Option<&[u8]>,
    target: &Target,
    rule: &Rule,
    context: Context<'_>,
) -> Result<Put, Failure> {
    let Condition::Base(base) = &request.condition else { return Ok(Put { content, kept: None }) };
    filter::on_large_stack(|| match condition::merged(base, &content, current, target, request.answer, context)? {
        Combined::Untouched => Ok(Put { content, kept: None }),
        Combined::Merged { document, layout, kept } => {
            let form = Form::of(&request.file);
            rule.check_all(form, &document, &request.file)?;
            let mut content = Vec::new();
            form.write(&document, &layout, &mut content).map_err(Failure::from_output)?;
            Ok(Put { content, kept: Some(kept) })
        }
    })
    .map_err(no_stack)?
}

fn put(
    request: &request::Write,
    target: &Target,
    writer: &Writer<'_>,
    content: &[u8],
    context: Context<'_>,
) -> Result<(), Failure> {
    make_folder(request, target, context)?;
    let directory = replace::open_directory(&target.path)?;
    let replaced = writer.replace(target, &directory, None, |out| out.write_all(content))?;
    tell_of_other_names(replaced, target, context);
    Ok(())
}

/// All of standard input.
pub fn read_input() -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut content);
    read.map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))?;
    Ok(content)
}

/// What will be in the file.
pub fn checked(mut content: Vec<u8>, request: &request::Write, rule: &Rule) -> Result<Vec<u8>, Failure> {
    if content.is_empty() {
        return Err(Failure::failed(format!(
            "there is no content for '{}': give it on standard input or with --content TEXT",
            shown(&request.file)
        )));
    }
    if check(&content, request, rule)? {
        content.truncate(content.trim_ascii_end().len());
        content.push(b'\n');
    } else if let Content::Text(_) = request.content {
        content.push(b'\n');
    }
    Ok(content)
}

fn make_folder(request: &request::Write, target: &Target, context: Context<'_>) -> Result<(), Failure> {
    let Some(folder) = target.path.parent() else { return Ok(()) };
    if replace::make_folder(folder, request.durability)? {
        context.sink.note(Note::MadeFolder(folder));
    }
    Ok(())
}
