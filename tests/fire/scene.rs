//! The commands under fire, each with the surroundings that it needs and the outcomes that are allowed.

use crate::{
    puppet::Call,
    sandbox::{BINARY, Sandbox},
};
use std::{fs, io::Write, os::unix::fs::DirBuilderExt, os::unix::process::CommandExt, process::Command};

pub const OLD: &str = "{\"counter\":1}\n";
const UPDATED: &str = "{\n  \"counter\": 2\n}\n";
const CREATED: &str = "{\n  \"counter\": 1\n}\n";
const WRITTEN: &str = "{\"counter\":7}\n";
const OLDER: &str = "{\"counter\":0}\n";
const SECOND: &str = "{\"counter\":22}\n";
const THIRD: &str = "{\"counter\":333}\n";

/// The files that a scene's contents may be in: the file itself, then its backups from the newest.
pub const FILES: [&str; 5] = ["a.json", "a.json.bak", "a.json.bak.2", "a.json.bak.3", "a.json.bak.4"];

/// One command, and what may be in `a.json` and `a.json.bak` before and after it.
#[derive(Clone, Copy)]
pub struct Scene {
    pub name: &'static str,
    /// The tool and its words.
    words: &'static [&'static str],
    stdin: &'static str,
    pub old: Option<&'static str>,
    pub new: &'static str,
    /// What `a.json.bak` holds before.
    pub old_backup: Option<&'static str>,
    pub has_backup: bool,
    /// The contents of its backups before the command.
    pub older: &'static [&'static str],
    /// What all backups hold after it, where there are several.
    pub row: &'static [&'static str],
    prepare: fn(&Sandbox),
}

const UPDATE: Scene = Scene {
    name: "memory-update",
    words: &["memory-update", "a.json", ".counter += 1"],
    stdin: "",
    old: Some(OLD),
    new: UPDATED,
    old_backup: None,
    has_backup: false,
    older: &[],
    row: &[],
    prepare: |_| {},
};

const WRITE: Scene = Scene {
    name: "atomic-write over an old file",
    words: &["atomic-write", "a.json"],
    stdin: "{\"counter\":7}",
    new: WRITTEN,
    ..UPDATE
};

/// Those that change the file.
pub const WRITERS: [Scene; 11] = [
    UPDATE,
    Scene {
        name: "memory-update --backup",
        words: &["memory-update", "a.json", ".counter += 1", "--backup"],
        has_backup: true,
        ..UPDATE
    },
    Scene {
        name: "memory-update --create",
        words: &["memory-update", "a.json", ".counter += 1", "--create"],
        old: None,
        new: CREATED,
        ..UPDATE
    },
    Scene {
        name: "memory-update over a stale lock and its litter",
        prepare: |sandbox| plant_dead_update(sandbox, "a.json"),
        ..UPDATE
    },
    WRITE,
    Scene { name: "atomic-write of a new file", old: None, ..WRITE },
    Scene {
        name: "atomic-write --backup over an older one",
        words: &["atomic-write", "a.json", "--backup"],
        old_backup: Some(OLDER),
        has_backup: true,
        ..WRITE
    },
    Scene {
        name: "memory-update --backup=3, the oldest goes",
        words: &["memory-update", "a.json", ".counter += 1", "--backup=3"],
        old_backup: Some(OLDER),
        has_backup: true,
        older: &[SECOND, THIRD],
        row: &[OLD, OLDER, SECOND],
        ..UPDATE
    },
    Scene {
        name: "atomic-write --backup=3, one is missing",
        words: &["atomic-write", "a.json", "--backup=3"],
        old_backup: Some(OLDER),
        has_backup: true,
        older: &[SECOND],
        row: &[OLD, OLDER, SECOND],
        ..WRITE
    },
    Scene {
        name: "atomic-write --restore=2",
        words: &["atomic-write", "a.json", "--restore=2"],
        stdin: "",
        new: SECOND,
        old_backup: Some(OLDER),
        has_backup: true,
        older: &[SECOND, THIRD],
        row: &[OLD, OLDER, THIRD],
        ..WRITE
    },
    Scene { name: "atomic-write --no-sync", words: &["atomic-write", "a.json", "--no-sync"], ..WRITE },
];

/// `file-lock`'s commands. In the second scene of `with`, the command inside changes the file.
pub const LOCKERS: [Scene; 5] = [
    Scene { name: "file-lock acquire", words: &["file-lock", "acquire", "a.json"], new: OLD, ..UPDATE },
    Scene {
        name: "file-lock release",
        words: &["file-lock", "release", "a.json"],
        new: OLD,
        prepare: |sandbox| {
            // Owned by this test, whose child the release will be.
            let owner = std::process::id().to_string();
            sandbox.call(["file-lock", "acquire", "a.json", "--owner", &owner]).succeeds();
        },
        ..UPDATE
    },
    Scene { name: "file-lock with", words: &["file-lock", "with", "a.json", "--", "true"], new: OLD, ..UPDATE },
    Scene {
        name: "file-lock with, a nested update",
        words: &["file-lock", "with", "a.json", "--", "memory-update", "a.json", ".counter += 1"],
        ..UPDATE
    },
    Scene {
        name: "file-lock cleanup",
        words: &["file-lock", "cleanup"],
        new: OLD,
        prepare: |sandbox| {
            plant_dead_update(sandbox, "a.json");
            sandbox.plant_script_lock("b.json", sandbox.dead_pid());
            plant(sandbox, "c.json", &format!("PID: {}\nKIND: lease\n", sandbox.dead_pid()));
            plant(sandbox, "d.json", "");
        },
        ..UPDATE
    },
];

