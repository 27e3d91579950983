//! Backups in a row, and how they are put back. Crashes and failing calls between the steps are the fire tests'.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    time::{Duration, SystemTime},
};

use crate::sandbox::Sandbox;

/// What `a.json` holds, and its backups from the newest up to the first that is missing.
fn row(sandbox: &Sandbox) -> Vec<String> {
    let numbered = (2..).map(|number| format!("a.json.bak.{number}"));
    let names = ["a.json".to_owned(), "a.json.bak".to_owned()].into_iter().chain(numbered);
    names.map_while(|name| fs::read_to_string(sandbox.path(&name)).ok()).map(|text| text.trim().to_owned()).collect()
}

#[track_caller]
fn write(sandbox: &Sandbox, content: &str, option: &str) {
    sandbox.call(["atomic-write", "a.json", "--content", content, option]).succeeds();
}

#[track_caller]
fn restore(sandbox: &Sandbox, option: &str) {
    sandbox.call(["atomic-write", "a.json", option]).succeeds();
}

/// `a.json` with 5, and backups 4, 3 and 2.
fn with_row() -> Sandbox {
    let sandbox = Sandbox::new();
    for content in ["1", "2", "3", "4", "5"] {
        write(&sandbox, content, "--backup=3");
    }
    assert_eq!(row(&sandbox), ["5", "4", "3", "2"]);
    sandbox
}

#[test]
fn the_row_grows_to_its_length_and_then_loses_the_oldest() {
    let sandbox = with_row();
    sandbox.line("memory-update a.json 6 --backup=3").succeeds();
    assert_eq!(row(&sandbox), ["6", "5", "4", "3"]);
}

#[test]
fn backup_without_a_number_keeps_only_the_newest() {
    let sandbox = with_row();
    write(&sandbox, "6", "--backup");
    assert_eq!(row(&sandbox), ["6", "5", "3", "2"]);
    write(&sandbox, "7", "--backup=1");
    assert_eq!(row(&sandbox), ["7", "6", "3", "2"]);
}

#[test]
fn a_write_that_fails_costs_no_backup_however_often_it_is_tried() {
    let sandbox = with_row();
    // The result cannot be written, which shows when the new content is being made.
    let too_deep = "reduce range(10001) as $i (1; [.])";
    for _ in 0..4 {
        sandbox
            .call(["memory-update", "a.json", too_deep, "--backup=3", "--allow-type-change"])
            .ends(1)
            .tells(["nested deeper"]);
        assert_eq!(row(&sandbox), ["5", "4", "3", "2"]);
    }
}

#[test]
fn the_longest_possible_backup_name_works() {
    let sandbox = Sandbox::new();
    // With `.bak` that is the 255 bytes of NAME_MAX.
    let name = format!("{}.json", "n".repeat(246));
    for content in ["1", "2"] {
        sandbox.call(["atomic-write", &name, "--content", content, "--backup"]).succeeds();
    }
    sandbox.holds(&name, "2\n");
    sandbox.holds(&format!("{name}.bak"), "1\n");
}

#[test]
fn a_shorter_row_leaves_higher_numbers_alone() {
    let sandbox = with_row();
    write(&sandbox, "6", "--backup=2");
    assert_eq!(row(&sandbox), ["6", "5", "4", "2"]);
}

#[test]
fn a_free_number_is_filled_before_anything_is_lost() {
    let sandbox = with_row();
    fs::remove_file(sandbox.path("a.json.bak.2")).unwrap();
    write(&sandbox, "6", "--backup=3");
    assert_eq!(row(&sandbox), ["6", "5", "4", "2"]);
    fs::remove_file(sandbox.path("a.json.bak")).unwrap();
    write(&sandbox, "7", "--backup=3");
    assert_eq!(row(&sandbox), ["7", "6", "4", "2"]);
}

#[test]
fn a_backup_that_a_crash_has_left_twice_counts_once() {
    // As between the link to the new number and the replacement of FILE.bak.
    let sandbox = with_row();
    fs::remove_file(sandbox.path("a.json.bak.2")).unwrap();
    fs::hard_link(sandbox.path("a.json.bak"), sandbox.path("a.json.bak.2")).unwrap();
    write(&sandbox, "6", "--backup=3");
    assert_eq!(row(&sandbox), ["6", "5", "4", "2"]);
}

