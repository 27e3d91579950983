//! What a replacement keeps and what it refuses. Crashes and failing system calls are the business of the fault tests.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::Command,
};

use crate::sandbox::{Sandbox, available, code};

/// Each way to replace `a.json`.
const WRITES: [&str; 3] = [
    "memory-update a.json .n=2",
    "atomic-write a.json --content {\"n\":2}",
    "memory-update a.json .n=2 --backup --no-sync",
];

fn mode(sandbox: &Sandbox, name: &str) -> u32 {
    fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o7777
}

fn set_mode(sandbox: &Sandbox, name: &str, mode: u32) {
    fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

fn with_file() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"n\":1}");
    sandbox
}

#[test]
fn the_mode_of_the_old_file_stays() {
    for line in WRITES {
        for wanted in [0o640, 0o600, 0o664, 0o444, 0o755] {
            let sandbox = with_file();
            set_mode(&sandbox, "a.json", wanted);
            sandbox.line(line).succeeds();
            assert_eq!(mode(&sandbox, "a.json"), wanted, "{line}");
        }
    }
}

#[test]
fn the_umask_rules_a_new_file() {
    let sandbox = Sandbox::new();
    for (umask, wanted) in [("022", 0o644), ("077", 0o600), ("002", 0o664)] {
        let script = format!(
            "umask {umask}\nmemory-update u{umask}.json --create .n=1 && atomic-write w{umask} --content 1 &&\n\
             atomic-write d{umask}/w --content 1\n"
        );
        sandbox.bash(&script).succeeds();
        assert_eq!(mode(&sandbox, &format!("u{umask}.json")), wanted);
        assert_eq!(mode(&sandbox, &format!("w{umask}")), wanted);
        assert_eq!(mode(&sandbox, &format!("d{umask}")), wanted | (wanted >> 2 & 0o111));
    }
}

#[test]
fn a_replacement_is_a_new_file_under_the_old_name() {
    let sandbox = with_file();
    let before = fs::metadata(sandbox.path("a.json")).unwrap().ino();
    let open = fs::File::open(sandbox.path("a.json")).unwrap();
    sandbox.line("memory-update a.json .n=2").succeeds();
    assert_ne!(fs::metadata(sandbox.path("a.json")).unwrap().ino(), before);
    assert_eq!(std::io::read_to_string(open).unwrap(), "{\"n\":1}");
}

#[test]
fn a_symlink_stays_and_its_target_is_replaced() {
    for line in WRITES {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("real")).unwrap();
        sandbox.write("real/data.json", "{\"n\":1}");
        symlink("real/data.json", sandbox.path("second")).unwrap();
        symlink("second", sandbox.path("a.json")).unwrap();
        sandbox.line(line).succeeds();
        assert_eq!(fs::read_link(sandbox.path("a.json")).unwrap().to_str(), Some("second"));
        assert_eq!(fs::read_link(sandbox.path("second")).unwrap().to_str(), Some("real/data.json"));
        sandbox.line("memory-read real/data.json .n").succeeds().prints("2\n");
        assert!(fs::symlink_metadata(sandbox.path("real/data.json")).unwrap().is_file());
    }
}

#[test]
fn a_relative_symlink_is_followed_from_its_own_directory() {
    let sandbox = with_file();
    fs::create_dir(sandbox.path("elsewhere")).unwrap();
    sandbox.write("elsewhere/data.json", "{\"n\":1}");
    sandbox.write("data.json", "{\"n\":7}");
    symlink("data.json", sandbox.path("elsewhere/link.json")).unwrap();
    sandbox.line("memory-update elsewhere/link.json .n=2").succeeds();
    sandbox.holds("elsewhere/data.json", "{\n  \"n\": 2\n}\n");
    sandbox.holds("data.json", "{\"n\":7}");
}

#[test]
fn a_symlink_to_nothing_yet_leads_to_the_new_file() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("real")).unwrap();
    symlink("real/new.json", sandbox.path("link.json")).unwrap();
    sandbox.line("atomic-write link.json --content 1").succeeds();
    sandbox.holds("real/new.json", "1\n");
    assert!(fs::symlink_metadata(sandbox.path("link.json")).unwrap().is_symlink());
}

#[test]
fn a_loop_of_symlinks_is_an_error() {
    let sandbox = Sandbox::new();
    symlink("b.json", sandbox.path("a.json")).unwrap();
    symlink("a.json", sandbox.path("b.json")).unwrap();
    sandbox.line("atomic-write a.json --content 1").ends(1).refuses().tells(["a.json"]);
}

