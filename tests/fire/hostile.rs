//! Hostile surroundings: planted links, odd names, rotten files, open folders, crowds, full disks and no home.

use crate::{
    sandbox::{Sandbox, wait_until},
    scene::{OLD, host, plant},
};
use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt, fs::symlink},
    process::Command,
};

fn with_file() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", OLD);
    sandbox
}

#[test]
fn a_link_planted_as_the_guard_is_not_followed() {
    let sandbox = with_file();
    let victim = sandbox.write("victim", "precious");
    sandbox.line("file-lock with a.json -- true").succeeds();
    let guard = sandbox.locks_folder().join(format!("{}.guard", sandbox.lock_id("a.json")));
    fs::remove_file(&guard).unwrap();
    symlink(&victim, &guard).unwrap();
    sandbox.line("memory-update a.json .counter+=1").ends(1).refuses().tells([".guard"]);
    sandbox.holds("victim", "precious");
    sandbox.holds("a.json", OLD);
}

#[test]
fn a_link_planted_as_the_lock_or_its_info_is_not_followed() {
    let sandbox = with_file();
    let victim = sandbox.write("victim", "PID: 1\n");
    plant(&sandbox, "a.json", "");
    symlink(&victim, sandbox.lock_folder("a.json").join("info")).unwrap();
    sandbox.line("memory-update a.json .counter+=1").succeeds();
    sandbox.holds("victim", "PID: 1\n");
    fs::create_dir(sandbox.path("folder")).unwrap();
    sandbox.write("folder/info", "PID: 1\n");
    symlink(sandbox.path("folder"), sandbox.lock_folder("a.json")).unwrap();
    sandbox.line("memory-update a.json .counter+=1").ends(1).refuses();
    sandbox.line("file-lock cleanup").output();
    sandbox.holds("folder/info", "PID: 1\n");
    sandbox.may_leave_locks();
}

#[test]
fn a_path_is_not_mistaken_for_a_lock_id() {
    let sandbox = with_file();
    fs::create_dir_all(sandbox.path("x.lock")).unwrap();
    sandbox.write("x.lock/info", "PID: 1\n");
    let id = sandbox.lock_id("a.json");
    for odd in ["../../work/x", "/etc/passwd", "..", ".", &format!("../{id}"), &id.to_uppercase(), &id[1..]] {
        sandbox.call(["file-lock", "release", odd, "--force"]).ends(1).refuses();
    }
    sandbox.holds("x.lock/info", "PID: 1\n");
}

#[test]
fn odd_names_are_locked_written_and_shown_harmlessly() {
    let names: [&[u8]; 8] = [
        b"new\nline.json",
        b"\x1b[31mred.json",
        b"\xff\xfe.json",
        "gpj.\u{202e}json\u{ad}\u{61c}".as_bytes(),
        b" .json",
        b"-x.json",
        b"PID: 1\nKIND: lease.json",
        &[b'n'; 255],
    ];
    for name in names {
        let sandbox = Sandbox::new();
        let path = sandbox.path("").join(OsStr::from_bytes(name));
        let path = path.as_os_str();
        sandbox.line("atomic-write --content 1").arg(path).succeeds();
        let owner = std::process::id().to_string();
        sandbox.call(["file-lock", "acquire", "--owner", &owner]).arg(path).succeeds();
        for line in ["file-lock show", "file-lock show --json"] {
            let shown = sandbox.line(line).succeeds().stdout();
            assert!(!shown.contains(['\x1b', '\u{fffd}', '\u{202e}', '\u{ad}', '\u{61c}']), "{shown:?}");
            assert_eq!(
                shown.lines().filter(|line| line.trim_start().starts_with("PID:")).count(),
                usize::from(!line.contains("json"))
            );
        }
        sandbox.line("file-lock release").arg(path).succeeds();
    }
}

#[test]
fn a_corrupt_info_names_no_holder_and_crashes_nothing() {
    let mut noise: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    noise.extend(b"\nPID");
    let long = [b"PID: 1\n".to_vec(), vec![b'x'; 1 << 20]].concat();
    let half = format!("PID: 999999999\nHOSTNAME: {}\nKIN", host()).into_bytes();
    for text in [b"\n".to_vec(), noise, long, half, b"PID: -1\n".to_vec(), b"PID: 99999999999999999999\n".to_vec()] {
        let sandbox = with_file();
        plant(&sandbox, "a.json", "");
        fs::write(sandbox.lock_folder("a.json").join("info"), text).unwrap();
        sandbox.line("file-lock show").succeeds();
        sandbox.line("file-lock status a.json").ends(0);
        sandbox.line("memory-update a.json .counter+=1 --timeout 0").succeeds();
    }
}

#[test]
fn a_lock_directory_that_others_can_write_to_is_reported() {
    let sandbox = with_file();
    fs::create_dir_all(sandbox.locks_folder()).unwrap();
    fs::set_permissions(sandbox.locks_folder(), fs::Permissions::from_mode(0o770)).unwrap();
    sandbox.line("memory-update a.json .counter+=1").succeeds().tells(["others can write", "chmod go-w"]);
}

