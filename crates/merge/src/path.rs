//! Places in a document, as jq paths.

use memlatch_jq::value::{Str, Value};
use std::{fmt, ops::Range};

/// One step of a path.
#[derive(Clone, Debug)]
pub enum Step {
    Member(Str),
    /// The element that has this value in this field.
    Keyed(Str, Value),
    /// Elements of a sequence, by their indices in the base.
    Slice(Range<usize>),
}

#[derive(Clone, Debug, Default)]
pub struct Path(Vec<Step>);

impl Path {
    pub fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// The path in the form that rules use: with `[]` for any element.
    pub fn place(&self) -> String {
        let mut place = String::new();
        for step in &self.0 {
            match step {
                Step::Member(key) => place.push_str(&member(key)),
                Step::Keyed(..) | Step::Slice(_) => place.push_str("[]"),
            }
        }
        if place.is_empty() { ".".to_owned() } else { place }
    }
}

impl fmt::Display for Path {
    /// `.sessions[] | select(.id == "s3") | .title`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut is_open = false;
        for step in &self.0 {
            match step {
                Step::Member(key) => write!(f, "{}", member(key))?,
                Step::Keyed(field, value) => {
                    let dot = if is_open { "" } else { "." };
                    write!(f, "{dot}[] | select({} == {value})", member(field))?;
                }
                Step::Slice(range) => {
                    let dot = if is_open { "" } else { "." };
                    write!(f, "{dot}[{}:{}]", range.start, range.end)?;
                }
            }
            is_open = !matches!(step, Step::Keyed(..));
            if let Step::Keyed(..) = step {
                f.write_str(" | ")?;
            }
        }
        if self.0.is_empty() { f.write_str(".") } else { Ok(()) }
    }
}

/// `.key`, or `.["a key"]`.
fn member(key: &str) -> String {
    let is_word = !key.is_empty()
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    if is_word { format!(".{key}") } else { format!(".[{}]", Value::from(key)) }
}

/// A path from the user, converted to the form of [`Path::place`].
pub fn normal(path: &str) -> String {
    let path = path.trim();
    let path = if path.starts_with('.') { path.to_owned() } else { format!(".{path}") };
    let path = path.replace(".[]", "[]");
    match path.strip_suffix("[]") {
        Some("") => ".".to_owned(),
        Some(path) => path.to_owned(),
        None => path,
    }
}
