//! AI clients among our ancestors: the one that runs this command, and shells that it started for one command only.
//!
//! A client is only ever looked for among ancestors. A variable of the environment that names a PID may be older than the
//! shell that shows it, and the number another process's by now; but no stranger is our ancestor. So the worst that a
//! stale variable can do is to be of no use.

use super::Error;
use crate::process::{self, Pid, Process};

/// An AI client, and how it can be known.
#[derive(Clone, Debug)]
pub struct Client {
    pub name: &'static str,
    /// The names of its program, in lower case.
    pub programs: &'static [&'static str],
    /// The PID that it has told its commands. A shell that outlived the client, or was never its own, may have inherited
    /// that all the same.
    pub told_pid: Option<Pid>,
}

/// Programs that run another one, which they are given as their first argument.
const INTERPRETERS: [&str; 5] = ["node", "bun", "deno", "python", "python3"];
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "fish"];
/// Options of shells that take a value of their own.
const WITH_VALUE: [&str; 5] = ["-o", "+o", "-O", "--rcfile", "--init-file"];

/// The nearest ancestor that is a known client.
///
/// # Errors
///
/// [`Error::Refused`] if there is none: then no other process is as good.
pub fn nearest(lineage: &[Process], clients: &[Client]) -> Result<Process, Error> {
    let ancestors = lineage.get(1..).unwrap_or_default();
    let client = ancestors.iter().find(|process| !process.zombie && recognise(process, clients).is_some());
    client.cloned().ok_or_else(|| {
        let told = clients.iter().filter_map(|client| Some((client.name, client.told_pid?)));
        let strangers: String =
            told.map(|(name, pid)| format!("; the PID {pid} that {name} tells is none of them")).collect();
        Error::Refused(format!(
            "no AI client is known among the processes that started this one{strangers}; name the process that is to keep the lock with --owner PID or LOCK_OWNER, or use 'file-lock with'"
        ))
    })
}

/// The client that started `owner` for one command, which ends without giving back what it acquires; `words` are those
/// that the owner was started with.
///
/// Such an owner is a shell with `-c` right below the client, or below further such shells. A shell that runs a script
/// from a file is none: the script may well be what the lock is for. Nor is one whose command releases a lock itself.
pub fn of_fleeting(owner: &Process, words: &[String], clients: &[Client]) -> Option<&'static str> {
    if given_command(words)?.contains("release") {
        return None;
    }
    for process in process::lineage_of(owner.pid).get(1..)? {
        if let Some(client) = recognise(process, clients) {
            return Some(client.name);
        }
        given_command(&process::words(process.pid)?)?;
    }
    None
}

fn recognise<'c>(process: &Process, clients: &'c [Client]) -> Option<&'c Client> {
    clients.iter().find(|client| client.told_pid == Some(process.pid)).or_else(|| by_program(process, clients))
}

fn by_program<'c>(process: &Process, clients: &'c [Client]) -> Option<&'c Client> {
    let bears = |name: &str| {
        let name = name.to_lowercase();
        clients.iter().find(|client| client.programs.contains(&name.as_str()))
    };
    if let Some(client) = process::name(process.pid).as_deref().and_then(bears) {
        return Some(client);
    }
    let words = process::words(process.pid)?;
    let (program, arguments) = words.split_first()?;
    let script = || {
        let script = arguments.iter().find(|word| !word.starts_with('-'))?;
        INTERPRETERS.contains(&file_name(program)).then(|| file_name(script))
    };
    bears(file_name(program)).or_else(|| bears(script()?))
}

/// The text that a shell was given to run by `-c`.
fn given_command(words: &[String]) -> Option<&str> {
    let (program, arguments) = words.split_first()?;
    // A login shell bears a dash in front of its name.
    if !SHELLS.contains(&file_name(program).trim_start_matches('-')) {
        return None;
    }
    let mut arguments = arguments.iter();
    let mut has_command = false;
    while let Some(word) = arguments.next() {
        if !word.starts_with(['-', '+']) {
            return has_command.then_some(word.as_str());
        }
        has_command |= word.starts_with('-') && !word.starts_with("--") && word.contains('c');
        if WITH_VALUE.contains(&word.as_str()) {
            arguments.next();
        }
    }
    None
}

/// The last part of a program's path.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
