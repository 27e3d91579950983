//! Backups: earlier contents of a file, numbered from the newest. `FILE.bak` is number 1, `FILE.bak.2` is number 2.
//!
//! A backup only ever moves to a free number, and is durable there before another backup takes its old number. So a
//! crash between any two steps costs at most the backup that had to be removed, and leaves at most one number free, which the
//! next write fills. `FILE.bak` itself is never missing: it is linked to its new name and then replaced.

use crate::{Aftermath, Durability, Error, Model, create, plain_file};
use memlatch_os::{Fresh, paths::folder_of};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// How many backups a write keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// At most this many, at least one. Backups with higher numbers are left alone.
    UpTo(u32),
    /// All existing ones and the new one.
    All,
}

/// One backup.
#[derive(Debug)]
pub struct Backup {
    pub number: u32,
    pub path: PathBuf,
    /// When it was made, if the file system tells.
    pub made: Option<SystemTime>,
}

/// The name of a backup.
pub fn backup_of(given: &Path, number: u32) -> PathBuf {
    let mut name = given.as_os_str().to_owned();
    name.push(".bak");
    if number > 1 {
        name.push(format!(".{number}"));
    }
    name.into()
}

/// Copies the content of `source`, if it exists, to backup 1 of `given`, after moving the other backups up.
///
/// The copy is complete before any other backup moves. Returns the number that was free, unless there was nothing to copy:
/// the backups below it have moved up by one.
pub(super) fn back_up(
    given: &Path,
    source: &Path,
    keep: Keep,
    token: &str,
    durability: Durability,
) -> Result<Option<u32>, Error> {
    let mut old = match File::open(source) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::at("read", source)(error)),
    };
    let facts = old.metadata().map_err(Error::at("examine", source))?;
    let model = Model { path: source.to_owned(), facts };
    let backup = backup_of(given, 1);
    let directory = Directory::of(&backup, durability)?;
    let mut temporary = create(&backup, token, true)?;
    io::copy(&mut old, temporary.as_file_mut()).map_err(Error::at("write", temporary.path()))?;
    model.give_to(temporary.as_file())?;
    if durability == Durability::Synced {
        temporary.as_file().sync_all().map_err(Error::at("sync", temporary.path()))?;
    }
    let freed = make_room(given, keep, &directory)?;
    temporary.persist(&backup).map_err(|failed| Error::at("replace", &backup)(failed.error))?;
    directory.sync()?;
    Ok(Some(freed))
}

/// Moves backups up by one, from the first free number down to 1.
fn make_room(given: &Path, keep: Keep, directory: &Directory<'_>) -> Result<u32, Error> {
    let last = match keep {
        // The new one replaces it.
        Keep::UpTo(1) => return Ok(1),
        Keep::UpTo(last) => last,
        Keep::All => u32::MAX,
    };
    let free = match first_free(given, last)? {
        Some(free) => free,
        None => {
            let oldest = backup_of(given, last);
            fs::remove_file(&oldest).map_err(Error::at("remove the oldest backup", &oldest))?;
            last
        }
    };
    for number in (1..free).rev() {
        let (from, to) = (backup_of(given, number), backup_of(given, number + 1));
        // If links are not supported, or a crash has left the link, a rename has the same effect: it does nothing if
        // both names belong to the same file, see rename(2).
        if number > 1 || fs::hard_link(&from, &to).is_err() {
            fs::rename(&from, &to).map_err(Error::at("rename", &from))?;
        }
        directory.sync()?;
    }
    Ok(free)
}

/// The first number up to `last` that is free. A backup that a crash has left linked to its new number counts as
/// moved.
fn first_free(given: &Path, last: u32) -> Result<Option<u32>, Error> {
    let mut newest = None;
    for number in 1..=last {
        let Some(facts) = plain_file(&backup_of(given, number))? else { return Ok(Some(number)) };
        let file = Some((facts.dev(), facts.ino()));
        match number {
            1 => newest = file,
            2 if file == newest => return Ok(Some(2)),
            _ => {}
        }
    }
    Ok(None)
}

/// Reads a backup. `None` if there is no backup with that number.
pub fn read_backup(given: &Path, number: u32) -> Result<Option<(Vec<u8>, Model)>, Error> {
    let path = backup_of(given, number);
    // The client of a file server looks the name up again in a freshly opened directory. Errors of the directory show up as errors of
    // the file.
    let _directory = Fresh::around(&path);
    if plain_file(&path)?.is_none() {
        return Ok(None);
    }
    let mut content = Vec::new();
    let mut file = File::open(&path).map_err(Error::at("read", &path))?;
    let facts = file.metadata().map_err(Error::at("examine", &path))?;
    file.read_to_end(&mut content).map_err(Error::at("read", &path))?;
    Ok(Some((content, Model { path, facts })))
}

/// Removes a backup that has been restored, and moves the backups that follow it without a gap down by one.
pub fn close_gap(given: &Path, number: u32, durability: Durability) -> Result<(), Error> {
    move_down(given, number, durability).map_err(|error| Error { aftermath: Aftermath::BackupNotRemoved, ..error })
}

fn move_down(given: &Path, number: u32, durability: Durability) -> Result<(), Error> {
    let gone = backup_of(given, number);
    let directory = Directory::of(&gone, durability)?;
    let mut to = number;
    while plain_file(&backup_of(given, to + 1))?.is_some() {
        let from = backup_of(given, to + 1);
        fs::rename(&from, backup_of(given, to)).map_err(Error::at("rename", &from))?;
        directory.sync()?;
        to += 1;
    }
    if to == number {
        fs::remove_file(&gone).map_err(Error::at("remove", &gone))?;
        directory.sync()?;
    }
    Ok(())
}

/// All backups, the newest first.
pub fn backups(given: &Path) -> Result<Vec<Backup>, Error> {
    let newest = backup_of(given, 1);
    let folder = folder_of(&newest);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::at("read the directory", folder)(error)),
    };
    let stem = newest.file_name().unwrap_or_default().as_encoded_bytes();
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(number) = name.as_encoded_bytes().strip_prefix(stem).and_then(number_of) else { continue };
        // The name is made from the number again, so that `.bak.02` does not count.
        let path = backup_of(given, number);
        if path.file_name() == Some(&name) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let made = entry.metadata().and_then(|facts| facts.modified()).ok();
            found.push(Backup { number, path, made });
        }
    }
    found.sort_by_key(|backup| backup.number);
    Ok(found)
}

/// The number in the text after `.bak`.
fn number_of(ending: &[u8]) -> Option<u32> {
    match ending.strip_prefix(b".") {
        Some(digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
        None if ending.is_empty() => Some(1),
        None => None,
    }
}

/// The directory of the backups.
struct Directory<'a> {
    path: &'a Path,
    file: File,
    durability: Durability,
}

impl<'a> Directory<'a> {
    fn of(backup: &'a Path, durability: Durability) -> Result<Self, Error> {
        let path = folder_of(backup);
        let file = File::open(path).map_err(Error::at("open the directory", path))?;
        Ok(Directory { path, file, durability })
    }

    fn sync(&self) -> Result<(), Error> {
        match self.durability {
            Durability::Synced => self.file.sync_all().map_err(Error::at("sync the directory", self.path)),
            Durability::Unsynced => Ok(()),
        }
    }
}
