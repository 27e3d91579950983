//! `memlatch doctor`: each fault is found, named with its place, and mended by the remedy that is told.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::sandbox::{Sandbox, available};

/// What the doctor found, with its exit status.
struct Diagnosis {
    status: i32,
    findings: Vec<Value>,
}

impl Diagnosis {
    /// The one finding of a check that is not `ok`.
    #[track_caller]
    fn only(&self, check: &str, level: &str) -> &Value {
        let ill: Vec<&Value> =
            self.findings.iter().filter(|finding| finding["check"] == check && finding["level"] != "ok").collect();
        assert!(ill.len() == 1 && ill[0]["level"] == level, "one {level} of {check} in {:#?}", self.findings);
        ill[0]
    }

    #[track_caller]
    fn is_clean(&self, check: &str) {
        let (of_it, ill): (usize, usize) = self
            .findings
            .iter()
            .filter(|finding| finding["check"] == check)
            .fold((0, 0), |(all, ill), finding| (all + 1, ill + usize::from(finding["level"] != "ok")));
        assert!(of_it > 0 && ill == 0, "{check} in {:#?}", self.findings);
    }
}

fn text<'a>(finding: &'a Value, member: &str) -> &'a str {
    finding[member].as_str().unwrap_or_else(|| panic!("no {member} in {finding}"))
}

#[track_caller]
fn examine_with(sandbox: &Sandbox, environment: &[(&str, &str)], words: &[&str]) -> Diagnosis {
    let mut call = sandbox.call(["memlatch", "doctor", "--json"]);
    for word in words {
        call = call.arg(word);
    }
    for (name, value) in environment {
        call = call.env(name, value);
    }
    let output = call.output();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let findings = told["findings"].as_array().expect("a list").clone();
    let count = |level: &str| findings.iter().filter(|finding| finding["level"] == level).count();
    assert_eq!(told["version"], 1);
    assert_eq!((&told["problems"], &told["notes"]), (&count("problem").into(), &count("note").into()));
    let status = output.status.code().expect("a status");
    assert_eq!((told["ok"] == true, count("problem") == 0), (status == 0, status == 0), "{printed}");
    for finding in findings.iter().filter(|finding| finding["level"] != "ok") {
        assert!(finding["remedy"].is_string() && finding["what"].is_string(), "{finding}");
    }
    // The tests may themselves run on a file system that is worth a note.
    let of_the_place = |finding: &Value| text(finding, "what").starts_with("the lock directory is on ");
    Diagnosis { status, findings: findings.into_iter().filter(|finding| !of_the_place(finding)).collect() }
}

#[track_caller]
fn examine(sandbox: &Sandbox) -> Diagnosis {
    examine_with(sandbox, &[], &[])
}

/// Does what a finding says.
#[track_caller]
fn follow(sandbox: &Sandbox, finding: &Value) {
    sandbox.bash(&format!("set -e\n{}\n", text(finding, "remedy"))).succeeds();
}

/// A sandbox in which all is well.
fn healthy() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir_all(memory(&sandbox)).unwrap();
    fs::write(memory(&sandbox).join("sessions.json"), "{\"sessions\": []}\n").unwrap();
    sandbox.line("file-lock with a.json -- true").succeeds();
    sandbox
}

fn memory(sandbox: &Sandbox) -> PathBuf {
    sandbox.aiconfig().join("memory/projects/app")
}

/// Every file below a folder, with its content, and every folder.
fn everything(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(everything(&path));
        }
        all.push((path.clone(), fs::read(&path).unwrap_or_default()));
    }
    all.sort();
    all
}

#[test]
fn where_all_is_well_it_says_so_and_changes_nothing() {
    let sandbox = healthy();
    let before = everything(&sandbox.aiconfig());
    let told = sandbox.line("memlatch doctor").succeeds().reports("").stdout();
    let is_fine = |line: &str| line.starts_with("[OK] ") || line.starts_with("[INFO] the lock directory is on ");
    assert!(told.lines().filter(|line| !line.starts_with("  remedy: ")).rev().skip(1).all(is_fine), "{told}");
    assert!(told.lines().last().is_some_and(|line| line.starts_with("all is well")), "{told}");
    for check in ["environment", "lock-folder", "links", "locks", "leftovers", "memory"] {
        examine(&sandbox).is_clean(check);
    }
    assert_eq!(everything(&sandbox.aiconfig()), before);
}

