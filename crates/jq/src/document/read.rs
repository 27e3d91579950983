//! From text to values: documents, one level at a time, and jq's more lenient `fromjson`.

use super::check::{DocumentError, plain_run, survey, utf8, values};
use crate::value::{Array, MAX_DEPTH, Map, Raw, Str, Text, TextLayout, Value};
use std::{cell::RefCell, rc::Rc};

/// Reads a document: exactly one JSON value.
///
/// # Errors
/// What [`super::check()`] refuses, and texts of 4 GB and more.
pub fn parse(bytes: Vec<u8>) -> Result<Value, DocumentError> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => return Err(utf8(e.as_bytes()).expect_err("it is not UTF-8")),
    };
    let found = survey(&text)?;
    if u32::try_from(text.len()).is_err() {
        return Err(DocumentError::at(b"", 0, "documents of 4 GB and more are not supported"));
    }
    let text = Rc::new(Text::new(text, found.layout, found.depth));
    Ok(Reader { text: &text, at: found.start, level: 0 }.value())
}

/// Reads all documents of a text that holds any number of them, as strictly. A byte order mark before the first is passed
/// over.
///
/// # Errors
/// What [`super::check()`] refuses, but for there being none or several.
pub fn parse_all(bytes: &[u8]) -> Result<Vec<Value>, DocumentError> {
    let text = utf8(bytes)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    values(text)?.into_iter().map(|place| parse(text.as_bytes()[place].to_vec())).collect()
}

/// The outermost level of a slice, everything below still as text.
pub(crate) fn open(raw: &Raw) -> Value {
    let mut reader = Reader { text: &raw.text, at: raw.start as usize, level: raw.level };
    match raw.kind() {
        "array" => Value::array(reader.array()),
        _ => Value::object(reader.object()),
    }
}

/// Texts of up to this many bytes are scanned byte by byte. The faster search first asks the processor what it can do, ten
/// times, and in a virtual machine each of these questions is one to the hypervisor (CPUID: Intel SDM
/// vol. 3C, "Instructions That Cause VM Exits Unconditionally").
const SMALL: usize = 16 << 10;

/// Reads texts that were checked before.
struct Reader<'a> {
    text: &'a Rc<Text>,
    at: usize,
    /// how many arrays and objects are around the current place
    level: u32,
}

impl Reader<'_> {
    fn bytes(&self) -> &[u8] {
        self.text.as_str().as_bytes()
    }

    fn peek(&self) -> u8 {
        self.bytes()[self.at]
    }

    fn space(&mut self) {
        while self.peek() <= b' ' {
            self.at += 1;
        }
    }

    fn slice(&self, start: usize, end: usize) -> Str {
        Str::Slice { text: self.text.clone(), start: start as u32, end: end as u32 }
    }

    /// The value at the current place; arrays and objects are left closed.
    fn value(&mut self) -> Value {
        let start = self.at;
        match self.peek() {
            b'{' | b'[' => {
                self.at = self.end_of_container();
                let (start, end) = (start as u32, self.at as u32);
                Value::Raw(Rc::new(Raw::new(self.text.clone(), start, end, self.level)))
            }
            b'"' => Value::String(self.string()),
            b't' => self.word(4, Value::Bool(true)),
            b'f' => self.word(5, Value::Bool(false)),
            b'n' => self.word(4, Value::Null),
            _ => {
                let rest = &self.bytes()[start..];
                let in_number = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let len = rest.iter().position(|b| !in_number(b)).unwrap_or(rest.len());
                self.at += len;
                Value::number(self.slice(start, self.at))
            }
        }
    }

    fn word(&mut self, len: usize, value: Value) -> Value {
        self.at += len;
        value
    }

    fn string(&mut self) -> Str {
        let start = self.at + 1;
        let end = end_of_string(self.bytes(), start);
        self.at = end + 1;
        let body = &self.text.as_str()[start..end];
        if body.contains('\\') { unescape(body).into() } else { self.slice(start, end) }
    }

    fn key(&mut self) -> Str {
        let start = self.at + 1;
        let end = end_of_string(self.bytes(), start);
        let body = &self.text.as_str()[start..end];
        if body.len() > 32 || body.contains('\\') {
            return self.string();
        }
        self.at = end + 1;
        intern(body)
    }

    fn array(&mut self) -> Array {
        let mut items = Vec::new();
        self.at += 1;
        self.level += 1;
        loop {
            self.space();
            match self.peek() {
                b']' => break,
                b',' => self.at += 1,
                _ => items.push(self.value()),
            }
        }
        self.at += 1;
        self.level -= 1;
        items.into()
    }

    fn object(&mut self) -> Map {
        let mut map = Map::with_capacity(8);
        self.at += 1;
        self.level += 1;
        loop {
            self.space();
            match self.peek() {
                b'}' => break,
                b',' => self.at += 1,
                _ => {
                    let key = self.key();
                    self.space();
                    self.at += 1;
                    self.space();
                    let value = self.value();
                    map.insert(key, value);
                }
            }
        }
        self.at += 1;
        self.level -= 1;
        map
    }

    /// Where the array or object at the current place ends.
    fn end_of_container(&self) -> usize {
        let bytes = self.bytes();
        if matches!(bytes[self.at + 1], b'}' | b']') {
            return self.at + 2;
        }
        if self.text.layout() == TextLayout::Tidy && bytes.len() > SMALL {
            // Its last line is the first one that is indented as it is: raw line ends cannot
            // occur in strings.
            let close = if bytes[self.at] == b'{' { '}' } else { ']' };
            let line = format!("\n{}{close}", "  ".repeat(self.level as usize));
            let found = memchr::memmem::find(&bytes[self.at..], line.as_bytes());
            return self.at + found.expect("checked text closes what it opens") + line.len();
        }
        end_of_container(bytes, self.at)
    }
}

