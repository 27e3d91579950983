//! AI clients among the ancestors of this process: the one that runs this command, and shells that a client started for one command only.
//!
//! A client is looked for only among the ancestors. An environment variable with a PID may be out of date, and the PID may
//! belong to another process by now, but not to one of our ancestors. So the worst that an outdated variable can do is to be
//! useless.

use super::Error;
use crate::process::{self, Pid, Process};

/// An AI client, and how it can be recognised.
#[derive(Clone, Debug)]
pub struct Client {
    pub name: &'static str,
    /// The names of its program, in lower case.
    pub programs: &'static [&'static str],
    /// The PID in the variable that the client sets for its commands. A shell that outlived the client may still have the variable, or
    /// inherited it from elsewhere.
    pub told_pid: Option<Pid>,
}

/// Programs that run the program given as their first argument.
const INTERPRETERS: [&str; 5] = ["node", "bun", "deno", "python", "python3"];
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "fish"];
/// Options of shells that take a value.
const WITH_VALUE: [&str; 5] = ["-o", "+o", "-O", "--rcfile", "--init-file"];

/// The nearest ancestor that is a known client.
///
/// # Errors
///
/// [`Error::Refused`] if there is none: no other process could take its place.
pub fn nearest(lineage: &[Process], clients: &[Client]) -> Result<Process, Error> {
    let ancestors = lineage.get(1..).unwrap_or_default();
    let client = ancestors.iter().find(|process| !process.zombie && recognise(process, clients).is_some());
    client.cloned().ok_or_else(|| {
        let told = clients.iter().filter_map(|client| Some((client.name, client.told_pid?)));
        let strangers: String =
            told.map(|(name, pid)| format!("; PID {pid}, which {name} has set in its variable, is none of them")).collect();
        Error::Refused(format!(
            "no known AI client is among the ancestors of this process{strangers}; name the process that should own the lock with --owner PID or LOCK_OWNER, or use 'file-lock with'"
        ))
    })
}

/// The name of the client that started `owner` as a short-lived shell: one that runs a single command and then exits, without
/// releasing what the command acquires. `arguments` are those that the owner was started with.
///
/// Such an owner is a shell with `-c`, started by the client directly or through other such shells. A shell that runs a script
/// from a file does not count, because the lock may be meant for the rest of the script; nor does one whose command releases a lock itself.
pub fn of_short_lived_shell(owner: &Process, arguments: &[String], clients: &[Client]) -> Option<&'static str> {
    if given_command(arguments)?.contains("release") {
        return None;
    }
    for process in process::lineage_of(owner.pid).get(1..)? {
        if let Some(client) = recognise(process, clients) {
            return Some(client.name);
        }
        given_command(&process::arguments(process.pid)?)?;
    }
    None
}

fn recognise<'c>(process: &Process, clients: &'c [Client]) -> Option<&'c Client> {
    clients.iter().find(|client| client.told_pid == Some(process.pid)).or_else(|| by_program(process, clients))
}

fn by_program<'c>(process: &Process, clients: &'c [Client]) -> Option<&'c Client> {
    let named = |name: &str| {
        let name = name.to_lowercase();
        clients.iter().find(|client| client.programs.contains(&name.as_str()))
    };
    if let Some(client) = process::name(process.pid).as_deref().and_then(named) {
        return Some(client);
    }
    let command_line = process::arguments(process.pid)?;
    let (program, arguments) = command_line.split_first()?;
    let script = || {
        let script = arguments.iter().find(|word| !word.starts_with('-'))?;
        INTERPRETERS.contains(&file_name(program)).then(|| file_name(script))
    };
    named(file_name(program)).or_else(|| named(script()?))
}

/// The command that a shell was given with `-c`.
fn given_command(command_line: &[String]) -> Option<&str> {
    let (program, arguments) = command_line.split_first()?;
    // The name of a login shell begins with a dash.
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