#[test]
fn where_nothing_ever_was_it_makes_nothing() {
    let sandbox = Sandbox::new();
    let found = examine(&sandbox);
    assert_eq!(found.status, 0);
    found.is_clean("lock-folder");
    found.only("memory", "note");
    assert!(!sandbox.aiconfig().exists());
}

#[test]
fn every_variable_that_does_not_parse_is_named() {
    let sandbox = healthy();
    let wrong =
        [("LOCK_TIMEOUT", "5s"), ("LOCK_RETRY", "often"), ("LOCK_OWNER", "me and you"), ("LOCK_DEBUG", "yes please")];
    let found = examine_with(&sandbox, &wrong, &[]);
    assert_eq!(found.status, 1);
    for (name, value) in wrong {
        let named = |finding: &&Value| text(finding, "what").contains(name) && text(finding, "what").contains(value);
        let finding = found.findings.iter().find(named).unwrap_or_else(|| panic!("{name} in {:#?}", found.findings));
        assert_eq!((text(finding, "check"), text(finding, "level")), ("environment", "problem"));
        assert!(text(finding, "remedy").contains(name), "{finding}");
    }
    sandbox.line("memlatch doctor").env("LOCK_DEBUG", "yes").ends(1).reports("");
    // Nobody else runs with it.
    sandbox.line("memlatch install bin").env("LOCK_DEBUG", "yes").ends(2).tells(["LOCK_DEBUG"]);
    assert!(!sandbox.path("bin").exists());
}

#[test]
fn without_a_place_for_locks_it_looks_at_the_rest() {
    let sandbox = healthy();
    sandbox.write("a.json", "{");
    let call = sandbox.line("memlatch doctor a.json").without("HOME").without("AICONFIG_PATH").ends(1).stdout();
    assert!(call.contains("HOME") && call.contains("not valid JSON"), "{call}");
}

#[test]
fn a_wait_that_outlasts_ai_clients_is_worth_a_note() {
    let sandbox = healthy();
    let found = examine_with(&sandbox, &[("LOCK_TIMEOUT", "120")], &[]);
    assert_eq!(found.status, 0);
    assert!(text(found.only("environment", "note"), "what").contains("120 s"));
    examine_with(&sandbox, &[("LOCK_TIMEOUT", "119")], &[]).is_clean("environment");
}

#[test]
fn a_relative_base_directory_is_refused_because_it_excludes_nobody_elsewhere() {
    let sandbox = Sandbox::new();
    let found = examine_with(&sandbox, &[("AICONFIG_PATH", "notes")], &[]);
    assert!(text(found.only("environment", "problem"), "what").contains("'notes', a relative path"));
}

#[test]
fn the_advice_for_a_lock_directory_that_others_can_write_to_works() {
    let sandbox = healthy();
    let allow = |mode| fs::set_permissions(sandbox.locks_folder(), fs::Permissions::from_mode(mode)).unwrap();
    allow(0o770);
    let found = examine(&sandbox);
    assert_eq!(found.status, 1);
    let finding = found.only("lock-folder", "problem");
    assert_eq!(text(finding, "where"), sandbox.locks_folder().display().to_string());
    follow(&sandbox, finding);
    assert_eq!(fs::metadata(sandbox.locks_folder()).unwrap().permissions().mode() & 0o777, 0o750);
    let found = examine(&sandbox);
    assert_eq!(found.status, 0);
    follow(&sandbox, found.only("lock-folder", "note"));
    examine(&sandbox).is_clean("lock-folder");
}

