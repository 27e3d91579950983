//! Regular expressions: what a match becomes in the language.
//!
//! `pattern` is the engine. Text is cut by bytes; characters are counted, from one match to the next, only where
//! a result tells an offset. So everything here takes time in proportion to the text and its matches.

mod pattern;

use super::builtin::{Builtin, Outcome, Param, any, fail, give, one};
use super::engine::{Cv, Outputs};
use crate::value::{self, Failure, Map, Str, Value};
use jaq_core::ValX;
use jaq_core::box_iter::box_once;
use pattern::{Flags, Matches, Pattern};
use std::rc::Rc;

/// Functions of one argument take a pattern, or a list of a pattern and its flags.
#[rustfmt::skip]
pub static BUILTINS: &[Builtin] = &[
    one("test", &[Param::Value], |cv| give(with_one_argument(cv).and_then(Call::test))),
    any("match", &[Param::Value], |cv| each(with_one_argument(cv).and_then(Call::matches))),
    any("capture", &[Param::Value], |cv| each(with_one_argument(cv).and_then(Call::captures))),
    one("test_for", TEXT_AND_FLAGS, |cv| give(with_flags(cv).and_then(Call::test))).internal(),
    one("matches_of", TEXT_AND_FLAGS, |cv| give(with_flags(cv).and_then(Call::matches))).internal(),
    one("captures_of", TEXT_AND_FLAGS, |cv| give(with_flags(cv).and_then(Call::captures))).internal(),
    one("scanned_for", TEXT_AND_FLAGS, |cv| give(with_flags(cv).and_then(Call::scan))).internal(),
    one("split_at", TEXT_AND_FLAGS, |cv| give(with_flags(cv).and_then(Call::split))).internal(),
    any("substitute", &[Param::Value, Param::Filter, Param::Value], sub).internal(),
];

const TEXT_AND_FLAGS: &[Param] = &[Param::Value, Param::Value];

/// A text, and what to look for in it.
struct Call {
    text: Str,
    pattern: Rc<Pattern>,
    flags: Flags,
}

fn with_flags(mut cv: Cv<'_>) -> Result<Call, Failure> {
    let flags = cv.0.pop_var();
    let pattern = cv.0.pop_var();
    Call::new(cv.1, &pattern, &flags)
}

fn with_one_argument(mut cv: Cv<'_>) -> Result<Call, Failure> {
    let argument = cv.0.pop_var();
    match (&argument, argument.as_array()) {
        (Value::String(_), _) => Call::new(cv.1, &argument, &Value::Null),
        (_, Some(list)) if !list.is_empty() => Call::new(cv.1, &list[0], list.get(1).unwrap_or(&Value::Null)),
        _ => fail(format!("{} not a string or array", argument.kind())),
    }
}

fn each<'a>(list: Outcome) -> Outputs<'a> {
    match list.and_then(super::places::children) {
        Ok(elements) => Box::new(elements.map(Ok)),
        failed => give(failed.map(|_| Value::Null)),
    }
}

impl Call {
    fn new(text: Value, pattern: &Value, flags: &Value) -> Result<Self, Failure> {
        let Value::String(text) = text else {
            return text.fail_alone("cannot be matched, as it is not a string");
        };
        let Value::String(pattern) = pattern else {
            return pattern.fail_alone("is not a string");
        };
        let flags = Flags::new(flags)?;
        let pattern = Pattern::new(pattern, flags)?;
        Ok(Self { text, pattern, flags })
    }

    fn test(self) -> Outcome {
        Ok(Value::Bool(self.pattern.is_in(&self.text)?))
    }

