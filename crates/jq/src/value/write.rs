//! From values to text, laid out as jq 1.8 lays it out.
//!
//! Slices of a document that already look like that are copied; others are laid out again while
//! they are read, without a tree.

use super::{Raw, Value, number};
use crate::json::{MAX_DEPTH, TextLayout, end_of_string, plain_run};
use std::io;

/// How members and elements are put on lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indent {
    /// everything on one line
    Compact,
    Spaces(u8),
    Tab,
}

/// How a value is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub indent: Indent,
    pub sort_keys: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Self { indent: Indent::Spaces(2), sort_keys: false }
    }
}

/// Writes a value, without a newline at the end.
///
/// # Errors
/// Those of `out`, and `InvalidData` for values nested deeper than can be read again.
pub fn write(value: &Value, layout: &Layout, out: &mut dyn io::Write) -> io::Result<()> {
    check_depth(value)?;
    let mut writer = Writer { layout: *layout, kept_numbers: true, buffer: Vec::new(), out: Some(out), failed: None };
    writer.value(value, 0);
    writer.flush();
    writer.failed.map_or(Ok(()), Err)
}

/// Refuses a value that could not be read again.
pub(crate) fn check_depth(value: &Value) -> io::Result<()> {
    if value.depth() > MAX_DEPTH && too_deep(value, 0) {
        let what = format!("the result is nested deeper than {MAX_DEPTH} levels");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(())
}

/// A string with its quotes, as in a document.
pub(crate) fn string_text(s: &str) -> Vec<u8> {
    let mut writer =
        Writer { layout: Layout::default(), kept_numbers: true, buffer: Vec::new(), out: None, failed: None };
    writer.string(s);
    writer.buffer
}

/// The stored depth is an upper bound: this looks.
fn too_deep(value: &Value, level: u32) -> bool {
    match value {
        _ if level + value.depth() <= MAX_DEPTH => false,
        _ if level > MAX_DEPTH => true,
        _ => match value.open() {
            Value::Array(a) => level == MAX_DEPTH || a.iter().any(|v| too_deep(v, level + 1)),
            Value::Object(o) => level == MAX_DEPTH || o.iter().any(|(_, v)| too_deep(v, level + 1)),
            _ => false,
        },
    }
}

/// The compact text of a value, as `tojson` and error texts show it.
pub(crate) fn to_text(value: &Value) -> String {
    let layout = Layout { indent: Indent::Compact, sort_keys: false };
    let mut writer = Writer { layout, kept_numbers: false, buffer: Vec::new(), out: None, failed: None };
    writer.value(value, 0);
    String::from_utf8(writer.buffer).expect("only text was written")
}

struct Writer<'a> {
    layout: Layout,
    /// literals are printed with their own text, not in the decimal library's form
    kept_numbers: bool,
    buffer: Vec<u8>,
    out: Option<&'a mut dyn io::Write>,
    failed: Option<io::Error>,
}

/// When the buffer is handed on.
const FULL: usize = 1 << 16;

const SPACES: &[u8] = &[b' '; 256];
const TABS: &[u8] = &[b'\t'; 256];