#[test]
fn a_file_in_place_of_the_lock_directory_is_named() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.aiconfig()).unwrap();
    fs::write(sandbox.locks_folder(), "").unwrap();
    let found = examine(&sandbox);
    assert!(text(found.only("lock-folder", "problem"), "what").contains("not a directory"));
}

#[test]
fn the_kernels_locks_are_tried_where_they_lie() {
    let sandbox = healthy();
    let found = examine(&sandbox);
    let tried = |finding: &&Value| text(finding, "what").contains("the kernel's locks exclude there, on ");
    let finding = found.findings.iter().find(tried).expect("the test's outcome");
    assert_eq!(text(finding, "where"), sandbox.locks_folder().display().to_string());
    if fs::metadata("/proc/version").is_ok() {
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        let name = text(finding, "what").rsplit(' ').next().unwrap();
        assert!(mounts.lines().any(|line| line.split(' ').nth(2) == Some(name)), "{name} is no file system here");
    }
}

#[test]
fn the_second_process_of_the_self_test_sees_the_lock() {
    if !available("flock") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("guard", "");
    sandbox.line("memlatch doctor --second-process guard").succeeds().prints("exclusive\nshared\n");
    sandbox.line("flock --shared guard memlatch doctor --second-process guard").succeeds().prints("shared\n");
    sandbox.line("flock --exclusive guard memlatch doctor --second-process guard").succeeds().prints("");
}

#[test]
fn scripts_in_the_place_of_links_are_replaced_by_the_one_step_of_the_migration() {
    let sandbox = healthy();
    let scripts = sandbox.aiconfig().join("scripts");
    fs::create_dir(&scripts).unwrap();
    for name in ["file-lock.sh", "memory-read.sh"] {
        fs::write(scripts.join(name), "#!/bin/sh\necho mine\n").unwrap();
    }
    fs::create_dir(sandbox.path("more")).unwrap();
    sandbox.write("more/atomic-write.sh", "mine");
    examine_with(&sandbox, &[], &["more"])
        .findings
        .iter()
        .find(|finding| finding["where"] == *sandbox.path("more").display().to_string())
        .expect("a folder that is named");
    let found = examine(&sandbox);
    assert_eq!(found.status, 1);
    let finding = found.only("links", "problem");
    assert!(text(finding, "what").contains("'file-lock.sh', 'memory-read.sh'"), "{finding}");
    assert_eq!(text(finding, "where"), scripts.display().to_string());
    follow(&sandbox, finding);
    assert_eq!(fs::read_to_string(scripts.join("file-lock.sh.orig")).unwrap(), "#!/bin/sh\necho mine\n");
    examine(&sandbox).is_clean("links");
}

#[test]
fn a_link_that_leads_nowhere_is_made_again() {
    let sandbox = healthy();
    let scripts = sandbox.aiconfig().join("scripts");
    sandbox.call(["memlatch", "install"]).arg(&scripts).succeeds().tells(["memlatch doctor"]);
    let link = scripts.join("memory-update");
    fs::remove_file(&link).unwrap();
    symlink("/nowhere/memlatch", &link).unwrap();
    let found = examine(&sandbox);
    let finding = found.only("links", "problem");
    assert_eq!(text(finding, "where"), link.display().to_string());
    follow(&sandbox, finding);
    examine(&sandbox).is_clean("links");
}

#[test]
fn a_link_to_another_version_is_reported_with_both_versions() {
    let sandbox = healthy();
    let scripts = sandbox.aiconfig().join("scripts");
    // By another process: what this one has open for writing cannot be run while a test beside it starts a program.
    let make = "mkdir old; printf '#!/bin/sh\\necho memlatch 0.0.1\\n' > old/memlatch; chmod +x old/memlatch\n";
    sandbox.bash(make).succeeds();
    fs::create_dir(&scripts).unwrap();
    symlink(sandbox.path("old/memlatch"), scripts.join("file-lock.sh")).unwrap();
    let found = examine(&sandbox);
    assert_eq!(found.status, 0);
    let finding = found.only("links", "note");
    assert!(text(finding, "what").contains("0.0.1") && text(finding, "what").contains(env!("CARGO_PKG_VERSION")));
    follow(&sandbox, finding);
    examine(&sandbox).is_clean("links");
}

