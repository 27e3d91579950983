//! Order on disk: what a power cut may leave of each write, at each moment of it.
//!
//! The trace of a write becomes a list of operations on a small model of a disk, as ALICE has it: an operation is on the
//! medium for certain once a later fsync covers it, and until then it is or is not, each independently of the others.
//! Data may be there in part. Every state that is possible after every prefix of the list is looked at.

use crate::{
    puppet::{self, Call, End, Fate, Made},
    scene::{self, Scene, report},
};
use std::collections::{BTreeMap, BTreeSet};

/// What reaches the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Operation {
    Create {
        path: String,
        file: usize,
    },
    Append {
        file: usize,
        data: Vec<u8>,
    },
    SyncFile {
        file: usize,
    },
    Rename {
        from: String,
        to: String,
    },
    Link {
        from: String,
        to: String,
    },
    Unlink {
        path: String,
    },
    MakeFolder {
        path: String,
    },
    SyncFolder {
        path: String,
    },
    /// Success is reported.
    Done,
}

/// Reads the operations on data out of a trace; the lock directory is gone after a power cut, or stale.
fn operations(calls: &[Made], old: Option<&str>) -> Vec<Operation> {
    use Operation::*;
    let mut list = Vec::new();
    let mut files: BTreeMap<i64, usize> = BTreeMap::new();
    let mut folders: BTreeMap<i64, String> = BTreeMap::new();
    let mut count = 1;
    for made in calls {
        let call = &made.call;
        let Some(result) = made.result.filter(|result| *result >= 0) else { continue };
        if call.paths.iter().any(|path| path.contains("/.locks") || path.ends_with("/aiconfig")) {
            continue;
        }
        let descriptor = call.args[0] as i64;
        match call.name.as_str() {
            "openat" if call.opens_with(libc::O_CREAT) => {
                files.insert(result, count);
                list.push(Create { path: base(&call.paths[0]), file: count });
                count += 1;
            }
            "openat" => {
                files.remove(&result);
                folders.insert(result, folder(&call.paths[0]));
            }
            "write" if descriptor == 2 && call.data.starts_with(b"[OK]") => list.push(Done),
            "write" => {
                if let Some(&file) = files.get(&descriptor) {
                    list.push(Append { file, data: call.data[..result as usize].to_vec() });
                }
            }
            "copy_file_range" => {
                let file = files[&(call.args[2] as i64)];
                let data = old.expect("something to copy").as_bytes()[..result as usize].to_vec();
                list.push(Append { file, data });
            }
            "fsync" | "fdatasync" => list.push(match files.get(&descriptor) {
                Some(&file) => SyncFile { file },
                None => SyncFolder { path: folders[&descriptor].clone() },
            }),
            "rename" | "renameat" | "renameat2" => {
                list.push(Rename { from: base(&call.paths[0]), to: base(&call.paths[1]) });
            }
            "link" | "linkat" => list.push(Link { from: base(&call.paths[0]), to: base(&call.paths[1]) }),
            "unlink" | "unlinkat" => list.push(Unlink { path: base(&call.paths[0]) }),
            "mkdir" => list.push(MakeFolder { path: base(&call.paths[0]) }),
            _ => {}
        }
    }
    list
}

/// A path below the working folder.
fn base(path: &str) -> String {
    path.rsplit_once("/work/").map_or(path, |(_, below)| below).to_owned()
}

/// A folder below the working folder, which itself is `.`.
fn folder(path: &str) -> String {
    if path.ends_with("/work") { ".".to_owned() } else { base(path) }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(parent, _)| parent)
}

/// The names and contents that a disk may hold.
type State = BTreeMap<String, Vec<u8>>;

/// Every state that the disk may be in if power fails after the first `length` operations.
fn states(list: &[Operation], length: usize, old: &State) -> BTreeSet<State> {
    use Operation::*;
    let prefix = &list[..length];
    // What an fsync behind it covers is there for certain.
    let is_certain = |place: usize| {
        prefix[place..].iter().any(|later| match (&prefix[place], later) {
            (Append { file, .. }, SyncFile { file: synced }) => file == synced,
            (Create { path, .. } | Unlink { path } | MakeFolder { path }, SyncFolder { path: synced }) => {
                parent(path) == synced
            }
            (Rename { to, .. } | Link { to, .. }, SyncFolder { path: synced }) => parent(to) == synced,
            _ => false,
        })
    };
    let open: Vec<usize> = (0..length)
        .filter(|&place| {
            matches!(
                prefix[place],
                Create { .. } | Append { .. } | Rename { .. } | Link { .. } | Unlink { .. } | MakeFolder { .. }
            )
        })
        .filter(|&place| !is_certain(place))
        .collect();
    let mut states = BTreeSet::new();
    // Three ways for each that is open: it is there, it is not, or (data) half of it is.
    for mut ways in 0..3u32.pow(open.len() as u32) {
        let mut fate = BTreeMap::new();
        for &place in &open {
            fate.insert(place, ways % 3);
            ways /= 3;
        }
        states.extend(replay(prefix, &fate, old));
    }
    states
}

