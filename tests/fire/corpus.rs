//! The corpus that fuzzing grew (`fuzz/run`): for each input the property holds that the fuzzer looked for a way around.

use std::{fs, path::Path};

#[path = "../../fuzz/properties.rs"]
mod properties;

/// Repeats a target's corpus, and tells how much of it there is.
fn repeat(target: &str, property: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let inputs: Vec<_> =
        fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("an entry").path()).collect();
    for input in &inputs {
        // The name of an input that breaks the property is told before the panic's own message.
        println!("{}", input.display());
        property(&fs::read(input).expect("an input"));
    }
    inputs.len()
}

#[test]
fn no_info_of_the_corpus_breaks_its_reader() {
    assert!(repeat("info", properties::info) > 50);
}

#[test]
fn no_filter_of_the_corpus_breaks_the_compiler() {
    assert!(repeat("filter", properties::filter) > 50);
}

#[test]
fn no_document_of_the_corpus_breaks_the_reader_or_the_writer() {
    assert!(repeat("document", properties::document) > 50);
}
