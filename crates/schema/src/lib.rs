//! JSON Schemas as memlatch uses them: self-contained, with all formats checked. The only user of jsonschema.
//!
//! This is a package of its own because jsonschema is generic: its code is compiled into the crate that uses it, where it
//! would spread apart the functions that every command runs. So nothing here is generic, and nothing is inlined elsewhere.

use jsonschema::{ReferencingError, Retrieve, Uri, ValidationError, Validator, error::ValidationErrorKind};
use memlatch_os::text::shortened;
use serde_json::Value;

/// The most characters of a value that an error message quotes.
const LONGEST_VALUE: usize = 60;

/// A compiled schema.
pub struct Compiled(Validator);

/// A place that does not conform, as a JSON Pointer, and the reason.
pub struct Place {
    pub path: String,
    pub reason: String,
}

/// Why a schema cannot be used.
pub enum Unusable {
    /// The schema is invalid at this place.
    Wrong(Place),
    /// It refers to something outside of its file.
    Elsewhere(String),
    /// It refers to something that does not exist.
    Dangling(String),
}

/// Compiles a schema.
#[inline(never)]
pub fn compile(schema: &Value) -> Result<Compiled, Unusable> {
    // In drafts since 2019 "format" is only an annotation by default. Users who write one expect it to be checked.
    let options = jsonschema::options().should_validate_formats(true).with_retriever(Nowhere);
    options.build(schema).map(Compiled).map_err(|error| match error.kind() {
        ValidationErrorKind::Referencing(ReferencingError::Unretrievable { uri, .. }) => {
            Unusable::Elsewhere(uri.trim_start_matches("json-schema:///").to_owned())
        }
        ValidationErrorKind::Referencing(error) => Unusable::Dangling(error.to_string()),
        _ => Unusable::Wrong(place(&error)),
    })
}

impl Compiled {
    /// The first `most` places that do not conform, and the number of further ones.
    #[inline(never)]
    pub fn check(&self, document: &Value, most: usize) -> (Vec<Place>, usize) {
        let mut errors = self.0.iter_errors(document);
        let places = errors.by_ref().take(most).map(|error| place(&error)).collect();
        (places, errors.count())
    }
}

impl Drop for Compiled {
    /// Implemented here so that the code that drops a schema is in this package.
    #[inline(never)]
    fn drop(&mut self) {}
}

/// A retriever that fetches nothing.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, _: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err("nothing is fetched".into())
    }
}

fn place(error: &ValidationError<'_>) -> Place {
    let value = error.instance().to_string();
    let reason = error.masked_with(shortened(&value, LONGEST_VALUE)).to_string();
    Place { path: error.instance_path().as_str().to_owned(), reason }
}