#[test]
fn another_program_that_comes_first_on_the_path_is_named() {
    let sandbox = healthy();
    fs::create_dir_all(sandbox.path("first")).unwrap();
    let other = sandbox.write("first/file-lock", "#!/bin/sh\necho other\n");
    let path = |folders: [PathBuf; 2]| {
        let folders = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":");
        format!("{folders}:{}", std::env::var("PATH").unwrap())
    };
    let (behind, before) = (path([sandbox.bin(), sandbox.path("first")]), path([sandbox.path("first"), sandbox.bin()]));
    examine_with(&sandbox, &[("PATH", &before)], &[]).is_clean("links");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    let found = examine_with(&sandbox, &[("PATH", &before)], &[]);
    assert_eq!(text(found.only("links", "problem"), "where"), sandbox.path("first").display().to_string());
    examine_with(&sandbox, &[("PATH", &behind)], &[]).is_clean("links");
}

#[test]
fn a_stale_lock_is_noted_and_cleaned_up() {
    let sandbox = healthy();
    sandbox.plant_script_lock("a.json", sandbox.dead_pid());
    let held = sandbox.holder("b.json");
    let found = examine(&sandbox);
    assert_eq!(found.status, 0);
    follow(&sandbox, found.only("locks", "note"));
    examine(&sandbox).is_clean("locks");
    held.ended();
}

/// A lock directory with this `info`.
fn plant_lock(sandbox: &Sandbox, name: &str, info: &str) {
    fs::create_dir_all(sandbox.lock_folder(name)).unwrap();
    fs::write(sandbox.lock_folder(name).join("info"), info).unwrap();
}

#[test]
fn a_lock_that_cannot_be_checked_is_a_problem_until_it_is_released() {
    let sandbox = healthy();
    let target = sandbox.path("it's a.json");
    let info = format!(
        "PID: 7\nACQUIRED: 2026-01-25T10:30:00Z\nHOSTNAME: elsewhere.example\nTARGET: {}\nKIND: lease\n",
        target.display()
    );
    plant_lock(&sandbox, "it's a.json", &info);
    let found = examine(&sandbox);
    assert_eq!(found.status, 1);
    let finding = found.only("locks", "problem");
    assert!(text(finding, "what").contains("elsewhere.example"), "{finding}");
    assert_eq!(text(finding, "where"), target.display().to_string());
    follow(&sandbox, finding);
    examine(&sandbox).is_clean("locks");
}

#[test]
fn other_files_among_the_locks_do_not_hide_locks() {
    let sandbox = healthy();
    sandbox.plant_script_lock("a.json", sandbox.dead_pid());
    let stray = sandbox.locks_folder().join(format!("{}.lock", "0".repeat(64)));
    fs::write(&stray, "").unwrap();
    let found = examine(&sandbox);
    let locks: Vec<&Value> = found.findings.iter().filter(|finding| finding["check"] == "locks").collect();
    assert_eq!(locks.len(), 2, "{locks:#?}");
    assert!(locks.iter().any(|finding| text(finding, "what").contains(stray.to_str().unwrap())), "{locks:#?}");
    fs::remove_file(stray).unwrap();
    sandbox.line("file-lock cleanup").succeeds();
}

