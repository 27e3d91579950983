//! Lines that are appended: killed anywhere, with every call failing, cut off at every byte.

use crate::{
    puppet::{self, End, Fate},
    sandbox::Sandbox,
    scene::{self, command, content, report, spelled},
};

const FILE: &str = "log.jsonl";
const OLD: &str = "{\"i\":1}\n{\"i\":2}\n";
const NEW: &str = "{\"i\":1}\n{\"i\":2}\n{\"i\":3}\n";
const WORDS: [&str; 4] = ["memory-update", FILE, "--append", "{i: 3}"];

fn set(text: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(FILE, text);
    sandbox
}

/// What the next writer makes of it, at once.
fn check_next(sandbox: &Sandbox, before: &str, at: &str) {
    let next = sandbox.call(["memory-update", FILE, "--append", "{i: 4}", "--timeout", "0"]).output();
    assert!(next.status.success(), "{at}: the next writer: {next:?}");
    assert_eq!(content(sandbox, FILE).unwrap(), format!("{before}{{\"i\":4}}\n"), "{at}");
    assert!(
        sandbox.locks().is_empty() && sandbox.litter().is_empty(),
        "{at}: {:?} {:?}",
        sandbox.locks(),
        sandbox.litter()
    );
}

#[test]
fn an_append_may_die_anywhere() {
    if !scene::may_trace() {
        return;
    }
    // The new line alone, and after what a crash has left of one.
    for old in [OLD, "{\"i\":1}\n{\"i\":2}\n{\"i\"", "{\"i\":1}\n{\"i\":2}"] {
        let mut points = 0;
        loop {
            let sandbox = set(old);
            let mut killed_at = None;
            let mut own_calls = 0;
            let left = puppet::run(command(&sandbox, &WORDS), b"", |call| {
                own_calls += usize::from(own_calls > 0 || scene::is_first_own(call));
                if own_calls <= points {
                    return Fate::Go;
                }
                killed_at = Some(spelled(call));
                Fate::Kill
            });
            let now = content(&sandbox, FILE).expect("the file");
            let Some(place) = killed_at else {
                assert_eq!((left.end, now.as_str()), (End::Exit(0), NEW), "{}", left.stderr);
                break;
            };
            let at = format!("{old:?}, killed at {place}");
            assert!([old, OLD, NEW].contains(&now.as_str()), "{at}: {now:?}");
            check_next(&sandbox, if now == NEW { NEW } else { OLD }, &at);
            points += 1;
        }
        assert!(points > 40, "{old:?}: only {points} points");
        report(&format!("{old:?}: killed at {points} points"));
    }
}

#[test]
fn an_append_reports_the_truth_whatever_fails() {
    if !scene::may_trace() {
        return;
    }
    // A new line alone, and after what a crash has left of one.
    let faults: usize = [OLD, "{\"i\":1}\n{\"i\":2}\n{\"i\""].into_iter().map(fail_everywhere).sum();
    assert!(faults >= 40, "only {faults} faults");
    report(&format!("{faults} faults"));
}

/// Lets each call that touches data fail in turn, and tells how many that were.
fn fail_everywhere(old: &str) -> usize {
    let mut calls = Vec::new();
    let sandbox = set(old);
    puppet::run(command(&sandbox, &WORDS), b"", |call| {
        calls.push(call.clone());
        Fate::Go
    });
    let touches_data =
        |name: &str| ["write", "writev", "fdatasync", "fsync", "ftruncate", "pread64", "openat"].contains(&name);
    let mut faults = 0;
    for (index, call) in calls.iter().enumerate().skip_while(|(_, call)| !scene::is_first_own(call)) {
        let is_message = call.name == "write" && call.args[0] == 2;
        if !touches_data(&call.name) || is_message || call.paths.iter().any(|path| path.starts_with("/proc")) {
            continue;
        }
        for error in [libc::EIO, libc::ENOSPC] {
            let sandbox = set(old);
            let mut number = 0;
            let left = puppet::run(command(&sandbox, &WORDS), b"", |_| {
                number += 1;
                if number - 1 == index { Fate::Fail(error) } else { Fate::Go }
            });
            let at = format!("{old:?}, {}, failing with {error}: {}", spelled(call), left.stderr);
            let now = content(&sandbox, FILE).expect("the file");
            match left.end {
                End::Exit(0 | 73) => assert_eq!(now, NEW, "{at}"),
                End::Exit(_) => assert_eq!(now, old, "{at}"),
                End::Signal(_) => panic!("{at}"),
            }
            assert_eq!(left.end == End::Exit(0), left.stderr.contains("[OK]"), "{at}");
            assert_eq!(left.end == End::Exit(73), call.name == "fdatasync", "{at}");
            check_next(&sandbox, if now == NEW { NEW } else { OLD }, &at);
            faults += 1;
        }
    }
    faults
}

