//! Durable replacement of a file: old or new, never a mixture and never nothing. The only user of tempfile.
//!
//! The order of the steps gives the guarantee: temporary file in the target's directory, complete write, owner and mode, fsync, rename,
//! fsync of the directory. A backup is made between the fsync and the rename, so that a write that fails for lack of space costs no backup.
//! A process that dies between any two steps leaves the old file or the new one, and at most one temporary file, or two
//! with a backup. The names of temporary files contain the target's name and the token of the lock that the writer held; a process that
//! clears that lock removes them.
//!
//! # Limitations
//!
//! If a process on its own machine has a file open, an NFS client renames that file aside before another takes its name (`nfs_rename`
//! in the kernel's fs/nfs/dir.c). So the writer must have closed the old file, and if other processes have it open, the name may be missing
//! for a moment. Hard links are split: the name that is written gets a new file.
//! An SMB server refuses to replace a file that a program has open; the rename is then tried again for a while.
//! The disk is trusted to keep what it has acknowledged.

use memlatch_os::{Fresh, copy_attributes, is_mount_point, paths::folder_of};
use std::{
    ffi::{OsStr, OsString},
    fmt,
    fs::{self, File, Metadata, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::{Builder, NamedTempFile};

pub mod append;
mod backup;
mod model;

use backup::back_up;
pub use backup::{Backup, Keep, backup_of, backups, close_gap, read_backup};
pub use model::Model;

/// Interval between attempts to replace an open file, because no server reports when a file is closed. Readers have a file open for
/// less time than this.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Whether the data must be on the disk before success is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Synced,
    /// No fsync. A crash of the system may then leave an empty or an old file.
    Unsynced,
}

/// Why a file was not replaced.
#[derive(Debug)]
pub struct Error {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
    aftermath: Aftermath,
}

/// The state that a failure leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aftermath {
    Unchanged,
    /// The new content is in place, but its durability is not known.
    Visible,
    /// The file is restored, but the restored backup could not be removed.
    BackupNotRemoved,
    /// After a failed append, the end of the file could not be restored.
    EndNotRestored,
}

impl Error {
    fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Error { doing, path: path.to_owned(), source, aftermath: Aftermath::Unchanged }
    }
}

impl Error {
    /// Whether the new content is in place in spite of the error, and only its durability is unknown.
    pub fn is_visible(&self) -> bool {
        self.aftermath == Aftermath::Visible
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = memlatch_os::paths::shown(&self.path);
        write!(f, "cannot {} '{path}': {}", self.doing, self.source)?;
        f.write_str(match self.aftermath {
            Aftermath::Unchanged => "; the file is as it was",
            Aftermath::Visible => {
                "; the new content is in place, but it may not survive a crash of the system; do not repeat a change \
                 that would count twice: check the file and the disk"
            }
            Aftermath::EndNotRestored => {
                "; all earlier lines are intact, but the file may end in an unfinished line, which the next writer removes"
            }
            Aftermath::BackupNotRemoved => "; the restored backup is still among the backups as well",
        })
    }
}

impl std::error::Error for Error {}

/// A replacement: which file, and how.
pub struct Replacement<'a> {
    /// The canonical path of the file.
    pub target: &'a Path,
    /// The target's directory. If the target was read under a lock, the directory was opened after taking the lock and before reading.
    pub directory: &'a Fresh,
    /// A token that becomes part of the names of temporary files.
    pub token: &'a str,
    pub durability: Durability,
    /// The file whose owner, mode and attributes a new target gets. Without it, a new target gets mode 0666 less the umask.
    pub model: Option<&'a Model>,
    /// The name under which the old content is backed up, and how many backups are kept.
    pub backup: Option<(&'a Path, Keep)>,
    /// How long to retry while a program has the file open, on a server that does not replace open files.
    pub patience: Duration,
    /// Called before the first visible change and right before the rename. An error says that the writer must not write any more.
    pub permit: &'a dyn Fn() -> io::Result<()>,
}

/// Replaces the content of the target with what `write` writes. Everything is prepared before the first visible change.
///
/// Owner, mode, access control list and extended attributes of an old file are kept.
pub fn replace(
    replacement: &Replacement<'_>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Replaced, Error> {
    let Replacement { target, directory, token, durability, model, backup, permit, patience: _ } = *replacement;
    let old = Model::at(target)?;
    let other_names = old.as_ref().map_or(0, |old| old.facts.nlink().saturating_sub(1));
    let old = old.as_ref().or(model);
    let mut temporary = create(target, token, old.is_some())?;
    {
        let mut buffer = io::BufWriter::with_capacity(1 << 16, temporary.as_file_mut());
        write(&mut buffer).and_then(|()| buffer.flush()).map_err(Error::at("write the new content of", target))?;
    }
    if let Some(old) = old {
        old.give_to(temporary.as_file())?;
    }
    if durability == Durability::Synced {
        // A failed fsync is never retried: the kernel may have dropped the dirty pages (see "fsyncgate",
        // wiki.postgresql.org/wiki/Fsync_Errors). The temporary file is removed, the old file stays.
        temporary.as_file().sync_all().map_err(Error::at("sync", temporary.path()))?;
    }
    let is_permitted = || permit().map_err(Error::at("replace", target));
    // Only after the new content is complete: a write that fails for lack of space must cost no backup.
    let freed = match backup {
        // Backups must not move for a rename that cannot succeed.
        Some(_) if is_mount_point(target) => return Err(mounted(target)),
        Some((given, keep)) => {
            is_permitted()?;
            back_up(given, target, keep, token, durability)?
        }
        None => None,
    };
    put_in_place(temporary, replacement)?;
    if durability == Durability::Synced {
        let path = folder_of(target);
        directory.sync().map_err(|source| Error {
            aftermath: Aftermath::Visible,
            ..Error::at("sync the directory", path)(source)
        })?;
    }
    Ok(Replaced { freed, other_names })
}