#[test]
fn only_temporary_files_of_dead_writers_are_removed() {
    let sandbox = healthy();
    let token = format!("{:x}-18eb1d7822e3a903", sandbox.dead_pid());
    let orphan = memory(&sandbox).join(format!(".sessions.json.memlatch-{token}.tmp"));
    fs::write(&orphan, "{").unwrap();
    // A writer in a container is not seen from here, so one that was just written may be at work.
    examine(&sandbox).is_clean("leftovers");
    let two_hours_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 60 * 60);
    fs::File::options().write(true).open(&orphan).unwrap().set_modified(two_hours_ago).unwrap();
    // One of a writer at work, and files that merely look like one.
    sandbox.may_leave_litter();
    let held = sandbox.holder("a.json");
    let info = fs::read_to_string(sandbox.lock_folder("a.json").join("info")).unwrap();
    let living = info.lines().find_map(|line| line.strip_prefix("TOKEN: ")).expect("a token");
    for name in [format!(".a.json.memlatch-{living}.tmp"), ".a.json.memlatch-notes.tmp".into(), ".a.tmp".into()] {
        sandbox.write(&name, "{");
    }
    let found = examine(&sandbox);
    assert_eq!(found.status, 1);
    let finding = found.only("leftovers", "problem");
    assert_eq!(text(finding, "where"), orphan.display().to_string());
    follow(&sandbox, finding);
    assert!(!orphan.exists());
    examine(&sandbox).is_clean("leftovers");
    held.ended();
}

#[test]
fn the_temporary_file_of_a_dead_lock_goes_with_it() {
    let sandbox = healthy();
    let (pid, host) = (sandbox.dead_pid(), hostname::get().unwrap().to_string_lossy().into_owned());
    let target = sandbox.path("a.json").display().to_string();
    let token = format!("{pid:x}-18eb1d7822e3a903");
    plant_lock(
        &sandbox,
        "a.json",
        &format!(
            "PID: {pid}\nACQUIRED: 2026-01-25T10:30:00Z\nHOSTNAME: {host}\nTARGET: {target}\nTOKEN: {token}\nKIND: lease\n"
        ),
    );
    // Neither the file nor its folder is named: the lock is enough.
    let left = sandbox.write(&format!(".a.json.memlatch-{token}.tmp"), "{");
    let found = examine(&sandbox);
    assert_eq!(found.status, 0);
    let finding = found.only("leftovers", "note");
    assert_eq!(text(finding, "where"), left.display().to_string());
    follow(&sandbox, finding);
    assert!(!left.exists());
    examine(&sandbox).is_clean("leftovers");
}

#[test]
fn a_memory_file_that_is_not_json_is_named_and_its_backup_put_back() {
    let sandbox = healthy();
    let broken = memory(&sandbox).join("it's broken.json");
    fs::write(&broken, "{\n  \"a\": \n").unwrap();
    fs::write(memory(&sandbox).join("it's broken.json.bak"), "{\"a\": 1}\n").unwrap();
    let found = examine(&sandbox);
    assert_eq!(found.status, 1);
    let finding = found.only("memory", "problem");
    assert!(text(finding, "what").contains("line 3"), "{finding}");
    assert_eq!(text(finding, "where"), broken.display().to_string());
    follow(&sandbox, finding);
    assert_eq!(fs::read_to_string(&broken).unwrap(), "{\"a\": 1}\n");
    examine(&sandbox).is_clean("memory");

    // Where the newest backup is no better, the one before it is named.
    fs::write(&broken, "{").unwrap();
    fs::write(memory(&sandbox).join("it's broken.json.bak"), "{").unwrap();
    fs::write(memory(&sandbox).join("it's broken.json.bak.2"), "{\"a\": 2}\n").unwrap();
    follow(&sandbox, examine(&sandbox).only("memory", "problem"));
    assert_eq!(fs::read_to_string(&broken).unwrap(), "{\"a\": 2}\n");
    examine(&sandbox).is_clean("memory");
}

#[test]
fn files_and_directories_can_be_arguments_and_links_are_not_followed() {
    let sandbox = healthy();
    fs::create_dir_all(sandbox.path("notes/deep/.hidden")).unwrap();
    fs::create_dir_all(sandbox.path("outside")).unwrap();
    sandbox.write("outside/broken.json", "");
    sandbox.write("notes/deep/.hidden/broken.json", "");
    sandbox.write("notes/deep/good.json", "1");
    sandbox.write("notes/text.txt", "not JSON");
    symlink(sandbox.path("outside"), sandbox.path("notes/link")).unwrap();
    symlink(sandbox.path("outside/broken.json"), sandbox.path("notes/link.json")).unwrap();
    assert_eq!(examine_with(&sandbox, &[], &["notes"]).status, 0);
    let found = examine_with(&sandbox, &[], &["notes", "outside/broken.json"]);
    let finding = found.only("memory", "problem");
    assert_eq!((text(finding, "where"), finding["remedy"].is_string()), ("outside/broken.json", true));
    assert!(text(finding, "what").contains("empty"), "{finding}");
    assert_eq!(text(examine_with(&sandbox, &[], &["nowhere.json"]).only("memory", "problem"), "where"), "nowhere.json");
    sandbox.line("mkfifo pipe.json").succeeds();
    examine_with(&sandbox, &[], &["pipe.json"]).only("memory", "problem");
}

