//! What a command reports before it has an outcome, and where it goes.
//!
//! Only reports that cannot wait go this way: the steps of a lock and of waiting for it; notes on what
//! was done on the way to an outcome that may never come; the outputs of a filter, which may never end; a
//! table that is redrawn repeatedly; and the messages of a protocol.

use crate::{
    failure::Failure,
    lock::{self, Observer},
    outcome::Locks,
    replace,
    request::OutputStyle,
};
use memlatch_jq::value::Value;
use std::{ffi::OsString, fmt, ops::ControlFlow, path::Path};

/// A receiver of what a command reports while it runs.
pub trait Sink: Observer + Sync {
    /// The receiver of the steps of a lock.
    fn observer(&self) -> &dyn Observer;

    /// Reports something that was done on the way.
    fn note(&self, note: Note<'_>);

    /// Prints the values that `make` passes on, one after another, until there are no more or it is told to stop.
    ///
    /// # Errors
    ///
    /// A value cannot be printed; the values before it have been.
    fn values(&self, style: OutputStyle, make: Maker<'_>) -> Result<(), Failure>;

    /// Draws the locks repeatedly, as `look` finds them, until a signal arrives. Returns its number, unless it was the one
    /// by which users end such a display.
    fn watch(&self, look: &mut dyn FnMut() -> Result<Locks, Failure>) -> Result<Option<i32>, Failure>;

    /// Sends one message of a protocol, whole and at once.
    fn message(&self, message: &dyn fmt::Display) -> Result<(), Failure>;

    /// Reports a failure right before the process exits in the middle of its work.
    fn last_words(&self, failure: &Failure);
}

/// Produces values and passes each to the given function.
pub type Maker<'a> = &'a mut dyn FnMut(&mut dyn FnMut(&Value) -> ControlFlow<()>);

/// One thing that was found or done on the way.
pub enum Note<'a> {
    /// A command is about to run under locks.
    Executing(&'a [OsString]),
    /// A lock could not be released in the usual way.
    NotGivenBack(&'a lock::Error),
    /// A missing directory for the file was made.
    MadeFolder(&'a Path),
    /// The old file had this many other names (hard links), which keep its content.
    OtherNames { file: &'a Path, count: u64 },
    /// The last line, which a crash had cut off, was removed.
    Mended { file: &'a Path, torn: &'a [u8] },
    /// The last line of this text is cut off, and was not read.
    TornLine(&'a str),
    /// A restored backup could not be removed from the row.
    GapLeft(&'a replace::Error),
    /// The smallest difference between documents was not found in time.
    SearchGivenUp,
    /// One of three documents is not JSON, so git merges them.
    MergedByLines,
    /// A file in the place of a link was renamed.
    Kept { file: &'a Path, as_file: &'a Path },
    /// A lock is held in this directory, for another machine to try.
    Holding(&'a Path),
    /// Locks were seen to exclude between this machine and a host.
    Proven { host: &'a str, mount: &'a str },
    /// The server could not be confined to its directories.
    Unconfined(Option<&'a str>),
}