#[test]
fn the_newest_backup_is_never_missing() {
    let sandbox = with_row();
    let before = fs::metadata(sandbox.path("a.json.bak")).unwrap().ino();
    write(&sandbox, "6", "--backup=3");
    // It is the same file under its new number, not a copy.
    assert_eq!(fs::metadata(sandbox.path("a.json.bak.2")).unwrap().ino(), before);
}

#[test]
fn the_number_of_backups_has_bounds() {
    let sandbox = Sandbox::new();
    for option in ["--backup=0", "--backup=100", "--backup=-1", "--backup=many", "--backup="] {
        sandbox.call(["atomic-write", "a.json", "--content", "1", option]).ends(2).refuses();
        sandbox.call(["memory-update", "a.json", ".", "--create", option]).ends(2).refuses();
    }
    // A word behind --backup is a word.
    sandbox.line("memory-update a.json --create --backup 3").succeeds();
    sandbox.holds("a.json", "3\n");
    write(&sandbox, "1", "--backup=99");
}

#[test]
fn backups_keep_the_mode_each_file_had() {
    let sandbox = Sandbox::new();
    write(&sandbox, "1", "--backup=3");
    for (mode, content) in [(0o600, "2"), (0o640, "3")] {
        fs::set_permissions(sandbox.path("a.json"), fs::Permissions::from_mode(mode)).unwrap();
        write(&sandbox, content, "--backup=3");
    }
    let mode = |name: &str| fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode("a.json"), mode("a.json.bak"), mode("a.json.bak.2")], [0o640, 0o640, 0o600]);
}

#[test]
fn an_obstacle_to_a_backup_stops_the_write() {
    let sandbox = with_row();
    fs::remove_file(sandbox.path("a.json.bak.3")).unwrap();
    fs::create_dir(sandbox.path("a.json.bak.3")).unwrap();
    sandbox.line("memory-update a.json 6 --backup=3").ends(1).refuses().tells(["a.json.bak.3"]);
    assert_eq!(row(&sandbox), ["5", "4", "3"]);
}

#[test]
fn a_restore_and_another_are_as_if_nothing_had_happened() {
    let sandbox = with_row();
    sandbox.line("atomic-write a.json --restore").succeeds().prints("").tells(["[OK] Restored: a.json", "a.json.bak"]);
    assert_eq!(row(&sandbox), ["4", "5", "3", "2"]);
    restore(&sandbox, "--restore");
    assert_eq!(row(&sandbox), ["5", "4", "3", "2"]);
}

#[test]
fn no_restore_loses_a_backup_or_makes_the_row_longer() {
    let sandbox = with_row();
    restore(&sandbox, "--restore=3");
    assert_eq!(row(&sandbox), ["2", "5", "4", "3"]);
    restore(&sandbox, "--restore=2");
    assert_eq!(row(&sandbox), ["4", "2", "5", "3"]);
    for number in [3, 1, 2, 2, 3, 3, 1, 3] {
        restore(&sandbox, &format!("--restore={number}"));
        let mut all = row(&sandbox);
        all.sort();
        assert_eq!(all, ["2", "3", "4", "5"]);
    }
}

#[test]
fn a_restore_closes_a_gap_and_keeps_the_order() {
    let sandbox = with_row();
    fs::remove_file(sandbox.path("a.json.bak.2")).unwrap();
    restore(&sandbox, "--restore=3");
    assert_eq!(row(&sandbox), ["2", "5", "4"]);
}

