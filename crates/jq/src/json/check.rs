//! The strict check of a document's text: one pass, no recursion, no tree.
//!
//! On the way it finds out how close the text is to what the writer would print, which decides
//! whether parts that no filter touches can later be copied as they are.

use super::string::plain_run;
use super::{MAX_DEPTH, TextLayout};
use std::{fmt, ops::Range};

/// Why a text is not one JSON value, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    pub line: usize,
    pub column: usize,
    pub what: String,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {}, column {}", self.what, self.line, self.column)
    }
}

impl std::error::Error for DocumentError {}

impl DocumentError {
    /// An error at a byte of the text; the column counts characters.
    pub(crate) fn at(text: &[u8], place: usize, what: impl Into<String>) -> Self {
        let before = &text[..place.min(text.len())];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let column = 1 + String::from_utf8_lossy(&before[start..]).chars().count();
        Self { line, column, what: what.into() }
    }
}

/// Checks that the bytes are exactly one JSON value in UTF-8.
pub fn check(bytes: &[u8]) -> Result<(), DocumentError> {
    survey(utf8(bytes)?).map(|_| ())
}

pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, DocumentError> {
    std::str::from_utf8(bytes).map_err(|e| DocumentError::at(bytes, e.valid_up_to(), "invalid UTF-8"))
}

/// What the check found out about a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Survey {
    pub layout: TextLayout,
    pub depth: u32,
    /// where the value starts
    pub start: usize,
}

/// Checks a text and describes it.
pub(crate) fn survey(text: &str) -> Result<Survey, DocumentError> {
    let bytes = text.as_bytes();
    let start = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let mut checker =
        Checker { bytes, at: start, frames: Vec::new(), hashes: Vec::new(), deepest: 0, plain: true, tidy: true };
    match checker.document() {
        Ok(start) => Ok(Survey {
            layout: match (checker.plain, checker.tidy) {
                (true, true) => TextLayout::Tidy,
                (true, false) => TextLayout::Plain,
                (false, _) => TextLayout::Free,
            },
            depth: checker.deepest,
            start,
        }),
        Err(what) => Err(DocumentError::at(bytes, checker.at, what)),
    }
}

/// Where the values of a text lie that is nothing but JSON values with white space between them.
pub(crate) fn values(text: &str) -> Result<Vec<Range<usize>>, DocumentError> {
    let bytes = text.as_bytes();
    let mut checker =
        Checker { bytes, at: 0, frames: Vec::new(), hashes: Vec::new(), deepest: 0, plain: true, tidy: true };
    let mut values = Vec::new();
    loop {
        checker.space();
        let start = checker.at;
        if start == bytes.len() {
            return Ok(values);
        }
        checker.value().map_err(|what| DocumentError::at(bytes, checker.at, what))?;
        values.push(start..checker.at);
    }
}

/// An array or object that is not closed yet.
struct Frame {
    object: bool,
    /// the first of this object's keys in `hashes`
    first_key: usize,
    /// one bit for every key so far; a second hit calls for a closer look
    seen: u64,
    suspicious: bool,
}

struct Checker<'a> {
    bytes: &'a [u8],
    at: usize,
    frames: Vec<Frame>,
    hashes: Vec<u64>,
    deepest: u32,
    plain: bool,
    tidy: bool,
}

type Step<T = ()> = Result<T, String>;

