//! Durable appending: adding lines at the end of a file without rewriting the rest.
//!
//! A process that dies while it appends leaves the file with none, all or part of the new bytes. So whatever is
//! appended must end with a mark, such as a newline, from which the next writer can tell whether it is complete.

use super::{Aftermath, Durability, Error};
use memlatch_os::Fresh;
use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
};

/// The number of bytes read at once when looking for the last line.
const BLOCK: u64 = 1 << 16;

/// A file opened for appending. The caller holds its lock and opened its directory after taking the lock, so that the
/// length is correct on a file server too.
pub struct Appending<'a> {
    target: &'a Path,
    file: File,
    length: u64,
}

impl<'a> Appending<'a> {
    /// Opens the target. `None` if it does not exist.
    ///
    /// # Errors
    /// The target cannot be opened for reading and writing.
    pub fn open(target: &'a Path, directory: &Fresh) -> Result<Option<Self>, Error> {
        let name = target.file_name().unwrap_or_default();
        let file = match directory.open_for_appending(name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::at("open", target)(error)),
        };
        let length = file.metadata().map_err(Error::at("examine", target))?.len();
        Ok(Some(Appending { target, file, length }))
    }

    /// The bytes after the last newline, and their offset.
    ///
    /// # Errors
    /// The end of the file cannot be read.
    pub fn last_line(&self) -> Result<(u64, Vec<u8>), Error> {
        let mut line = Vec::new();
        let mut start = self.length;
        while start > 0 {
            let from = start.saturating_sub(BLOCK);
            let mut block = vec![0; (start - from) as usize];
            self.file.read_exact_at(&mut block, from).map_err(Error::at("read the end of", self.target))?;
            let end = block.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            line.splice(..0, block.drain(end..));
            start = from + end as u64;
            if end > 0 {
                break;
            }
        }
        Ok((start, line))
    }

    /// Truncates the file to `keep` bytes and appends `bytes`. `permit` is called right before that; its error says that the writer must not
    /// write any more.
    ///
    /// # Errors
    /// If not all bytes could be written, the end of the file is restored. With [`Error::is_visible`], all bytes were written and only
    /// their durability is unknown.
    pub fn append(
        mut self,
        keep: u64,
        bytes: &[u8],
        durability: Durability,
        permit: &dyn Fn() -> io::Result<()>,
    ) -> Result<(), Error> {
        permit().map_err(Error::at("append to", self.target))?;
        let mut cut = vec![0; (self.length - keep) as usize];
        self.file.read_exact_at(&mut cut, keep).map_err(Error::at("read the end of", self.target))?;
        if !cut.is_empty() {
            self.file.set_len(keep).map_err(Error::at("cut off the unfinished line of", self.target))?;
        }
        if let Err(source) = self.file.write_all(bytes) {
            let put_back = self.file.set_len(keep).and_then(|()| self.file.write_all(&cut));
            let aftermath = if put_back.is_ok() { Aftermath::Unchanged } else { Aftermath::EndNotRestored };
            return Err(Error { aftermath, ..Error::at("append to", self.target)(source) });
        }
        if durability == Durability::Synced {
            let visible = |source| Error { aftermath: Aftermath::Visible, ..Error::at("sync", self.target)(source) };
            self.file.sync_data().map_err(visible)?;
        }
        Ok(())
    }
}