fn replay(list: &[Operation], fate: &BTreeMap<usize, u32>, old: &State) -> Option<State> {
    use Operation::*;
    let mut contents: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut folders: BTreeSet<&str> = BTreeSet::from(["."]);
    for (place, (path, content)) in old.iter().enumerate() {
        names.insert(path.clone(), 1000 + place);
        contents.insert(1000 + place, content.clone());
    }
    // What the running system sees, whatever of it is on the medium.
    let mut seen = names.clone();
    for (place, operation) in list.iter().enumerate() {
        let way = fate.get(&place).copied().unwrap_or(0);
        match operation {
            Create { path, file } => {
                seen.insert(path.clone(), *file);
                contents.entry(*file).or_default();
                if way == 0 {
                    names.insert(path.clone(), *file);
                }
            }
            Append { file, data } => {
                let part = match way {
                    0 => data.len(),
                    1 => 0,
                    _ => data.len() / 2,
                };
                contents.entry(*file).or_default().extend_from_slice(&data[..part]);
            }
            Rename { from, to } => {
                let file = seen.remove(from)?;
                seen.insert(to.clone(), file);
                if way == 0 {
                    names.remove(from);
                    names.insert(to.clone(), file);
                }
            }
            Link { from, to } => {
                let file = *seen.get(from)?;
                seen.insert(to.clone(), file);
                if way == 0 {
                    names.insert(to.clone(), file);
                }
            }
            Unlink { path } => {
                seen.remove(path);
                if way == 0 {
                    names.remove(path);
                }
            }
            MakeFolder { path } if way == 0 => _ = folders.insert(path),
            _ => {}
        }
    }
    let whole = names.into_iter().filter(|(path, _)| folders.contains(parent(path)));
    Some(whole.filter_map(|(path, file)| Some((path, contents.get(&file)?.clone()))).collect())
}

struct Traced {
    list: Vec<Operation>,
    old: State,
}

fn trace(scene: &Scene) -> Traced {
    let sandbox = scene.set();
    let left = puppet::run(scene.command(&sandbox), scene.stdin(), |_| Fate::Go);
    assert_eq!(left.end, End::Exit(0), "{}", left.stderr);
    let old = scene.old.map(|old| ("a.json".to_owned(), old.as_bytes().to_vec()));
    let backup = scene.old_backup.map(|old| ("a.json.bak".to_owned(), old.as_bytes().to_vec()));
    let older =
        scene::FILES[2..].iter().zip(scene.older).map(|(&name, old)| (name.to_owned(), old.as_bytes().to_vec()));
    let old = old.into_iter().chain(backup).chain(older).collect();
    Traced { list: operations(&left.calls, scene.old), old }
}

fn bytes(text: Option<&str>) -> Option<Vec<u8>> {
    text.map(|text| text.as_bytes().to_vec())
}

fn synced_scenes() -> impl Iterator<Item = Scene> {
    scene::WRITERS.into_iter().filter(|scene| !scene.name.contains("--no-sync"))
}

#[test]
fn a_power_cut_at_any_moment_leaves_old_or_new() {
    if !scene::may_trace() {
        return;
    }
    let mut total = 0;
    for scene in synced_scenes() {
        let Traced { list, old } = trace(&scene);
        let done = list.iter().position(|operation| *operation == Operation::Done).expect("a report");
        for length in 0..=list.len() {
            for state in states(&list, length, &old) {
                total += 1;
                let now = state.get("a.json").cloned();
                let at = format!("{} after {:?}: {state:?}", scene.name, &list[..length]);
                assert!(now == bytes(scene.old) || now == bytes(Some(scene.new)), "neither old nor new: {at}");
                if length > done {
                    assert_eq!(now, bytes(Some(scene.new)), "reported, and not durable: {at}");
                }
                let backup = state.get("a.json.bak").cloned();
                let is_new = scene.has_backup && backup == bytes(scene.old);
                assert!(backup == bytes(scene.old_backup) || is_new, "the backup: {at}");
                if now == bytes(Some(scene.new)) && scene.has_backup {
                    assert!(is_new, "changed, and no backup: {at}");
                }
                let content = |name: &str| state.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                assert!(scene.keeps_the_row(content), "a backup is lost: {at}");
                assert!(length <= done || scene.has_the_row(content), "reported, and the backups are not: {at}");
            }
        }
    }
    report(&format!("{total} disk states, each old or new"));
}

#[test]
fn data_is_synced_before_the_rename_and_the_directory_before_the_report() {
    use Operation::*;
    if !scene::may_trace() {
        return;
    }
    for scene in synced_scenes() {
        let Traced { list, .. } = trace(&scene);
        let at = |wanted: &dyn Fn(&Operation) -> bool| {
            list.iter().rposition(wanted).unwrap_or_else(|| panic!("{}: a step is missing in {list:?}", scene.name))
        };
        let renamed = at(&|operation| matches!(operation, Rename { to, .. } if to == "a.json"));
        let Rename { from, .. } = &list[renamed] else { unreachable!("it was looked for") };
        let created = at(&|operation| matches!(operation, Create { path, .. } if path == from));
        let Create { file, .. } = list[created] else { unreachable!("it was looked for") };
        let written = at(&|operation| matches!(operation, Append { file: own, .. } if *own == file));
        let synced = at(&|operation| *operation == SyncFile { file });
        let folder = at(&|operation| matches!(operation, SyncFolder { .. }));
        let done = at(&|operation| *operation == Done);
        let order = [created, written, synced, renamed, folder, done];
        assert!(order.is_sorted(), "{}: {order:?} in {list:?}", scene.name);
    }
}

