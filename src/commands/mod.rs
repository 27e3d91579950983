//! What the tools do: one file a tool, each a straight line over the leaves. No clap, no printing of their own.

pub mod append;
pub mod atomic_write;
pub mod condition;
pub mod doctor;
pub mod facts;
pub mod file_lock;
pub mod form;
pub mod git_merge;
pub mod inputs;
pub mod install;
pub mod install_mcp;
pub mod memory_read;
pub mod memory_update;
pub mod merge;
pub mod printing;
pub mod program;
mod restore;
pub mod rule;
pub mod show;
pub mod with;
pub mod writing;

use crate::{
    diff,
    failure::Failure,
    lock::{Guard, folder::Folder, target::Target},
    replace::Replaced,
    report::Console,
    settings,
};
use memlatch_os::paths::shown;
use std::path::{Path, PathBuf};

/// The exit status of a command that did what it was asked for, where that is not simply 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exit(pub u8);

/// The user's lock folder.
pub fn lock_folder() -> Result<Folder, Failure> {
    Ok(Folder::at(settings::lock_folder()?).inside(settings::inside()))
}

/// Finds out which file is meant.
pub fn resolve(file: &Path) -> Result<Target, Failure> {
    Target::resolve(file).map_err(|error| Failure::failed(format!("cannot find '{}': {error}", shown(file))))
}

/// Refuses what is no plain file: reading it could block, and replacing it would turn it into one.
pub fn refuse_special(target: &Target) -> Result<Option<std::fs::Metadata>, Failure> {
    // By the path as it was given: that of `/dev/stdout` cannot be spelled in any other way.
    match std::fs::metadata(&target.given) {
        Ok(facts) if facts.is_file() => Ok(Some(facts)),
        Ok(facts) => {
            let what = if facts.is_dir() {
                "a directory, not a file; name a file in it"
            } else {
                "a device, pipe or socket, not a plain file"
            };
            Err(Failure::failed(format!("'{}' is {what}", shown(&target.given))))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::failed(format!("cannot look at '{}': {error}", shown(&target.given)))),
    }
}

/// There is no such file, and `remedy` is what to do about it. Of a relative path the place where it was looked for is told:
/// the script may have been started elsewhere than its author thought.
pub fn missing(target: &Target, remedy: &str) -> Failure {
    let place = if target.given.is_relative() { settings::working_directory() } else { None };
    let place = place.map_or_else(String::new, |place| format!(" in '{}'", shown(&place)));
    Failure::failed(format!("'{}' does not exist{place}; {remedy}", shown(&target.given)))
}

fn unreadable(target: &Target, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot read '{}': {error}", shown(&target.given)))
}

/// Gives a lock back when its work is done. The kernel frees it with this process all the same.
pub fn give_back(guard: Guard, console: &Console) {
    if let Err(error) = guard.release(console) {
        console.info(format_args!("{error}; the next to lock it clears what is left"));
    }
}

/// Prints what would change in the target. `None` stands for a file that does not exist.
pub fn show_difference(old: Option<&[u8]>, new: &[u8], target: &Target, console: &Console) -> Result<(), Failure> {
    if old == Some(new) {
        console.info(format_args!("no change: '{}' would stay as it is", shown(&target.given)));
        return Ok(());
    }
    let name = shown(&target.given);
    let old_name = if old.is_some() { &name } else { "/dev/null" };
    // Both are JSON, and so UTF-8, but for a line that a crash has cut off.
    let (old, new) = (String::from_utf8_lossy(old.unwrap_or_default()), String::from_utf8_lossy(new));
    let difference = diff::unified((old_name, &old), (&name, &new), console.data_style());
    console.data(|out| out.write_all(difference.as_bytes()))
}

/// Says that the old file had hard links, once: the new one has none.
fn tell_of_other_names(replaced: Replaced, target: &Target, console: &Console) {
    let names = match replaced.other_names {
        0 => return,
        1 => "another name (a hard link), which keeps".to_owned(),
        many => format!("{many} other names (hard links), which keep"),
    };
    console.info(format_args!("'{}' had {names} the old content; only a symbolic link follows", shown(&target.given)));
}

/// Options whose last value is the user's data, with the number of their values.
const OF_DATA: [(&str, usize); 3] = [("--arg", 2), ("--argjson", 2), ("--content", 1)];

/// This program's own file.
pub fn own_program() -> Result<PathBuf, Failure> {
    settings::own_program().map_err(|error| Failure::failed(format!("cannot tell where memlatch itself lies: {error}")))
}

/// This process's own command line, for those who wait for it: without the values that only its user need know.
pub fn own_command() -> Option<String> {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let name = words.next()?;
    let name = Path::new(&name).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or(name);
    let mut spelled = vec![name];
    while let Some(word) = words.next() {
        let option = OF_DATA.iter().find(|(option, _)| word == *option);
        match word.split_once('=') {
            Some((option @ "--content", _)) => spelled.push(format!("{option}=…")),
            _ => spelled.push(word),
        }
        if let Some((_, values)) = option {
            spelled.extend(words.by_ref().take(values - 1));
            spelled.extend(words.next().map(|_| "…".to_owned()));
        }
    }
    Some(spelled.join(" "))
}

/// There was no room for the stack of a filter or a schema.
pub fn no_stack(error: std::io::Error) -> Failure {
    Failure::failed(format!(
        "no address space for the stack of a filter, 96 MiB at least: {error}; raise the limit (ulimit -v)"
    ))
}
