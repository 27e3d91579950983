//! Every failing call: one system call at a time fails, or writes less than asked for, and whatever is then reported must
//! be the truth. Then the failures that come from outside: full disks, folders that cannot be written, no home.

use crate::{
    puppet::{self, Call, End, Fate, Left},
    sandbox::Sandbox,
    scene::{self, Scene, content, report, spelled},
};

/// The errors that a call may report, by the manual.
fn errors_of(call: &Call) -> &'static [i32] {
    use libc::*;
    match call.name.as_str() {
        "openat" if call.args[2] as i32 & O_CREAT != 0 => &[ENOSPC, EDQUOT, EROFS, EACCES, EMFILE, EIO, EINTR],
        "open" | "openat" => &[EACCES, EMFILE, ENFILE, ENOMEM, EIO, EINTR],
        "read" | "pread64" => &[EIO, EINTR],
        "write" | "pwrite64" | "writev" => &[ENOSPC, EDQUOT, EIO, EFBIG, EINTR],
        "copy_file_range" | "sendfile" | "splice" => &[ENOSPC, EIO, EXDEV, EINTR],
        "fsync" | "fdatasync" => &[EIO, ENOSPC, EDQUOT, EINTR],
        "rename" | "renameat" | "renameat2" => &[EIO, ENOSPC, EDQUOT, EROFS, EACCES],
        "link" | "linkat" => &[EPERM, EMLINK, ENOSPC, EIO],
        "mkdir" | "mkdirat" => &[ENOSPC, EDQUOT, EROFS, EACCES, EIO],
        "rmdir" | "unlink" | "unlinkat" => &[EIO, EROFS, EACCES],
        "flock" => &[ENOLCK, EINTR, EIO],
        "stat" | "lstat" | "fstat" | "newfstatat" | "statx" | "access" | "faccessat" => &[EIO, EACCES, ENOMEM],
        "fchmod" | "fchmodat" | "chmod" | "fchown" => &[EPERM, EIO, EROFS],
        "getdents64" => &[EIO],
        "readlink" | "readlinkat" | "getcwd" => &[EIO, EACCES],
        "fcntl" if call.args[1] as i32 == F_DUPFD_CLOEXEC => &[EMFILE],
        "clone3" | "clone" => &[EAGAIN],
        "inotify_init1" => &[EMFILE],
        "inotify_add_watch" => &[ENOSPC],
        "pidfd_open" => &[ENOSYS, EMFILE],
        "pipe2" => &[EMFILE],
        _ => &[],
    }
}

/// Each fault for each call of a run: the number of the call among the program's own, and what becomes of it.
fn faults(scene: &Scene) -> Vec<(usize, String, Fate)> {
    let sandbox = scene.set();
    let left = puppet::run(scene.command(&sandbox), scene.stdin(), |_| Fate::Go);
    assert_eq!(left.end, End::Exit(0), "{}: {}", scene.name, left.stderr);
    clear(scene, &sandbox);
    let first = left.calls.iter().position(|made| scene::is_first_own(&made.call)).expect("a start");
    let mut faults = Vec::new();
    let mut files = vec![0];
    for (number, made) in left.calls[first..].iter().enumerate() {
        files.extend(made.result.filter(|_| ["open", "openat"].contains(&made.call.name.as_str())));
        // The pipe by which a child tells that it could not start is the standard library's affair.
        if made.call.name == "read" && !files.contains(&(made.call.args[0] as i64)) {
            continue;
        }
        faults.extend(errors_of(&made.call).iter().map(|&error| (number, made.call.name.clone(), Fate::Fail(error))));
        if ["write", "copy_file_range"].contains(&made.call.name.as_str()) {
            let length = if made.call.name == "write" { made.call.args[2] } else { 8 };
            faults.extend(
                [1, length / 2]
                    .into_iter()
                    .filter(|&part| part > 0)
                    .map(|part| (number, made.call.name.clone(), Fate::Shorten(part))),
            );
        }
    }
    faults
}

fn fail_everywhere(scene: &Scene) {
    if !scene::may_trace() {
        return;
    }
    let faults = faults(scene);
    let mut endured = 0;
    let mut complaints = Vec::new();
    for (number, name, fate) in &faults {
        let fate = *fate;
        let sandbox = scene.set();
        let mut own_calls = 0;
        let mut struck = None;
        let left = puppet::run(scene.command(&sandbox), scene.stdin(), |call| {
            own_calls += usize::from(own_calls > 0 || scene::is_first_own(call));
            if own_calls == number + 1 && call.name == *name {
                struck = Some(call.clone());
                return fate;
            }
            Fate::Go
        });
        let Some(call) = struck else { continue };
        let fault = Fault { scene, sandbox: &sandbox, call: &call, fate, left: &left };
        endured += usize::from(left.end == End::Exit(0));
        if let Err(complaint) = fault.check_truth().and_then(|()| fault.check_next()) {
            let (place, text) = (spelled(&call), [left.stdout, left.stderr].concat());
            complaints.push(format!("{complaint}: {} at {place}\n{text}", named(fate)));
        }
        // What a failed check has left is no news.
        sandbox.may_leave_locks().may_leave_litter();
    }
    assert!(complaints.is_empty(), "{}:\n{}", scene.name, complaints.join("\n"));
    assert!(faults.len() > 50, "{}: only {} faults", scene.name, faults.len());
    report(&format!("{}: {} faults, {endured} of them survived with success", scene.name, faults.len()));
}