/// Where the string whose content starts at `at` has its closing quote.
pub(super) fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += plain_run(&bytes[at..]);
        match bytes[at] {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Where the array or object at `at` ends.
fn end_of_container(bytes: &[u8], mut at: usize) -> usize {
    let mut open = 0usize;
    loop {
        match bytes[at] {
            b'{' | b'[' => open += 1,
            b'}' | b']' => {
                open -= 1;
                if open == 0 {
                    return at + 1;
                }
            }
            b'"' => at = end_of_string(bytes, at + 1),
            _ => {}
        }
        at += 1;
    }
}

/// The same few keys occur again and again: they are shared.
fn intern(key: &str) -> Str {
    thread_local! {
        static KEYS: RefCell<Vec<Option<Rc<str>>>> = RefCell::new(vec![None; 256]);
    }
    let bytes = key.as_bytes();
    let mix = |h: usize, b: &u8| h.wrapping_mul(31).wrapping_add(*b as usize);
    let slot = bytes.iter().fold(bytes.len(), mix) % 256;
    KEYS.with_borrow_mut(|keys| match &keys[slot] {
        Some(known) if **known == *key => Str::Owned(known.clone()),
        _ => {
            let fresh: Rc<str> = key.into();
            keys[slot] = Some(fresh.clone());
            Str::Owned(fresh)
        }
    })
}

/// A checked string's content without its escapes.
pub fn unescape(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(i) = rest.find('\\') {
        out.push_str(&rest[..i]);
        let escape = rest.as_bytes()[i + 1];
        rest = &rest[i + 2..];
        out.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (c, len) = code_point(rest);
                rest = &rest[len..];
                c
            }
            other => other as char,
        });
    }
    out.push_str(rest);
    out
}

/// The character that four hexadecimal digits, or two such escapes, stand for.
fn code_point(rest: &str) -> (char, usize) {
    let unit = |s: &str| s.get(..4).and_then(|d| u32::from_str_radix(d, 16).ok());
    let high = unit(rest).unwrap_or(0xfffd);
    let second = || rest.get(4..).and_then(|r| r.strip_prefix("\\u")).and_then(unit);
    if let (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) = (high, second()) {
        let c = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(c).unwrap_or('\u{fffd}'), 10);
    }
    // Half a pair alone stands for no character.
    (char::from_u32(high).unwrap_or('\u{fffd}'), 4)
}

pub mod lenient {
    //! JSON as jq's own parser reads it: `nan`, numbers such as `.5` and `1.`, any white space.

    use super::*;

