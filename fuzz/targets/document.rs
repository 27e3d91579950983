//! What the check accepts is read, written, and read again as the same; what it refuses is not read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memlatch::{
    document::{self, Layout},
    filter::on_large_stack,
};

fuzz_target!(|text: &[u8]| {
    on_large_stack(|| {
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
    })
    .expect("there is room for one more stack");
});
