//! What other machines have done to a directory of a network file system.

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

/// A directory that was just opened: names that are looked up now are those that the server has now.
///
/// An NFS client remembers what a name led to, and since NFSv4.1 opens a file that it remembers by its handle, which the
/// server honours although the name is another file's by now (`_nfs4_do_open` in the kernel's fs/nfs/nfs4proc.c). To open
/// the directory makes the client compare the directory's change attribute, and forget names that it knows from before
/// (close-to-open, nfs(5)). It must come after the lock that orders the writers.
#[derive(Debug)]
pub struct Fresh(File);

impl Fresh {
    /// Opens a directory.
    pub fn directory(path: &Path) -> io::Result<Self> {
        Ok(Fresh(OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path)?))
    }

    /// Opens the directory that a path lies in.
    pub fn around(path: &Path) -> io::Result<Self> {
        Fresh::directory(folder_of(path))
    }

    /// Opens what a name in the directory stands for; a link is not followed.
    pub fn open(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(retry_on_intr(|| openat(&self.0, name, flags, Mode::empty()))?))
    }

    /// Opens a file in the directory to read it and to add to its end; a link is not followed.
    pub fn open_for_appending(&self, name: &OsStr) -> io::Result<File> {
        self.open(name, OFlags::RDWR | OFlags::APPEND)
    }

    /// Device and inode of what a name in the directory stands for. `None` if it stands for nothing.
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

    /// Waits until the names in the directory are on the medium.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}
