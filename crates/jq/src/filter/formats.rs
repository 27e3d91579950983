//! `@csv`, `@uri` and the other formats.

use super::builtin::{Builtin, Outcome, fail, plain, unary};
use crate::document::to_text;
use crate::value::Value;
use memlatch_os::text::in_quotes;
use std::{borrow::Cow, fmt::Write};

#[rustfmt::skip]
pub static BUILTINS: &[Builtin] = &[
    unary!("format_as", named).internal(),
    plain!("@csv", csv),
    plain!("@tsv", tsv),
    plain!("@html", html),
    plain!("@uri", uri),
    plain!("@urid", from_uri),
    plain!("@sh", sh),
    plain!("@base64", base64),
    plain!("@base64d", from_base64),
];

fn text(v: &Value) -> String {
    v.as_str().map_or_else(|| to_text(v), str::to_owned)
}

/// `format("csv")`.
pub fn named(v: Value, name: Value) -> Outcome {
    let Some(name) = name.as_str() else {
        return name.fail_alone("is not a valid format");
    };
    match name {
        "text" => Ok(Value::from(text(&v))),
        "json" => Ok(Value::from(to_text(&v))),
        "csv" => csv(v),
        "tsv" => tsv(v),
        "html" => html(v),
        "uri" => uri(v),
        "urid" => from_uri(v),
        "sh" => sh(v),
        "base64" => base64(v),
        "base64d" => from_base64(v),
        other => fail(format!("{other} is not a valid format")),
    }
}

fn row(v: &Value, format: &str, separator: &str, quote: fn(&str) -> String) -> Outcome {
    let Some(fields) = v.as_array() else {
        return v.fail_alone(&format!("cannot be {format}-formatted, only array"));
    };
    let mut line = String::new();
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            line.push_str(separator);
        }
        match field {
            Value::Null => {}
            Value::Bool(b) => _ = write!(line, "{b}"),
            Value::Number(x) if x.is_nan() => {}
            Value::Number(_) | Value::Literal(_) => line.push_str(&to_text(field)),
            Value::String(s) => line.push_str(&quote(s)),
            // jq says so of tsv as well.
            other => return other.fail_alone("is not valid in a csv row"),
        }
    }
    Ok(Value::from(line))
}

/// NUL is written as `\0`, as jq does: no program takes it in an argument, and few in a field.
fn without_nul(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\\0")),
        false => Cow::Borrowed(text),
    }
}

pub fn csv(v: Value) -> Outcome {
    row(&v, "csv", ",", |s| format!("\"{}\"", without_nul(&s.replace('"', "\"\""))))
}

pub fn tsv(v: Value) -> Outcome {
    row(&v, "tsv", "\t", |s| {
        let line = s.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r");
        without_nul(&line).into_owned()
    })
}

pub fn html(v: Value) -> Outcome {
    let mut out = String::new();
    for c in text(&v).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&apos;"),
            '"' => out.push_str("&quot;"),
            '\0' => out.push_str("\\0"),
            c => out.push(c),
        }
    }
    Ok(Value::from(out))
}

pub fn sh(v: Value) -> Outcome {
    let items: Vec<Value> = match v.as_array() {
        Some(items) => items.to_vec(),
        None => vec![v],
    };
    let mut words = Vec::new();
    for item in &items {
        words.push(match item {
            Value::String(s) => in_quotes(&without_nul(s)),
            Value::Array(_) | Value::Object(_) | Value::Raw(_) => {
                return item.fail_alone("can not be escaped for shell");
            }
            other => to_text(other),
        });
    }
    Ok(Value::from(words.join(" ")))
}

pub fn uri(v: Value) -> Outcome {
    let mut out = String::new();
    for b in text(&v).bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(b as char),
            b => _ = write!(out, "%{b:02X}"),
        }
    }
    Ok(Value::from(out))
}

pub fn from_uri(v: Value) -> Outcome {
    let s = text(&v);
    let invalid = || Value::from(s.as_str()).fail_alone("is not a valid uri encoding");
    let mut out = Vec::new();
    let mut rest = s.as_bytes();
    while let [b, tail @ ..] = rest {
        rest = tail;
        if *b != b'%' {
            out.push(*b);
            continue;
        }
        let digit = |b: u8| (b as char).to_digit(16);
        match tail {
            [h, l, after @ ..] => match (digit(*h), digit(*l)) {
                (Some(h), Some(l)) => {
                    out.push((h * 16 + l) as u8);
                    rest = after;
                }
                _ => return invalid(),
            },
            _ => return invalid(),
        }
    }
    String::from_utf8(out).map_or_else(|_| invalid(), |s| Ok(Value::from(s)))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn base64(v: Value) -> Outcome {
    let text = text(&v);
    let mut out = String::with_capacity(text.len().div_ceil(3) * 4);
    for chunk in text.as_bytes().chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            match i <= chunk.len() {
                true => out.push(ALPHABET[(bits >> (18 - 6 * i)) as usize & 63] as char),
                false => out.push('='),
            }
        }
    }
    Ok(Value::from(out))
}

/// The value of each byte of base64; 64 for bytes outside of the alphabet.
const SIXES: [u8; 256] = {
    let mut sixes = [64; 256];
    let mut i = 0;
    while i < ALPHABET.len() {
        sixes[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    sixes
};

pub fn from_base64(v: Value) -> Outcome {
    let s = text(&v);
    let body = s.trim_end_matches('=').as_bytes();
    let mut out = Vec::with_capacity(body.len() / 4 * 3 + 3);
    for chunk in body.chunks(4) {
        let sixes = chunk.iter().map(|byte| SIXES[usize::from(*byte)]);
        if sixes.clone().any(|six| six == 64) {
            return Value::from(s).fail_alone("is not valid base64 data");
        }
        // Missing ones are zeros: 24 bits, of which as many bytes count as are whole.
        let bits = sixes.enumerate().fold(0u32, |bits, (i, six)| bits | u32::from(six) << (18 - 6 * i));
        let whole = chunk.len() * 6 / 8;
        out.extend_from_slice(&bits.to_be_bytes()[1..1 + whole]);
    }
    if body.len() % 4 == 1 {
        return Value::from(s).fail_alone("trailing base64 byte found");
    }
    Ok(Value::from(String::from_utf8(out).unwrap_or_else(|e| as_text(e.as_bytes()))))
}

/// Bytes as text, with U+FFFD where jq puts it: once for a character that is cut off at the end, with all that is left,
/// and once for three or four bytes that look like a character and are none. `String::from_utf8_lossy` counts
/// otherwise, as Unicode recommends.
fn as_text(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    while let Some(&first) = bytes.first() {
        let length = match first {
            0x00..=0x7f => 1,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 0,
        };
        let whole = bytes.get(..length.max(1)).unwrap_or(bytes);
        let is_cut = whole.len() < length;
        let follow = whole.iter().skip(1).take_while(|byte| **byte & 0xc0 == 0x80).count();
        let (taken, rest) = bytes.split_at(if is_cut { bytes.len() } else { follow + 1 });
        text.push_str(std::str::from_utf8(taken).unwrap_or("\u{fffd}"));
        bytes = rest;
    }
    text
}
