//! Printing values, such as the outputs of a filter.

use crate::{
    document::{self, colors::Colors},
    filter::Value,
    outcome::Values,
    request::{OutputStyle, Strings},
};
use std::io::{self, Write};

/// As jq has it where the status is asked for: 4 if there was no value, 1 if the last was false or null.
pub fn status(values: &Values) -> u8 {
    match values.last_is_true {
        _ if !values.asks_for_status => 0,
        None => 4,
        Some(false) => 1,
        Some(true) => 0,
    }
}

/// Begins each output of a sequence, see RFC 7464.
const RECORD_SEPARATOR: &[u8] = b"\x1e";

/// Prints values in one style.
pub struct Printer {
    style: OutputStyle,
    /// `None`: without colour.
    colors: Option<Colors>,
}

impl Printer {
    pub fn new(style: OutputStyle, colors: Option<Colors>) -> Self {
        Printer { style, colors }
    }

    /// Prints one output and what ends it.
    ///
    /// # Errors
    /// Those of `out`, and `InvalidData` for what cannot be written in this style.
    pub fn print(&self, value: &Value, out: &mut dyn Write) -> io::Result<()> {
        let text = value.as_str().filter(|_| self.style.strings != Strings::Quoted);
        match text {
            // As jq has it: with --ascii-output a string cannot be printed as it is.
            Some(_) if self.style.ascii => out.write_all(in_ascii(&self.laid_out(value, false)?).as_bytes())?,
            Some(text) => self.print_raw(text, out)?,
            None => self.print_value(value, out)?,
        }
        match self.style.strings {
            Strings::Quoted | Strings::Raw => out.write_all(b"\n"),
            Strings::Joined => Ok(()),
            Strings::NulEnded => out.write_all(b"\0"),
        }
    }

    fn print_raw(&self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        if self.style.strings == Strings::NulEnded && text.contains('\0') {
            let what = "a string contains NUL, which ends an output of --raw-output0; use -r or -c";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        out.write_all(text.as_bytes())
    }

    fn print_value(&self, value: &Value, out: &mut dyn Write) -> io::Result<()> {
        if self.style.sequence {
            out.write_all(RECORD_SEPARATOR)?;
        }
        match &self.colors {
            _ if self.style.ascii => out.write_all(in_ascii(&self.laid_out(value, true)?).as_bytes()),
            Some(colors) => colors.write(value, &self.style.layout, out),
            None => document::write(value, &self.style.layout, out),
        }
    }

    fn laid_out(&self, value: &Value, in_color: bool) -> io::Result<String> {
        let mut text = Vec::new();
        match self.colors.as_ref().filter(|_| in_color) {
            Some(colors) => colors.write(value, &self.style.layout, &mut text)?,
            None => document::write(value, &self.style.layout, &mut text)?,
        }
        Ok(String::from_utf8(text).expect("JSON is UTF-8"))
    }
}

/// JSON with every other character as `\u` and four digits, in two halves where it takes them.
fn in_ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            let mut halves = [0; 2];
            ascii.extend(c.encode_utf16(&mut halves).iter().map(|half| format!("\\u{half:04x}")));
        }
    }
    ascii
}