#[test]
fn ten_thousand_locks_are_shown_and_cleaned() {
    let sandbox = with_file();
    fs::create_dir_all(sandbox.locks_folder()).unwrap();
    let dead = sandbox.dead_pid();
    for number in 0..10_000 {
        let folder = sandbox.locks_folder().join(format!("{number:064x}.lock"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("info"), format!("PID: {dead}\nHOSTNAME: {}\n", host())).unwrap();
    }
    let shown = sandbox.line("file-lock show").succeeds().stdout();
    assert_eq!(shown.matches("STALE").count(), 10_000);
    sandbox.line("memory-update a.json .counter+=1").succeeds();
    sandbox.line("file-lock cleanup").succeeds().tells(["[OK] Cleaned 10000 stale lock(s)"]);
}

#[test]
fn a_lock_directory_that_is_a_file_is_named() {
    let sandbox = with_file();
    fs::create_dir_all(sandbox.aiconfig()).unwrap();
    fs::write(sandbox.locks_folder(), "").unwrap();
    for line in ["memory-update a.json .counter+=1", "file-lock acquire a.json", "file-lock with a.json -- true"] {
        sandbox.line(line).ends(1).refuses().tells([".locks"]);
    }
    sandbox.holds("a.json", OLD);
}

#[test]
fn without_a_home_the_variable_to_set_is_named() {
    let sandbox = with_file();
    let call = sandbox.line("memory-update a.json .counter+=1").without("HOME").without("AICONFIG_PATH");
    let output = call.output();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("AICONFIG_PATH"), "{output:?}");
    sandbox.holds("a.json", OLD);
}

#[test]
fn a_full_disk_leaves_the_old_content() {
    let sandbox = with_file();
    let disk = sandbox.path("disk");
    fs::create_dir(&disk).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&disk).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        crate::scene::report("SKIPPED: this user may not mount a small disk");
        return;
    }
    let unmount = || Command::new("umount").arg(&disk).status().is_ok_and(|status| status.success());
    let old = format!("{{\"x\":\"{}\"}}\n", "o".repeat(20_000));
    sandbox.write("disk/a.json", &old);
    let new = format!("{{\"x\":\"{}\"}}", "n".repeat(60_000));
    let written = sandbox.line("atomic-write disk/a.json").stdin(&new).output();
    let updated = sandbox.call(["memory-update", "disk/a.json", ".x += .x + .x"]).output();
    let (now, litter) = (sandbox.read("disk/a.json"), sandbox.litter());
    wait_until("the disk to be free", unmount);
    for output in [written, updated] {
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("a.json") && text.contains("No space left"), "{text}");
    }
    assert_eq!(now, old);
    assert!(litter.is_empty(), "{litter:?}");
}

/// A folder that is read-only until the value goes.
struct ReadOnly(std::path::PathBuf);

impl ReadOnly {
    /// `None` where this user may not mount.
    fn make(folder: std::path::PathBuf) -> Option<ReadOnly> {
        let mount = |words: &[&std::ffi::OsStr]| {
            let done = Command::new("mount").args(words).arg(&folder).output();
            done.is_ok_and(|output| output.status.success())
        };
        if !mount(&["--bind".as_ref(), folder.as_os_str()]) {
            return None;
        }
        let is_made = mount(&["-o".as_ref(), "remount,bind,ro".as_ref()]);
        let made = ReadOnly(folder);
        assert!(is_made, "what is mounted can be mounted read-only");
        Some(made)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let unmount = || Command::new("umount").arg(&self.0).status().is_ok_and(|status| status.success());
        wait_until("the folder to be let go", unmount);
    }
}

#[test]
fn readers_need_no_write_permission_on_the_lock_directory() {
    let sandbox = with_file();
    let held = sandbox.holder("a.json");
    let Some(read_only) = ReadOnly::make(sandbox.locks_folder()) else {
        crate::scene::report("SKIPPED: this user may not mount");
        held.ended();
        return;
    };
    sandbox.line("file-lock status a.json").ends(1);
    sandbox.line("memory-read a.json --timeout 0").ends(75);
    let patient = sandbox.line("memory-read a.json --timeout 60").start();
    let shown = || sandbox.line("file-lock show --json").succeeds().stdout();
    wait_until("the reader to wait", || shown().contains("\"waiters\": 1"));
    // It cannot remove its directory, as if it had been killed.
    held.ended();
    let patient = patient.ended();
    assert!(patient.status.success() && patient.stdout.starts_with(b"{"), "{patient:?}");
    sandbox.line("memory-read a.json --timeout 0").succeeds();
    sandbox.line("file-lock status a.json").ends(0);
    drop(read_only);
    sandbox.line("file-lock cleanup").succeeds();
}
