//! Failures in words for a model: what is otherwise than it thought, and which tool helps.

use crate::{
    commands::filtering::TimeIsUp,
    failure::Failure,
    lock,
    refusal::{Cause, Missing, OtherType, Stale, in_conflict},
    report,
    settings::Settings,
};
use memlatch_os::{paths::shown, text::tenths};

const READ_AGAIN: &str = "memory_read gives what it holds and its revision, and memory_write merges a document that was \
                          made from that";

/// Why a call has failed. What does not speak of our command line a model is told in the words that people are told.
pub fn in_words(failure: &Failure, settings: &Settings) -> String {
    let cause = &failure.cause;
    if let Some(TimeIsUp { limit }) = cause.downcast_ref() {
        let seconds = limit.as_secs();
        format!("the filter ran longer than the {seconds} seconds that it has here; nothing has changed")
    } else if let Some(stale) = cause.downcast_ref() {
        of_stale(stale)
    } else if let Some(Missing { file, .. }) = cause.downcast_ref() {
        format!(
            "'{}' does not exist; memory_list lists the existing files, and memory_update starts a new one with create",
            shown(file)
        )
    } else if let Some(other) = cause.downcast_ref::<OtherType>() {
        format!(
            "{}; the filter has to output the whole document, as '.count += 1' does and '.count + 1' \
             does not; to look at a value there is memory_read",
            other.described()
        )
    } else if let Some(lock::Error::Busy(busy)) = cause.downcast_ref() {
        of_busy(busy)
    } else {
        report::in_words(failure, settings)
    }
}

fn of_stale(Stale { file, cause, .. }: &Stale) -> String {
    let file = shown(file);
    match cause {
        Cause::Gone { expected } => format!(
            "'{file}' no longer exists, but {expected} was expected; nothing has changed; memory_list lists the files \
             that there are"
        ),
        Cause::Exists(found) => {
            format!("'{file}' exists already, at revision {found}; nothing has changed; {READ_AGAIN}")
        }
        Cause::Changed { expected, found } => format!(
            "'{file}' has changed since revision {expected}: it is at {found}; nothing has changed on disk; {READ_AGAIN}"
        ),
        Cause::GoneSinceBase => format!("'{file}' no longer exists; nothing has changed"),
        Cause::Conflicts { conflicts, .. } => {
            let lines: String = conflicts.iter().map(|conflict| format!("\n  {conflict}")).collect();
            let places = in_conflict(conflicts.len());
            format!(
                "'{file}' has changed since the base, and {places}; nothing has changed; read it again with memory_read and \
                 decide{lines}"
            )
        }
        Cause::BaseUnknown { expected } => format!(
            "revision {expected} is neither what '{file}' holds nor one of its backups, so there is nothing to merge from; \
             nothing has changed; {READ_AGAIN}"
        ),
    }
}

fn of_busy(busy: &lock::Busy) -> String {
    let (file, waited) = (shown(&busy.target), tenths(busy.waited));
    let holder = match &busy.holder {
        Some(holder) => format!("is held by {holder}"),
        None => "is being taken or released by another process".to_owned(),
    };
    let next = match busy.doubt {
        Some(_) => "whether that holder still works cannot be determined from here, so a person has to check",
        None => "try again later",
    };
    format!("the lock on '{file}' {holder}; waited {waited}; nothing has changed; {next}")
}
