//! The rule for new content: a JSON Schema, from a file or named by the document itself.

use super::form::Form;
use crate::{
    document,
    failure::Failure,
    request::SchemaOf,
    schema::{Schema, Unusable},
};
use memlatch_jq::value::Value;
use memlatch_os::paths::{folder_of, shown};
use std::path::Path;

/// The member by which a document names its schema.
const MEMBER: &str = "$schema";

/// What a new content has to fit.
pub enum Rule {
    Any,
    Schema(Schema),
    /// The schema that the content names, relative to its file.
    OwnSchema,
}

impl Rule {
    /// Prepares the rule, as far as possible before the content is known. No lock is held yet.
    pub fn prepare(asked: Option<&SchemaOf>) -> Result<Self, Failure> {
        match asked {
            None => Ok(Rule::Any),
            Some(SchemaOf::Document) => Ok(Rule::OwnSchema),
            Some(SchemaOf::File(file)) => Ok(Rule::Schema(read(file)?)),
        }
    }

    /// Whether the content has to be JSON, whatever its file is called.
    pub fn is_any(&self) -> bool {
        matches!(self, Rule::Any)
    }

    /// Refuses content for `target` that does not conform.
    pub fn check(&self, new: &Value, target: &Path) -> Result<(), Failure> {
        let own;
        let schema = match self {
            Rule::Any => return Ok(()),
            Rule::Schema(schema) => schema,
            Rule::OwnSchema => {
                own = own_schema(new, target)?;
                &own
            }
        };
        let tell = |misfit| Failure::failed(format!("the new content for '{}' {misfit}", shown(target)));
        schema.check(new).map_err(tell)
    }
}

impl Rule {
    /// The same for the whole content of a file: each line must conform by itself.
    pub fn check_all(&self, form: Form, new: &Value, target: &Path) -> Result<(), Failure> {
        match (form, new.as_array()) {
            (Form::Lines, Some(lines)) => lines.iter().enumerate().try_for_each(|(i, line)| {
                self.check(line, target).map_err(|failure| failure.about(format_args!("line {}", i + 1)))
            }),
            _ => self.check(new, target),
        }
    }
}

fn read(file: &Path) -> Result<Schema, Unusable> {
    let text = std::fs::read(file).map_err(|error| Unusable::unread(file, &error))?;
    let document = document::parse(text).map_err(|error| Unusable::no_json(file, &error))?;
    Schema::compile(file, &document)
}

/// The schema that a content names by its member `$schema`.
fn own_schema(new: &Value, target: &Path) -> Result<Schema, Failure> {
    let named = new.as_object().and_then(|members| members.get(MEMBER)).and_then(Value::as_str);
    let file = shown(target);
    match named {
        None => Err(Failure::failed(format!(
            "the new content for '{file}' names no schema: \"{MEMBER}\" is to be the path of one, relative to the file; \
             or name it on the command line: --schema FILE"
        ))),
        Some(uri) if uri.contains("://") => Err(Failure::failed(format!(
            "the new content for '{file}' names '{}' as its schema, but nothing is fetched; put a copy beside the file and \
             name that, or say --schema FILE",
            memlatch_os::paths::escape(uri.as_bytes())
        ))),
        Some(path) => read(&folder_of(target).join(path)).map_err(|error| Failure::failed(error.to_string())),
    }
}
