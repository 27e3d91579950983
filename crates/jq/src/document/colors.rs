//! Values laid out in colour, as jq 1.8 prints them on a terminal: every token in the colour of its kind.

use super::{Indent, Layout, write};
use crate::value::{
    Value,
    write::{check_depth, string_text},
};
use std::io;

/// The colours of the kinds of values, as the parameters of terminals' `ESC [ … m`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colors {
    null: String,
    no: String,
    yes: String,
    number: String,
    string: String,
    array: String,
    object: String,
    key: String,
}

impl Default for Colors {
    /// Those of jq 1.8.
    fn default() -> Self {
        let [null, no, yes, number, string, array, object, key] =
            ["0;90", "0;39", "0;39", "0;39", "0;32", "1;39", "1;39", "1;34"].map(str::to_owned);
        Colors { null, no, yes, number, string, array, object, key }
    }
}

impl Colors {
    /// Reads the value of `JQ_COLORS`: parameters between colons, in the order null, false, true, numbers, strings, arrays,
    /// objects, keys. Kinds at the end can be left out. `None` if there is anything but digits and semicolons in one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut colors = Colors::default();
        let kinds = [
            &mut colors.null,
            &mut colors.no,
            &mut colors.yes,
            &mut colors.number,
            &mut colors.string,
            &mut colors.array,
            &mut colors.object,
            &mut colors.key,
        ];
        for (kind, color) in kinds.into_iter().zip(text.split(':')) {
            if !color.bytes().all(|byte| byte.is_ascii_digit() || byte == b';') {
                return None;
            }
            color.clone_into(kind);
        }
        Some(colors)
    }

    /// Writes a value in colour, without a newline at the end.
    ///
    /// # Errors
    /// Those of `out`, and `InvalidData` for values nested deeper than can be read again.
    pub fn write(&self, value: &Value, layout: &Layout, out: &mut dyn io::Write) -> io::Result<()> {
        check_depth(value)?;
        Printer { colors: self, layout, out }.value(value, 0)
    }
}

struct Printer<'a> {
    colors: &'a Colors,
    layout: &'a Layout,
    out: &'a mut dyn io::Write,
}

impl Printer<'_> {
    fn token(&mut self, color: &str, text: &[u8]) -> io::Result<()> {
        write!(self.out, "\x1b[{color}m")?;
        self.out.write_all(text)?;
        self.out.write_all(b"\x1b[0m")
    }

    fn line(&mut self, level: usize) -> io::Result<()> {
        match self.layout.indent {
            Indent::Compact => Ok(()),
            Indent::Spaces(width) => write!(self.out, "\n{:1$}", "", level * usize::from(width)),
            Indent::Tab => write!(self.out, "\n{}", "\t".repeat(level)),
        }
    }

    fn value(&mut self, value: &Value, level: usize) -> io::Result<()> {
        let colors = self.colors;
        match value.open() {
            Value::Array(elements) => {
                let color = &colors.array;
                if elements.is_empty() {
                    return self.token(color, b"[]");
                }
                self.token(color, b"[")?;
                for (i, element) in elements.iter().enumerate() {
                    if i > 0 {
                        self.token(color, b",")?;
                    }
                    self.line(level + 1)?;
                    self.value(element, level + 1)?;
                }
                self.line(level)?;
                self.token(color, b"]")
            }
            Value::Object(members) => {
                let color = &colors.object;
                let members: Vec<_> = if self.layout.sort_keys { members.sorted() } else { members.iter().collect() };
                if members.is_empty() {
                    return self.token(color, b"{}");
                }
                self.token(color, b"{")?;
                for (i, (key, member)) in members.into_iter().enumerate() {
                    if i > 0 {
                        self.token(color, b",")?;
                    }
                    self.line(level + 1)?;
                    self.token(&colors.key, &string_text(key))?;
                    self.token(color, b":")?;
                    if self.layout.indent != Indent::Compact {
                        self.out.write_all(b" ")?;
                    }
                    self.value(member, level + 1)?;
                }
                self.line(level)?;
                self.token(color, b"}")
            }
            leaf => {
                let color = match leaf {
                    Value::Null => &colors.null,
                    Value::Bool(false) => &colors.no,
                    Value::Bool(true) => &colors.yes,
                    Value::String(_) => &colors.string,
                    _ => &colors.number,
                };
                let mut text = Vec::new();
                write(leaf, self.layout, &mut text)?;
                self.token(color, &text)
            }
        }
    }
}
