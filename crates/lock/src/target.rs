//! The file to lock: one target has one lock, however its path is written.

use memlatch_os::paths::{folder_of, is_address, shown};
use sha2::{Digest, Sha256};
use std::{
    ffi::OsString,
    fmt, fs, io,
    path::{Component, Path, PathBuf},
};

/// The most links followed from a target that does not exist yet, which is the kernel's own limit (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// A file to lock: its path as written and its canonical path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As the user wrote it.
    pub given: PathBuf,
    /// Absolute, and for the part that exists without symbolic links, `.` and `..`.
    pub path: PathBuf,
    pub id: LockId,
}

/// The lock's name: the SHA-256 of the canonical path, in 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockId(String);

impl LockId {
    /// The lock of a canonical path.
    pub fn of(path: &Path) -> Self {
        let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
        let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        LockId(digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect())
    }

    /// Parses an ID. The form is exact, so that a path is not mistaken for an ID.
    pub fn parse(word: &str) -> Option<Self> {
        let has_form = word.len() == 64 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        has_form.then(|| LockId(word.to_owned()))
    }

    /// The 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was to be guarded is a link to a document beyond this machine.
#[derive(Debug)]
pub struct Elsewhere(pub PathBuf);

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is a link to '{}', which is beyond this machine", shown(&self.0))
    }
}

impl std::error::Error for Elsewhere {}

impl Target {
    /// Resolves the path `given`. Neither the file nor its parent directories need to exist.
    ///
    /// # Errors
    ///
    /// An [`Elsewhere`] inside, if the file is a link to an address.
    pub fn resolve(given: &Path) -> io::Result<Self> {
        if given.as_os_str().is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is empty"));
        }
        let path = canonical(given)?;
        Ok(Target { given: given.to_owned(), id: LockId::of(&path), path })
    }
}

fn canonical(given: &Path) -> io::Result<PathBuf> {
    let mut path = given.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::canonicalize(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        // Missing: a dangling link stands for the file that it will lead to.
        match fs::read_link(&path) {
            Ok(link) if is_address(&link) => return Err(io::Error::other(Elsewhere(link))),
            Ok(link) => path = folder_of(&path).join(link),
            Err(_) => return missing(&path),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

/// The canonical path that a missing file will have: that of its deepest existing parent directory, and the rest.
fn missing(path: &Path) -> io::Result<PathBuf> {
    let mut rest: Vec<OsString> = Vec::new();
    let mut folder = path;
    loop {
        match folder.components().next_back() {
            Some(Component::Normal(name)) => rest.push(name.to_owned()),
            // Where `..` leads is unknown while the component before it does not exist.
            _ => return Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
        folder = folder_of(folder);
        match fs::canonicalize(folder) {
            Ok(mut canonical) => {
                canonical.extend(rest.iter().rev());
                return Ok(canonical);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}
