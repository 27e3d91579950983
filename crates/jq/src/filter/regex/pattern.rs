//! Patterns: compiled by Oniguruma with jq's options, kept for their next use, and searched for in a text.
//!
//! The only user of the onig crate. What a match becomes in the language is `mod.rs`'s business.

use crate::filter::builtin::fail;
use crate::value::{Failure, Str, Value};
use onig::{MatchParam, Regex, RegexOptions, Region, SearchOptions, Syntax};
use std::{cell::RefCell, rc::Rc};

/// What the letters of a call's last argument ask for.
#[derive(Clone, Copy, PartialEq)]
pub struct Flags {
    /// `g`: all matches, not only the first
    pub all: bool,
    options: RegexOptions,
}

impl Flags {
    /// Reads the letters; null stands for none.
    pub fn new(letters: &Value) -> Result<Self, Failure> {
        let mut flags = Self { all: false, options: RegexOptions::REGEX_OPTION_CAPTURE_GROUP };
        let letters = match letters {
            Value::Null => return Ok(flags),
            Value::String(letters) => letters,
            other => return other.fail_alone("is not a string"),
        };
        for letter in letters.chars() {
            flags.options |= match letter {
                'g' => {
                    flags.all = true;
                    continue;
                }
                'i' => RegexOptions::REGEX_OPTION_IGNORECASE,
                'x' => RegexOptions::REGEX_OPTION_EXTEND,
                'm' => RegexOptions::REGEX_OPTION_MULTILINE,
                's' => RegexOptions::REGEX_OPTION_SINGLELINE,
                'p' => RegexOptions::REGEX_OPTION_MULTILINE | RegexOptions::REGEX_OPTION_SINGLELINE,
                'l' => RegexOptions::REGEX_OPTION_FIND_LONGEST,
                'n' => RegexOptions::REGEX_OPTION_FIND_NOT_EMPTY,
                _ => return fail(format!("{} is not a valid modifier string", letters.as_str())),
            };
        }
        Ok(flags)
    }
}

/// A compiled pattern with the names of its groups, the first group's first.
pub struct Pattern {
    regex: Regex,
    pub names: Vec<Option<Str>>,
}

/// How many patterns are kept: more than a filter has, in practice.
const KEPT: usize = 32;

impl Pattern {
    /// Compiles a pattern, or takes it from those that were used last.
    pub fn new(text: &str, flags: Flags) -> Result<Rc<Self>, Failure> {
        type Kept = Vec<(String, RegexOptions, Rc<Pattern>)>;
        thread_local! {
            static LAST_USED: RefCell<Kept> = const { RefCell::new(Vec::new()) };
        }
        LAST_USED.with_borrow_mut(|kept| {
            if let Some(at) = kept.iter().position(|(t, options, _)| t == text && *options == flags.options) {
                kept[..=at].rotate_right(1);
            } else {
                let pattern = Rc::new(Self::compile(text, flags)?);
                kept.truncate(KEPT - 1);
                kept.insert(0, (text.into(), flags.options, pattern));
            }
            Ok(kept[0].2.clone())
        })
    }

    fn compile(text: &str, flags: Flags) -> Result<Self, Failure> {
        let regex = Regex::with_options(text, flags.options, Syntax::perl_ng()).map_err(failure)?;
        let mut names = vec![None; regex.captures_len()];
        regex.foreach_name(|name, groups| {
            let name = Str::from(name);
            for group in groups {
                names[*group as usize - 1] = Some(name.clone());
            }
            true
        });
        Ok(Self { regex, names })
    }

    /// Whether it matches anywhere in the text.
    pub fn is_in(&self, text: &str) -> Result<bool, Failure> {
        self.search(text, 0, None)
    }

    fn search(&self, text: &str, from: usize, region: Option<&mut Region>) -> Result<bool, Failure> {
        let options = SearchOptions::SEARCH_OPTION_NONE;
        let found = self.regex.search_with_param(text, from, text.len(), options, region, MatchParam::default());
        Ok(found.map_err(failure)?.is_some())
    }
}

fn failure(error: onig::Error) -> Failure {
    format!("Regex failure: {}", error.description()).into()
}

/// The matches of a pattern in a text, one after the other.
pub struct Matches<'a> {
    pattern: &'a Pattern,
    text: &'a str,
    region: Region,
    /// where the next search starts; none after the last one
    next: Option<usize>,
    all: bool,
}

impl<'a> Matches<'a> {
    pub fn new(pattern: &'a Pattern, text: &'a str, flags: Flags) -> Self {
        Self { pattern, text, region: Region::new(), next: Some(0), all: flags.all }
    }

    /// Goes to the next match. False if there is none.
    pub fn advance(&mut self) -> Result<bool, Failure> {
        let Some(from) = self.next.take() else { return Ok(false) };
        self.region.clear();
        if !self.pattern.search(self.text, from, Some(&mut self.region))? {
            return Ok(false);
        }
        if self.all {
            let (start, end) = self.whole();
            // Behind an empty match the search goes on at the next character.
            let next = match start == end {
                true => end + self.text[end..].chars().next().map_or(1, char::len_utf8),
                false => end,
            };
            self.next = (from..=self.text.len()).contains(&next).then_some(next);
        }
        Ok(true)
    }

    /// The bytes of the present match.
    pub fn whole(&self) -> (usize, usize) {
        self.group(0).expect("a match has a place")
    }

    /// The bytes of a group of the present match; 0 is the whole. None if the group has no part in it.
    pub fn group(&self, group: usize) -> Option<(usize, usize)> {
        // `\K` inside a look-ahead makes a match start behind its end; jq calls that empty.
        self.region.pos(group).map(|(start, end)| (start.min(end), end))
    }
}
