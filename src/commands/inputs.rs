//! What a filter is run on: the values of one file or several, or of standard input, as lines, parts or one array.

use super::{
    form::{Form, whole_lines},
    program,
};
use crate::{
    document::{self, DocumentError, lines},
    failure::Failure,
    filter::{self, InputName, Value},
    request::Input,
};
use memlatch_os::paths::shown;
use std::{path::Path, sync::Arc};

/// The text of a file, as one writer left it, or of standard input.
pub struct Text {
    /// The file's name as it was given; `-` for standard input.
    pub name: Arc<str>,
    /// What `input_filename` gives.
    pub file: Option<Arc<str>>,
    pub form: Form,
    pub bytes: Vec<u8>,
    /// What to add to the message if this is not what its form says.
    pub way_back: String,
}

impl Text {
    /// The values in the text.
    ///
    /// # Errors
    /// The text is not JSON; the message says where, and how to get back what the file held.
    pub fn values(&self) -> Result<Vec<Value>, Failure> {
        let wrong = |error: DocumentError| {
            Failure::failed(format!("{}: {error}{}", shown(Path::new(&*self.name)), self.way_back))
        };
        match self.form {
            Form::Document => document::parse(self.bytes.clone()).map(|value| vec![value]),
            Form::Lines => lines::parse_lines(&self.bytes[..whole_lines(&self.bytes)]),
            Form::Sequence => {
                // A single value, which most files hold, keeps the text of its numbers and strings.
                let strict = document::parse(self.bytes.clone()).map(|value| vec![value]);
                strict.or_else(|_| document::parse_all(&self.bytes))
            }
        }
        .map_err(wrong)
    }

    /// What is to be said of a last line that is not whole.
    pub fn torn_line(&self) -> Option<String> {
        let is_torn = self.form == Form::Lines && whole_lines(&self.bytes) < self.bytes.len();
        is_torn.then(|| {
            format!(
                "{}: the last line is unfinished, as after a crash, and is left out; the next writer mends it",
                self.name
            )
        })
    }

    fn text_lines(&self) -> Vec<Value> {
        let text = String::from_utf8_lossy(&self.bytes);
        text.lines_of_any_end().map(Value::from).collect()
    }
}

/// Lines as jq reads them: `\r` belongs to the line.
trait LinesOfAnyEnd {
    fn lines_of_any_end(&self) -> impl Iterator<Item = &str>;
}

impl LinesOfAnyEnd for str {
    fn lines_of_any_end(&self) -> impl Iterator<Item = &str> {
        self.split_inclusive('\n').map(|line| line.strip_suffix('\n').unwrap_or(line))
    }
}

/// Makes of the texts what the filter is to be run on. `name` is told with each value what file it is of.
///
/// # Errors
/// One of the texts is not JSON.
pub fn of(texts: &[Text], input: Input, name: InputName) -> Result<filter::Input, Failure> {
    let mut values: Vec<(Option<Arc<str>>, Value)> = Vec::new();
    for text in texts {
        let all = match (input.raw, input.slurp) {
            (true, true) => vec![Value::from(String::from_utf8_lossy(&text.bytes).into_owned())],
            (true, false) => text.text_lines(),
            (false, _) => text.values()?,
        };
        for value in all {
            let parts = if input.stream { program::parts(value)? } else { vec![value] };
            values.extend(parts.into_iter().map(|part| (text.file.clone(), part)));
        }
    }
    if input.slurp {
        let last = texts.last().and_then(|text| text.file.clone());
        let all = values.into_iter().map(|(_, value)| value);
        let whole = if input.raw { joined(all) } else { all.collect() };
        values = vec![(last, whole)];
    }
    let values = Box::new(values.into_iter().map(move |(file, value)| {
        name.set(file);
        value
    }));
    Ok(if input.null { filter::Input::Null(values) } else { filter::Input::Each(values) })
}

fn joined(texts: impl Iterator<Item = Value>) -> Value {
    let texts: Vec<Value> = texts.collect();
    Value::from(texts.iter().filter_map(Value::as_str).map(ToString::to_string).collect::<String>())
}
