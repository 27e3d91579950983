//! The inputs of a filter: the values of files or of standard input, as lines, parts or one array.

use super::{
    filtering,
    form::{self, Form},
};
use crate::{
    document::{self, lines},
    failure::Failure,
    filter::{self, InputName, Value},
    lock::target::Target,
    request::InputMode,
};
use memlatch_os::paths::shown;
use std::sync::Arc;

/// The text of a file, as one writer left it, or of standard input.
pub struct Text {
    /// `None`: standard input.
    pub target: Option<Target>,
    pub bytes: Vec<u8>,
}

impl Text {
    /// How the values stand in it.
    pub fn form(&self) -> Form {
        self.target.as_ref().map_or(Form::Sequence, |target| Form::of(&target.given))
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        self.target.as_ref().map_or_else(|| "standard input".to_owned(), |target| shown(&target.given))
    }

    /// Whether the last line is unfinished, and so left out.
    pub fn is_torn(&self) -> bool {
        self.form().whole(&self.bytes) < self.bytes.len()
    }

    /// The values in the text.
    ///
    /// # Errors
    /// The text is not JSON; the message says where, and how to restore an earlier content.
    pub fn values(self) -> Result<Vec<Value>, Failure> {
        let form = self.form();
        let Text { target, mut bytes } = self;
        let values = match form {
            Form::Document => document::parse(bytes).map(|value| vec![value]),
            Form::Lines => {
                bytes.truncate(form.whole(&bytes));
                lines::parse_lines(&bytes)
            }
            Form::Sequence => document::parse_all(&bytes),
        };
        values.map_err(|error| match &target {
            Some(target) => form::damaged(target, &error),
            None => Failure::from(error).about("standard input"),
        })
    }

    fn string(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// What `input_filename` gives.
    fn file(&self) -> Option<Arc<str>> {
        self.target.as_ref().map(|target| target.given.to_string_lossy().into())
    }
}

/// Makes of the texts what the filter is to be run on. `name` is told with each value what file it is of.
///
/// # Errors
/// One of the texts is not JSON.
pub fn of(texts: Vec<Text>, input: InputMode, name: InputName) -> Result<filter::Input, Failure> {
    let last = texts.last().and_then(Text::file);
    let values = if input.raw && input.slurp {
        vec![(last, Value::from(texts.iter().map(Text::string).collect::<String>()))]
    } else {
        let values = each(texts, input)?;
        if input.slurp { vec![(last, values.into_iter().map(|(_, value)| value).collect())] } else { values }
    };
    let values = Box::new(values.into_iter().map(move |(file, value)| {
        name.set(file);
        value
    }));
    Ok(if input.null { filter::Input::Null(values) } else { filter::Input::Each(values) })
}

/// An input, and the file that it is of.
type Placed = (Option<Arc<str>>, Value);

/// The inputs one by one.
fn each(texts: Vec<Text>, input: InputMode) -> Result<Vec<Placed>, Failure> {
    let mut inputs = Vec::new();
    for text in texts {
        let file = text.file();
        let values = match (input.raw, input.stream) {
            // As in jq, `\r` belongs to the line.
            (true, _) => text.string().split_terminator('\n').map(Value::from).collect(),
            (false, true) => filtering::parts(text.values()?)?,
            (false, false) => text.values()?,
        };
        inputs.extend(values.into_iter().map(|value| (file.clone(), value)));
    }
    Ok(inputs)
}
