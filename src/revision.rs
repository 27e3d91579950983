//! Revisions: the content of a file, identified by its hash. Pure.
//!
//! A revision is the SHA-256 of a file's bytes, and nothing else: it is the same on every machine, and no state is kept for it.

use sha2::{Digest, Sha256};
use std::{
    fmt,
    io::{self, Write},
};

/// The least number of digits of a revision: 48 bits, which two contents of one file do not share by chance.
const SHORTEST: usize = 12;
const DIGITS: usize = 64;

/// The revision of a file that does not exist.
const NONE: &str = "none";

/// The revision of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(Option<String>);

impl Revision {
    /// The revision of a content, or of a missing file.
    pub fn of(content: Option<&[u8]>) -> Self {
        Revision(content.map(|content| digits(Sha256::new_with_prefix(content))))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or(NONE))
    }
}

/// A revision from the user, possibly shortened to its first digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected(Option<String>);

impl Expected {
    /// Parses `none`, or 12 to 64 lower-case hexadecimal digits. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if text == NONE {
            return Some(Expected(None));
        }
        let has_form = (SHORTEST..=DIGITS).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        has_form.then(|| Expected(Some(text.to_owned())))
    }

    /// Whether it matches this revision.
    pub fn is(&self, revision: &Revision) -> bool {
        match (&self.0, &revision.0) {
            (None, None) => true,
            (Some(digits), Some(revision)) => revision.starts_with(digits),
            _ => false,
        }
    }

    /// Whether it stands for a missing file.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or(NONE))
    }
}

/// A writer that computes the revision of what is written through it.
pub struct Hashing<'a> {
    out: &'a mut dyn Write,
    hash: Sha256,
}

impl<'a> Hashing<'a> {
    pub fn new(out: &'a mut dyn Write) -> Self {
        Hashing { out, hash: Sha256::new() }
    }

    pub fn revision(self) -> Revision {
        Revision(Some(digits(self.hash)))
    }
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn digits(hash: Sha256) -> String {
    hash.finalize()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}
