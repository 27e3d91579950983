//! JSON as jq's own parser reads it: `nan`, numbers such as `.5` and `1.`, any white space.

use crate::json::{MAX_DEPTH, unescape};
use crate::value::{Map, Str, Value, number as numbers};

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
    if numbers::is_plain_integer(word) {
        return Some(Value::number(word.into()));
    }
    // Only documents keep a number's very text.
    Some(numbers::literal(word))
}
