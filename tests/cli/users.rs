//! Several users on one machine: root beside a user, and two users of one group.
//!
//! The tests become other users, which only root may; as another user they have nothing to show and say so.
#![cfg(target_os = "linux")]

use crate::sandbox::{BINARY, Call, Sandbox, TOOLS, available};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::Path,
};

/// Users and groups that need not be in any list.
const ADA: u32 = 54_001;
const BOB: u32 = 54_002;
const TEAM: u32 = 54_100;

fn may_become_others() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        assert!(std::env::var_os("CI").is_none(), "CI runs these tests, as root");
        eprintln!("SKIPPED: only root can become other users");
    }
    is_root && available("setpriv")
}

/// A sandbox whose directories are Ada's.
fn adas() -> Sandbox {
    let sandbox = Sandbox::new();
    let root = sandbox.home().parent().unwrap().to_owned();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    // By another process (see Sandbox::program), and where other users can reach it.
    fs::remove_file(sandbox.bin().join("memlatch")).unwrap();
    sandbox.call(["cp", BINARY]).arg(sandbox.bin().join("memlatch")).succeeds();
    for tool in TOOLS {
        fs::remove_file(sandbox.bin().join(tool)).unwrap();
        symlink("memlatch", sandbox.bin().join(tool)).unwrap();
    }
    fs::create_dir_all(sandbox.aiconfig()).unwrap();
    for directory in [sandbox.home(), sandbox.home().join("notes"), sandbox.aiconfig(), sandbox.path("")] {
        chown(directory, Some(ADA), Some(ADA)).unwrap();
    }
    sandbox
}

/// A line run as a user, with the groups and the umask given.
fn as_user<'a>(sandbox: &'a Sandbox, user: u32, umask: &str, line: &str) -> Call<'a> {
    let user = format!("--reuid={user} --regid={user} --groups={user},{TEAM} --inh-caps=-all");
    let mut words: Vec<&str> = vec!["setpriv"];
    words.extend(user.split(' '));
    let script = format!("umask {umask}; exec \"$@\"");
    words.extend(["sh", "-c", script.as_str(), "sh"]);
    words.extend(line.split(' '));
    sandbox.call(words)
}

