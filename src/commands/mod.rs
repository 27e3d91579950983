//! The tools: one file each, straight-line code over the crates. No clap, no printing.

pub mod append;
pub mod atomic_write;
pub mod condition;
pub mod doctor;
pub mod file_lock;
pub mod filtering;
pub mod form;
pub mod git_merge;
pub mod inputs;
pub mod install;
pub mod install_mcp;
pub mod memory_read;
pub mod memory_update;
pub mod merge;
mod restore;
pub mod rule;
pub mod show;
pub mod with;
pub mod writing;

use crate::{
    failure::{Failure, Kind},
    lock::{
        Guard,
        folder::Folder,
        target::{Elsewhere, Target},
    },
    refusal::Missing,
    request::Update,
    settings::{self, Settings},
    sink::{Note, Sink},
};
use memlatch_os::paths::{quoted, shown};
use std::path::{Path, PathBuf};

/// What a command needs in addition to its request.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub settings: &'a Settings,
    pub sink: &'a dyn Sink,
}

/// The user's lock directory.
pub fn lock_folder(context: Context<'_>) -> Result<Folder, Failure> {
    Ok(Folder::at(context.settings.lock_folder()?).inside(context.settings.inside()))
}

/// Resolves the path of a file.
pub fn resolve(file: &Path) -> Result<Target, Failure> {
    Target::resolve(file).map_err(|error| match error.downcast::<Elsewhere>() {
        Ok(elsewhere) => Failure { kind: Kind::Usage, cause: elsewhere.into() },
        Err(error) => {
            let no_directory = file.ancestors().skip(1).find(|above| above.is_file());
            let why = match no_directory.filter(|_| error.kind() == std::io::ErrorKind::NotADirectory) {
                Some(above) => format!("'{}' is a file, not a directory", shown(above)),
                None => error.to_string(),
            };
            Failure::failed(format!("cannot find '{}': {why}", shown(file)))
        }
    })
}

/// Refuses to update what is missing or not a plain file. `remedy` is what to do about a missing one; if it is to be created,
/// only its directory has to be there. With a condition, a missing file counts as changed.
pub fn refuse_missing(target: &Target, request: &Update, remedy: &'static str) -> Result<(), Failure> {
    if refuse_special(target)?.is_some() || request.expected.is_some() {
        return Ok(());
    }
    match request.create {
        None => Err(missing(target, remedy)),
        Some(_) => refuse_missing_directory(target),
    }
}

/// Refuses to create a file where there is no directory: one that is made for a mistyped path would hide the mistake.
fn refuse_missing_directory(target: &Target) -> Result<(), Failure> {
    let Some(directory) = target.path.parent() else { return Ok(()) };
    match std::fs::metadata(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Failure::failed(format!(
            "cannot create '{}': there is no directory '{}'; look at the path, or make it: mkdir -p {}",
            shown(&target.given),
            shown(directory),
            quoted(directory),
        ))),
        // Whatever else is wrong shows when it is opened.
        _ => Ok(()),
    }
}

/// Refuses anything but a plain file: reading could block, and replacing would turn it into a plain file.
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
        Err(error) => Err(Failure::failed(format!("cannot examine '{}': {error}", shown(&target.given)))),
    }
}

/// The error for a missing file; `remedy` says what to do about it.
pub fn missing(target: &Target, remedy: &'static str) -> Failure {
    let directory = if target.given.is_relative() { settings::working_directory() } else { None };
    let missing = Missing { file: target.given.clone(), directory, remedy };
    Failure { kind: Kind::Failed, cause: missing.into() }
}

fn unreadable(target: &Target, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot read '{}': {error}", shown(&target.given)))
}

/// Releases a lock after the work is done. If that fails, the kernel still frees it when this process exits.
pub fn give_back(guard: Guard, context: Context<'_>) {
    if let Err(error) = guard.release(context.sink.observer()) {
        context.sink.note(Note::NotGivenBack(&error));
    }
}

/// Options whose last value is the user's data, with the number of their values.
const OF_DATA: [(&str, usize); 3] = [("--arg", 2), ("--argjson", 2), ("--content", 1)];

/// This program's own file.
pub fn own_program() -> Result<PathBuf, Failure> {
    settings::own_program()
        .map_err(|error| Failure::failed(format!("cannot determine where memlatch itself is: {error}")))
}

/// The command line of this process, for waiters to see: without values that are the user's data.
pub fn own_command(settings: &Settings) -> Option<String> {
    let mut words = settings.words().iter().map(|word| word.to_string_lossy().into_owned());
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

/// The error if there is no address space for the stack of a filter or schema.
pub fn no_stack(error: std::io::Error) -> Failure {
    Failure::failed(format!(
        "no address space for the stack of a filter, 96 MiB at least: {error}; raise the limit (ulimit -v)"
    ))
}
