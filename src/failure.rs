//! Kinds of failure, and the table of exit statuses. It knows the errors of the other modules; none of them knows it.

use crate::{document, filter, lock, refusal::Stale, replace, schema, settings};
use std::{fmt, io};

/// The kinds that a script can distinguish. `docs/exit-codes.md` shows the same table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It could not be done, and nothing has changed.
    Failed,
    /// The engine of a remote memory is away, and nothing has changed (EX_UNAVAILABLE of sysexits.h).
    Unreachable,
    /// The new content is in place, but it may not survive a crash of the system. Trying again could do the work twice.
    Undurable,
    /// The command line or an environment variable is wrong, so trying again is useless.
    Usage,
    /// A remote engine has got a write and not answered: whether it was made is not known (EX_IOERR).
    Unknown,
    /// The file is not what the writer has read, so it has to be read again.
    Changed,
    /// A remote engine does not accept the credentials (EX_NOPERM).
    Refused,
    /// The lock was not free in time, so trying again later can help (EX_TEMPFAIL of sysexits.h).
    Busy,
    /// The same with the status given to `with -E`.
    Conflict(u8),
    /// `with` found its command, but could not start it.
    NotExecutable,
    /// `with` did not find its command.
    NoSuchCommand,
    /// Standard output was closed by its reader: 128 plus SIGPIPE, as a shell reports a process killed by that signal.
    ReaderGone,
}

impl Kind {
    /// The process's exit status.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Unreachable => 69,
            Kind::Undurable => 73,
            Kind::Unknown => 74,
            Kind::Busy => 75,
            Kind::Changed => 76,
            Kind::Refused => 77,
            Kind::Conflict(code) => code,
            Kind::NotExecutable => 126,
            Kind::NoSuchCommand => 127,
            Kind::ReaderGone => 141,
        }
    }
}

/// The status of a process that was ended by a signal, as in a shell.
pub fn status_of_signal(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(1)
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    pub cause: anyhow::Error,
}

impl Failure {
    /// A failure with this text.
    pub fn new(kind: Kind, text: impl fmt::Display) -> Self {
        Failure { kind, cause: anyhow::anyhow!("{text}") }
    }

    /// Something that could not be done.
    pub fn failed(text: impl fmt::Display) -> Self {
        Failure::new(Kind::Failed, text)
    }

    /// A wrong command line.
    pub fn usage(text: impl fmt::Display) -> Self {
        Failure::new(Kind::Usage, text)
    }

    /// Puts the subject of the failure in front of the text.
    pub fn about(self, subject: impl fmt::Display) -> Self {
        Failure { kind: self.kind, cause: self.cause.context(subject.to_string()) }
    }

    /// Standard output did not take the data.
    pub fn from_output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::new(Kind::ReaderGone, error),
            // Not an error of the stream: the value cannot be represented.
            io::ErrorKind::InvalidData => Failure::failed(error),
            _ => Failure::failed(format!("cannot write standard output: {error}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.cause)
    }
}

impl From<lock::Error> for Failure {
    fn from(error: lock::Error) -> Self {
        let kind = match &error {
            lock::Error::Busy(_) => Kind::Busy,
            lock::Error::Io { .. } | lock::Error::Refused(_) => Kind::Failed,
        };
        Failure { kind, cause: error.into() }
    }
}

impl From<Stale> for Failure {
    fn from(stale: Stale) -> Self {
        Failure { kind: Kind::Changed, cause: stale.into() }
    }
}

impl From<replace::Error> for Failure {
    fn from(error: replace::Error) -> Self {
        let kind = if error.is_visible() { Kind::Undurable } else { Kind::Failed };
        Failure { kind, cause: error.into() }
    }
}

impl From<document::DocumentError> for Failure {
    fn from(error: document::DocumentError) -> Self {
        Failure { kind: Kind::Failed, cause: error.into() }
    }
}

impl From<schema::Unusable> for Failure {
    fn from(error: schema::Unusable) -> Self {
        Failure { kind: Kind::Usage, cause: error.into() }
    }
}

impl From<filter::CompileError> for Failure {
    fn from(error: filter::CompileError) -> Self {
        Failure { kind: Kind::Usage, cause: error.into() }
    }
}

impl From<filter::RunError> for Failure {
    fn from(error: filter::RunError) -> Self {
        // Its value stays in the thread that made it; the text is what users see.
        Failure::failed(error)
    }
}

impl From<settings::Error> for Failure {
    fn from(error: settings::Error) -> Self {
        Failure { kind: Kind::Usage, cause: error.into() }
    }
}
