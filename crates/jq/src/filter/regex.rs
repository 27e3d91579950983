//! Regular expressions: jq has Oniguruma's, here they run on fancy-regex.

use super::natives::{Outcome, fail};
use crate::value::{Failure, Map, Str, Value};
use fancy_regex::Regex;
use std::{cell::RefCell, rc::Rc};

#[derive(Clone, Copy, Default, PartialEq)]
struct Flags {
    global: bool,
    ignore_case: bool,
    extended: bool,
    dot_all: bool,
    not_empty: bool,
    longest: bool,
}

fn flags(v: &Value) -> Result<Flags, Failure> {
    let mut flags = Flags::default();
    let text = match v {
        Value::Null => return Ok(flags),
        Value::String(s) => s,
        other => return other.fail_alone("is not a string"),
    };
    for c in text.chars() {
        match c {
            'g' => flags.global = true,
            'i' => flags.ignore_case = true,
            'x' => flags.extended = true,
            's' => {}
            'p' => flags.dot_all = true,
            'n' => flags.not_empty = true,
            'l' => flags.longest = true,
            _ => return fail(format!("{} is not a valid modifier string", text.as_str())),
        }
    }
    Ok(flags)
}

/// A compiled expression with the names of its groups.
struct Compiled {
    regex: Regex,
    names: Vec<Option<String>>,
}

/// Compiles an expression, or takes it from the few that were used last.
fn compile(pattern: &str, flags: Flags) -> Result<Rc<Compiled>, Failure> {
    type Cache = Vec<(String, Flags, Rc<Compiled>)>;
    thread_local! {
        static CACHE: RefCell<Cache> = const { RefCell::new(Vec::new()) };
    }
    let hit = CACHE.with_borrow(|c| c.iter().find(|(p, f, _)| p == pattern && *f == flags).map(|(.., r)| r.clone()));
    if let Some(hit) = hit {
        return Ok(hit);
    }
    let mut modes = String::new();
    for (on, mode) in [(flags.ignore_case, 'i'), (flags.extended, 'x'), (flags.dot_all, 's')] {
        if on {
            modes.push(mode);
        }
    }
    let mut text = translate(pattern);
    if !modes.is_empty() {
        text = format!("(?{modes}){text}");
    }
    let regex = match Regex::new(&text) {
        Ok(regex) => regex,
        Err(e) => return fail(format!("Regex failure: {}", complaint(&e))),
    };
    let names = regex.capture_names().map(|n| n.map(str::to_owned)).collect();
    let compiled = Rc::new(Compiled { regex, names });
    CACHE.with_borrow_mut(|c| {
        if c.len() >= 32 {
            c.remove(0);
        }
        c.push((pattern.into(), flags, compiled.clone()));
    });
    Ok(compiled)
}

/// Oniguruma's words for what is wrong.
fn complaint(e: &fancy_regex::Error) -> String {
    let text = e.to_string();
    let known = [
        ("Invalid character class", "premature end of char-class"),
        ("Target of repeat operator is invalid", "target of repeat operator is not specified"),
        ("Backslash without following", "end pattern at escape"),
        ("invalid repetition count range", "upper is smaller than lower in repeat range"),
        ("Invalid back reference", "invalid backref number/name"),
        ("Invalid group name", "group name is empty"),
        ("General parsing error", "undefined group option"),
        ("unclosed group", "end pattern with unmatched parenthesis"),
        ("paren", "end pattern with unmatched parenthesis"),
        ("unclosed character class", "premature end of char-class"),
        ("InvalidClass", "premature end of char-class"),
        ("repetition operator", "target of repeat operator is not specified"),
        ("TargetNotRepeatable", "target of repeat operator is invalid"),
    ];
    let lower = text.to_lowercase();
    let found = known.iter().find(|(ours, _)| lower.contains(&ours.to_lowercase()));
    found.map_or(text, |(_, theirs)| (*theirs).into())
}

