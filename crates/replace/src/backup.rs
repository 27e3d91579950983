//! Backups: what a file held before, numbered from the newest. `FILE.bak` is number 1, `FILE.bak.2` is number 2.
//!
//! A backup only ever moves to a number that is free, and is on the medium there before another takes its place. So a
//! crash between any two steps costs no backup but the one that had to go, and leaves a number free at worst, which the
//! next write fills. `FILE.bak` itself is never missing: it is linked to its new name, and then replaced.

use crate::{Aftermath, Durability, Error, Model, create, plain_file};
use memlatch_os::{Fresh, paths::folder_of};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// How many backups a write leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// This many at most, of which there is at least one. Those with higher numbers are left alone.
    UpTo(u32),
    /// One more than there are.
    All,
}

/// One backup.
#[derive(Debug)]
pub struct Backup {
    pub number: u32,
    pub path: PathBuf,
    /// When it was made, as far as the file system tells.
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

/// Copies the content of `source`, if it exists, to backup 1 of `given`, after the others have made room.
///
/// The copy is complete before any other backup moves. Gives the number that was free, if there was something to copy:
/// those below it have moved up by one.
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
    let facts = old.metadata().map_err(Error::at("look at", source))?;
    let model = Model { path: source.to_owned(), facts };
    let backup = backup_of(given, 1);
    let folder = Folder::of(&backup, durability)?;
    let mut temporary = create(&backup, token, true)?;
    io::copy(&mut old, temporary.as_file_mut()).map_err(Error::at("write", temporary.path()))?;
    model.give_to(temporary.as_file())?;
    if durability == Durability::Synced {
        temporary.as_file().sync_all().map_err(Error::at("sync", temporary.path()))?;
    }
    let freed = make_room(given, keep, &folder)?;
    temporary.persist(&backup).map_err(|failed| Error::at("replace", &backup)(failed.error))?;
    folder.sync()?;
    Ok(Some(freed))
}

/// Moves backups up by one, from the first free number down to 1.
fn make_room(given: &Path, keep: Keep, folder: &Folder<'_>) -> Result<u32, Error> {
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
        // A rename does the same where links are not supported, or where a crash has left the link: it does nothing if
        // both names are those of one file, see rename(2).
        if number > 1 || fs::hard_link(&from, &to).is_err() {
            fs::rename(&from, &to).map_err(Error::at("rename", &from))?;
        }
        folder.sync()?;
    }
    Ok(free)
}

/// The first number up to `last` that no backup has. One that a crash has left linked to its new number is as good as
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

/// Reads a backup. `None` if there is none of that number.
pub fn read_backup(given: &Path, number: u32) -> Result<Option<(Vec<u8>, Model)>, Error> {
    let path = backup_of(given, number);
    // A client of a file server looks the name up anew in a directory that was just opened. What is wrong with the
    // directory, the file's own error tells.
    let _directory = Fresh::around(&path);
    if plain_file(&path)?.is_none() {
        return Ok(None);
    }
    let mut content = Vec::new();
    let mut file = File::open(&path).map_err(Error::at("read", &path))?;
    let facts = file.metadata().map_err(Error::at("look at", &path))?;
    file.read_to_end(&mut content).map_err(Error::at("read", &path))?;
    Ok(Some((content, Model { path, facts })))
}

/// Takes away a backup that has been put back, and moves down by one those that follow it without a gap.
pub fn close_gap(given: &Path, number: u32, durability: Durability) -> Result<(), Error> {
    move_down(given, number, durability).map_err(|error| Error { aftermath: Aftermath::Twice, ..error })
}

fn move_down(given: &Path, number: u32, durability: Durability) -> Result<(), Error> {
    let gone = backup_of(given, number);
    let folder = Folder::of(&gone, durability)?;
    let mut to = number;
    while plain_file(&backup_of(given, to + 1))?.is_some() {
        let from = backup_of(given, to + 1);
        fs::rename(&from, backup_of(given, to)).map_err(Error::at("rename", &from))?;
        folder.sync()?;
        to += 1;
    }
    if to == number {
        fs::remove_file(&gone).map_err(Error::at("remove", &gone))?;
        folder.sync()?;
    }
    Ok(())
}

/// All backups there are, the newest first.
pub fn backups(given: &Path) -> Result<Vec<Backup>, Error> {
    let newest = backup_of(given, 1);
    let folder = folder_of(&newest);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::at("read the folder", folder)(error)),
    };
    let stem = newest.file_name().unwrap_or_default().as_encoded_bytes();
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(number) = name.as_encoded_bytes().strip_prefix(stem).and_then(number_of) else { continue };
        // By the number again, so that `.bak.02` is none.
        let path = backup_of(given, number);
        if path.file_name() == Some(&name) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let made = entry.metadata().and_then(|facts| facts.modified()).ok();
            found.push(Backup { number, path, made });
        }
    }
    found.sort_by_key(|backup| backup.number);
    Ok(found)
}

/// The number in what stands behind `.bak`.
fn number_of(ending: &[u8]) -> Option<u32> {
    match ending.strip_prefix(b".") {
        Some(digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
        None if ending.is_empty() => Some(1),
        None => None,
    }
}

/// The folder of the backups.
struct Folder<'a> {
    path: &'a Path,
    file: File,
    durability: Durability,
}

impl<'a> Folder<'a> {
    fn of(backup: &'a Path, durability: Durability) -> Result<Self, Error> {
        let path = folder_of(backup);
        let file = File::open(path).map_err(Error::at("open the folder", path))?;
        Ok(Folder { path, file, durability })
    }

    fn sync(&self) -> Result<(), Error> {
        match self.durability {
            Durability::Synced => self.file.sync_all().map_err(Error::at("sync the folder", self.path)),
            Durability::Unsynced => Ok(()),
        }
    }
}
