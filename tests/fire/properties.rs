//! Properties of the pure parts, over what nobody would think of.

use memlatch::multicall::dispatch;
use memlatch_jq::{
    document::{self, Indent, Layout},
    filter::on_large_stack,
};
use memlatch_lock::info::{Info, Kind};
use memlatch_os::paths::escape;
use proptest::{collection::vec, prelude::*};
use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf};

/// JSON texts in every layout: blanks, escapes, numbers of any length that serde_json can compare, keys that come twice.
fn json() -> impl Strategy<Value = String> {
    let blank = prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\n\t ")];
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("a string is JSON")),
        Just(r#""\/\u00e9\ud83d\ude00""#.to_owned()),
    ];
    scalar.prop_recursive(6, 60, 6, move |inner| {
        let padded = (blank.clone(), inner, blank.clone()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let member = ("[a-c]{0,2}", padded.clone()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
        prop_oneof![
            vec(padded, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

fn written(text: &str, layout: &Layout) -> String {
    on_large_stack(|| {
        let value = document::parse(text.as_bytes().to_vec()).expect("it is JSON");
        let mut out = Vec::new();
        document::write(&value, layout, &mut out).expect("memory takes everything");
        String::from_utf8(out).expect("JSON is UTF-8")
    })
    .expect("there is room for one more stack")
}

proptest! {
    #[test]
    fn a_document_means_the_same_after_it_was_read_and_written(text in json()) {
        let pretty = written(&text, &Layout::default());
        let compact = written(&text, &Layout { indent: Indent::Compact, sort_keys: false });
        let meaning = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        prop_assert_eq!(meaning(&pretty), meaning(&text));
        prop_assert_eq!(meaning(&compact), meaning(&text));
        // What is laid out already stays as it is, whichever way it goes through the writer.
        prop_assert_eq!(&written(&pretty, &Layout::default()), &pretty);
        prop_assert_eq!(&written(&compact, &Layout::default()), &pretty);
    }

    #[test]
    fn an_info_comes_back_as_it_went(
        pid in 1u32..,
        target in vec(1u8.., 1..300),
        client in "\\PC*",
        started in any::<u64>(),
        seconds in 0i64..4_000_000_000,
    ) {
        let mut info = Info::new(pid, Kind::Lease);
        info.target = Some(PathBuf::from(OsString::from_vec(target)));
        info.client = Some(client.trim().to_owned());
        info.started = Some(started);
        info.acquired = Some(seconds);
        let text = info.encode();
        prop_assert!(text.bytes().all(|byte| byte == b'\n' || !byte.is_ascii_control()));
        // Blanks at the ends of a line are the line's.
        let back = Info::decode(text.as_bytes()).expect("a PID is there");
        prop_assert_eq!((back.pid, back.started, back.acquired, back.kind), (pid, Some(started), Some(seconds), Kind::Lease));
        prop_assert_eq!(back.client, info.client);
    }

    #[test]
    fn no_info_text_is_a_crash_or_prints_raw(bytes in vec(any::<u8>(), 0..600)) {
        let text = [b"PID: 7\n".as_slice(), &bytes].concat();
        for text in [&bytes, &text] {
            if let Some(info) = Info::decode(text) {
                prop_assert!(info.to_string().chars().all(|char| !char.is_control()));
                prop_assert!(info.lines().iter().all(|line| line.chars().all(|char| !char.is_control())));
            }
        }
    }

    #[test]
    fn what_is_escaped_is_one_harmless_line(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(escape(&bytes).chars().all(|char| !char.is_control()));
    }

    #[test]
    fn only_the_four_names_are_dispatched(name in "[a-z.-]{0,20}", words in vec("[a-z-]{0,15}", 0..4)) {
        let args = std::iter::once(&name).chain(&words).map(OsString::from);
        let args: Vec<OsString> = args.collect();
        let call = dispatch(&args);
        let own = ["file-lock", "memory-update", "memory-read", "atomic-write"];
        let stem = name.strip_suffix(".sh").or(name.strip_suffix(".exe")).unwrap_or(&name);
        let by_word = words.first().is_some_and(|word| own.contains(&word.as_str()));
        prop_assert_eq!(call.tool.is_some(), own.contains(&stem) || by_word);
    }
}