#[test]
fn directories_fifos_and_devices_are_refused() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("folder.json")).unwrap();
    assert!(Command::new("mkfifo").arg(sandbox.path("fifo.json")).status().unwrap().success());
    symlink("/dev/full", sandbox.path("full.json")).unwrap();
    symlink("/dev/null", sandbox.path("null.json")).unwrap();
    for name in ["folder.json", "fifo.json", "full.json", "null.json", "/dev/full", "/dev/null", "/dev/stdout"] {
        sandbox.call(["atomic-write", name, "--content", "1"]).ends(1).refuses().tells([name]);
    }
    for name in ["folder.json", "fifo.json", "full.json", "null.json"] {
        sandbox.call(["memory-update", name, ".n=1", "--create"]).ends(1).refuses().tells([name]);
        sandbox.call(["memory-read", name]).ends(1).refuses().tells([name]);
    }
    assert!(!fs::symlink_metadata("/dev/full").unwrap().is_file());
}

#[test]
fn a_backup_that_cannot_be_made_stops_the_write() {
    let sandbox = with_file();
    fs::create_dir(sandbox.path("a.json.bak")).unwrap();
    sandbox.line("memory-update a.json .n=2 --backup").ends(1).refuses().tells(["a.json.bak"]);
    sandbox.line("atomic-write a.json --backup --content 2").ends(1).refuses().tells(["a.json.bak"]);
    sandbox.holds("a.json", "{\"n\":1}");
}

#[test]
fn a_backup_has_the_mode_of_the_file_and_is_beside_the_real_one() {
    let sandbox = with_file();
    set_mode(&sandbox, "a.json", 0o600);
    sandbox.line("memory-update a.json .n=2 --backup").succeeds();
    assert_eq!(mode(&sandbox, "a.json.bak"), 0o600);
}

#[test]
fn a_read_only_directory_is_an_error_that_names_it() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("shut")).unwrap();
    sandbox.write("shut/a.json", "{}");
    set_mode(&sandbox, "shut", 0o555);
    let output = sandbox.line("memory-update shut/a.json .n=1").output();
    set_mode(&sandbox, "shut", 0o755);
    if code(output.status) != 0 {
        assert_eq!(code(output.status), 1);
        assert!(String::from_utf8_lossy(&output.stderr).contains("shut"), "{output:?}");
        sandbox.holds("shut/a.json", "{}");
    } // else these are root's rights, for whom no folder is read-only
}

#[test]
fn a_file_size_limit_leaves_the_old_content() {
    let sandbox = with_file();
    let script = "trap '' XFSZ\nulimit -f 1\nmemory-update a.json '.x = \"x\" * 100000'\n";
    sandbox.bash(script).ends(1).refuses().tells(["a.json"]);
    sandbox.holds("a.json", "{\"n\":1}");
}

#[test]
fn the_file_size_signal_is_an_error_instead_of_killing_the_process() {
    let sandbox = with_file();
    sandbox.bash("ulimit -f 1\nmemory-update a.json '.x = \"x\" * 100000'\n").output();
    sandbox.holds("a.json", "{\"n\":1}");
    sandbox.line("memory-update a.json .n=2").succeeds();
}

#[test]
fn the_next_writer_removes_the_leftovers_of_a_killed_one() {
    let sandbox = with_file();
    let script = "for n in {1..40}; do\n\
        memory-update a.json '.x = (\"x\" * 3000000)' --no-sync &\n\
        victim=$!\n\
        read -r -t 0.$((n % 3))$((n % 10)) _ <fifo\n\
        kill -9 $victim; wait $victim\ndone 2>/dev/null\n:\n";
    assert!(Command::new("mkfifo").arg(sandbox.path("fifo")).status().unwrap().success());
    let _open = fs::OpenOptions::new().read(true).write(true).open(sandbox.path("fifo")).unwrap();
    sandbox.bash(script).output();
    sandbox.line("memory-update a.json .n=2 --timeout 0").succeeds();
    assert_eq!(sandbox.litter(), Vec::<std::path::PathBuf>::new());
}

/// The system calls that matter for durability, in order, as `name(path)`.
#[cfg(target_os = "linux")]
fn syncs_and_renames(sandbox: &Sandbox, line: &str) -> Vec<String> {
    let strace = "strace -f -qq -y -e signal=none -e trace=fsync,fdatasync,rename,renameat,renameat2 -o trace";
    sandbox.line(&format!("{strace} {line}")).succeeds();
    let folder = sandbox.path("").display().to_string();
    let here = folder.trim_end_matches('/');
    let trace = sandbox.read("trace");
    let calls = trace.lines().filter_map(|line| {
        let call = line.split_once(' ')?.1.trim_start();
        let what = if call.starts_with("rename") { "rename" } else { "sync" };
        let of = match () {
            () if what == "rename" && call.contains("a.json.bak\"") => "backup",
            () if what == "rename" && call.contains("a.json\"") => "file",
            () if call.contains(&format!("<{here}>")) => "folder",
            () if call.contains(here) => "content",
            () => return None,
        };
        Some(format!("{what} {of}"))
    });
    calls.collect()
}

