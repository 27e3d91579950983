//! From checked text to values, one level at a time: deeper levels stay text until they are looked into.

use super::{Array, Map, Raw, Str, Text, Value};
use crate::json::{TextLayout, end_of_string, unescape};
use std::{cell::RefCell, rc::Rc};

/// The value that begins at a byte of a checked text.
pub(crate) fn read(text: &Rc<Text>, start: usize) -> Value {
    Reader { text, at: start, level: 0 }.value()
}

/// The outermost level of a slice, everything below still as text.
pub(super) fn open(raw: &Raw) -> Value {
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
