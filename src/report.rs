//! What people and scripts get to see: data on standard output, messages on standard error. The only printing.

pub mod table;
pub mod terminal;

use crate::{
    clients,
    diff::Style,
    failure::{Failure, Kind},
    lock::{Event, Observer, info::Info},
    settings,
};
use memlatch_os::paths::shown;
use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::Path,
    time::Duration,
};

/// The two output streams of a process.
pub struct Console {
    /// The tool that speaks: cron mails a message without the command line that it came from.
    tool: &'static str,
    debug: bool,
    color: bool,
    is_terminal: bool,
}

impl Console {
    /// A console for a tool's messages, with `[LOCK DEBUG]` lines if `debug`.
    pub fn new(tool: &'static str, debug: bool) -> Self {
        let is_terminal = io::stderr().is_terminal();
        let color = is_terminal && !settings::no_color() && settings::terminal_has_color();
        Console { tool, debug, color, is_terminal }
    }

    /// Tells of a success.
    pub fn ok(&self, text: impl std::fmt::Display) {
        self.message("[OK]", "32", &text.to_string());
    }

    /// Tells what the command does, in words that scripts may look for.
    pub fn progress(&self, text: impl std::fmt::Display) {
        self.message("[INFO]", "34", &text.to_string());
    }

    /// Tells something worth knowing.
    pub fn info(&self, text: impl std::fmt::Display) {
        self.message("[INFO]", "34", &without_error_numbers(&format!("{}: {text}", self.tool)));
    }

    /// Tells of a failure.
    pub fn error(&self, text: impl std::fmt::Display) {
        self.message("[ERROR]", "31", &without_error_numbers(&format!("{}: {text}", self.tool)));
    }

    /// Tells a step, if asked for.
    pub fn debug(&self, text: impl std::fmt::Display) {
        if self.debug {
            self.message("[LOCK DEBUG]", "2", &text.to_string());
        }
    }

    /// Tells a step and the path that it is about, which is made fit to be shown only then.
    fn step(&self, what: &str, path: &Path) {
        if self.debug {
            self.debug(format_args!("{what}: {}", shown(path)));
        }
    }

    /// Whether somebody wants to hear even that there was nothing to do: who sits at a terminal or has asked for each step.
    pub fn is_watched(&self) -> bool {
        self.is_terminal || self.debug
    }

    /// Tells of a failure, unless there is nobody left to hear of it.
    pub fn failure(&self, failure: &Failure) {
        if failure.kind != Kind::ReaderGone {
            self.error(failure);
        }
    }

    /// Prints data, and makes sure that it has arrived.
    ///
    /// `print` may write as often as it likes: its output is buffered.
    pub fn data(&self, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        // The standard library's own handle would flush at every line.
        let mut out = BufWriter::with_capacity(1 << 16, Raw(io::stdout()));
        print(&mut out).and_then(|()| out.flush()).map_err(Failure::from_output)
    }

    /// Whether people read the data themselves.
    pub fn data_is_read_by_people(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// How data is to be set off: in colour for people who want it.
    pub fn data_style(&self) -> Style {
        let colored = io::stdout().is_terminal() && !settings::no_color() && settings::terminal_has_color();
        if colored { Style::Colored } else { Style::Plain }
    }

    fn message(&self, prefix: &str, color: &str, text: &str) {
        let line =
            if self.color { format!("\x1b[{color}m{prefix}\x1b[0m {text}\n") } else { format!("{prefix} {text}\n") };
        // One write a message keeps those of concurrent processes apart; a closed standard error is the caller's choice.
        _ = io::stderr().write_all(line.as_bytes());
    }
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

impl Failure {
    /// Standard output did not take the data.
    pub fn from_output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::new(Kind::ReaderGone, error),
            // Not the stream's fault: the value cannot be written down.
            io::ErrorKind::InvalidData => Failure::failed(error),
            _ => Failure::failed(format!("cannot write standard output: {error}")),
        }
    }
}

/// Leaves out the number that the standard library puts behind the system's own words for an error, ` (os error 2)`: the
/// words say it all, and everywhere the same.
fn without_error_numbers(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.parse::<u32>().is_ok() => plain.push_str(rest),
            _ => plain.extend([" (os error ", part]),
        }
    }
    plain
}

fn held_by(holder: Option<&Info>) -> String {
    holder.map_or(String::new(), |holder| format!(", held by {holder}"))
}

/// In tenths: of several files, the second has to wait a little less than was asked for.
fn in_seconds(time: Duration) -> String {
    format!("{}s", (time.as_secs_f64() * 10.0).round() / 10.0)
}

impl Observer for Console {
    fn notice(&self, event: Event<'_>) {
        match event {
            Event::Acquiring(target) => self.step("Acquiring lock for", target),
            Event::LockFile(dir) => self.step("Lock file", dir),
            Event::Acquired(dir) => self.step("Lock acquired", dir),
            Event::Releasing(dir) => self.step("Releasing lock", dir),
            Event::Released => self.debug("Lock released"),
            Event::Waiting { target, holder, timeout } => {
                let text = format!("waiting for the lock on '{}'{}", shown(target), held_by(holder));
                match (self.is_terminal, clients::runs_this()) {
                    (true, _) => self.info(text),
                    // Nobody presses Ctrl-C there: how long it can take is what they have to know.
                    (false, true) => self.info(format_args!("{text}; for {} at most", in_seconds(timeout))),
                    (false, false) => self.debug(text),
                }
            }
            Event::StillWaiting { target, holder, waited, timeout } => {
                if !self.is_terminal && clients::runs_this() {
                    self.info(format_args!(
                        "still waiting for the lock on '{}' after {} of {}{}",
                        shown(target),
                        in_seconds(Duration::from_secs(waited.as_secs())),
                        in_seconds(timeout),
                        held_by(holder)
                    ));
                }
            }
            Event::FleetingOwner { target, owner, client } => self.info(format_args!(
                "the lease on '{}' ends with this command: its owner is PID {owner}, the shell that {client} started for it; for a lease over several commands add --owner client",
                shown(target)
            )),
            // A mistyped AICONFIG_PATH excludes nobody, and nothing else would tell.
            Event::NewFolder(path) if settings::home().is_none_or(|home| !path.starts_with(home)) => {
                self.info(format_args!(
                    "made the lock folder '{}', where nobody has locked anything yet; AICONFIG_PATH has to be the same for all who use these files",
                    shown(path)
                ));
            }
            Event::NewFolder(_) => {}
            Event::OpenFolder(path) => self.info(format_args!(
                "others can write to the lock folder '{0}', and so break its locks; run: chmod go-w '{0}'",
                shown(path)
            )),
        }
    }
}
