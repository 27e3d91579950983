#![no_main]

#[path = "../properties.rs"]
#[allow(dead_code, reason = "each target looks at one property")]
mod properties;

libfuzzer_sys::fuzz_target!(|text: &[u8]| properties::filter(text));