/// Where Oniguruma's syntax means something else: `$` also stands before a last line end.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut classes = 0;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let next = chars.next();
                match next {
                    // Only Ruby's syntax has classes of hexadecimal digits.
                    Some(letter @ ('h' | 'H')) => out.push(letter),
                    Some('Z') => out.push_str("(?=\\n?\\z)"),
                    _ => {
                        out.push(c);
                        out.extend(next);
                    }
                }
            }
            '[' => {
                classes += 1;
                out.push(c);
            }
            ']' if classes > 0 => {
                classes -= 1;
                out.push(c);
            }
            '$' if classes == 0 => out.push_str("(?=\\n?\\z)"),
            c => out.push(c),
        }
    }
    out
}

/// All matches with their groups, or whether there is one.
pub fn matches(input: &Value, pattern: &Value, flag: &Value, test: bool) -> Outcome {
    let Value::String(s) = input else {
        return input.fail_alone("cannot be matched, as it is not a string");
    };
    let Value::String(pattern) = pattern else {
        return pattern.fail_alone("is not a string");
    };
    let flags = flags(flag)?;
    let compiled = compile(pattern, flags)?;
    let failed = |e: fancy_regex::Error| Value::from(format!("Regex failure: {e}"));
    if test && !flags.not_empty {
        return Ok(Value::Bool(compiled.regex.is_match(s.as_str()).map_err(failed)?));
    }
    let mut found = Vec::new();
    let mut points = Points { text: s, byte: 0, point: 0 };
    let mut at = 0;
    while at <= s.len() {
        let Some(captures) = compiled.regex.captures_from_pos(s.as_str(), at).map_err(failed)? else {
            break;
        };
        let whole = captures.get(0).expect("group 0 is the match");
        let empty = whole.end() == whole.start();
        if !(empty && flags.not_empty) {
            if test {
                return Ok(Value::Bool(true));
            }
            found.push(describe(s, &captures, &compiled.names, &mut points));
            if !flags.global {
                break;
            }
        }
        at = match empty {
            true => whole.end() + s[whole.end()..].chars().next().map_or(1, char::len_utf8),
            false => whole.end(),
        };
    }
    Ok(if test { Value::Bool(false) } else { Value::array(found) })
}

/// Byte offsets to code points, quick for growing offsets.
struct Points<'s> {
    text: &'s str,
    byte: usize,
    point: usize,
}

impl Points<'_> {
    fn at(&mut self, byte: usize) -> usize {
        if byte < self.byte {
            (self.byte, self.point) = (0, 0);
        }
        self.point += self.text[self.byte..byte].chars().count();
        self.byte = byte;
        self.point
    }
}

fn describe(
    s: &Str,
    captures: &fancy_regex::Captures<'_, str>,
    names: &[Option<String>],
    points: &mut Points<'_>,
) -> Value {
    // The order of the members is jq's: another one for groups without text.
    let mut place = |m: Option<fancy_regex::Match<'_>>, group: bool| {
        let mut map = Map::with_capacity(4);
        let blank = group && m.is_none_or(|m| m.start() == m.end());
        let (offset, length, text) = match m {
            None => (Value::Number(-1.0), Value::Number(0.0), Value::Null),
            Some(m) => {
                let part = &s.as_str()[m.start()..m.end()];
                let text = Value::String(s.slice(part));
                (Value::from(points.at(m.start())), Value::from(part.chars().count()), text)
            }
        };
        map.insert("offset".into(), offset);
        if blank {
            map.insert("string".into(), text);
            map.insert("length".into(), length);
        } else {
            map.insert("length".into(), length);
            map.insert("string".into(), text);
        }
        map
    };
    let mut whole = place(captures.get(0), false);
    let groups = (1..captures.len()).map(|i| {
        let mut group = place(captures.get(i), true);
        let name = names.get(i).and_then(|n| n.as_deref());
        group.insert("name".into(), name.map_or(Value::Null, Value::from));
        Value::object(group)
    });
    whole.insert("captures".into(), groups.collect());
    Value::object(whole)
}
