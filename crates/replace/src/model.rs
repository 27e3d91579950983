//! The file whose owner, mode and attributes a new file gets.

use crate::{Error, copy_attributes, plain_file};
use std::{
    fs::{File, Metadata, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

/// A file whose owner, mode, access control list and extended attributes are copied to another.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) path: PathBuf,
    pub(crate) facts: Metadata,
}

impl Model {
    /// The plain file at `path`, if there is one.
    pub(crate) fn at(path: &Path) -> Result<Option<Self>, Error> {
        Ok(plain_file(path)?.map(|facts| Model { path: path.to_owned(), facts }))
    }

    /// Copies owner, attributes and mode to `file`, which only its owner may read so far.
    ///
    /// The access control list comes before the mode: without the list, the group bits of the mode would be the rights
    /// of the owning group, instead of the mask of the list (acl(5)). The mode comes last, because fchown(2) clears
    /// the set-user-ID bits.
    pub(crate) fn give_to(&self, file: &File) -> Result<(), Error> {
        self.give_owner(file).map_err(Error::at("keep the owner of", &self.path))?;
        copy_attributes(&self.path, file).map_err(Error::at("keep the attributes of", &self.path))?;
        self.give_mode(file).map_err(Error::at("keep the mode of", &self.path))
    }

    fn give_owner(&self, file: &File) -> io::Result<()> {
        let (new, old) = (file.metadata()?, &self.facts);
        if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
            return Ok(());
        }
        fchown(file, Some(old.uid()), Some(old.gid()))
    }

    fn give_mode(&self, file: &File) -> io::Result<()> {
        if file.metadata()?.mode() == self.facts.mode() {
            return Ok(());
        }
        file.set_permissions(Permissions::from_mode(self.facts.mode() & 0o7777))
    }
}