#[test]
fn unknown_options_are_wrong_usage() {
    let sandbox = Sandbox::new();
    sandbox.line("memlatch doctor --nonsense").ends(2).refuses();
    let help = sandbox.line("memlatch doctor --help").succeeds().stdout();
    assert!(help.contains("xample") && !help.contains("second-process"), "{help}");
}

#[test]
#[cfg(target_os = "linux")]
fn doctor_colours_its_labels_only_on_a_terminal() {
    if !available("script") {
        return;
    }
    let sandbox = healthy();
    let line = "memlatch doctor nowhere.json";
    let call = sandbox.call(["script", "--quiet", "--return", "--command", line, "/dev/null"]);
    let told = call.env("TERM", "xterm-256color").ends(1).stdout();
    assert!(told.contains("\u{1b}[32m[OK]\u{1b}[0m ") && told.contains("\u{1b}[31m[ERROR]\u{1b}[0m "), "{told:?}");
    let told = sandbox.line(line).env("TERM", "xterm-256color").ends(1).stdout();
    assert!(!told.contains('\u{1b}'), "{told:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn doctor_breaks_its_lines_between_words_and_shortens_paths_below_the_home_directory() {
    if !available("script") {
        return;
    }
    let sandbox = healthy();
    let line = "stty cols 50; memlatch doctor nowhere.json";
    let call = sandbox.call(["script", "--quiet", "--return", "--command", line, "/dev/null"]);
    let told = call.env("NO_COLOR", "1").ends(1).stdout().replace('\r', "");
    assert!(told.contains("\n  ~/notes/aiconfig/.locks\n"), "{told}");
    let long = |line: &str| line.chars().count() > 50 && line.trim_start().contains(' ');
    assert!(!told.lines().any(long), "{told}");
}

/// Between real machines `tests/nfs/run` plays both sides.
#[test]
fn on_a_disk_of_its_own_a_machine_shows_nothing_to_another() {
    let sandbox = healthy();
    let before = everything(&sandbox.aiconfig());
    for side in ["--hold", "--probe"] {
        let told = ["lock directory", "this machine's own", "set AICONFIG_PATH"];
        sandbox.line(&format!("memlatch doctor {side}")).ends(1).tells(told);
    }
    sandbox.line("memlatch doctor --hold --probe").ends(2).refuses();
    sandbox.line("memlatch doctor --probe a.json").ends(2).refuses();
    assert_eq!(everything(&sandbox.aiconfig()), before);
}

#[test]
#[cfg(target_os = "linux")]
fn machines_with_the_lock_directory_at_another_path_are_reported() {
    let sandbox = healthy();
    let line = "2026-01-25T10:30:00Z\tnfs4\tone\t/mnt/aiconfig/.locks\ttwo\t/share/aiconfig/.locks\n";
    fs::write(sandbox.locks_folder().join("hosts"), line).unwrap();
    let found = examine(&sandbox);
    let finding = found.only("sharing", "problem");
    for word in ["/mnt/aiconfig/.locks", "/share/aiconfig/.locks", "host two"] {
        assert!(text(finding, "what").contains(word), "{finding}");
    }
    // It is evidence of machines, and no lock.
    sandbox.line("file-lock cleanup").succeeds();
    sandbox.line("file-lock show").succeeds();
    assert_eq!(fs::read_to_string(sandbox.locks_folder().join("hosts")).unwrap(), line);
}
