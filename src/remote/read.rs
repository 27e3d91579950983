//! `memory-read` on documents beyond this machine.

use crate::{
    Means,
    place::{Subject, until},
    update::missing,
};
use memlatch::{
    commands::{inputs::Text, memory_read},
    elsewhere,
    failure::Failure,
    request::Read,
};
use memlatch_remote::engine::{Ladder, Wanted};
use std::path::Path;

/// Prints what the request asks for. Files of this machine can be among the documents.
pub fn run(request: &Read, means: Means<'_>) -> Result<u8, Failure> {
    let until = until(request.wait.timeout);
    let load = |word: &Path| {
        if word == Path::new("-") || !elsewhere::is_meant(word, means.settings)? {
            return memory_read::load(word, request, means.context());
        }
        let subject = Subject::find(word, means.settings)?;
        let seen = subject.store()?.engine().read(subject.key(), Wanted::Document, &Ladder::default(), until);
        let seen = seen.map_err(|error| subject.failure(error))?;
        let bytes = seen
            .document
            .ok_or_else(|| missing(&subject, "look at the address, or make the document with atomic-write"))?;
        Ok(Text { target: Some(subject.target), bytes })
    };
    let outcome = memory_read::run_on(request, &load, means.context())?;
    means.console.tell(&outcome)
}
