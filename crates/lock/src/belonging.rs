//! To whom belongs what is made in a lock folder: to the folder's owner, whoever makes it.
//!
//! Root's cron job beside a user must leave nothing that the user cannot use, and where a group shares a folder on purpose
//! every member has to be able to take over what another one left.

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

/// What a folder says of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Belonging {
    owner: (u32, u32),
    shared: bool,
}

const SET_GROUP_ID: u32 = 0o2000;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Marks a lock directory as memlatch's own where a group shares the folder. The sticky bit, which does so elsewhere, would
/// keep the members from clearing each other's locks; on a directory this one means nothing (inode(7)).
pub const SHARED_MARK: u32 = 0o4000;

impl Belonging {
    pub fn of(folder: &Metadata) -> Self {
        Belonging { owner: (folder.uid(), folder.gid()), shared: is_shared(folder) }
    }

    /// That of what is made beside a path.
    pub fn beside(path: &Path) -> io::Result<Self> {
        std::fs::metadata(folder_of(path)).map(|folder| Belonging::of(&folder))
    }

    /// Gives a file that was just made to whom it belongs.
    pub fn give_file(&self, file: &File) -> io::Result<()> {
        self.give(file, Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP)
    }

    /// Gives a lock directory that was just made to whom it belongs.
    pub fn give_directory(&self, directory: &File) -> io::Result<()> {
        self.give(directory, Mode::RWXU | Mode::RWXG | Mode::from_raw_mode((SHARED_MARK | SET_GROUP_ID) as _))
    }

    /// Gives the user what root has left in the user's folder. Nothing else: a file with content, or with another name
    /// elsewhere, may have been put there to be given away.
    pub fn heal(&self, file: &File) -> io::Result<()> {
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
        // Said once more, because the umask may have taken the group's rights away.
        if self.shared {
            fchmod(made, mode_of_shared)?;
        }
        Ok(())
    }

    /// Whether what is made belongs to its maker anyway.
    pub fn is_plain(&self) -> bool {
        !self.shared && !self.is_for_another()
    }

    /// Whether root works in somebody else's folder.
    fn is_for_another(&self) -> bool {
        self.owner.0 != 0 && geteuid().is_root()
    }

    pub fn is_shared(&self) -> bool {
        self.shared
    }
}

/// Whether a group shares a folder on purpose: its members may write in it, and the set-group-ID bit gives the group what is
/// made there. One that everybody may write in is shared with strangers, which is a mistake.
pub fn is_shared(folder: &Metadata) -> bool {
    let mode = folder.mode();
    mode & SET_GROUP_ID != 0 && mode & GROUP_WRITES != 0 && mode & OTHERS_WRITE == 0
}

/// Whether this process is of a group that shares a folder.
pub fn is_shared_with_us(folder: &Metadata) -> bool {
    let is_ours = |group: Gid| group.as_raw() == folder.gid();
    is_shared(folder) && (is_ours(getegid()) || getgroups().is_ok_and(|groups| groups.into_iter().any(is_ours)))
}

/// Gives a directory that root has just made the owner of the one that it is in.
pub fn give_as_around(directory: &Path) -> io::Result<()> {
    let Some(around) = directory.parent().filter(|_| geteuid().is_root()) else { return Ok(()) };
    let facts = std::fs::metadata(around)?;
    std::os::unix::fs::lchown(directory, Some(facts.uid()), Some(facts.gid()))
}
