//! Every crash point: each command is killed before each of its system calls, and the world must be whole after it.

use crate::{
    puppet::{self, End, Fate},
    sandbox::Sandbox,
    scene::{self, Scene, content, report, spelled},
};

/// Kills a scene's command before each of its calls in turn, from the first that is not the loader's.
fn kill_everywhere(scene: &Scene) {
    if !scene::may_trace() {
        return;
    }
    let mut points = 0;
    loop {
        let sandbox = scene.set();
        let mut killed_at = None;
        let mut own_calls = 0;
        let left = puppet::run(scene.command(&sandbox), scene.stdin(), |call| {
            own_calls += usize::from(own_calls > 0 || scene::is_first_own(call));
            if own_calls <= points {
                return Fate::Go;
            }
            killed_at = Some(spelled(call));
            Fate::Kill
        });
        let Some(place) = killed_at else {
            assert_eq!(left.end, End::Exit(0), "{} by itself: {}", scene.name, left.stderr);
            check_success(scene, &sandbox);
            break;
        };
        assert_eq!(left.end, End::Signal(9), "{}, killed at {place}", scene.name);
        check_survival(scene, &sandbox, &place);
        points += 1;
    }
    assert!(points > 50, "{}: only {points} points", scene.name);
    report(&format!("{}: killed at {points} points", scene.name));
}

fn check_success(scene: &Scene, sandbox: &Sandbox) {
    assert_eq!(content(sandbox, "a.json").as_deref(), Some(scene.new), "{}", scene.name);
    if scene.has_backup {
        assert_eq!(content(sandbox, "a.json.bak").as_deref(), scene.old, "{}", scene.name);
    }
    assert!(scene.has_the_row(|name| content(sandbox, name)), "{}: the backups", scene.name);
    clear_lease(scene, sandbox);
}

/// The lease that `acquire` took is owned by this test, which goes on.
fn clear_lease(scene: &Scene, sandbox: &Sandbox) {
    if scene.name.ends_with("acquire") || scene.name.ends_with("release") {
        let output = sandbox.call(["file-lock", "release", "a.json"]).output();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() || text.contains("is not locked") || text.contains("names no holder"),
            "{text}"
        );
    }
}

fn check_survival(scene: &Scene, sandbox: &Sandbox, place: &str) {
    let at = format!("{}, killed at {place}", scene.name);
    if scene.name.starts_with("file-lock with") {
        // Its command goes on, and keeps the lock until it ends.
        sandbox.call(["file-lock", "with", "a.json", "--", "true"]).succeeds();
    }
    let now = content(sandbox, "a.json");
    assert!(now.as_deref() == scene.old || now.as_deref() == Some(scene.new), "{at}: {now:?}");
    let backup = content(sandbox, "a.json.bak");
    let is_new_backup = scene.has_backup && backup.as_deref() == scene.old;
    assert!(backup.as_deref() == scene.old_backup || is_new_backup, "{at}: backup {backup:?}");
    if now.as_deref() == Some(scene.new) && scene.has_backup {
        assert!(is_new_backup, "{at}: changed before the backup was there");
    }
    assert!(scene.keeps_the_row(|name| content(sandbox, name)), "{at}: a backup is lost");
    // The new content, and the copy of the old one.
    let most = 1 + usize::from(scene.has_backup);
    assert!(sandbox.litter().len() <= most, "{at}: {:?}", sandbox.litter());
    clear_lease(scene, sandbox);
    if now.is_some() {
        let read = sandbox.call(["memory-read", "a.json", ".counter"]).env("LOCK_TIMEOUT", "0").output();
        assert!(read.status.success(), "{at}: a reader: {read:?}");
    }
    let timeout = if scene.name.contains("with") { "30" } else { "0" };
    let words = ["memory-update", "a.json", ".counter += 10", "--create", "--timeout", timeout];
    let next = sandbox.call(words).output();
    assert!(next.status.success(), "{at}: the next writer: {next:?}");
    let counter = |text: &str| -> u64 {
        text.chars().filter(char::is_ascii_digit).collect::<String>().parse().expect("a counter")
    };
    let sum = now.as_deref().map_or(0, counter) + 10;
    assert_eq!(counter(&content(sandbox, "a.json").expect("a file")), sum, "{at}");
    if scene.name.contains("cleanup") {
        sandbox.line("file-lock cleanup").succeeds();
    }
    assert!(sandbox.litter().is_empty(), "{at}: {:?} is left", sandbox.litter());
    assert!(sandbox.locks().is_empty(), "{at}: {:?} is left", sandbox.locks());
}

macro_rules! scenes {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            kill_everywhere(&scene::all().find(|scene| scene.name == $name).expect("a scene of that name"));
        })*

        #[test]
        fn no_scene_is_forgotten() {
            assert_eq!(scene::all().map(|scene| scene.name).collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

scenes! {
    an_update_may_die_anywhere: "memory-update",
    an_update_with_a_backup_may_die_anywhere: "memory-update --backup",
    an_update_that_creates_may_die_anywhere: "memory-update --create",
    an_update_that_takes_over_may_die_anywhere: "memory-update over a stale lock and its litter",
    a_write_over_an_old_file_may_die_anywhere: "atomic-write over an old file",
    a_write_of_a_new_file_may_die_anywhere: "atomic-write of a new file",
    a_write_with_a_backup_may_die_anywhere: "atomic-write --backup over an older one",
    an_update_with_three_backups_may_die_anywhere: "memory-update --backup=3, the oldest goes",
    a_write_with_three_backups_may_die_anywhere: "atomic-write --backup=3, one is missing",
    a_restore_may_die_anywhere: "atomic-write --restore=2",
    a_write_without_sync_may_die_anywhere: "atomic-write --no-sync",
    an_acquire_may_die_anywhere: "file-lock acquire",
    a_release_may_die_anywhere: "file-lock release",
    a_with_may_die_anywhere: "file-lock with",
    a_with_around_an_update_may_die_anywhere: "file-lock with, a nested update",
    a_cleanup_may_die_anywhere: "file-lock cleanup",
}