#[test]
#[cfg(target_os = "linux")]
fn content_is_synced_before_its_rename_and_the_directory_after() {
    if !available("strace") {
        return;
    }
    for line in ["memory-update a.json .n=2", "atomic-write a.json --content 2"] {
        let sandbox = with_file();
        let plain = ["sync content", "rename file", "sync folder"];
        assert_eq!(syncs_and_renames(&sandbox, line), plain, "{line}");
        let calls = syncs_and_renames(&sandbox, &format!("{line} --backup"));
        let [at_backup, at_file] = ["rename backup", "rename file"].map(|c| calls.iter().position(|call| call == c));
        assert!(at_backup.is_some() && at_backup < at_file, "{line}: {calls:?}");
        assert_eq!(calls[0], "sync content", "{line}: {calls:?}");
        assert_eq!(calls.last().unwrap(), "sync folder", "{line}: {calls:?}");
        assert!(calls.iter().filter(|call| *call == "sync content").count() == 2, "{line}: {calls:?}");
        assert_eq!(syncs_and_renames(&sandbox, &format!("{line} --no-sync")), ["rename file"], "{line}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn content_that_may_not_survive_has_a_status_of_its_own() {
    if !available("strace") {
        return;
    }
    for line in ["memory-update a.json .n=2", "atomic-write a.json --content 2", "atomic-write a.json --restore"] {
        let sandbox = with_file();
        sandbox.write("a.json.bak", "2");
        // The directory is synced last.
        let syncs = syncs_and_renames(&sandbox, line).iter().filter(|call| call.starts_with("sync")).count();
        sandbox.write("a.json", "{\"n\":1}");
        sandbox.write("a.json.bak", "2");
        let last = format!("strace -f -qq -o log -e inject=fsync:error=EIO:when={syncs}");
        let ended = sandbox.line(&format!("{last} {line}"));
        if line.contains("restore") {
            ended.succeeds(); // the last one is that of the backups, which are told of
            continue;
        }
        ended.ends(73).tells(["in place", "may not survive", "do not repeat"]);
        assert_ne!(sandbox.read("a.json"), "{\"n\":1}", "{line}");
    }
}

/// On a file server a name may stand for another file than the client remembers, until its directory is opened again.
#[test]
#[cfg(target_os = "linux")]
fn the_directory_is_opened_between_the_lock_and_the_file() {
    if !available("strace") {
        return;
    }
    let lines = ["memory-update a.json .n=2", "memory-update new.json .n=2 --create", "memory-read a.json"];
    for line in lines.into_iter().chain(["memory-read a.json .n", "atomic-write a.json --restore"]) {
        let sandbox = with_file();
        sandbox.write("a.json.bak", "1");
        let strace = "strace -f -qq -y -e signal=none -e trace=openat,flock -o trace";
        sandbox.line("file-lock with a.json -- true").succeeds();
        sandbox.line(&format!("{strace} {line}")).succeeds();
        let (trace, here) = (sandbox.read("trace"), sandbox.path("").display().to_string());
        let here = here.trim_end_matches('/');
        let at = |what: &str, is_it: &dyn Fn(&str) -> bool| {
            trace.lines().position(is_it).unwrap_or_else(|| panic!("{line}: no {what} in\n{trace}"))
        };
        let locked = at("lock", &|call| call.contains("flock(") && call.contains(".guard>"));
        let opened = at("directory", &|call| call.ends_with(&format!("<{here}>")) && call.contains("O_DIRECTORY"));
        let name = if line.contains("restore") { "a.json.bak" } else { line.split(' ').nth(1).unwrap() };
        let file = at("file", &|call| call.contains(&format!("/{name}\"")) || call.contains(&format!("\"{name}\"")));
        assert!(locked < opened && opened < file, "{line}: {locked} {opened} {file} in\n{trace}");
    }
}

#[test]
fn the_longest_possible_file_name_can_be_written() {
    let sandbox = Sandbox::new();
    let name = format!("{}.json", "n".repeat(250));
    sandbox.call(["atomic-write", &name, "--content", "1"]).succeeds();
    sandbox.call(["memory-update", &name, ". + 1"]).succeeds();
    sandbox.holds(&name, "2\n");
}

#[test]
fn a_name_that_is_not_utf_8_can_be_written() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    let name = std::ffi::OsStr::from_bytes(b"n\xff.json");
    if fs::write(sandbox.path("").join(name), "1").is_err() {
        return; // a file system that takes UTF-8 only
    }
    sandbox.line("memory-update").arg(name).arg(". + 1").succeeds();
    assert_eq!(fs::read_to_string(sandbox.path("").join(name)).unwrap(), "2\n");
}