#[test]
fn an_append_is_on_the_medium_before_it_is_reported() {
    if !scene::may_trace() {
        return;
    }
    for (more, is_synced) in [(&[][..], true), (&["--no-sync"], false)] {
        let sandbox = set(OLD);
        let mut calls = Vec::new();
        let left = puppet::run(command(&sandbox, &[&WORDS[..], more].concat()), b"", |call| {
            calls.push(call.clone());
            Fate::Go
        });
        assert_eq!(left.end, End::Exit(0), "{more:?}: {}", left.stderr);
        let report = calls.iter().position(|call| call.name == "write" && call.args[0] == 2).expect("a report");
        let syncs: Vec<usize> = (0..calls.len()).filter(|at| calls[*at].name == "fdatasync").collect();
        assert_eq!(syncs.len(), usize::from(is_synced), "{more:?}");
        for sync in syncs {
            // The line, into the file that is synced, is the last write before.
            let line = calls[..sync].iter().rfind(|call| call.name == "write").expect("the line");
            assert_eq!((line.args[0], line.args[2]), (calls[sync].args[0], 8), "{more:?}");
            assert!(sync < report, "{more:?}: reported before it is on the medium");
        }
    }
}

/// A file of lines changes in place, so its readers keep writers out until they have read it; readers of any other file
/// do so until it is open.
#[test]
fn no_writer_appends_while_a_reader_reads() {
    if !scene::may_trace() {
        return;
    }
    let write_during_the_reading = |name: &'static str, words: &[&str]| {
        let sandbox = Sandbox::new();
        sandbox.write(name, "1\n");
        // A reader locks nothing where nobody ever has.
        sandbox.call([&["memory-update", name], words].concat()).succeeds();
        let (mut is_open, mut ended) = (false, None);
        let left = puppet::run(command(&sandbox, &["memory-read", name, "."]), b"", |call| {
            is_open |= call.name == "openat" && call.paths.iter().any(|path| path.ends_with(name));
            if is_open && call.name == "read" && ended.is_none() {
                ended =
                    sandbox.call([&["memory-update", name, "--timeout", "0"], words].concat()).output().status.code();
            }
            Fate::Go
        });
        assert_eq!(left.end, End::Exit(0), "{name}: {}", left.stderr);
        ended.expect("the reader read")
    };
    assert_eq!(write_during_the_reading("log.jsonl", &["--append", "2"]), 75);
    assert_eq!(write_during_the_reading("a.json", &["2"]), 0);
}

#[test]
fn whatever_a_crash_leaves_of_a_line_the_next_writer_mends() {
    let whole = "{\"i\":1}\n{\"word\":\"ä\",\"n\":[2]}\n";
    for cut in 0..=whole.len() {
        let sandbox = Sandbox::new();
        std::fs::write(sandbox.path(FILE), &whole.as_bytes()[..cut]).expect("a file");
        let text = sandbox.call(WORDS).succeeds().stderr();
        let lines = &whole[..=whole[..whole.floor_char_boundary(cut)].rfind('\n').unwrap_or(0)];
        let lines = if cut < 8 { "" } else { lines };
        // A value that only lacks its line end is whole.
        let (kept, is_torn) = match cut {
            7 => ("{\"i\":1}\n", false),
            cut if cut == whole.len() - 1 => (whole, false),
            cut => (lines, cut != lines.len()),
        };
        assert_eq!(content(&sandbox, FILE).unwrap(), format!("{kept}{{\"i\":3}}\n"), "cut at {cut}");
        assert_eq!(text.contains("ended in an unfinished line"), is_torn, "cut at {cut}: {text}");
    }
}
