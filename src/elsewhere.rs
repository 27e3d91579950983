//! Files beyond this machine: how to know one, and the program that takes over for it.
//!
//! This program is one static file that starts in half a millisecond; network code, TLS and certificates are not part of it. It
//! only knows an address when it sees one, and then lets `memlatch-remote` take its place with the same command line.

use crate::{
    failure::Failure,
    lock::target::Elsewhere,
    request::{Request, Serves},
    settings::{self, Settings},
};
use memlatch_os::paths::{is_address, shown};
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

/// The program that takes over.
pub const PROGRAM: &str = "memlatch-remote";

/// The file of short names for engines, in the base directory.
const REMOTES: &str = "remotes.json";

/// The first word of a command line that names something beyond this machine.
pub fn named_in(request: &Request, settings: &Settings) -> Result<Option<PathBuf>, Failure> {
    for word in words_of(request) {
        if is_address(word) || is_short(word, settings)? {
            return Ok(Some(word.to_owned()));
        }
    }
    // Standard input can be read once, so a link among the files has to be known before.
    match request {
        Request::Read(read) if read.files.len() > 1 => {
            Ok(read.files.iter().find(|file| links_to_address(file)).cloned())
        }
        _ => Ok(None),
    }
}

fn words_of(request: &Request) -> Vec<&Path> {
    match request {
        Request::Acquire(request) => vec![&request.file],
        Request::Release(request) => vec![Path::new(&request.lock)],
        Request::With(request) => request.files.iter().map(PathBuf::as_path).collect(),
        Request::Status { file, .. } => vec![file],
        Request::Show { of, .. } => of.iter().map(PathBuf::as_path).collect(),
        Request::Update(request) => vec![&request.file],
        Request::Read(request) => request.files.iter().map(PathBuf::as_path).collect(),
        Request::Write(request) => vec![&request.file],
        Request::Doctor(request) => request.paths.iter().map(PathBuf::as_path).collect(),
        Request::Mcp(request) => match &request.serves {
            Serves::Files { roots } => roots.iter().map(PathBuf::as_path).collect(),
            Serves::Graph { file } => file.iter().map(PathBuf::as_path).collect(),
        },
        _ => Vec::new(),
    }
}

/// Whether a word is `NAME:REST`, and NAME one of the user's names for engines. To name a file of that form, write
/// `./NAME:REST`.
fn is_short(word: &Path, settings: &Settings) -> Result<bool, Failure> {
    let Some((name, _)) = word.to_str().and_then(|word| word.split_once(':')) else { return Ok(false) };
    if name.is_empty() || name.contains('/') {
        return Ok(false);
    }
    let Ok(locks) = settings.lock_folder() else { return Ok(false) };
    let file = locks.with_file_name(REMOTES);
    match fs::read(&file) {
        Ok(text) => serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text)
            .map(|names| names.contains_key(name))
            .map_err(|error| Failure::usage(format!("'{}' is not JSON: {error}", shown(&file)))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::usage(format!("cannot read '{}': {error}", shown(&file)))),
    }
}

fn links_to_address(file: &Path) -> bool {
    fs::read_link(file).is_ok_and(|link| is_address(&link))
}

/// Whether a word names something beyond this machine: as an address, a short name, or a link to an address.
pub fn is_meant(word: &Path, settings: &Settings) -> Result<bool, Failure> {
    Ok(is_address(word) || is_short(word, settings)? || links_to_address(word))
}

/// The address that a failure is about, if it is that a file is only a link to one.
pub fn found_by(failure: &Failure) -> Option<&Path> {
    failure.cause.downcast_ref::<Elsewhere>().map(|elsewhere| elsewhere.0.as_path())
}

/// Lets the other program take the place of this one. It comes back only if that cannot be.
pub fn take_over(place: &Path, settings: &Settings) -> Failure {
    let beside =
        settings::own_program().ok().map(|program| program.with_file_name(PROGRAM)).filter(|file| file.is_file());
    let program = beside.as_deref().map_or(OsStr::new(PROGRAM), Path::as_os_str);
    let (name, words) =
        settings.words().split_first().map_or((OsStr::new(""), &[][..]), |(name, words)| (name.as_os_str(), words));
    let error = Command::new(program).arg0(name).args(words).exec();
    let place = shown(place);
    match error.kind() {
        io::ErrorKind::NotFound => Failure::usage(format!(
            "'{place}' is beyond this machine, which takes {PROGRAM}, and that is neither beside memlatch nor on the PATH; \
             install it: cargo install memlatch, or the package memlatch"
        )),
        _ => Failure::failed(format!("'{place}' is beyond this machine, and {PROGRAM} cannot be run: {error}")),
    }
}

/// Locks are listed for a lock directory as a whole, or for an engine; this is not an address of one.
pub fn no_address(word: &Path) -> Failure {
    Failure::usage(format!(
        "'{0}' is no address of an engine, and 'file-lock show' lists the locks of one, or without it those of this machine; \
         for one file say: file-lock status {0}",
        shown(word)
    ))
}
