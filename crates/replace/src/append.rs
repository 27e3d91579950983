//! Durable appending: lines at the end of a file, without writing the rest of it anew.
//!
//! A process that dies while it appends leaves the file as it was, or with the new bytes, or with a part of them: so what is
//! appended has to end in a way that the next writer can know whether it is whole, as a line does.

use super::{Aftermath, Durability, Error};
use memlatch_os::Fresh;
use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
};

/// How much is read at once while the last line is looked for.
const BLOCK: u64 = 1 << 16;

/// A file that is open to be appended to. Whoever opens it holds its lock, and opened its directory after the lock: so its
/// length is the true one on a file server too.
pub struct Appending<'a> {
    target: &'a Path,
    file: File,
    length: u64,
}

impl<'a> Appending<'a> {
    /// Opens the target. `None` if there is no such file.
    ///
    /// # Errors
    /// It cannot be opened for reading and writing.
    pub fn open(target: &'a Path, directory: &Fresh) -> Result<Option<Self>, Error> {
        let name = target.file_name().unwrap_or_default();
        let file = match directory.open_for_appending(name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::at("open", target)(error)),
        };
        let length = file.metadata().map_err(Error::at("look at", target))?.len();
        Ok(Some(Appending { target, file, length }))
    }

    /// The bytes behind the last line end, and where they begin.
    ///
    /// # Errors
    /// Those of reading.
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

    /// Cuts off what lies behind the first `keep` bytes, and adds `bytes`. `permit` is asked right before: whether the writer
    /// may still write.
    ///
    /// # Errors
    /// If not all could be added, the end of the file is put back as it was. [`Error::is_visible`] if all is there and only
    /// its durability is not known.
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
            let aftermath = if put_back.is_ok() { Aftermath::Unchanged } else { Aftermath::Torn };
            return Err(Error { aftermath, ..Error::at("append to", self.target)(source) });
        }
        if durability == Durability::Synced {
            let visible = |source| Error { aftermath: Aftermath::Visible, ..Error::at("sync", self.target)(source) };
            self.file.sync_data().map_err(visible)?;
        }
        Ok(())
    }
}
