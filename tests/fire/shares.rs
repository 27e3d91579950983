//! File servers, as far as one machine can play them: the kernel's answers are changed to those of an NFS or SMB client.
//! Between real machines `tests/nfs/run` tries the rest.

use crate::{
    puppet::{self, Call, End, Fate, Left},
    sandbox::Sandbox,
    scene::{self, OLD, content},
};

// From linux/magic.h.
const NFS: u64 = 0x6969;
const SMB2: u64 = 0xfe53_4d42;

/// Runs an update of `a.json` where every file seems to be on a share of this kind.
fn update_on(share: u64, words: &[&str], mut fate: impl FnMut(&Sandbox, &Call) -> Fate) -> (Sandbox, Left) {
    let sandbox = Sandbox::new();
    sandbox.write("a.json", OLD);
    let words = [&["memory-update", "a.json", ".counter += 1"], words].concat();
    let left = puppet::run(scene::command(&sandbox, &words), b"", |call| match call.name.as_str() {
        "fstatfs" => Fate::Claim(share),
        _ => fate(&sandbox, call),
    });
    (sandbox, left)
}

fn is_in_place(call: &Call) -> bool {
    call.name.starts_with("rename") && call.paths.last().is_some_and(|path| path.ends_with("/a.json"))
}

/// A client that was cut off for too long is told of its lost lock by the fsync of the locked file alone.
#[test]
fn a_lock_that_the_server_has_given_away_changes_nothing() {
    if !scene::may_trace() {
        return;
    }
    let mut guard = None;
    for backup in [&[][..], &["--backup"]] {
        let (sandbox, left) = update_on(NFS, backup, |_, call| {
            if call.name == "flock" {
                guard.get_or_insert(call.args[0]);
            }
            if call.name == "fsync" && Some(call.args[0]) == guard { Fate::Fail(libc::EIO) } else { Fate::Go }
        });
        assert_eq!(left.end, End::Exit(1), "{}", left.stderr);
        assert!(
            left.stderr.contains("its lock was lost") && left.stderr.contains("run the command again"),
            "{}",
            left.stderr
        );
        assert_eq!(content(&sandbox, "a.json").as_deref(), Some(OLD));
        assert_eq!(content(&sandbox, "a.json.bak"), None);
        assert!(!left.calls.iter().any(|made| is_in_place(&made.call)), "it was renamed");
        sandbox.line("memory-update a.json .counter+=1").succeeds();
    }
}

#[test]
fn a_lock_is_confirmed_right_before_the_rename_where_a_server_keeps_it() {
    if !scene::may_trace() {
        return;
    }
    for (share, confirmed) in [(NFS, true), (SMB2, false)] {
        let (sandbox, left) = update_on(share, &[], |_, _| Fate::Go);
        assert_eq!(left.end, End::Exit(0), "{}", left.stderr);
        let calls: Vec<&Call> = left.calls.iter().map(|made| &made.call).collect();
        let guard = calls.iter().find(|call| call.name == "flock").expect("a lock").args[0];
        let renamed = calls.iter().position(|call| is_in_place(call)).expect("a rename");
        let is_confirmation = |call: &&Call| call.name == "fsync" && call.args[0] == guard;
        let confirmation = calls[..renamed].iter().rposition(is_confirmation);
        assert_eq!(confirmation.is_some(), confirmed, "{share:#x}");
        if let Some(confirmation) = confirmation {
            // Between the two nothing else is waited for.
            let between = &calls[confirmation + 1..renamed];
            assert!(!between.iter().any(|call| call.name == "fsync" || call.name == "flock"), "{between:?}");
        }
        assert!(content(&sandbox, "a.json").is_some_and(|text| text.contains('2')));
    }
}

/// An SMB server lets nobody take the name of a file that a reader has open.
#[test]
fn on_smb_an_open_file_is_replaced_once_it_is_closed() {
    if !scene::may_trace() {
        return;
    }
    for error in [libc::EACCES, libc::EBUSY] {
        let mut refused = 0;
        let (sandbox, left) = update_on(SMB2, &[], |_, call| {
            if is_in_place(call) && refused < 3 {
                refused += 1;
                return Fate::Fail(error);
            }
            Fate::Go
        });
        assert_eq!((left.end, refused), (End::Exit(0), 3), "{}", left.stderr);
        assert!(content(&sandbox, "a.json").is_some_and(|text| text.contains('2')));
    }
}

#[test]
fn a_file_that_stays_open_on_smb_is_reported_when_the_time_is_up() {
    if !scene::may_trace() {
        return;
    }
    // Elsewhere the first refusal is the last word.
    let cases = [(SMB2, "0", 1..=1), (SMB2, "2", 2..=100), (NFS, "5", 1..=1)];
    for (share, timeout, tries) in cases {
        let mut tried = 0;
        let (sandbox, left) = update_on(share, &["--timeout", timeout], |_, call| {
            if is_in_place(call) {
                tried += 1;
                return Fate::Fail(libc::EACCES);
            }
            Fate::Go
        });
        assert_eq!(left.end, End::Exit(1), "{}", left.stderr);
        assert!(tries.contains(&tried), "{tried} tries in {timeout} s");
        assert_eq!(left.stderr.contains("SMB"), share == SMB2, "{}", left.stderr);
        assert_eq!(content(&sandbox, "a.json").as_deref(), Some(OLD));
    }
}
