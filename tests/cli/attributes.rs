//! What belongs to a file beside its content: access control lists, extended attributes, other names, mounts.
#![cfg(target_os = "linux")]

use crate::sandbox::{Sandbox, available};
use rustix::fs::{XattrFlags, getxattr, setxattr};
use std::{fs, os::unix::fs::MetadataExt, path::Path};

const ACCESS: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";

/// The writes that replace a file.
const WRITES: [&str; 4] = [
    "memory-update a.json .n=2",
    "memory-update a.json .n=2 --backup",
    "atomic-write a.json --content 2",
    "atomic-write a.json --restore",
];

fn with_file() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"n\":1}");
    sandbox.write("a.json.bak", "{\"n\":0}");
    sandbox
}

/// Gives a file an attribute. Where the file system has none of its kind, the test has nothing to show.
fn give(path: &Path, name: &str, value: &[u8]) -> bool {
    match setxattr(path, name, value, XattrFlags::empty()) {
        Ok(()) => true,
        Err(rustix::io::Errno::NOTSUP) => {
            eprintln!("SKIPPED: no {name} where {} is", path.display());
            false
        }
        Err(error) => panic!("{name} of {}: {error}", path.display()),
    }
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1 << 16];
    match getxattr(path, name, &mut value[..]) {
        Ok(length) => Some(value[..length].to_vec()),
        Err(rustix::io::Errno::NODATA) => None,
        Err(error) => panic!("{name} of {}: {error}", path.display()),
    }
}

/// An access control list as the kernel keeps it (linux/posix_acl_xattr.h): owner, the user 4711, group, mask, others.
fn list(owner: u16, user: u16, group: u16, mask: u16, others: u16) -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    let entries = [(1, owner, NOBODY), (2, user, 4711), (4, group, NOBODY), (16, mask, NOBODY), (32, others, NOBODY)];
    let mut bytes = 2u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        bytes.extend([u16::to_le_bytes(tag), rights.to_le_bytes()].concat());
        bytes.extend(u32::to_le_bytes(id));
    }
    bytes
}

#[test]
fn an_access_control_list_outlives_a_replacement() {
    for line in WRITES {
        let sandbox = with_file();
        let list = list(6, 4, 0, 4, 0);
        if !give(&sandbox.path("a.json"), ACCESS, &list) {
            return;
        }
        let mode = fs::metadata(sandbox.path("a.json")).unwrap().mode();
        sandbox.line(line).succeeds();
        assert_eq!(attribute(&sandbox.path("a.json"), ACCESS), Some(list), "{line}");
        assert_eq!(fs::metadata(sandbox.path("a.json")).unwrap().mode(), mode, "{line}");
    }
}

#[test]
fn a_backup_has_the_access_control_list_of_the_file() {
    let sandbox = with_file();
    let list = list(6, 4, 0, 4, 0);
    if give(&sandbox.path("a.json"), ACCESS, &list) {
        sandbox.line("memory-update a.json .n=2 --backup").succeeds();
        assert_eq!(attribute(&sandbox.path("a.json.bak"), ACCESS), Some(list));
    }
}

#[test]
fn a_default_access_list_of_the_directory_does_not_open_a_private_file() {
    for line in WRITES {
        let sandbox = with_file();
        if !give(&sandbox.path(""), DEFAULT, &list(7, 6, 6, 6, 4)) {
            return;
        }
        sandbox.line(line).succeeds();
        assert_eq!(attribute(&sandbox.path("a.json"), ACCESS), None, "{line}");
    }
}

#[test]
fn a_new_file_gets_the_default_list_of_its_directory() {
    let sandbox = Sandbox::new();
    if give(&sandbox.path(""), DEFAULT, &list(6, 4, 0, 4, 0)) {
        fs::write(sandbox.path("plain"), "").unwrap();
        sandbox.line("atomic-write new.json --content 1").succeeds();
        let expected = attribute(&sandbox.path("plain"), ACCESS);
        assert!(expected.is_some());
        assert_eq!(attribute(&sandbox.path("new.json"), ACCESS), expected);
    }
}

#[test]
fn extended_attributes_outlive_a_replacement() {
    for line in WRITES {
        let sandbox = with_file();
        let long = [b'x'; 2000];
        let path = sandbox.path("a.json");
        if !(give(&path, "user.origin", b"a\0b") && give(&path, "user.long", &long) && give(&path, "user.empty", b"")) {
            return;
        }
        sandbox.line(line).succeeds();
        assert_eq!(attribute(&path, "user.origin").as_deref(), Some(b"a\0b".as_slice()), "{line}");
        assert_eq!(attribute(&path, "user.long").as_deref(), Some(long.as_slice()), "{line}");
        assert_eq!(attribute(&path, "user.empty").as_deref(), Some(b"".as_slice()), "{line}");
    }
}

#[test]
fn an_attribute_that_cannot_be_kept_stops_the_write() {
    if !available("strace") {
        return;
    }
    for (name, value) in [(ACCESS, list(6, 4, 0, 4, 0)), ("user.origin", b"here".to_vec())] {
        let sandbox = with_file();
        if !give(&sandbox.path("a.json"), name, &value) {
            return;
        }
        let faulty = "strace -f -qq -o trace -e inject=fsetxattr:error=EPERM";
        sandbox
            .line(&format!("{faulty} memory-update a.json .n=2 --backup"))
            .ends(1)
            .refuses()
            .tells([name, "as it was"]);
        sandbox.holds("a.json", "{\"n\":1}");
        sandbox.holds("a.json.bak", "{\"n\":0}");
    }
}

#[test]
fn hard_links_keep_the_old_content_and_that_is_reported_once() {
    for line in ["memory-update a.json .n=2", "atomic-write a.json --content 2", "atomic-write a.json --restore"] {
        let sandbox = with_file();
        fs::hard_link(sandbox.path("a.json"), sandbox.path("other.json")).unwrap();
        sandbox.line(line).succeeds().tells(["'a.json' had another name (a hard link), which keeps the old content"]);
        sandbox.holds("other.json", "{\"n\":1}");
        let again = sandbox.line("memory-update a.json .").output();
        assert!(!String::from_utf8_lossy(&again.stderr).contains("another name"), "{again:?}");
    }
}

#[test]
fn a_mount_of_a_single_file_is_reported_and_costs_no_backup() {
    if !rustix::process::geteuid().is_root() || !available("unshare") {
        eprintln!("SKIPPED: to mount takes root's rights");
        return;
    }
    for line in ["memory-update a.json .n=2 --backup=3", "memory-update a.json .n=2", "atomic-write a.json --content 2"]
    {
        let sandbox = with_file();
        let script = format!("mount --bind a.json a.json && {line}");
        let run = sandbox.call(["unshare", "--mount", "bash", "-c", &script]);
        run.ends(1).refuses().tells(["a.json", "mount its directory"]);
        sandbox.holds("a.json", "{\"n\":1}");
        sandbox.holds("a.json.bak", "{\"n\":0}");
        assert!(!sandbox.path("a.json.bak.2").exists(), "{line}");
    }
}
