//! Clearing the lock of a dead holder: the same steps for contenders, `release` and `cleanup`.

use super::{Attempt, Contender};
use crate::{
    Error,
    folder::{LockDir, ignore_missing, remove_dir},
    info::Info,
    level::Level,
};
use memlatch_replace as replace;
use std::{fs, io};

/// Clears a dead holder's lock. The caller holds the exclusive guard of `level`.
///
/// The holder's temporary file goes first, because only `info` names it; then `info`, so that no new process gets inside;
/// then this waits for the processes that are inside.
pub fn retire(contender: &mut Contender<'_>, level: &Level, dir: &LockDir) -> Result<Attempt<()>, Error> {
    if let Some(Info { target: Some(target), token: Some(token), .. }) = &dir.info {
        replace::remove_leftovers(target, token);
    }
    dir.remove_info().map_err(Error::io("clear the stale lock", &level.dir))?;
    let inside = level.inside();
    loop {
        if remove_dir(level).map_err(Error::io("remove the stale lock", &level.dir))? {
            return Ok(Attempt::Taken(()));
        }
        match contender.claim(&inside, false)? {
            Attempt::Taken(_file) => empty(level)?,
            Attempt::Inside => return Ok(Attempt::Inside),
            Attempt::OuterEnded => {}
        }
    }
}

/// Removes what an ended lock leaves in its entry. No process may be inside any more.
pub fn empty(level: &Level) -> Result<(), Error> {
    let entries = match fs::read_dir(&level.dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("read the lock", &level.dir)(error)),
    };
    for entry in entries.flatten() {
        ignore_missing(fs::remove_file(entry.path())).map_err(Error::io("remove", &entry.path()))?;
    }
    Ok(())
}
