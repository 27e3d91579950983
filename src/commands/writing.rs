//! Writing a whole content, whether it is new or comes from a backup.

use super::{Context, form::Form, rule::Rule};
use crate::{
    document::{self, lines},
    failure::Failure,
    lock::{Guard, Wait, info::new_token, target::Target},
    replace::{self, Durability, Keep, Model, Replaced, Replacement},
    request,
    sink::Note,
};
use memlatch_os::{Fresh, paths::shown};
use std::{
    borrow::Cow,
    io::{self, Write},
};

/// What was written.
pub struct Put {
    pub content: Vec<u8>,
    /// If it was merged: how many changes of others are in it.
    pub kept: Option<usize>,
}

/// Under which lock a file is written, if any, and how.
pub struct Writer<'a> {
    guard: Option<&'a Guard>,
    token: Cow<'a, str>,
    wait: Wait,
    durability: Durability,
    backup: Option<Keep>,
}

impl<'a> Writer<'a> {
    /// A writer that holds the lock.
    pub fn under(guard: &'a Guard, wait: Wait, durability: Durability) -> Self {
        Writer { guard: Some(guard), token: guard.token().into(), wait, durability, backup: None }
    }

    /// A writer without a lock.
    pub fn without_lock(wait: Wait, durability: Durability) -> Self {
        Writer { guard: None, token: new_token().into(), wait, durability, backup: None }
    }

    /// The same, with a backup.
    pub fn keeping(self, backup: Option<Keep>) -> Self {
        Writer { backup, ..self }
    }

    /// Checks that the lock has not been lost.
    pub fn confirm(&self) -> io::Result<()> {
        self.guard.map_or(Ok(()), Guard::confirm)
    }

    /// Replaces the content of the target by what `write` writes. `directory` was opened before the target was read, and a
    /// new file is to be like `model`.
    pub fn replace(
        &self,
        target: &Target,
        directory: &Fresh,
        model: Option<&Model>,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Replaced, replace::Error> {
        let replacement = Replacement {
            target: &target.path,
            directory,
            token: &self.token,
            patience: self.wait.timeout,
            durability: self.durability,
            model,
            backup: self.backup.map(|keep| (target.given.as_path(), keep)),
            permit: &|| self.confirm(),
        };
        replace::replace(&replacement, write)
    }
}

/// Reports, once, that the old file had hard links; the new one has none.
pub fn tell_of_other_names(replaced: Replaced, target: &Target, context: Context<'_>) {
    if replaced.other_names > 0 {
        context.sink.note(Note::OtherNames { file: &target.given, count: replaced.other_names });
    }
}

/// Checks the content. Returns whether it has to be JSON.
pub fn check(content: &[u8], request: &request::Write, rule: &Rule) -> Result<bool, Failure> {
    let form = Form::of(&request.file);
    let is_json = request.validate || !rule.is_any() || form == Form::Document;
    let no_json = |error| Failure::from(error).about(format_args!("the new content for '{}'", shown(&request.file)));
    if form == Form::Lines && is_json {
        // Here the last line must be complete as well.
        let lines = lines::parse_lines(content).map_err(no_json)?.into_iter().collect();
        rule.check_all(form, &lines, &request.file)?;
    } else if !rule.is_any() {
        let document = document::parse(content.to_vec()).map_err(no_json)?;
        rule.check(&document, &request.file)?;
    } else if is_json {
        document::check(content).map_err(no_json)?;
    }
    Ok(is_json)
}