#[test]
fn a_restored_file_keeps_its_own_mode_and_its_link() {
    let sandbox = with_row();
    fs::create_dir(sandbox.path("real")).unwrap();
    fs::rename(sandbox.path("a.json"), sandbox.path("real/a.json")).unwrap();
    symlink("real/a.json", sandbox.path("a.json")).unwrap();
    fs::set_permissions(sandbox.path("real/a.json"), fs::Permissions::from_mode(0o600)).unwrap();
    restore(&sandbox, "--restore=2");
    assert_eq!(row(&sandbox), ["3", "5", "4", "2"]);
    assert!(fs::symlink_metadata(sandbox.path("a.json")).unwrap().is_symlink());
    assert_eq!(fs::metadata(sandbox.path("real/a.json")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_missing_file_is_restored_with_the_mode_of_its_backup() {
    let sandbox = Sandbox::new();
    write(&sandbox, "1", "--backup");
    fs::set_permissions(sandbox.path("a.json"), fs::Permissions::from_mode(0o600)).unwrap();
    write(&sandbox, "2", "--backup");
    fs::remove_file(sandbox.path("a.json")).unwrap();
    restore(&sandbox, "--restore");
    assert_eq!(row(&sandbox), ["1", "1"]);
    assert_eq!(fs::metadata(sandbox.path("a.json")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_restore_is_byte_for_byte() {
    let sandbox = Sandbox::new();
    for (name, content) in
        [("a.json", "{ \"a\":1.10 }  \n\n"), ("b.json", "[1]"), ("c.txt", "no\r\nnewline"), ("d.txt", "")]
    {
        sandbox.write(name, "1");
        sandbox.write(&format!("{name}.bak"), content);
        sandbox.line(&format!("atomic-write {name} --restore")).succeeds();
        sandbox.holds(name, content);
    }
}

#[test]
fn a_backup_that_is_not_json_is_refused() {
    let sandbox = Sandbox::new();
    for broken in ["{\"a\":", "", "1 2"] {
        sandbox.write("a.json", "1");
        sandbox.write("a.json.bak", broken);
        sandbox.line("atomic-write a.json --restore").ends(1).refuses().tells(["a.json.bak"]);
        assert_eq!(row(&sandbox), ["1", broken]);
    }
    sandbox.write("a.txt", "1");
    sandbox.write("a.txt.bak", "text");
    sandbox.line("atomic-write a.txt --restore --validate").ends(1).refuses();
    sandbox.holds("a.txt", "1");
}

#[test]
fn a_missing_backup_is_an_error_that_lists_those_there_are() {
    let sandbox = with_row();
    let made = SystemTime::now() - Duration::from_secs(3 * 60 * 60 + 60);
    fs::File::options().write(true).open(sandbox.path("a.json.bak.2")).unwrap().set_modified(made).unwrap();
    fs::remove_file(sandbox.path("a.json.bak")).unwrap();
    for other in ["a.json.bak.02", "a.json.bak.1", "a.json.bak.x", "a.json.bakery"] {
        sandbox.write(other, "1");
    }
    let told = sandbox.line("atomic-write a.json --restore").ends(1).refuses().stderr();
    assert!(told.contains("no backup 1; there are: 2 (a.json.bak.2, 3h01m old), 3 (a.json.bak.3, "), "{told}");
    assert!(told.trim_end().ends_with("s old)"), "{told}");
    sandbox.line("atomic-write b.json --restore").ends(1).refuses().tells(["'b.json' has no backup", "--backup"]);
    sandbox.line("atomic-write no/folder/b.json --restore=2").ends(1).refuses().tells(["has no backup"]);
    assert!(!sandbox.path("no").exists());
}

#[test]
fn a_restore_reads_no_input_and_refuses_content() {
    let sandbox = with_row();
    let waiting = sandbox.line("atomic-write a.json --restore").start();
    // Its standard input is still open.
    waiting.warns("[OK] Restored");
    assert!(waiting.ended().status.success());
    sandbox.line("atomic-write a.json --restore --content 7").ends(2).refuses();
    for option in ["--restore=0", "--restore=-1", "--restore=first", "--restore="] {
        sandbox.call(["atomic-write", "a.json", option]).ends(2).refuses();
    }
    assert_eq!(row(&sandbox), ["4", "5", "3", "2"]);
}

#[test]
fn a_restore_takes_the_lock_unless_told_not_to() {
    let sandbox = with_row();
    let held = sandbox.holder("a.json");
    sandbox.line("atomic-write a.json --restore --timeout 0").ends(75).refuses();
    assert_eq!(row(&sandbox), ["5", "4", "3", "2"]);
    sandbox.line("atomic-write a.json --restore --no-lock").succeeds();
    assert_eq!(row(&sandbox), ["4", "5", "3", "2"]);
    held.ended();
}

#[test]
fn backups_and_restores_at_once_keep_every_content() {
    let sandbox = with_row();
    let calls = |line: &'static str| (0..5).map(move |_| line);
    let running: Vec<_> = calls("atomic-write a.json --restore=3")
        .chain(calls("atomic-write a.json --restore --no-sync"))
        .chain(calls("memory-update a.json . --backup=9"))
        .map(|line| sandbox.line(line).start())
        .collect();
    for running in running {
        assert!(running.ended().status.success());
    }
    // An update that changes nothing leaves what was there once more.
    let all = row(&sandbox);
    assert_eq!(all.len(), 9);
    assert!(["2", "3", "4", "5"].iter().all(|content| all.iter().any(|found| found == content)), "{all:?}");
}