/// Gives the complete file the target's name.
fn put_in_place(mut temporary: NamedTempFile, replacement: &Replacement<'_>) -> Result<(), Error> {
    let target = replacement.target;
    let begun = Instant::now();
    loop {
        (replacement.permit)().map_err(Error::at("replace", target))?;
        let failed = match temporary.persist(target) {
            Ok(_) => return Ok(()),
            Err(failed) => failed,
        };
        let may_be_open = matches!(failed.error.raw_os_error(), Some(libc::EACCES | libc::EBUSY));
        if may_be_open && is_mount_point(target) {
            return Err(mounted(target));
        }
        if !may_be_open || !replacement.directory.is_on_smb() {
            return Err(Error::at("replace", target)(failed.error));
        }
        if begun.elapsed() >= replacement.patience {
            return Err(Error::at("replace", target)(io::Error::new(
                failed.error.kind(),
                format!(
                    "{}; it is on an SMB server, which does not replace a file while a program has it open: close it there, or wait longer \
                 with --timeout",
                    failed.error
                ),
            )));
        }
        temporary = failed.file;
        thread::sleep(RETRY_INTERVAL.min(replacement.patience));
    }
}

/// What a replacement has done in addition to giving the target its new content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The backup number that was free, if there was something to back up: the backups below it have moved up by one.
    pub freed: Option<u32>,
    /// The number of other names (hard links) of the old file. They still have the old content.
    pub other_names: u64,
}

fn mounted(target: &Path) -> Error {
    Error::at("replace", target)(io::Error::new(
        io::ErrorKind::ResourceBusy,
        "it is a mount of its own, such as a single file mounted into a container, and cannot be replaced; \
         mount its directory instead",
    ))
}

/// Opens the directory of a target, for [`Replacement::directory`].
pub fn open_directory(target: &Path) -> Result<Fresh, Error> {
    Fresh::around(target).map_err(Error::at("open the directory", folder_of(target)))
}

/// Makes a directory and its missing parents. `false` if it existed already.
///
/// Their names have to be durable too; otherwise a file in them is not.
pub fn make_folder(folder: &Path, durability: Durability) -> Result<bool, Error> {
    let mut missing = Vec::new();
    for above in folder.ancestors().filter(|above| !above.as_os_str().is_empty()) {
        if above.try_exists().map_err(Error::at("examine the directory", above))? {
            break;
        }
        missing.push(above);
    }
    if missing.is_empty() {
        return Ok(false);
    }
    fs::create_dir_all(folder).map_err(Error::at("make the directory", folder))?;
    if durability == Durability::Synced {
        for parent in missing.iter().map(|made| folder_of(made)) {
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(Error::at("sync the directory", parent))?;
        }
    }
    Ok(true)
}

/// Removes the temporary files that a dead writer left beside `target`.
pub fn remove_leftovers(target: &Path, token: &str) {
    for file in [target, &backup_of(target, 1)] {
        // Not an error: if a leftover cannot be removed, the next write can still succeed.
        _ = fs::remove_file(folder_of(file).join(temporary_name(file, token)));
    }
}

fn create(target: &Path, token: &str, is_copy: bool) -> Result<NamedTempFile, Error> {
    let folder = folder_of(target);
    let name = temporary_name(target, token);
    let mut builder = Builder::new();
    builder.prefix(&name).rand_bytes(0);
    // The old file may be private, so the copy starts private and gets the old mode once it is complete.
    builder.permissions(Permissions::from_mode(if is_copy { 0o600 } else { 0o666 }));
    // tempfile adds the path to the error's text, where it would appear twice, and does not expose the original error.
    let without_path = |error: io::Error| {
        let text = error.to_string();
        io::Error::new(error.kind(), text.split_once(" at path ").map_or(text.as_str(), |(cause, _)| cause))
    };
    builder.tempfile_in(folder).map_err(|error| Error::at("make a temporary file in", folder)(without_path(error)))
}

/// If the name would become too long (NAME_MAX is 255 bytes), its beginning is cut: the names of a target and its backup differ
/// at the end, and their temporary files exist at the same time.
fn temporary_name(target: &Path, token: &str) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let ending = format!(".memlatch-{token}.tmp");
    let name = target.file_name().unwrap_or_default().as_bytes();
    let mut bytes = vec![b'.'];
    bytes.extend_from_slice(&name[name.len().saturating_sub(254 - ending.len())..]);
    bytes.extend_from_slice(ending.as_bytes());
    OsString::from_vec(bytes)
}

/// The token in the name of a temporary file, if the name has that form.
pub fn token_in(name: &OsStr) -> Option<String> {
    let name = name.to_string_lossy();
    let (start, token) = name.strip_suffix(".tmp")?.rsplit_once(".memlatch-")?;
    let has_form = token.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') && token.contains('-');
    (start.len() > 1 && start.starts_with('.') && has_form).then(|| token.to_owned())
}

/// The plain file at `path`, if there is one. Anything else at that path is an error.
fn plain_file(path: &Path) -> Result<Option<Metadata>, Error> {
    match fs::symlink_metadata(path) {
        Ok(facts) if facts.is_file() => Ok(Some(facts)),
        Ok(_) => Err(Error::at("use", path)(io::Error::other("it is not a plain file"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::at("examine", path)(error)),
    }
}
