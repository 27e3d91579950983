//! Whatever a filter looks like, it compiles or is refused with a message: no panic, no crash.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memlatch::filter::{Program, compile, on_large_stack};

fuzz_target!(|text: &str| {
    let program = Program { text: text.to_owned(), ..Program::default() };
    let refused = on_large_stack(|| compile(program).err()).expect("there is room for one more stack");
    assert!(refused.is_none_or(|error| !error.to_string().is_empty()));
});