impl Checker<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn document(&mut self) -> Step<usize> {
        self.space();
        let start = self.at;
        self.value()?;
        self.space();
        match self.at < self.bytes.len() {
            true => Err(format!("unexpected {} after the value", self.found())),
            false => Ok(start),
        }
    }

    /// The character at the current place, for messages.
    fn found(&self) -> String {
        let rest = &self.bytes[self.at..];
        match String::from_utf8_lossy(&rest[..rest.len().min(4)]).chars().next() {
            None => "end of text".into(),
            Some(c) if c.is_control() => format!("character U+{:04X}", c as u32),
            Some(c) => format!("'{c}'"),
        }
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// White space where the writer starts a line.
    fn line_gap(&mut self, level: usize) {
        let before = self.at;
        if self.tidy && self.peek() == b'\n' {
            let next = before + 1 + 2 * level;
            let spaces = self.bytes.get(before + 1..next);
            if spaces.is_some_and(|s| s.iter().all(|b| *b == b' ')) {
                self.at = next;
                if self.peek() > b' ' {
                    return;
                }
            }
        }
        self.tidy = false;
        self.at = before;
        self.space();
    }

    /// One value with all that is in it.
    fn value(&mut self) -> Step {
        loop {
            match self.peek() {
                b'{' => {
                    if self.open(true)? {
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    if self.open(false)? {
                        continue;
                    }
                }
                b'"' => _ = self.string()?,
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => return Err(format!("expected a value, found {}", self.found())),
            }
            if self.after_value()? {
                return Ok(());
            }
        }
    }

    /// What follows a value; true if it was the last one.
    fn after_value(&mut self) -> Step<bool> {
        loop {
            let level = self.frames.len();
            let Some(frame) = self.frames.last() else {
                return Ok(true);
            };
            let object = frame.object;
            if self.peek() == b',' {
                self.at += 1;
                self.line_gap(level);
                if object {
                    self.key()?;
                }
                return Ok(false);
            }
            let before = self.at;
            self.line_gap(level - 1);
            match (self.peek(), object) {
                (b'}', true) | (b']', false) => {
                    self.at += 1;
                    self.close();
                }
                (b',', _) => self.tidy = false,
                (_, true) => {
                    return Err(format!("expected ',' or '}}', found {}", self.found()));
                }
                (_, false) => {
                    return Err(format!("expected ',' or ']', found {}", self.found()));
                }
            }
            debug_assert!(self.at > before);
        }
    }

    /// Opens an array or object; false if it is empty and so closed again.
    fn open(&mut self, object: bool) -> Step<bool> {
        self.at += 1;
        let depth = self.frames.len() as u32 + 1;
        self.deepest = self.deepest.max(depth);
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let close = if object { b'}' } else { b']' };
        if self.peek() == close {
            self.at += 1;
            return Ok(false);
        }
        self.line_gap(depth as usize);
        if self.peek() == close {
            self.tidy = false;
            self.at += 1;
            return Ok(false);
        }
        let first_key = self.hashes.len();
        self.frames.push(Frame { object, first_key, seen: 0, suspicious: false });
        Ok(true)
    }

    fn close(&mut self) {
        let frame = self.frames.pop().expect("a frame is open");
        if frame.suspicious {
            let keys = &mut self.hashes[frame.first_key..];
            keys.sort_unstable();
            self.plain &= keys.windows(2).all(|w| w[0] != w[1]);
        }
        self.hashes.truncate(frame.first_key);
    }

    fn key(&mut self) -> Step {
        if self.peek() != b'"' {
            return Err(format!("expected a key in quotes, found {}", self.found()));
        }
        let start = self.at + 1;
        let end = self.string()?;
        if self.plain {
            let hash = hash(&self.bytes[start..end]);
            let bit = 1 << (hash >> 58);
            let frame = self.frames.last_mut().expect("keys stand in objects");
            frame.suspicious |= frame.seen & bit != 0;
            frame.seen |= bit;
            self.hashes.push(hash);
        }
        if self.bytes[self.at..].starts_with(b": ") && self.bytes.get(self.at + 2) > Some(&b' ') {
            self.at += 2;
            return Ok(());
        }
        self.tidy = false;
        self.space();
        if self.peek() != b':' {
            return Err(format!("expected ':', found {}", self.found()));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// A string; gives the place of its closing quote.
    fn string(&mut self) -> Step<usize> {
        self.at += 1;
        loop {
            self.at += plain_run(&self.bytes[self.at..]);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(self.at - 1);
                }
                Some(b'\\') => self.escape()?,
                Some(0x7f) => {
                    // Printed as an escape.
                    self.plain = false;
                    self.at += 1;
                }
                Some(_) => return Err(format!("unescaped {} in a string", self.found())),
                None => return Err("expected '\"', found end of text".into()),
            }
        }
    }

    fn escape(&mut self) -> Step {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'/') => {
                self.plain = false;
                self.at += 2;
            }
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).unwrap_or_default();
                if digits.len() < 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err("expected four hexadecimal digits after '\\u'".into());
                }
                self.plain &= is_printed_escape(digits);
                self.at += 6;
            }
            _ => return Err("unknown escape in a string".into()),
        }
        Ok(())
    }

    fn digits(&mut self) -> Step {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        match self.at > start {
            true => Ok(()),
            false => Err(format!("expected a digit, found {}", self.found())),
        }
    }

    fn number(&mut self) -> Step {
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        match self.peek() {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'_' | b'+' | b'-' => {
                Err(format!("unexpected {} in a number", self.found()))
            }
            _ => Ok(()),
        }
    }

    fn word(&mut self, word: &str) -> Step {
        let rest = &self.bytes[self.at..];
        let followed = rest.get(word.len()).is_some_and(u8::is_ascii_alphanumeric);
        if !rest.starts_with(word.as_bytes()) || followed {
            return Err(format!("expected a value, found {}", self.found()));
        }
        self.at += word.len();
        Ok(())
    }
}

