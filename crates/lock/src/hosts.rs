//! Machines that share a lock directory: tests of whether the kernel's locks exclude between them.
//!
//! A lock that is free here proves that its holder on another machine is dead only if locks exclude between the two machines. The
//! name of the file system does not say whether they do; it takes a test. `memlatch doctor --hold` and `--probe` make it, and record the
//! result in the file `hosts` in the lock directory, one line for each test. A result is valid for mounts of the kind it was obtained with.

use super::{
    folder::Folder,
    info::{seconds, unescape, utc},
    ownership::Ownership,
};
use memlatch_os::{Fresh, paths::escape};
use rustix::fs::{OFlags, Timestamps, UTIME_NOW, futimens};
use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The file in the lock directory.
pub const FILE_NAME: &str = "hosts";
/// Only this much of the file is read.
const MAX_BYTES: u64 = 1 << 20;

/// A machine and its path to the lock directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub name: String,
    /// The path of the lock directory on that machine.
    pub folder: PathBuf,
}

/// A successful test: a lock that one machine held was refused to another, and granted once it was released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Seconds since 1970, UTC.
    pub seen: i64,
    /// How both machines had mounted the directory, see [`kind_of_mount`].
    pub mount: String,
    pub hosts: [Host; 2],
}

impl Proof {
    fn encode(&self) -> String {
        let [one, two] = &self.hosts;
        let path = |host: &Host| escape(host.folder.as_os_str().as_encoded_bytes());
        let fields = [
            utc(self.seen),
            escape(self.mount.as_bytes()),
            escape(one.name.as_bytes()),
            path(one),
            escape(two.name.as_bytes()),
            path(two),
        ];
        fields.join("\t") + "\n"
    }

    fn decode(line: &str) -> Option<Self> {
        use std::os::unix::ffi::OsStringExt;
        let fields: Vec<&str> = line.split('\t').collect();
        let [seen, mount, one, path_of_one, two, path_of_two] = fields[..] else { return None };
        let text = |field: &str| String::from_utf8(unescape(field.as_bytes())).ok();
        let host = |name: &str, path: &str| {
            let folder = std::ffi::OsString::from_vec(unescape(path.as_bytes())).into();
            Some(Host { name: text(name)?, folder })
        };
        Some(Proof {
            seen: seconds(seen.as_bytes())?,
            mount: text(mount)?,
            hosts: [host(one, path_of_one)?, host(two, path_of_two)?],
        })
    }
}

/// The results recorded in a lock directory, oldest first. Lines that cannot be parsed are ignored.
pub fn proofs(folder: &Path) -> Vec<Proof> {
    let mut text = String::new();
    let read = Fresh::directory(folder)
        .and_then(|folder| folder.open(OsStr::new(FILE_NAME), OFlags::RDONLY | OFlags::NONBLOCK))
        .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
    if read.is_err() {
        return Vec::new();
    }
    // A line without a newline was cut off.
    text.split_inclusive('\n').filter_map(|line| Proof::decode(line.strip_suffix('\n')?)).collect()
}

/// Records a result.
pub fn add(folder: &Folder, proof: &Proof) -> io::Result<()> {
    let path = folder.path().join(FILE_NAME);
    let ownership = Ownership::beside(&path)?;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(&path)?;
    if !ownership.is_plain() {
        ownership.give_file(&file)?;
    }
    file.write_all(proof.encode().as_bytes())?;
    file.sync_all()
}

/// How a directory is mounted, as far as locks are concerned: the name of the file system, and the mount options that keep locks local to
/// one machine. `None` for a local disk.
pub fn kind_of_mount(folder: &Path) -> Option<String> {
    if !memlatch_os::is_remote(folder) {
        return None;
    }
    Some(memlatch_os::file_system(&File::open(folder).ok()?)?.kind_for_locks())
}

/// The time by the clock of the machine that stores the directory, in seconds since 1970. Machines that share a directory may
/// disagree about the time, but not about this one.
pub fn clock_of(folder: &Path) -> io::Result<i64> {
    let path = folder.join(format!(".clock.memlatch-{}.tmp", super::info::new_token()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    // UTIME_NOW is the server's time, see utimensat(2) and SETATTR in RFC 8881.
    let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let time = futimens(&file, &Timestamps { last_access: now, last_modification: now })
        .map_err(io::Error::from)
        .and_then(|()| Ok(file.metadata()?.mtime()));
    _ = fs::remove_file(&path);
    time
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "the rules are for the product")]

    use super::*;

    #[test]
    fn results_are_read_as_they_were_written_and_a_line_cut_short_is_ignored() {
        let host = |name: &str, folder: &str| Host { name: name.into(), folder: folder.into() };
        let proof = Proof { seen: 7, mount: "nfs4".into(), hosts: [host("a\tb", "/x y"), host("b", "/\n")] };
        let folder = tempfile::tempdir().unwrap();
        add(&Folder::at(folder.path().to_owned()), &proof).unwrap();
        assert_eq!(proofs(folder.path()), std::slice::from_ref(&proof));
        let whole = proof.encode();
        fs::write(folder.path().join(FILE_NAME), [whole.as_str(), whole.trim_end()].concat()).unwrap();
        assert_eq!(proofs(folder.path()), [proof]);
    }
}