#[test]
fn without_sync_a_power_cut_may_leave_an_empty_or_a_cut_file() {
    if !scene::may_trace() {
        return;
    }
    let scene = scene::WRITERS.into_iter().find(|scene| scene.name.contains("--no-sync")).expect("a scene");
    let Traced { list, old } = trace(&scene);
    let possible: BTreeSet<Option<String>> = states(&list, list.len(), &old)
        .into_iter()
        .map(|state| state.get("a.json").map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
        .collect();
    let cut = &scene.new[..scene.new.len() / 2];
    let expected = [scene.old, Some(scene.new), Some(""), Some(cut)].map(|text| text.map(str::to_owned));
    assert_eq!(possible, BTreeSet::from(expected), "docs/durability.md lists these");
    report(&format!("--no-sync: {possible:?}"));
}

#[test]
fn a_new_directory_is_as_durable_as_the_file_in_it() {
    if !scene::may_trace() {
        return;
    }
    let sandbox = crate::sandbox::Sandbox::new();
    let words = ["atomic-write", "new/deep/a.json", "--content", "{}"];
    let left = puppet::run(scene::command(&sandbox, &words), b"", |_| Fate::Go);
    assert_eq!(left.end, End::Exit(0), "{}", left.stderr);
    let list = operations(&left.calls, None);
    for state in states(&list, list.len(), &State::new()) {
        assert!(state.contains_key("new/deep/a.json"), "reported, and not durable: {state:?} of {list:?}");
    }
}

/// The paths that each call finds open, by descriptor.
fn with_open_paths(calls: &[Made], mut visit: impl FnMut(&Call, &BTreeMap<i64, String>)) {
    let mut open = BTreeMap::new();
    for made in calls {
        let Some(result) = made.result.filter(|result| *result >= 0) else { continue };
        visit(&made.call, &open);
        match made.call.name.as_str() {
            "open" | "openat" => _ = open.insert(result, made.call.paths[0].clone()),
            "close" => _ = open.remove(&(made.call.args[0] as i64)),
            _ => {}
        }
    }
}

/// To free a folder takes time, and where each freed block is reported to the disk as much as all the rest of giving a
/// lock back. The last descriptor does it.
#[test]
fn a_removed_entry_is_freed_only_after_unlocking() {
    if !scene::may_trace() {
        return;
    }
    let names =
        ["memory-update", "memory-update over a stale lock and its litter", "file-lock with", "file-lock release"];
    for scene in scene::all().filter(|scene| names.contains(&scene.name)) {
        let sandbox = scene.set();
        let left = puppet::run(scene.command(&sandbox), scene.stdin(), |_| Fate::Go);
        assert_eq!(left.end, End::Exit(0), "{}: {}", scene.name, left.stderr);
        let mut kept = BTreeSet::new();
        let mut unlocked = false;
        with_open_paths(&left.calls, |call, open| {
            let place = || format!("{}: {}", scene.name, scene::spelled(call));
            let file = call.args[0] as i64;
            match call.name.as_str() {
                "rmdir" => {
                    let before = kept.len();
                    kept.extend(open.iter().filter(|(_, path)| **path == call.paths[0]).map(|(&file, _)| file));
                    assert!(kept.len() > before, "freed at once: {}", place());
                }
                "flock" => unlocked |= call.args[1] as i32 == libc::LOCK_UN,
                "close" if open.get(&file).is_some_and(|path| path.ends_with(".guard")) => unlocked |= !kept.is_empty(),
                "close" => assert!(unlocked || !kept.contains(&file), "freed before the unlocking: {}", place()),
                _ => {}
            }
        });
        assert!(unlocked && !kept.is_empty(), "{}: nothing was removed", scene.name);
    }
}

/// An NFS client renames a file that somebody on its machine has open aside first, and for a moment the name is nobody's
/// (`nfs_rename` in the kernel's fs/nfs/dir.c).
#[test]
fn the_old_file_is_not_open_while_it_is_replaced() {
    if !scene::may_trace() {
        return;
    }
    for scene in scene::WRITERS {
        let sandbox = scene.set();
        let left = puppet::run(scene.command(&sandbox), scene.stdin(), |_| Fate::Go);
        assert_eq!(left.end, End::Exit(0), "{}: {}", scene.name, left.stderr);
        let mut replaced = false;
        with_open_paths(&left.calls, |call, open| {
            if call.name.starts_with("rename") && base(call.paths.last().expect("a path")) == "a.json" {
                replaced = true;
                assert!(open.values().all(|path| base(path) != "a.json"), "{}: it is open", scene.name);
            }
        });
        assert!(replaced, "{}: nothing was replaced", scene.name);
    }
}