    /// What `describe` makes of each match.
    fn list(&self, mut describe: impl FnMut(&Matches<'_>) -> Value) -> Outcome {
        let mut matches = Matches::new(&self.pattern, &self.text, self.flags);
        let mut list = Vec::new();
        while matches.advance()? {
            list.push(describe(&matches));
        }
        Ok(Value::array(list))
    }

    fn matches(self) -> Outcome {
        let mut members = Members::new(&self.text);
        self.list(|found| members.of_match(found, &self.pattern.names))
    }

    fn captures(self) -> Outcome {
        self.list(|found| self.named_groups(found))
    }

    fn scan(self) -> Outcome {
        let groups = self.pattern.names.len();
        self.list(|found| match groups {
            0 => self.string_of(found, 0),
            _ => (1..=groups).map(|group| self.string_of(found, group)).collect(),
        })
    }

    /// What lies between the matches.
    fn split(self) -> Outcome {
        let mut rest = 0;
        let between = self.list(|found| {
            let (start, end) = found.whole();
            let piece = self.cut(rest, start);
            rest = end;
            piece
        })?;
        value::add(between, Value::array(vec![self.cut(rest, self.text.len())]))
    }

    /// The strings of the groups that have a name, by name.
    fn named_groups(&self, found: &Matches<'_>) -> Value {
        let mut map = Map::default();
        for (i, name) in self.pattern.names.iter().enumerate() {
            if let Some(name) = name {
                map.insert(name.clone(), self.string_of(found, i + 1));
            }
        }
        Value::object(map)
    }

    fn string_of(&self, found: &Matches<'_>, group: usize) -> Value {
        found.group(group).map_or(Value::Null, |(start, end)| self.cut(start, end))
    }

    fn cut(&self, start: usize, end: usize) -> Value {
        Value::String(self.text.slice(&self.text[start.min(end)..end]))
    }
}

/// `sub($re; f; $flags)`: the text with each match replaced by the output of `f` for its named groups; once more for
/// every further output of `f`. Where `f` has none, the text as it was.
fn sub(mut cv: Cv<'_>) -> Outputs<'_> {
    let flags = cv.0.pop_var();
    let (f, ctx) = cv.0.pop_fun();
    let pattern = cv.0.pop_var();
    let call = match Call::new(cv.1, &pattern, &flags) {
        Ok(call) => call,
        Err(failure) => return give(Err(failure)),
    };
    let replace = || -> ValX<'_, Vec<String>, Value> {
        let mut matches = Matches::new(&call.pattern, &call.text, call.flags);
        let mut texts: Vec<String> = Vec::new();
        let mut rest = 0;
        while matches.advance()? {
            let (start, end) = matches.whole();
            let before = &call.text[rest.min(start)..start];
            let new = f.run((ctx.clone(), call.named_groups(&matches))).collect::<Result<Vec<_>, _>>()?;
            texts.resize_with(texts.len().max(new.len()), String::new);
            for (text, new) in texts.iter_mut().zip(new) {
                text.push_str(before);
                match new {
                    Value::String(new) => text.push_str(&new),
                    // Only null can be added to a string; the others fail with the words of `+`.
                    other => _ = value::add(Value::String(call.text.slice(before)), other)?,
                }
            }
            rest = end;
        }
        texts.iter_mut().for_each(|text| text.push_str(&call.text[rest..]));
        Ok(texts)
    };
    match replace() {
        Ok(texts) if texts.is_empty() => box_once(Ok(Value::String(call.text.clone()))),
        Ok(texts) => Box::new(texts.into_iter().map(|text| Ok(Value::from(text)))),
        Err(failure) => box_once(Err(failure)),
    }
}

/// The members of the objects that `match` gives. Offsets and lengths are in characters.
struct Members<'t> {
    offset: Str,
    length: Str,
    string: Str,
    captures: Str,
    name: Str,
    text: &'t Str,
    /// the place up to which characters were counted
    byte: usize,
    characters: usize,
}

impl<'t> Members<'t> {
    fn new(text: &'t Str) -> Self {
        let [offset, length, string, captures, name] =
            ["offset", "length", "string", "captures", "name"].map(Str::from);
        Self { offset, length, string, captures, name, text, byte: 0, characters: 0 }
    }

    fn of_match(&mut self, found: &Matches<'_>, names: &[Option<Str>]) -> Value {
        let mut whole = self.of_group(Some(found.whole()), false);
        let groups = names.iter().enumerate().map(|(i, name)| {
            let place = found.group(i + 1);
            let empty = place.is_none_or(|(start, end)| start == end);
            let mut group = self.of_group(place, empty);
            group.insert(self.name.clone(), name.clone().map_or(Value::Null, Value::String));
            Value::object(group)
        });
        let groups = groups.collect();
        whole.insert(self.captures.clone(), groups);
        Value::object(whole)
    }

    /// jq's order of the members is another one for groups without text.
    fn of_group(&mut self, place: Option<(usize, usize)>, string_first: bool) -> Map {
        let (offset, length, string) = match place {
            None => (Value::Number(-1.0), Value::Number(0.0), Value::Null),
            Some((start, end)) => {
                let string = self.text.slice(&self.text[start..end]);
                let length = string.chars().count();
                (Value::from(self.characters_before(start)), Value::from(length), Value::String(string))
            }
        };
        let (string, length) = ((self.string.clone(), string), (self.length.clone(), length));
        let mut map = Map::with_capacity(4);
        map.insert(self.offset.clone(), offset);
        for (key, value) in if string_first { [string, length] } else { [length, string] } {
            map.insert(key, value);
        }
        map
    }

    /// How many characters are before a byte, counted from the place that was asked for last.
    fn characters_before(&mut self, byte: usize) -> usize {
        if byte < self.byte {
            self.characters -= self.text[byte..self.byte].chars().count();
        } else {
            self.characters += self.text[self.byte..byte].chars().count();
        }
        self.byte = byte;
        self.characters
    }
}