fn named(fate: Fate) -> String {
    match fate {
        Fate::Fail(error) => std::io::Error::from_raw_os_error(error).to_string(),
        other => format!("{other:?}"),
    }
}

/// A run in which one call failed.
struct Fault<'a> {
    scene: &'a Scene,
    sandbox: &'a Sandbox,
    call: &'a Call,
    fate: Fate,
    left: &'a Left,
}

/// What is wrong, if something is.
type Check = Result<(), String>;

fn check(is_so: bool, complaint: &str) -> Check {
    if is_so { Ok(()) } else { Err(complaint.to_owned()) }
}

impl Fault<'_> {
    /// Whether what was reported is what is there.
    fn check_truth(&self) -> Check {
        let (scene, stderr) = (self.scene, &self.left.stderr);
        let now = content(self.sandbox, "a.json");
        let backup = content(self.sandbox, "a.json.bak");
        let is_new_backup = scene.has_backup && backup.as_deref() == scene.old;
        check(!stderr.contains("panicked"), "a panic")?;
        check(backup.as_deref() == scene.old_backup || is_new_backup, "the backup is neither old nor new")?;
        check(scene.keeps_the_row(|name| content(self.sandbox, name)), "a backup is lost")?;
        match self.left.end {
            End::Exit(0) => {
                check(now.as_deref() == Some(scene.new), "reported as done, and the new content is not there")?;
                check(!scene.has_backup || is_new_backup, "reported as done, and the backup is not there")
            }
            End::Exit(status) => {
                check(!stderr.contains("[OK]"), "both done and failed")?;
                if status == 73 {
                    check(now.as_deref() == Some(scene.new), "in place, but not there")?;
                } else {
                    check(now.as_deref() == scene.old, "reported as failed, and the old content is not there")?;
                }
                self.check_message()
            }
            End::Signal(_) => Err("killed by a signal".into()),
        }
    }

    /// A failure names the file and the cause.
    fn check_message(&self) -> Check {
        let tells =
            |text: &str| self.left.stderr.lines().any(|line| line.starts_with("[ERROR] ") && line.contains(text));
        if self.call.name == "write" && self.call.args[0] == 2 {
            return Ok(()); // the message itself failed
        }
        check(tells(""), "no message")?;
        let root = self.sandbox.path("").parent().expect("a root").display().to_string();
        let subjects =
            ["a.json", "'.'", "standard output", "standard input", "thread", "shell", "'true'", root.as_str()];
        check(subjects.iter().any(|subject| tells(subject)), "no file is named")?;
        // What the system hides about processes is no cause by itself: the message says what follows from it.
        let is_about_processes = self.call.paths.iter().any(|path| path.starts_with("/proc"))
            || ["owner", "shell", "held by"].into_iter().any(tells);
        match self.fate {
            Fate::Fail(error) if !is_about_processes => {
                let words = std::io::Error::from_raw_os_error(error).to_string();
                let words = words.split(" (os error").next().expect("a first part");
                check(tells(words), "the cause is not named")
            }
            _ => Ok(()),
        }
    }

    /// After the fault is over, everything works at once and nothing is left.
    fn check_next(&self) -> Check {
        clear(self.scene, self.sandbox);
        let next = self.sandbox.call(["atomic-write", "a.json", "--content", "{}", "--timeout", "0"]).output();
        check(next.status.success(), &format!("the next writer fails: {next:?}"))?;
        if self.scene.name.contains("cleanup") {
            self.sandbox.line("file-lock cleanup").succeeds();
        }
        // What cannot be removed stays, and only its own writer's lock knows its name.
        let may_stay = self.call.name == "unlink" && self.call.paths[0].contains(".memlatch-");
        check(may_stay || self.sandbox.litter().is_empty(), &format!("{:?} is left", self.sandbox.litter()))?;
        check(self.sandbox.locks().is_empty(), &format!("{:?} is left", self.sandbox.locks()))
    }
}

fn clear(scene: &Scene, sandbox: &Sandbox) {
    if scene.name.ends_with("acquire") || scene.name.ends_with("release") {
        // A lease whose boot or namespace could not be read then cannot be told from a stranger's now.
        sandbox.line("file-lock release a.json").output();
        sandbox.line("file-lock release a.json --force").output();
    }
}

macro_rules! scenes {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            fail_everywhere(&scene::all().find(|scene| scene.name == $name).expect("a scene of that name"));
        })*
    };
}

scenes! {
    an_update_tells_the_truth_whatever_fails: "memory-update",
    an_update_with_a_backup_tells_the_truth_whatever_fails: "memory-update --backup",
    an_update_that_creates_tells_the_truth_whatever_fails: "memory-update --create",
    an_update_that_takes_over_tells_the_truth_whatever_fails: "memory-update over a stale lock and its litter",
    a_write_tells_the_truth_whatever_fails: "atomic-write over an old file",
    a_write_of_a_new_file_tells_the_truth_whatever_fails: "atomic-write of a new file",
    a_write_with_a_backup_tells_the_truth_whatever_fails: "atomic-write --backup over an older one",
    an_update_with_three_backups_tells_the_truth_whatever_fails: "memory-update --backup=3, the oldest goes",
    a_restore_tells_the_truth_whatever_fails: "atomic-write --restore=2",
    an_acquire_tells_the_truth_whatever_fails: "file-lock acquire",
    a_release_tells_the_truth_whatever_fails: "file-lock release",
    a_with_tells_the_truth_whatever_fails: "file-lock with",
    a_cleanup_tells_the_truth_whatever_fails: "file-lock cleanup",
}
