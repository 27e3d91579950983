//! JSON Schemas as memlatch uses them: whole in themselves, with every format checked. The only user of jsonschema.
//!
//! A package of its own: that crate is generic, and its code goes where it is used. Among memlatch's own functions it
//! would push apart those that every command runs. So nothing here is generic, and nothing is inlined elsewhere.

use jsonschema::{ReferencingError, Retrieve, Uri, ValidationError, Validator, error::ValidationErrorKind};
use memlatch_os::text::shortened;
use serde_json::Value;

/// The longest value that a reason quotes, in characters.
const LONGEST_VALUE: usize = 60;

/// A schema that is ready to be used.
pub struct Compiled(Validator);

/// A place that does not fit, as a JSON Pointer, and the reason.
pub struct Place {
    pub path: String,
    pub reason: String,
}

/// Why a schema cannot be used.
pub enum Unusable {
    /// A place of it is wrong.
    Wrong(Place),
    /// It refers to something outside.
    Elsewhere(String),
    /// It refers to something that is not there.
    Dangling(String),
}

/// Makes a schema ready.
#[inline(never)]
pub fn compile(schema: &Value) -> Result<Compiled, Unusable> {
    // By the drafts since 2019 a "format" is but a remark. Who writes one means it.
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
    /// The first `most` places that do not fit, and how many more there are.
    #[inline(never)]
    pub fn check(&self, document: &Value, most: usize) -> (Vec<Place>, usize) {
        let mut errors = self.0.iter_errors(document);
        let places = errors.by_ref().take(most).map(|error| place(&error)).collect();
        (places, errors.count())
    }
}

impl Drop for Compiled {
    /// Keeps what takes a schema apart in this package.
    #[inline(never)]
    fn drop(&mut self) {}
}

/// What a schema refers to elsewhere is not looked for.
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
