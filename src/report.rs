//! The output for users and scripts: data on standard output, messages on standard error. The only module that prints.
//!
//! An outcome becomes words or JSON, and an exit status: a file for each kind of outcome. So does what a command tells on
//! its way ([`progress`]), and a failure ([`mod@failure`]).

mod cleanup;
mod diagnosis;
mod failure;
pub mod lock;
mod merged;
mod progress;
mod setup;
mod show;
mod status;
mod table;
mod terminal;
mod values;
mod written;

pub use failure::in_words;
pub use written::difference;

use crate::{
    failure::{Failure, Kind},
    outcome::Outcome,
    settings::Settings,
};
use memlatch_os::paths::shown;
use std::{
    fmt::Display,
    io::{self, BufWriter, IsTerminal, Write},
};
use terminal::Color;

/// The two output streams of a process.
pub struct Console<'a> {
    /// The tool's name for its messages, because cron mails messages without the command line.
    tool: &'static str,
    settings: &'a Settings,
    debug: bool,
    color: bool,
    is_terminal: bool,
}

impl<'a> Console<'a> {
    /// A console for a tool's messages, with `[LOCK DEBUG]` lines if they are wanted.
    pub fn new(tool: &'static str, settings: &'a Settings) -> Self {
        let is_terminal = stderr().is_terminal();
        let color = is_terminal && settings.wants_color();
        Console { tool, settings, debug: matches!(settings.lock_debug(), Ok(true)), color, is_terminal }
    }

    /// Prints the outcome of a command, and returns the exit status.
    ///
    /// # Errors
    ///
    /// It could not be printed, or a part of the work has failed.
    pub fn tell(&self, outcome: &Outcome) -> Result<u8, Failure> {
        match outcome {
            Outcome::Nothing => Ok(0),
            Outcome::Data(bytes) => self.data(|out| out.write_all(bytes)).map(|()| 0),
            Outcome::Acquired(lease) => self.data(|out| writeln!(out, "{}", lease.id)).map(|()| 0),
            Outcome::Released(released) => {
                self.ok(format_args!("Released lock on: {}", shown(&released.target)));
                Ok(0)
            }
            Outcome::Ran(ran) => Ok(ran.status),
            Outcome::Status(status) => status::tell(status, self),
            Outcome::Locks(locks) => show::tell(locks, self),
            Outcome::Cleaned(cleanup) => cleanup::tell(cleanup, self),
            Outcome::Values(values) => Ok(values::status(values)),
            Outcome::Revision(revision) => self.data(|out| writeln!(out, "{revision}")).map(|()| 0),
            Outcome::Written(written) => written::tell(written, self),
            Outcome::Preview(preview) => written::preview(preview, self),
            Outcome::Merged(merged) => merged::tell(merged, self),
            Outcome::Driven(driven) => Ok(merged::driven(driven, self)),
            Outcome::Linked(linked) => Ok(setup::linked(linked, self)),
            Outcome::MergeDriver(driver) => Ok(setup::merge_driver(driver, self)),
            Outcome::ServerEntry(entry) => setup::server_entry(entry, self),
            Outcome::Pages(pages) => Ok(setup::pages(pages, self)),
            Outcome::Diagnosis(diagnosis) => diagnosis::tell(diagnosis, self),
            Outcome::Proven(host) => {
                self.ok(format_args!("locks exclude between this machine and host {host}"));
                Ok(0)
            }
        }
    }

    /// Prints a failure, unless the reader of the output is gone, and returns the exit status.
    pub fn fail(&self, failure: &Failure) -> u8 {
        let answered = failure.cause.downcast_ref().map(|stale| written::refused(stale, self));
        if let Some(Err(failure)) = answered {
            return self.fail(&failure);
        }
        if failure.kind != Kind::ReaderGone {
            self.error(failure::in_words(failure, self.settings));
        }
        failure.kind.exit_code()
    }

    /// Prints a success.
    pub fn ok(&self, text: impl Display) {
        self.message("[OK]", Color::Green, &text.to_string());
    }

    /// Prints what the command does, in texts that scripts may match.
    pub fn progress(&self, text: impl Display) {
        self.message("[INFO]", Color::Blue, &text.to_string());
    }

    /// Prints something worth knowing.
    pub fn info(&self, text: impl Display) {
        self.message("[INFO]", Color::Blue, &failure::without_error_numbers(&format!("{}: {text}", self.tool)));
    }

    /// Prints a failure.
    pub fn error(&self, text: impl Display) {
        self.message("[ERROR]", Color::Red, &failure::without_error_numbers(&format!("{}: {text}", self.tool)));
    }

    /// Prints a step, if requested.
    pub fn debug(&self, text: impl Display) {
        if self.debug {
            self.message("[LOCK DEBUG]", Color::Faint, &text.to_string());
        }
    }

    /// Whether to print even that there was nothing to do: on a terminal, or if each step was requested.
    pub fn is_watched(&self) -> bool {
        self.is_terminal || self.debug
    }

    /// Prints data and flushes it.
    ///
    /// `print` may write as often as it likes: its output is buffered.
    pub fn data(&self, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        // The standard library's own handle would flush at every line.
        let mut out = BufWriter::with_capacity(1 << 16, Raw(stdout()));
        print(&mut out).and_then(|()| out.flush()).map_err(Failure::from_output)
    }

    /// Whether standard output is a terminal.
    pub fn data_is_read_by_people(&self) -> bool {
        stdout().is_terminal()
    }

    /// Whether data is to be printed in colour, for people who want it.
    pub fn data_is_colored(&self) -> bool {
        self.data_is_read_by_people() && self.settings.wants_color()
    }

    /// Prints a JSON value, laid out for people.
    pub fn json(&self, value: &serde_json::Value) -> Result<(), Failure> {
        self.data(|out| {
            serde_json::to_writer_pretty(&mut *out, value)?;
            out.write_all(b"\n")
        })
    }

    fn message(&self, prefix: &str, color: Color, text: &str) {
        let line = if self.color { format!("{} {text}\n", color.paint(prefix)) } else { format!("{prefix} {text}\n") };
        // One write a message keeps those of concurrent processes apart; a closed standard error is the caller's choice.
        _ = stderr().write_all(line.as_bytes());
    }
}

#[expect(clippy::disallowed_methods, reason = "this module prints")]
fn stdout() -> io::Stdout {
    io::stdout()
}

#[expect(clippy::disallowed_methods, reason = "this module prints")]
fn stderr() -> io::Stderr {
    io::stderr()
}

/// Standard output without the line buffer.
struct Raw(io::Stdout);

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(&self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
