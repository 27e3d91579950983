//! Directories opened freshly, so that changes by other machines on a network file system are seen.

use crate::paths::folder_of;
use rustix::{
    fs::{AtFlags, Mode, OFlags, openat, statat},
    io::retry_on_intr,
};
use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A directory that was just opened: names that are looked up in it are those that the file server has now.
///
/// An NFS client caches which file a name stands for. Since NFSv4.1 it opens a cached file by its handle, which the
/// server honours even if the name belongs to another file by now (`_nfs4_do_open` in the kernel's fs/nfs/nfs4proc.c). Opening
/// the directory makes the client compare the directory's change attribute and drop outdated names
/// (close-to-open, nfs(5)). It must happen after taking the lock that orders the writers.
#[derive(Debug)]
pub struct Fresh(File);

impl Fresh {
    /// Opens a directory.
    pub fn directory(path: &Path) -> io::Result<Self> {
        Ok(Fresh(OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path)?))
    }

    /// Opens the parent directory of a path.
    pub fn around(path: &Path) -> io::Result<Self> {
        Fresh::directory(folder_of(path))
    }

    /// Opens a file in the directory; a link is not followed.
    pub fn open(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(retry_on_intr(|| openat(&self.0, name, flags, Mode::empty()))?))
    }

    /// Opens a file in the directory for reading and appending; a link is not followed.
    pub fn open_for_appending(&self, name: &OsStr) -> io::Result<File> {
        self.open(name, OFlags::RDWR | OFlags::APPEND)
    }

    /// Device and inode of a file in the directory. `None` if there is no file of that name.
    #[allow(clippy::unnecessary_cast, reason = "the fields have other types on macOS")]
    pub fn identity(&self, name: &OsStr) -> io::Result<Option<(u64, u64)>> {
        match statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(facts) => Ok(Some((facts.st_dev as u64, facts.st_ino as u64))),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the directory is on an SMB server, see [`crate::file_systems::is_on_smb`].
    pub fn is_on_smb(&self) -> bool {
        crate::file_systems::is_on_smb(&self.0)
    }

    /// Waits until the names in the directory are on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}