    /// Reads all values of a text.
    pub fn parse_many(text: &str) -> Result<Vec<Value>, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut parser = Parser { text, stack: Vec::new(), next: None, token: None, line: 1, column: 0 };
        let mut values = Vec::new();
        parser.all(&mut values).map(|()| values)
    }

    /// What is open around the current place.
    enum Open {
        Array(Vec<Value>),
        Object(Map),
        /// a member whose value is still to come
        Key(Str),
    }

    /// The same automaton as jq's, so that it finds the same fault at the same place.
    struct Parser<'a> {
        text: &'a str,
        stack: Vec<Open>,
        /// a finished value that nothing has taken yet
        next: Option<Value>,
        /// where the current literal started
        token: Option<usize>,
        line: usize,
        column: usize,
    }

    type Step<T = ()> = Result<T, &'static str>;

    impl Parser<'_> {
        fn all(&mut self, values: &mut Vec<Value>) -> Result<(), String> {
            let bytes = self.text.as_bytes();
            let mut at = 0;
            while at < bytes.len() {
                let place = |p: &Self, what: &str| format!("{what} at line {}, column {}", p.line, p.column);
                let byte = bytes[at];
                self.count(byte);
                match byte {
                    b' ' | b'\t' | b'\r' | b'\n' => {
                        self.end_literal(at).map_err(|e| place(self, e))?;
                    }
                    b'"' => {
                        self.end_literal(at).map_err(|e| place(self, e))?;
                        let end = self.end_of_string(at)?;
                        self.string(at + 1, end).map_err(|e| place(self, e))?;
                        at = end;
                    }
                    b'[' | b'{' | b':' | b',' | b']' | b'}' => {
                        self.end_literal(at).map_err(|e| place(self, e))?;
                        self.structure(byte).map_err(|e| place(self, e))?;
                    }
                    _ => _ = self.token.get_or_insert(at),
                }
                at += 1;
                self.take_finished(values);
            }
            let place = |p: &Self, what: &str| format!("{what} at EOF at line {}, column {}", p.line, p.column);
            self.end_literal(at).map_err(|e| place(self, e))?;
            if !self.stack.is_empty() {
                return Err(place(self, "Unfinished JSON term"));
            }
            self.take_finished(values);
            Ok(())
        }

        fn count(&mut self, byte: u8) {
            self.column += 1;
            if byte == b'\n' {
                self.line += 1;
                self.column = 0;
            }
        }

        fn take_finished(&mut self, values: &mut Vec<Value>) {
            if self.stack.is_empty() {
                values.extend(self.next.take());
            }
        }

        fn value(&mut self, value: Value) -> Step {
            if self.next.is_some() {
                return Err("Expected separator between values");
            }
            self.next = Some(value);
            Ok(())
        }

        fn structure(&mut self, byte: u8) -> Step {
            match byte {
                b'[' | b'{' => {
                    if self.stack.iter().filter(|o| !matches!(o, Open::Key(_))).count() >= MAX_DEPTH as usize {
                        return Err("Exceeds depth limit for parsing");
                    }
                    if self.next.is_some() {
                        return Err("Expected separator between values");
                    }
                    self.stack.push(match byte {
                        b'[' => Open::Array(Vec::new()),
                        _ => Open::Object(Map::default()),
                    });
                }
                b':' => {
                    if !matches!(self.stack.last(), Some(Open::Object(_))) {
                        return Err("':' not as part of an object");
                    }
                    match self.next.take() {
                        None => return Err("Expected string key before ':'"),
                        Some(Value::String(key)) => self.stack.push(Open::Key(key)),
                        Some(_) => return Err("Object keys must be strings"),
                    }
                }
                b',' => {
                    let Some(value) = self.next.take() else { return Err("Expected value before ','") };
                    match self.stack.last_mut() {
                        None => return Err("Expected value before ','"),
                        Some(Open::Array(items)) => items.push(value),
                        Some(Open::Key(_)) => self.member(value),
                        Some(Open::Object(_)) => return Err("Objects must consist of key:value pairs"),
                    }
                }
                b']' => {
                    let Some(Open::Array(items)) = self.stack.last_mut() else { return Err("Unmatched ']'") };
                    match self.next.take() {
                        Some(value) => items.push(value),
                        None if !items.is_empty() => return Err("Expected another array element"),
                        None => {}
                    }
                    let items = std::mem::take(items);
                    self.stack.pop();
                    self.next = Some(Value::array(items));
                }
                _ => {
                    match (self.next.take(), self.stack.last()) {
                        (_, None) => return Err("Unmatched '}'"),
                        (Some(value), Some(Open::Key(_))) => self.member(value),
                        (Some(_), _) => return Err("Objects must consist of key:value pairs"),
                        (None, Some(Open::Object(map))) if map.is_empty() => {}
                        (None, Some(Open::Object(_))) => return Err("Expected another key-value pair"),
                        (None, _) => return Err("Unmatched '}'"),
                    }
                    if let Some(Open::Object(map)) = self.stack.pop() {
                        self.next = Some(Value::object(map));
                    }
                }
            }
            Ok(())
        }

        /// The value of the member whose key is on top.
        fn member(&mut self, value: Value) {
            if let (Some(Open::Key(key)), Some(Open::Object(map))) = (self.stack.pop(), self.stack.last_mut()) {
                map.insert(key, value);
            }
        }

        /// Where the string that starts at `open` has its closing quote.
        fn end_of_string(&mut self, open: usize) -> Result<usize, String> {
            let bytes = self.text.as_bytes();
            let mut escaped = false;
            for (i, byte) in bytes.iter().enumerate().skip(open + 1) {
                self.count(*byte);
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => return Ok(i),
                    _ => {}
                }
            }
            Err(format!("Unfinished string at EOF at line {}, column {}", self.line, self.column))
        }

        fn string(&mut self, start: usize, end: usize) -> Step {
            let body = &self.text[start..end];
            let mut rest = body.as_bytes();
            while let [byte, tail @ ..] = rest {
                rest = tail;
                match byte {
                    0..=0x1f => {
                        return Err("Invalid string: control characters from U+0000 through U+001F must be escaped");
                    }
                    b'\\' => match tail {
                        [b'u', digits @ ..] => {
                            let good = digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_hexdigit);
                            if !good {
                                return Err("Invalid escape");
                            }
                            rest = &tail[5..];
                        }
                        [c, ..] if b"\"\\/bfnrt".contains(c) => rest = &tail[1..],
                        _ => return Err("Invalid escape"),
                    },
                    _ => {}
                }
            }
            self.value(Value::String(unescape(body).into()))
        }

        /// Ends a run of characters between delimiters: `true`, `nan`, a number.
        fn end_literal(&mut self, end: usize) -> Step {
            let Some(start) = self.token.take() else { return Ok(()) };
            let word = &self.text[start..end];
            let value = match word.as_bytes()[0] {
                b't' if word == "true" => Value::Bool(true),
                b'f' if word == "false" => Value::Bool(false),
                b'n' if word == "nan" => Value::Number(f64::NAN),
                b'n' if word == "null" => Value::Null,
                // jq takes what begins as `nan` might for a number.
                b'n' if !word.starts_with("nul") => return Err("Invalid numeric literal"),
                b't' | b'f' | b'n' => return Err("Invalid literal"),
                b'\'' => return Err("Invalid string literal; expected \", but got '"),
                _ => number(word).ok_or("Invalid numeric literal")?,
            };
            self.value(value)
        }
    }

    /// A number as C reads it.
    pub fn number(word: &str) -> Option<Value> {
        let body = word.strip_prefix(['-', '+']).unwrap_or(word);
        let sign = if word.starts_with('-') { -1.0 } else { 1.0 };
        if body.eq_ignore_ascii_case("nan") {
            return Some(Value::Number(f64::NAN));
        }
        if body.eq_ignore_ascii_case("infinity") || body.eq_ignore_ascii_case("inf") {
            return Some(Value::Number(sign * f64::INFINITY));
        }
        let (mantissa, exponent) = match body.split_once(['e', 'E']) {
            Some((m, e)) => (m, Some(e.strip_prefix(['-', '+']).unwrap_or(e))),
            None => (body, None),
        };
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let good = digits(whole)
            && digits(fraction)
            && !(whole.is_empty() && fraction.is_empty())
            && exponent.is_none_or(|e| !e.is_empty() && digits(e));
        if !good {
            return None;
        }
        let word = word.strip_prefix('+').unwrap_or(word);
        if crate::value::number::is_plain_integer(word) {
            return Some(Value::number(word.into()));
        }
        // Only documents keep a number's very text.
        Some(crate::value::number::literal(word))
    }
}
