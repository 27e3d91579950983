//! The lock directory: its owner, its file system, and whether the kernel's locks exclude there.

use super::{
    Check, Findings, quoted,
    self_test::{self, Verdict},
};
use crate::{
    lock::{Event, Observer, folder::Folder, ownership},
    process, sandbox,
    settings::Settings,
};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

const ELSEWHERE: &str = "keep the files and AICONFIG_PATH where locks work: on a disk of this machine if it alone uses the \
                         files, otherwise on NFSv4 or SMB with a lock service";

pub fn check(path: &Path, settings: &Settings, findings: &mut Findings) {
    match Folder::at(path.to_owned()).exists(&Silent) {
        Ok(true) => {
            access(path, findings);
            strangers(path, findings);
            place(path, settings, findings);
        }
        Ok(false) => match path.ancestors().skip(1).find(|above| above.is_dir()) {
            Some(above) => {
                findings.ok(
                    Check::LockFolder,
                    "the lock directory does not exist yet; the first lock makes it",
                    Some(path),
                );
                place(above, settings, findings);
            }
            None => findings.problem(
                Check::LockFolder,
                "the lock directory cannot be made: no directory above it exists",
                Some(path),
                "set AICONFIG_PATH to a directory of your own",
            ),
        },
        Err(error) => {
            findings.problem(
                Check::LockFolder,
                error.to_string(),
                Some(path),
                "set AICONFIG_PATH to a directory of your own",
            );
        }
    }
}

struct Silent;

impl Observer for Silent {
    fn notice(&self, _: Event<'_>) {}
}

/// Who may use the directory.
fn access(path: &Path, findings: &mut Findings) {
    let Ok(facts) = fs::metadata(path) else { return };
    let mode = facts.mode() & 0o777;
    let me = rustix::process::geteuid().as_raw();
    if ownership::is_shared(&facts) {
        let what = format!("the lock directory is shared with the members of group {}", facts.gid());
        findings.ok(Check::LockFolder, what, Some(path));
    } else if mode & 0o022 != 0 {
        let what = format!("others can write to the lock directory and break its locks (mode {mode:04o})");
        findings.problem(Check::LockFolder, what, Some(path), format!("chmod go-w {}", quoted(path)));
    } else if mode & 0o700 != 0o700 && me != 0 {
        let what = format!("you cannot use the lock directory (mode {mode:04o})");
        findings.problem(Check::LockFolder, what, Some(path), format!("chmod u+rwx {}", quoted(path)));
    } else if mode & 0o077 != 0 {
        let what = format!("others can see which files are locked (mode {mode:04o})");
        findings.note(Check::LockFolder, what, Some(path), format!("chmod go-rwx {}", quoted(path)));
    } else if facts.uid() != me {
        let what = format!("the lock directory belongs to user {}, and you are user {me}", facts.uid());
        findings.note(Check::LockFolder, what, Some(path), "run doctor as that user to check these locks");
    } else {
        findings.ok(Check::LockFolder, format!("only you can use the lock directory (mode {mode:04o})"), Some(path));
    }
}

/// Files that root has left in a user's directory and that the user cannot use.
fn strangers(path: &Path, findings: &mut Findings) {
    let Ok(folder) = fs::metadata(path) else { return };
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let stranger = entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.uid())));
    let is_shared = ownership::is_shared(&folder);
    if let Some((file, owner)) = stranger.filter(|(_, owner)| *owner != folder.uid() && !is_shared).min() {
        let what = format!("it belongs to user {owner}, so its lock cannot be used by user {}", folder.uid());
        let remedy = format!("sudo chown -R --reference={0} {0}", quoted(path));
        findings.problem(Check::LockFolder, what, Some(&file), remedy);
    }
}

/// The file system of the directory, and whether locks work there. `at` is the directory, or the one that it will be made in.
fn place(at: &Path, settings: &Settings, findings: &mut Findings) {
    let system = File::open(at).ok().and_then(|at| process::file_system(&at));
    let name = system.as_ref().map_or("an unknown file system", |system| &system.name);
    match self_test::run(at) {
        Verdict::Excludes => {
            findings.ok(Check::LockFolder, format!("the kernel's locks exclude there, on {name}"), Some(at));
        }
        Verdict::Fails(what) => {
            let what = format!("the kernel's locks do not exclude there, on {name}: {what}");
            findings.problem(Check::LockFolder, what, Some(at), ELSEWHERE);
        }
        Verdict::Hangs => {
            let what =
                format!("a lock request there is not answered, on {name}, as if a server's lock service were missing");
            findings.problem(Check::LockFolder, what, Some(at), ELSEWHERE);
        }
        Verdict::NoFile(error) => {
            let what = format!("no file can be made there: {error}");
            let remedy = sandbox::advice(at, &error, settings).unwrap_or_else(|| usual_remedy(&error).to_owned());
            findings.problem(Check::LockFolder, what, Some(at), remedy);
        }
    }
}

/// The advice if no file can be made and a sandbox is not the reason.
fn usual_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "make it writable, or set AICONFIG_PATH to a directory of your own"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there: delete what is not needed",
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            "try again in a minute; if it persists, check the file server"
        }
        _ => "check the file system, or set AICONFIG_PATH to a directory on another one",
    }
}
