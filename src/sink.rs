//! What a command tells before it has an outcome, and whom it tells.
//!
//! Only what cannot wait goes this way: the steps of a lock and the waiting for it, while somebody waits; notes on what
//! was done on the way to an outcome that may never come; values as a filter makes them, of which there may be no end; a
//! picture that is drawn again and again; and the messages of a protocol.

use crate::{
    failure::Failure,
    lock::{self, Observer},
    outcome::Locks,
    replace,
    request::OutputStyle,
};
use memlatch_jq::value::Value;
use std::{ffi::OsString, fmt, ops::ControlFlow, path::Path};

/// Whoever hears what a command tells on its way.
pub trait Sink: Observer + Sync {
    /// The one who is told the steps of a lock.
    fn observer(&self) -> &dyn Observer;

    /// Tells what was done on the way.
    fn note(&self, note: Note<'_>);

    /// Prints values while `make` hands them over, one after another, until it has no more or is told to stop.
    ///
    /// # Errors
    ///
    /// The values cannot be printed. What was handed over before has been.
    fn values(&self, style: OutputStyle, make: Maker<'_>) -> Result<(), Failure>;

    /// Draws the locks again and again, as `look` finds them, until a signal comes. Gives its number, if it was not the one
    /// by which people end such a thing.
    fn watch(&self, look: &mut dyn FnMut() -> Result<Locks, Failure>) -> Result<Option<i32>, Failure>;

    /// Sends one message of a protocol, whole and at once.
    fn message(&self, message: &dyn fmt::Display) -> Result<(), Failure>;

    /// Tells a failure right before the process ends in the middle of its work.
    fn last_words(&self, failure: &Failure);
}

/// Makes values, and hands each to the function that it is given.
pub type Maker<'a> = &'a mut dyn FnMut(&mut dyn FnMut(&Value) -> ControlFlow<()>);

/// One thing that was found or done on the way.
pub enum Note<'a> {
    /// A command is about to run under locks.
    Executing(&'a [OsString]),
    /// A lock could not be given back in the usual way.
    NotGivenBack(&'a lock::Error),
    /// A folder for the file was not there.
    MadeFolder(&'a Path),
    /// The old file had so many other names (hard links), and they keep its content.
    OtherNames { file: &'a Path, count: u64 },
    /// The last line, which a crash had cut off, was taken out.
    Mended { file: &'a Path, torn: &'a [u8] },
    /// The last line of this text is cut off, and was not read.
    TornLine(&'a str),
    /// A backup that was put back is still in the row.
    GapLeft(&'a replace::Error),
    /// The smallest difference between documents was not found in time.
    SearchGivenUp,
    /// One of three documents is not JSON, so git merges them.
    MergedByLines,
    /// What stood in the place of a link was renamed.
    Kept { file: &'a Path, as_file: &'a Path },
    /// A lock is held in this folder, for another machine to try.
    Holding(&'a Path),
    /// Locks were seen to exclude between this machine and a host.
    Proven { host: &'a str, mount: &'a str },
    /// The server could not be confined to its directories.
    Unconfined(Option<&'a str>),
}
