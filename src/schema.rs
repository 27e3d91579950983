//! JSON Schema: checking a document before it is written.
//!
//! A schema is self-contained: nothing is fetched from the network or read from other files. Without the feature
//! `schema` there is none, and the command line does not offer the option.
//!
//! # Limitations
//!
//! Numbers are compared as most programs read them: as 64-bit integers, or else as the nearest double. A number beyond the range of doubles
//! counts as the largest one.

use crate::{document::DocumentError, value::Value};
use memlatch_os::paths::shown;
use std::{
    fmt,
    path::{Path, PathBuf},
};

pub use imp::Schema;

/// Why a schema cannot be used.
#[derive(Debug)]
pub struct Unusable {
    file: PathBuf,
    why: String,
}

impl Unusable {
    /// Its file cannot be read.
    pub fn unread(file: &Path, error: &std::io::Error) -> Self {
        Unusable { file: file.to_owned(), why: format!("cannot be read: {error}") }
    }

    /// Its file does not hold one JSON value.
    pub fn no_json(file: &Path, error: &DocumentError) -> Self {
        Unusable { file: file.to_owned(), why: format!("is not JSON: {error}") }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the schema '{}' {}", shown(&self.file), self.why)
    }
}

impl std::error::Error for Unusable {}

/// Where a document does not fit its schema.
#[derive(Debug)]
pub struct Misfit {
    file: PathBuf,
    /// The first places, each with its reason.
    places: Vec<String>,
    more: usize,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "does not conform to the schema '{}'; the file is as it was", shown(&self.file))?;
        for place in &self.places {
            write!(f, "\n  {place}")?;
        }
        if self.more > 0 {
            write!(f, "\n  and {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Misfit {}

#[cfg(feature = "schema")]
mod imp {
    use super::{Misfit, Path, PathBuf, Unusable, Value};
    use memlatch_os::text::shortened;
    use memlatch_schema::{Compiled, Place};
    use serde_json::{Map, Number, Value as Json};

    /// So many places are named.
    const SHOWN: usize = 10;

    /// The longest reason and the longest path, in characters.
    const LONGEST_REASON: usize = 300;
    const LONGEST_PATH: usize = 200;

    /// The deepest nesting of a schema: to compile one takes more than twice as long if it is twice as deep.
    const DEEPEST: u32 = 500;

    /// A schema that is ready to be used.
    pub struct Schema {
        file: PathBuf,
        compiled: Compiled,
    }

    impl Schema {
        /// Makes a schema of a document. `file` is what messages call it.
        pub fn compile(file: &Path, document: &Value) -> Result<Self, Unusable> {
            let unusable = |why| Unusable { file: file.to_owned(), why };
            if document.depth() > DEEPEST {
                return Err(unusable(format!("is nested more than {DEEPEST} levels deep")));
            }
            match memlatch_schema::compile(&json(document)) {
                Ok(compiled) => Ok(Schema { file: file.to_owned(), compiled }),
                Err(error) => Err(unusable(complaint(&error))),
            }
        }

        /// Whether a document fits.
        pub fn check(&self, document: &Value) -> Result<(), Misfit> {
            let (places, more) = self.compiled.check(&json(document), SHOWN);
            if places.is_empty() {
                return Ok(());
            }
            Err(Misfit { file: self.file.clone(), places: places.iter().map(told).collect(), more })
        }
    }

    fn complaint(error: &memlatch_schema::Unusable) -> String {
        use memlatch_schema::Unusable::{Dangling, Elsewhere, Wrong};
        match error {
            Elsewhere(uri) => format!(
                "refers to '{}', but only this file is read; copy that schema into it, and refer to it by '#/$defs/NAME'",
                visible(uri)
            ),
            Dangling(reason) => format!("is not a valid JSON Schema: {}", visible(reason)),
            Wrong(place) => format!("is not a valid JSON Schema: {}", told(place)),
        }
    }

    /// Where something is wrong, and what.
    fn told(place: &Place) -> String {
        let reason = visible(&shortened(&place.reason, LONGEST_REASON));
        match place.path.as_str() {
            "" => format!("at the top: {reason}"),
            path => format!("at {}: {reason}", visible(&shortened(path, LONGEST_PATH))),
        }
    }

    /// Without what could turn or hide the text around it on a terminal. Quotes and backslashes are JSON's own.
    fn visible(text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        for char in text.chars() {
            match char {
                '"' | '\'' | '\\' => shown.push(char),
                _ => shown.extend(char.escape_debug()),
            }
        }
        shown
    }

    /// The value as jsonschema knows it.
    fn json(value: &Value) -> Json {
        match value.open() {
            Value::Null => Json::Null,
            Value::Bool(bool) => Json::Bool(*bool),
            Value::Number(number) => self::number(*number),
            Value::Literal(text) => match (text.parse::<i64>(), text.parse::<u64>()) {
                (Ok(number), _) => number.into(),
                (_, Ok(number)) => number.into(),
                _ => self::number(text.parse().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Json::String(text.as_str().to_owned()),
            Value::Array(items) => items.iter().map(json).collect(),
            Value::Object(members) => {
                members.iter().map(|(key, value)| (key.as_str().to_owned(), json(value))).collect::<Map<_, _>>().into()
            }
            Value::Raw(_) => unreachable!("it has been opened"),
        }
    }

    fn number(number: f64) -> Json {
        if number.fract() == 0.0 && number.abs() < 1e15 {
            return (number as i64).into();
        }
        // What is no number is written as null.
        Number::from_f64(number.clamp(f64::MIN, f64::MAX)).map_or(Json::Null, Json::Number)
    }
}

#[cfg(not(feature = "schema"))]
mod imp {
    use super::{Misfit, Path, Unusable, Value};

    /// There is none.
    pub enum Schema {}

    impl Schema {
        /// Never called: the command line has no option for it.
        pub fn compile(file: &Path, _: &Value) -> Result<Self, Unusable> {
            Err(Unusable {
                file: file.to_owned(),
                why: "cannot be used: this memlatch was built without the feature 'schema'".to_owned(),
            })
        }

        /// Never called.
        pub fn check(&self, _: &Value) -> Result<(), Misfit> {
            match *self {}
        }
    }
}
