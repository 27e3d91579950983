//! Reports of a running command: the steps of a lock, waiting for it, and notes on what was done.

use super::{Console, show, values::Printer};
use crate::{
    clients,
    failure::Failure,
    lock::{Event, Observer, info::Info},
    outcome::Locks,
    request::OutputStyle,
    sink::{Maker, Note, Sink},
};
use memlatch_os::{
    paths::{escape, shown},
    text::{shortened, tenths},
};
use std::{fmt::Display, io, ops::ControlFlow, path::Path, time::Duration};

/// The most characters of a removed line to print.
const LONGEST_LINE: usize = 80;

const UNCONFINED: &str = "this system cannot confine the server to its directories; a process that may write there can \
                          lead it elsewhere, with a link in the place of a directory";

impl Sink for Console<'_> {
    fn observer(&self) -> &dyn Observer {
        self
    }

    fn note(&self, note: Note<'_>) {
        match note {
            Note::Executing(command) => {
                let words: Vec<String> = command.iter().map(|word| shown(Path::new(word))).collect();
                self.debug(format_args!("Executing with lock: {}", words.join(" ")));
            }
            Note::NotGivenBack(error) => {
                self.info(format_args!("{error}; the next process that locks it clears the rest"))
            }
            Note::MadeFolder(folder) => self.progress(format_args!("Made directory: {}", shown(folder))),
            Note::OtherNames { file, count } => {
                let names = match count {
                    1 => "another name (a hard link), which keeps".to_owned(),
                    many => format!("{many} other names (hard links), which keep"),
                };
                self.info(format_args!(
                    "'{}' had {names} the old content; only symbolic links lead to the new content",
                    shown(file)
                ));
            }
            Note::Mended { file, torn } => self.info(format_args!(
                "'{}' ended in an unfinished line, as after a crash, which was removed: {}",
                shown(file),
                shortened(&escape(torn), LONGEST_LINE)
            )),
            Note::TornLine(name) => self.info(format_args!(
                "{name}: the last line is unfinished, as after a crash, and is left out; the next writer removes it"
            )),
            Note::GapLeft(error) => self.info(error),
            Note::SearchGivenUp => self.info(
                "the search for the smallest difference took too long; parts that it has not matched count as changed",
            ),
            Note::MergedByLines => self.info("one of the three files is not JSON, so git merges them by lines"),
            Note::Kept { file, as_file } => self.progress(format_args!("Kept {} as {}", shown(file), shown(as_file))),
            Note::Holding(folder) => self.info(format_args!(
                "holding a lock in '{}'; now run 'memlatch doctor --probe' on the other machine",
                shown(folder)
            )),
            Note::Proven { host, mount } => self.ok(format_args!(
                "locks exclude between host {host} and this machine, on {mount}; what a dead holder on another machine \
                 leaves is taken over from now on"
            )),
            Note::Unconfined(None) => self.info(UNCONFINED),
            Note::Unconfined(Some(error)) => self.info(format_args!("{UNCONFINED}: {error}")),
        }
    }

    fn values(&self, style: OutputStyle, make: Maker<'_>) -> Result<(), Failure> {
        let in_color = style.color.unwrap_or_else(|| self.data_is_colored());
        let printer = Printer::new(style, if in_color { Some(self.settings.json_colors()?) } else { None });
        self.data(|out| {
            let mut written: io::Result<()> = Ok(());
            make(&mut |value| {
                written = printer.print(value, out);
                if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            written
        })
    }

    fn watch(&self, look: &mut dyn FnMut() -> Result<Locks, Failure>) -> Result<Option<i32>, Failure> {
        show::watch(look, self)
    }

    fn message(&self, message: &dyn Display) -> Result<(), Failure> {
        self.data(|out| writeln!(out, "{message}"))
    }

    fn last_words(&self, failure: &Failure) {
        self.fail(failure);
    }
}

impl Console<'_> {
    /// Prints a step with its path, which is escaped only if it is printed.
    fn step(&self, what: &str, path: &Path) {
        if self.debug {
            self.debug(format_args!("{what}: {}", shown(path)));
        }
    }
}

impl Observer for Console<'_> {
    fn notice(&self, event: Event<'_>) {
        match event {
            Event::Acquiring(target) => self.step("Acquiring lock for", target),
            Event::LockFile(dir) => self.step("Lock file", dir),
            Event::Acquired(dir) => self.step("Lock acquired", dir),
            Event::Releasing(dir) => self.step("Releasing lock", dir),
            Event::Released => self.debug("Lock released"),
            Event::Waiting { target, holder, timeout } => {
                let text = format!("waiting for the lock on '{}'{}", shown(target), held_by(holder));
                match (self.is_terminal, clients::runs_this(self.settings)) {
                    (true, _) => self.info(text),
                    // No user can press Ctrl-C there, so the client needs to know how long it can take.
                    (false, true) => self.info(format_args!("{text}; for {} at most", in_seconds(timeout))),
                    (false, false) => self.debug(text),
                }
            }
            Event::StillWaiting { target, holder, waited, timeout } => {
                if !self.is_terminal && clients::runs_this(self.settings) {
                    self.info(format_args!(
                        "still waiting for the lock on '{}' after {} of {}{}",
                        shown(target),
                        in_seconds(Duration::from_secs(waited.as_secs())),
                        in_seconds(timeout),
                        held_by(holder)
                    ));
                }
            }
            Event::ShortLivedOwner { target, owner, client } => self.info(format_args!(
                "the lease on '{}' ends with this command: its owner is PID {owner}, the shell that {client} started for it; for a lease over several commands add --owner client",
                shown(target)
            )),
            // A mistyped AICONFIG_PATH excludes nobody, and no other message would reveal it.
            Event::NewFolder(path) if self.settings.home().is_none_or(|home| !path.starts_with(home)) => {
                self.info(format_args!(
                    "made the lock directory '{}', which has no locks yet; AICONFIG_PATH must be the same for all programs that use these files",
                    shown(path)
                ));
            }
            Event::NewFolder(_) => {}
            Event::OpenFolder(path) => self.info(format_args!(
                "others can write to the lock directory '{0}' and break its locks; run: chmod go-w '{0}'",
                shown(path)
            )),
        }
    }
}

fn held_by(holder: Option<&Info>) -> String {
    holder.map_or(String::new(), |holder| format!(", held by {holder}"))
}

/// Rounded to tenths: with several files, the time left for the second is a little less than the limit.
fn in_seconds(time: Duration) -> String {
    tenths(time + Duration::from_millis(50))
}
