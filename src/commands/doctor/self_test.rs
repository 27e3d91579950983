//! Whether the kernel's locks exclude in a directory: two open files of this process, and one of another process.

use crate::{
    failure::Failure,
    lock::{
        guard::{self, Mode},
        info::new_token,
        ownership::Ownership,
    },
    outcome::Outcome,
    request, settings,
};
use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// On a network file system without a lock service even an attempt to lock waits for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// The result of the test.
pub enum Verdict {
    Excludes,
    /// A lock was granted twice, or never; the text says which.
    Fails(String),
    Hangs,
    /// No file could be made there.
    NoFile(io::Error),
}

/// Tries the kernel's locks on a file in `folder`, and removes the file.
pub fn run(folder: &Path) -> Verdict {
    // It has the name of a temporary file: if this process dies here, a later look finds it.
    let path = folder.join(format!(".doctor.memlatch-{}.tmp", new_token()));
    let tested = path.clone();
    let (report, verdict) = mpsc::channel();
    let test = thread::Builder::new().spawn(move || {
        // If it took too long, the receiver is gone.
        _ = report.send(try_locks(&tested));
    });
    let verdict = match test {
        Ok(_) => verdict.recv_timeout(PATIENCE).unwrap_or(Verdict::Hangs),
        Err(error) => Verdict::NoFile(error),
    };
    // Without it nothing was made, or a lock that hangs keeps it.
    _ = fs::remove_file(&path);
    verdict
}

fn try_locks(path: &Path) -> Verdict {
    let (one, two) = match Ownership::beside(path)
        .and_then(|maker| guard::open(path, Mode::Exclusive, Some(maker)))
        .and_then(|one| Ok((one, guard::open(path, Mode::Exclusive, None)?)))
    {
        Ok(files) => files,
        Err(error) => return Verdict::NoFile(error),
    };
    match compare(&one, &two, path) {
        Ok(()) => Verdict::Excludes,
        Err(what) => Verdict::Fails(what),
    }
}

/// The locks that must be granted and refused while `one` is locked.
fn compare(one: &File, two: &File, path: &Path) -> Result<(), String> {
    lock(one, Mode::Exclusive, true, "an exclusive lock was not granted on an unlocked file")?;
    lock(two, Mode::Exclusive, false, "two exclusive locks were granted to one process")?;
    lock(two, Mode::Shared, false, "a shared lock was granted beside an exclusive one")?;
    asked(path, "", "another process was granted a lock beside an exclusive one")?;
    unlock(one)?;
    lock(one, Mode::Shared, true, "a shared lock was not granted on an unlocked file")?;
    lock(two, Mode::Shared, true, "two shared locks were not granted")?;
    unlock(two)?;
    lock(two, Mode::Exclusive, false, "an exclusive lock was granted beside a shared one")?;
    asked(path, "shared\n", "another process could not share a lock, or was granted an exclusive one beside it")?;
    unlock(one)?;
    asked(path, "exclusive\nshared\n", "another process was not granted a lock that had been released")?;
    lock(one, Mode::Exclusive, true, "a lock was not free after its process had exited")
}

fn lock(file: &File, mode: Mode, expected: bool, otherwise: &str) -> Result<(), String> {
    match guard::try_lock(file, mode) {
        Ok(granted) if granted == expected => Ok(()),
        Ok(_) => Err(otherwise.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn unlock(file: &File) -> Result<(), String> {
    guard::unlock(file).map_err(|error| error.to_string())
}

/// Starts a second memlatch and reads which locks it is granted.
fn asked(path: &Path, expected: &str, otherwise: &str) -> Result<(), String> {
    let answer = settings::own_program().and_then(|binary| {
        Command::new(binary)
            .arg0("memlatch")
            .args(["doctor", request::SECOND_PROCESS])
            .arg(path)
            .env_clear()
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
    });
    match answer {
        Ok(answer) if !answer.status.success() => Err("another process could not open the file".to_owned()),
        Ok(answer) if answer.stdout == expected.as_bytes() => Ok(()),
        Ok(_) => Err(otherwise.to_owned()),
        Err(error) => Err(format!("no second process could be started: {error}")),
    }
}

/// The second process: prints which locks on `file` it is granted.
pub fn second_process(file: &Path) -> Result<Outcome, Failure> {
    let mut granted = String::new();
    for (mode, word) in [(Mode::Exclusive, "exclusive\n"), (Mode::Shared, "shared\n")] {
        let fresh = guard::open(file, Mode::Exclusive, None).map_err(Failure::failed)?;
        if guard::try_lock(&fresh, mode).map_err(Failure::failed)? {
            granted.push_str(word);
        }
    }
    Ok(Outcome::Data(granted.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_locks_that_do_not_exclude_are_found_out() {
        // Two files stand in for one on a file system that grants a lock twice.
        let folder = tempfile::tempdir().unwrap();
        let maker = Ownership::beside(&folder.path().join("one")).unwrap();
        let open = |name: &str| guard::open(&folder.path().join(name), Mode::Exclusive, Some(maker)).unwrap();
        let found = compare(&open("one"), &open("two"), &folder.path().join("one"));
        assert_eq!(found, Err("two exclusive locks were granted to one process".to_owned()));
    }
}