/// True for `\u` escapes that the writer prints too: control characters without a short escape.
fn is_printed_escape(digits: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(digits) else {
        return false;
    };
    let lower = !digits.iter().any(u8::is_ascii_uppercase);
    let code = u32::from_str_radix(text, 16).unwrap_or(u32::MAX);
    lower && matches!(code, 0..=7 | 0xb | 0xe..=0x1f | 0x7f)
}

fn hash(key: &[u8]) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut h = key.len() as u64;
    let mut chunks = key.chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("chunks of eight"));
        h = (h ^ word).wrapping_mul(K).rotate_left(29);
    }
    for b in chunks.remainder() {
        h = (h ^ u64::from(*b)).wrapping_mul(K).rotate_left(29);
    }
    h.wrapping_mul(K)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(text: &str) -> TextLayout {
        survey(text).unwrap().layout
    }

    #[test]
    fn the_layout_is_recognised() {
        assert_eq!(layout("{\n  \"a\": [\n    1,\n    {}\n  ]\n}\n"), TextLayout::Tidy);
        assert_eq!(layout("{\n  \"a\": [ ]\n}"), TextLayout::Plain);
        assert_eq!(layout("{\"a\":1}"), TextLayout::Plain);
        assert_eq!(layout("{\n  \"a\": 1,\n  \"a\": 2\n}"), TextLayout::Free);
        assert_eq!(layout("\"\\u00e9\""), TextLayout::Free);
        assert_eq!(layout("\"\\u001f\\n\""), TextLayout::Tidy);
        assert_eq!(layout("\"a\\/b\""), TextLayout::Free);
        assert_eq!(layout("[\n  1 ,\n  2\n]"), TextLayout::Plain);
        assert_eq!(layout("[\n  1\n ]"), TextLayout::Plain);
    }

    #[test]
    fn what_is_not_one_json_value_is_refused() {
        for text in [
            "",
            " ",
            "[1,]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{,}",
            "nan",
            "NaN",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\n\"",
            "1 2",
            "[] []",
            "tru",
            "nullx",
            "// x\n1",
            "[1]]",
            "{\"a\":1,}",
            "1_000",
            "\u{feff}",
            "{]",
            "[}",
            "[",
        ] {
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
        assert!(check(b"\"\xff\"").is_err());
        assert!(check("\u{feff}1".as_bytes()).is_ok());
    }

    #[test]
    fn an_error_says_where() {
        let e = check("{\n  \"é\": tru\n}".as_bytes()).unwrap_err();
        assert_eq!((e.line, e.column), (2, 8));
    }

    #[test]
    fn depth_is_limited() {
        let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(check(deep(10_000).as_bytes()).is_ok());
        assert!(check(deep(10_001).as_bytes()).is_err());
    }
}
