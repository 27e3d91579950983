//! `atomic-write`: new content for a file, all of it or nothing.

use super::{
    Exit,
    condition::{self, Outcome},
    form::Form,
    give_back, lock_folder, no_stack, own_command, refuse_special, resolve, restore,
    rule::Rule,
    tell_of_other_names,
    writing::{Writer, Written, check},
};
use crate::{
    failure::Failure,
    filter,
    lock::{
        self, Claim,
        info::{Kind, new_token},
        target::Target,
    },
    replace::{self, Replacement},
    report::Console,
    request::{self, Answer, Condition, Content},
    revision::Revision,
};
use memlatch_os::{Fresh, paths::shown};
use std::io::{self, Read};

/// Writes the file.
pub fn run(request: &request::Write, console: &Console) -> Result<Exit, Failure> {
    match request.schema {
        // A schema goes as deep as the document.
        Some(_) => filter::on_large_stack(|| write(request, console)).map_err(no_stack)?,
        None => write(request, console),
    }
}

fn write(request: &request::Write, console: &Console) -> Result<Exit, Failure> {
    let rule = Rule::prepare(request.schema.as_ref())?;
    // The content is complete before the lock is taken: a slow pipe keeps nobody waiting.
    let content = match &request.content {
        Content::StandardInput => Some(checked(read_input()?, request, &rule)?),
        Content::Text(text) => Some(checked(text.trim_end_matches('\n').as_bytes().to_vec(), request, &rule)?),
        Content::Backup(_) => None,
    };
    let target = resolve(&request.file)?;
    refuse_special(&target)?;
    let put = |writer: Writer<'_>| {
        let current = match &request.condition {
            Condition::Any => None,
            Condition::Revision(_) | Condition::Base(_) => {
                // What the name stands for now, on a file server too. Without a directory there is no file either.
                let _directory = Fresh::around(&target.path);
                condition::current(&target)?
            }
        };
        if let Condition::Revision(expected) = &request.condition {
            condition::check(expected, current.as_deref(), &target, request.answer, console)?;
        }
        match (&request.content, content) {
            (Content::Backup(number), _) => restore::put_back(*number, request, &target, writer, &rule, console),
            (_, content) => {
                let content = content.unwrap_or_default();
                let ours = with_theirs(request, content, current.as_deref(), &target, &rule, console)?;
                put(request, &target, writer, &ours.content, console)?;
                Ok(ours)
            }
        }
    };
    let written = if request.locked {
        let claim = Claim { kind: Kind::Write, command: own_command(), client: request.client.clone() };
        let guard = lock::exclusive(&lock_folder()?, &target, &claim, request.wait, console)?;
        let written = put(Writer { token: guard.token(), permit: &|| guard.confirm() })?;
        give_back(guard, console);
        written
    } else {
        put(Writer { token: &new_token(), permit: &replace::always })?
    };
    let file = shown(&target.given);
    match (&request.content, written.kept) {
        (Content::Backup(number), _) => {
            console.ok(format_args!("Restored: {file} from {}", shown(&replace::backup_of(&target.given, *number))))
        }
        (_, None) => console.ok(format_args!("Written: {file}")),
        (_, Some(kept)) => {
            let s = if kept == 1 { "" } else { "s" };
            console.ok(format_args!("Merged: {file} ({kept} change{s} of others kept)"));
        }
    }
    let status = if written.kept.is_some() { "merged" } else { "written" };
    if request.answer != Answer::None {
        condition::answer(request.answer, status, &Revision::of(Some(&written.content)), console)?;
    }
    Ok(Exit(0))
}

/// The new content, with what others have made of its base since.
pub fn with_theirs(
    request: &request::Write,
    content: Vec<u8>,
    current: Option<&[u8]>,
    target: &Target,
    rule: &Rule,
    console: &Console,
) -> Result<Written, Failure> {
    let Condition::Base(base) = &request.condition else { return Ok(Written { content, kept: None }) };
    filter::on_large_stack(|| match condition::merged(base, &content, current, target, request.answer, console)? {
        Outcome::Untouched => Ok(Written { content, kept: None }),
        Outcome::Merged { document, layout, kept } => {
            let form = Form::of(&request.file);
            rule.check_all(form, &document, &request.file)?;
            let mut content = Vec::new();
            form.write(&document, &layout, &mut content).map_err(Failure::from_output)?;
            Ok(Written { content, kept: Some(kept) })
        }
    })
    .map_err(no_stack)?
}

fn put(
    request: &request::Write,
    target: &Target,
    writer: Writer<'_>,
    content: &[u8],
    console: &Console,
) -> Result<(), Failure> {
    make_folder(request, target, console)?;
    let replacement = Replacement {
        target: &target.path,
        directory: &replace::open_directory(&target.path)?,
        token: writer.token,
        patience: request.wait.timeout,
        durability: request.durability,
        model: None,
        backup: request.backup.map(|keep| (target.given.as_path(), keep)),
        permit: writer.permit,
    };
    let replaced = replace::replace(&replacement, |out| out.write_all(content))?;
    tell_of_other_names(replaced, target, console);
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

fn make_folder(request: &request::Write, target: &Target, console: &Console) -> Result<(), Failure> {
    let Some(folder) = target.path.parent() else { return Ok(()) };
    if replace::make_folder(folder, request.durability)? {
        console.progress(format_args!("Made folder: {}", shown(folder)));
    }
    Ok(())
}
