//! Whatever an `info` file holds, it is read without a panic, and what was read is written so that it is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memlatch::lock::info::{Info, Kind};

fuzz_target!(|text: &[u8]| {
    if let Some(info) = Info::decode(text) {
        let encoded = info.encode();
        assert!(encoded.bytes().all(|byte| byte == b'\n' || !byte.is_ascii_control()), "{encoded:?}");
        let again = Info::decode(encoded.as_bytes()).expect("what was written is read");
        assert_eq!((again.pid, again.kind, &again.token), (info.pid, info.kind, &info.token));
        assert!(again.kind != Kind::Script || !encoded.contains("KIND"));
    }
});
