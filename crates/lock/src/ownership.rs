//! The ownership of files that are made in a lock directory: they belong to the owner of the directory, whichever user makes them.
//!
//! A cron job of root must leave nothing that the user cannot use, and if a group shares a lock directory on purpose,
//! every member must be able to take over what another one left.

use memlatch_os::paths::folder_of;
use rustix::{
    fs::{Gid, Mode, Uid, fchmod, fchown},
    process::{getegid, geteuid, getgroups},
};
use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// The ownership that a lock directory prescribes for the files in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    owner: (u32, u32),
    shared: bool,
}

const SET_GROUP_ID: u32 = 0o2000;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Marks a lock entry as memlatch's own if a group shares the lock directory. The sticky bit, which is the mark elsewhere, would
/// prevent members from clearing each other's locks. This bit has no meaning on a directory (inode(7)).
pub const SHARED_MARK: u32 = 0o4000;

impl Ownership {
    pub fn of(folder: &Metadata) -> Self {
        Ownership { owner: (folder.uid(), folder.gid()), shared: is_shared(folder) }
    }

    /// The ownership for a file at this path.
    pub fn beside(path: &Path) -> io::Result<Self> {
        std::fs::metadata(folder_of(path)).map(|folder| Ownership::of(&folder))
    }

    /// Sets the owner, and for a group the mode, of a new file.
    pub fn give_file(&self, file: &File) -> io::Result<()> {
        self.give(file, Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP)
    }

    /// Sets the owner, and for a group the mode, of a new lock entry.
    pub fn give_directory(&self, directory: &File) -> io::Result<()> {
        self.give(directory, Mode::RWXU | Mode::RWXG | Mode::from_raw_mode((SHARED_MARK | SET_GROUP_ID) as _))
    }

    /// Gives the user a file that root has left in the user's lock directory. Only an empty file without hard links: any other
    /// may have been planted so that root gives it away.
    pub fn repair(&self, file: &File) -> io::Result<()> {
        if !self.is_for_another() {
            return Ok(());
        }
        let facts = file.metadata()?;
        // On NFS a guard may hold the byte of `guard::confirm`.
        let is_left_over = facts.uid() == 0 && facts.nlink() == 1 && facts.len() <= 1;
        if is_left_over { self.give_file(file) } else { Ok(()) }
    }

    fn give(&self, made: &File, mode_of_shared: Mode) -> io::Result<()> {
        if self.is_for_another() {
            fchown(made, Some(Uid::from_raw(self.owner.0)), Some(Gid::from_raw(self.owner.1)))?;
        }
        // Set again, because the umask may have removed the group's permissions.
        if self.shared {
            fchmod(made, mode_of_shared)?;
        }
        Ok(())
    }

    /// Whether new files need no change of owner or mode.
    pub fn is_plain(&self) -> bool {
        !self.shared && !self.is_for_another()
    }

    /// Whether root works in another user's directory.
    fn is_for_another(&self) -> bool {
        self.owner.0 != 0 && geteuid().is_root()
    }

    pub fn is_shared(&self) -> bool {
        self.shared
    }
}

/// Whether a group shares a directory on purpose: its members may write in it, and the set-group-ID bit gives new files to the
/// group. A directory that everybody may write in does not count; that is a mistake.
pub fn is_shared(folder: &Metadata) -> bool {
    let mode = folder.mode();
    mode & SET_GROUP_ID != 0 && mode & GROUP_WRITES != 0 && mode & OTHERS_WRITE == 0
}

/// Whether this process is in a group that shares the directory.
pub fn is_shared_with_us(folder: &Metadata) -> bool {
    let is_ours = |group: Gid| group.as_raw() == folder.gid();
    is_shared(folder) && (is_ours(getegid()) || getgroups().is_ok_and(|groups| groups.into_iter().any(is_ours)))
}

/// Gives a directory that root has just made to the owner of its parent.
pub fn give_to_owner_of_parent(directory: &Path) -> io::Result<()> {
    let Some(parent) = directory.parent().filter(|_| geteuid().is_root()) else { return Ok(()) };
    let facts = std::fs::metadata(parent)?;
    std::os::unix::fs::lchown(directory, Some(facts.uid()), Some(facts.gid()))
}