pub fn all() -> impl Iterator<Item = Scene> {
    WRITERS.into_iter().chain(LOCKERS)
}

impl Scene {
    /// A place where the command is about to run.
    pub fn set(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        if let Some(old) = self.old {
            sandbox.write("a.json", old);
        }
        if let Some(backup) = self.old_backup {
            sandbox.write("a.json.bak", backup);
        }
        for (name, content) in FILES[2..].iter().zip(self.older) {
            sandbox.write(name, content);
        }
        (self.prepare)(&sandbox);
        sandbox
    }

    pub fn command(&self, sandbox: &Sandbox) -> Command {
        command(sandbox, self.words)
    }

    /// Whether every content that the scene has to keep is whole in one of the files, and nothing else is in a backup.
    pub fn keeps_the_row(&self, content: impl Fn(&str) -> Option<String>) -> bool {
        let found: Vec<String> = FILES.iter().filter_map(|name| content(name)).collect();
        let is_there = |wanted: &&str| found.iter().any(|found| found == wanted);
        let restored = self.older.iter().filter(|older| **older == self.new);
        let known = || self.row.iter().chain(self.older).chain(&self.old).chain(&self.old_backup);
        let is_known = |name: &&str| content(name).is_none_or(|found| known().any(|known| found == *known));
        self.row.iter().chain(restored).all(is_there) && (self.row.is_empty() || FILES[1..].iter().all(is_known))
    }

    /// Whether the backups are as they have to be in the end.
    pub fn has_the_row(&self, content: impl Fn(&str) -> Option<String>) -> bool {
        let row: Vec<String> = FILES[1..].iter().map_while(|name| content(name)).collect();
        self.row.is_empty() || row == self.row
    }

    pub fn stdin(&self) -> &'static [u8] {
        self.stdin.as_bytes()
    }
}

/// A command line for a puppet: no shell and no link in between, for the puppet is the process itself.
pub fn command(sandbox: &Sandbox, words: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg0(words[0]).args(&words[1..]).current_dir(sandbox.path("")).env_clear();
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", sandbox.bin().display()));
    command.env("HOME", sandbox.home()).env("AICONFIG_PATH", sandbox.aiconfig()).env("LANG", "C.UTF-8");
    // The backtrace of a panic would bury the message.
    command.env("RUST_BACKTRACE", "0");
    command
}

pub fn content(sandbox: &Sandbox, name: &str) -> Option<String> {
    fs::read(sandbox.path(name)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// A lock directory as memlatch makes it, with this `info`; without one if the text is empty.
pub fn plant(sandbox: &Sandbox, name: &str, info: &str) {
    fs::create_dir_all(sandbox.aiconfig()).expect("the base folder");
    for (folder, mode) in [(sandbox.locks_folder(), 0o700), (sandbox.lock_folder(name), 0o1700)] {
        if !folder.exists() {
            fs::DirBuilder::new().mode(mode).create(folder).expect("a folder for locks");
        }
    }
    if !info.is_empty() {
        fs::write(sandbox.lock_folder(name).join("info"), info).expect("an info file");
    }
}

/// What a `memory-update` leaves that was killed just before its rename.
fn plant_dead_update(sandbox: &Sandbox, name: &str) {
    let text = format!(
        "PID: {}\nACQUIRED: 2026-01-25T10:30:00Z\nHOSTNAME: {}\nTARGET: {}\nBOOT: {}\nTOKEN: abc-123\nKIND: memory-update\n",
        sandbox.dead_pid(),
        host(),
        sandbox.path(name).display(),
        boot(),
    );
    plant(sandbox, name, &text);
    sandbox.write(&format!(".{name}.memlatch-abc-123.tmp"), "{\"half\":");
}

pub fn host() -> String {
    hostname::get().expect("a host name").to_string_lossy().into_owned()
}

pub fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot ID").trim().to_owned()
}

/// Whether the system lets a process be traced: some containers forbid it. Said loudly, and a failure in CI.
pub fn may_trace() -> bool {
    let can = cfg!(target_arch = "x86_64");
    if !can {
        assert!(std::env::var_os("CI").is_none(), "system calls can be stopped on x86-64 only");
        report("SKIPPED: system calls can be stopped on x86-64 only");
    }
    can
}

/// Says a figure past cargo's capture.
pub fn report(text: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    _ = writeln!(std::io::stderr(), "\n[fire] {test}: {text}");
}

/// Whether this may be the program's first call of its own. All before it are the loader's, and none of them can do
/// anything to a file.
pub fn is_first_own(call: &Call) -> bool {
    let is_loaders =
        |path: &String| path.is_empty() || ["/lib", "/usr", "/etc"].iter().any(|top| path.starts_with(top));
    match call.name.as_str() {
        "execve" => false,
        "getcwd" | "uname" | "poll" | "clone3" => true,
        "read" => call.args[0] == 0,
        _ => call.paths.iter().any(|path| !is_loaders(path)),
    }
}

/// A call in short, for messages.
pub fn spelled(call: &Call) -> String {
    format!("call {} ({} {})", call.index, call.name, call.paths.join(" "))
}