impl Writer<'_> {
    fn flush(&mut self) {
        if let Some(out) = &mut self.out {
            if self.failed.is_none() {
                self.failed = out.write_all(&self.buffer).err();
            }
            self.buffer.clear();
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        if bytes.len() >= FULL && self.out.is_some() {
            self.flush();
            if let (Some(out), None) = (&mut self.out, &self.failed) {
                self.failed = out.write_all(bytes).err();
            }
            return;
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= FULL {
            self.flush();
        }
    }

    fn line(&mut self, level: usize) {
        let (fill, mut n) = match self.layout.indent {
            Indent::Compact => return,
            Indent::Spaces(width) => (SPACES, level * width as usize),
            Indent::Tab => (TABS, level),
        };
        self.buffer.push(b'\n');
        while n > 0 {
            let part = n.min(fill.len());
            self.buffer.extend_from_slice(&fill[..part]);
            n -= part;
        }
    }

    fn one_line(&self) -> bool {
        self.layout.indent == Indent::Compact
    }

    fn value(&mut self, value: &Value, level: usize) {
        match value {
            Value::Null => self.buffer.extend_from_slice(b"null"),
            Value::Bool(true) => self.buffer.extend_from_slice(b"true"),
            Value::Bool(false) => self.buffer.extend_from_slice(b"false"),
            Value::Number(x) => self.buffer.extend_from_slice(number::format(*x).as_bytes()),
            Value::Literal(text) if self.kept_numbers => self.put(text.as_bytes()),
            Value::Literal(text) => self.put(number::canonical(text).as_bytes()),
            Value::String(s) => self.string(s),
            Value::Array(_) | Value::Object(_) | Value::Raw(_) if level > MAX_DEPTH as usize => {
                self.put(b"<skipped: too deep>");
            }
            Value::Array(a) => {
                self.buffer.push(b'[');
                for (i, v) in a.iter().enumerate() {
                    if i > 0 {
                        self.buffer.push(b',');
                    }
                    self.line(level + 1);
                    self.value(v, level + 1);
                }
                if !a.is_empty() {
                    self.line(level);
                }
                self.put(b"]");
            }
            Value::Object(o) => {
                self.buffer.push(b'{');
                if self.layout.sort_keys {
                    self.members(o.sorted().into_iter(), level);
                } else {
                    self.members(o.iter(), level);
                }
                if !o.is_empty() {
                    self.line(level);
                }
                self.put(b"}");
            }
            Value::Raw(raw) => self.raw(raw, level),
        }
    }

    fn members<'v>(&mut self, members: impl Iterator<Item = &'v (crate::value::Str, Value)>, level: usize) {
        for (i, (k, v)) in members.enumerate() {
            if i > 0 {
                self.buffer.push(b',');
            }
            self.line(level + 1);
            self.string(k);
            self.buffer.push(b':');
            if !self.one_line() {
                self.buffer.push(b' ');
            }
            self.value(v, level + 1);
        }
    }

    fn string(&mut self, s: &str) {
        self.buffer.push(b'"');
        let mut rest = s.as_bytes();
        loop {
            let run = plain_run(rest);
            self.put(&rest[..run]);
            let Some(special) = rest.get(run) else { break };
            match special {
                b'"' => self.put(b"\\\""),
                b'\\' => self.put(b"\\\\"),
                b'\n' => self.put(b"\\n"),
                b'\t' => self.put(b"\\t"),
                b'\r' => self.put(b"\\r"),
                8 => self.put(b"\\b"),
                12 => self.put(b"\\f"),
                c => self.put(format!("\\u{c:04x}").as_bytes()),
            }
            rest = &rest[run + 1..];
        }
        self.buffer.push(b'"');
    }

    fn raw(&mut self, raw: &Raw, level: usize) {
        let quality = raw.text.layout();
        let default = self.layout == Layout::default();
        if default && quality == TextLayout::Tidy && raw.level as usize == level && self.kept_numbers {
            self.put(raw.as_str().as_bytes());
        } else if quality >= TextLayout::Plain && !self.layout.sort_keys && self.kept_numbers {
            self.lay_out(raw.as_str().as_bytes(), level);
        } else if raw.is_open() {
            self.value(raw.open(), level);
        } else {
            // Not remembered: a document that is only printed needs no tree.
            self.value(&super::read::open(raw), level);
        }
    }

    /// Puts checked text whose strings need no change on new lines.
    fn lay_out(&mut self, text: &[u8], mut level: usize) {
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            at += 1;
            match byte {
                b' ' | b'\n' | b'\t' | b'\r' => {}
                b'{' | b'[' => {
                    self.buffer.push(byte);
                    while text[at] <= b' ' {
                        at += 1;
                    }
                    if matches!(text[at], b'}' | b']') {
                        self.buffer.push(text[at]);
                        at += 1;
                    } else {
                        level += 1;
                        self.line(level);
                    }
                }
                b'}' | b']' => {
                    level -= 1;
                    self.line(level);
                    self.put(&[byte]);
                }
                b',' => {
                    self.buffer.push(byte);
                    self.line(level);
                }
                b':' => {
                    self.buffer.push(byte);
                    if !self.one_line() {
                        self.buffer.push(b' ');
                    }
                }
                b'"' => {
                    let start = at - 1;
                    at = end_of_string(text, at) + 1;
                    self.put(&text[start..at]);
                }
                _ => {
                    let start = at - 1;
                    while text.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)) {
                        at += 1;
                    }
                    self.put(&text[start..at]);
                }
            }
        }
    }
}