fn owners(directory: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut todo = vec![directory.to_owned()];
    while let Some(path) = todo.pop() {
        let facts = fs::symlink_metadata(&path).unwrap();
        found.push((path.file_name().unwrap().to_string_lossy().into_owned(), facts.uid()));
        if facts.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
}

#[test]
fn root_leaves_nothing_that_the_user_cannot_use() {
    if !may_become_others() {
        return;
    }
    let sandbox = adas();
    let file = sandbox.write("a.json", "{\"n\":0}");
    chown(&file, Some(ADA), Some(ADA)).unwrap();
    // The first to lock anything there, with a lock inside a lock, a queue and a lease.
    sandbox.line("file-lock with a.json -- memory-update a.json .n+=1").succeeds();
    let script = "ID=$(file-lock acquire a.json) || exit\n(file-lock with a.json --timeout 0.2 -- true) \n\
        memory-update a.json .n+=1 || exit\nfile-lock release \"$ID\"\n";
    sandbox.bash(script).succeeds();
    assert!(
        owners(&sandbox.locks_folder()).iter().all(|(_, owner)| *owner == ADA),
        "{:?}",
        owners(&sandbox.locks_folder())
    );
    as_user(&sandbox, ADA, "022", "memory-update a.json .n+=1").succeeds();
    as_user(&sandbox, ADA, "077", "file-lock with a.json -- memory-update a.json .n+=1").succeeds();
    sandbox.line("file-lock cleanup").succeeds();
    as_user(&sandbox, ADA, "022", "memory-update a.json .n+=1").succeeds();
    sandbox.holds("a.json", "{\n  \"n\": 5\n}\n");
    assert_eq!(fs::metadata(sandbox.path("a.json")).unwrap().uid(), ADA);
}

#[test]
fn files_left_by_root_are_reported_and_repaired() {
    if !may_become_others() {
        return;
    }
    let sandbox = adas();
    as_user(&sandbox, ADA, "022", "atomic-write a.json --content {}").succeeds();
    let guard = sandbox.locks_folder().join(format!("{}.guard", sandbox.lock_id("a.json")));
    chown(&guard, Some(0), Some(0)).unwrap();
    let refused = as_user(&sandbox, ADA, "022", "memory-update a.json .n=1").ends(1);
    refused.tells([".guard", "belongs to user 0", "sudo chown -R --reference="]);
    let doctor = as_user(&sandbox, ADA, "022", "memlatch doctor").ends(1).stdout();
    assert!(doctor.contains("belongs to user 0"), "{doctor}");
    // Root's next command gives it back.
    sandbox.line("memory-read a.json").succeeds();
    sandbox.line("memory-update a.json .n=1").succeeds();
    as_user(&sandbox, ADA, "022", "memory-update a.json .n=2").succeeds();
}

#[test]
fn a_file_put_in_a_guards_place_is_not_given_away() {
    if !may_become_others() {
        return;
    }
    let sandbox = adas();
    as_user(&sandbox, ADA, "022", "atomic-write a.json --content {}").succeeds();
    let guard = sandbox.locks_folder().join(format!("{}.guard", sandbox.lock_id("a.json")));
    fs::remove_file(&guard).unwrap();
    let secret = sandbox.write("secret", "precious");
    for plant in ["link", "move"] {
        if plant == "link" {
            fs::write(&secret, "").unwrap();
            fs::hard_link(&secret, &guard).unwrap();
        } else {
            fs::remove_file(&guard).unwrap();
            fs::write(&secret, "precious").unwrap();
            fs::rename(&secret, &guard).unwrap();
        }
        sandbox.line("memory-update a.json .n=1").output();
        assert_eq!(fs::metadata(&guard).unwrap().uid(), 0, "{plant}");
    }
    fs::remove_file(&guard).unwrap();
}

#[test]
fn members_of_a_group_share_a_lock_directory_whatever_their_umask() {
    if !may_become_others() {
        return;
    }
    for umask in ["002", "022", "077"] {
        let sandbox = adas();
        for directory in [sandbox.aiconfig(), sandbox.path("")] {
            chown(&directory, Some(ADA), Some(TEAM)).unwrap();
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o2770)).unwrap();
        }
        as_user(&sandbox, ADA, umask, "atomic-write ada.json --content {}").succeeds();
        as_user(&sandbox, BOB, umask, "atomic-write bob.json --content {}").succeeds();
        for (user, other) in [(ADA, BOB), (BOB, ADA)] {
            as_user(&sandbox, user, umask, "file-lock with ada.json bob.json -- file-lock with ada.json -- true")
                .succeeds();
            // Each takes over what a dead member left, a lease here, and a lock in a lock.
            let killed = "file-lock with ada.json -- sh -c 'file-lock with ada.json -- kill -9 0'";
            let script = sandbox.write("die.sh", format!("setsid {killed}\nfile-lock acquire bob.json 2>&1\n"));
            as_user(&sandbox, user, umask, &format!("sh {}", script.display())).output();
            for name in ["ada.json", "bob.json"] {
                as_user(&sandbox, other, umask, &format!("file-lock with {name} --timeout 10 -- true")).succeeds();
            }
        }
        as_user(&sandbox, BOB, umask, "file-lock cleanup").succeeds();
        let doctor = as_user(&sandbox, ADA, umask, "memlatch doctor").output();
        let doctor = String::from_utf8_lossy(&doctor.stdout);
        assert!(doctor.contains(&format!("shared with the members of group {TEAM}")), "{doctor}");
        as_user(&sandbox, BOB, umask, "file-lock with ada.json -- true").succeeds().reports("");
    }
}

#[test]
fn a_lock_directory_of_another_user_is_refused_unless_the_group_shares_it() {
    if !may_become_others() {
        return;
    }
    let sandbox = adas();
    as_user(&sandbox, ADA, "022", "atomic-write a.json --content {}").succeeds();
    fs::set_permissions(sandbox.locks_folder(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(sandbox.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    as_user(&sandbox, BOB, "022", "memory-update a.json .n=1").ends(1).tells(["belongs to user 54001", "chmod 2770"]);
    sandbox.holds("a.json", "{}\n");
}
