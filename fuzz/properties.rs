//! Properties that must hold for any bytes. The fuzz targets search for bytes that break them; the tests repeat the corpus that
//! they grew.

use memlatch_jq::{
    document::{self, Layout},
    filter::{Program, compile, on_large_stack},
};
use memlatch_lock::info::{Info, Kind};

/// Any `info` file is read without a panic, and what was read can be written and read again with the same result.
pub fn info(text: &[u8]) {
    let Some(info) = Info::decode(text) else { return };
    let encoded = info.encode();
    assert!(encoded.bytes().all(|byte| byte == b'\n' || !byte.is_ascii_control()), "{encoded:?}");
    let again = Info::decode(encoded.as_bytes()).expect("what was written is read");
    assert_eq!((again.pid, again.kind, &again.token), (info.pid, info.kind, &info.token));
    assert!(again.kind != Kind::Script || !encoded.contains("\nKIND: "));
}

/// Any filter compiles or is refused with a message: no panic, no crash.
pub fn filter(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let refusal =
        || compile(Program { text: text.to_owned(), ..Program::default() }).err().map(|error| error.to_string());
    let refused = on_large_stack(refusal).expect("there is room for one more stack");
    assert!(refused.is_none_or(|message| !message.is_empty()));
}

/// What the check accepts is read, written, and read again as the same; what it refuses is not read.
pub fn document(text: &[u8]) {
    let repeat = || {
        let accepted = document::check(text).is_ok();
        let Ok(value) = document::parse(text.to_vec()) else {
            assert!(!accepted);
            return;
        };
        assert!(accepted);
        let mut once = Vec::new();
        document::write(&value, &Layout::default(), &mut once).expect("memory takes everything");
        let again = document::parse(once.clone()).expect("what was written is JSON");
        let mut twice = Vec::new();
        document::write(&again, &Layout::default(), &mut twice).expect("memory takes everything");
        assert_eq!(once, twice);
    };
    on_large_stack(repeat).expect("there is room for one more stack");
}
