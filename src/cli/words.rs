//! The positional arguments of the tools that take a filter: file, filter, more files, values of `$ARGS`.

use super::{
    definitions::{Options, definition},
    matches::{many, occurrences, places, text},
};
use crate::{commands::form::Form, failure::Failure, multicall::Tool, request::Positional};
use clap::ArgMatches;
use memlatch_os::paths::quoted;
use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

/// The positional arguments by their meaning.
pub struct Words {
    pub file: PathBuf,
    pub filter: Option<String>,
    pub more_files: Vec<PathBuf>,
    pub positional: Vec<Positional>,
}

/// The first argument is the file, the next the filter if one is expected, and the others belong to the `--args` or
/// `--jsonargs` before them. Before those, they are more files, where several can be read.
pub fn sort_words(matches: &ArgMatches, filters: usize, takes_more_files: bool) -> Result<Words, Failure> {
    let words: Vec<OsString> = many(matches, "words");
    let (strings, values) = (occurrences(matches, "args"), occurrences(matches, "jsonargs"));
    let mut words = words.into_iter().zip(places(matches, "words"));
    let (file, _) = words.next().ok_or_else(|| Failure::usage("the file is missing"))?;
    let filter = match words.by_ref().take(filters).next() {
        Some((filter, _)) => Some(unmarked(text(filter, "the filter")?)),
        None => None,
    };
    if let Some(filter) = &filter {
        refuse_swapped(&file, filter)?;
    }
    let (mut more_files, mut positional) = (Vec::new(), Vec::new());
    for (word, place) in words {
        let last = |marks: &[usize]| marks.iter().rev().find(|&&mark| mark < place).copied();
        if takes_more_files && (last(&strings), last(&values)) == (None, None) {
            more_files.push(word.into());
            continue;
        }
        let word = unmarked(text(word, "an argument")?);
        positional.push(match (last(&strings), last(&values)) {
            (None, None) => {
                return Err(Failure::usage(format!(
                    "unexpected argument '{word}': expected one file and one filter; quote a filter that contains blanks, and put --args before arguments for $ARGS"
                )));
            }
            (string, value) if string > value => Positional::Text(word),
            _ => Positional::Json(word),
        });
    }
    Ok(Words { file: file.into(), filter, more_files, positional })
}

/// Marks a filter that begins with a dash; no argument can contain it.
const MARK: char = '\0';

/// Marks words such as `-.count` and `-1`, which are filters, and which clap would take for options. No option's letter is
/// among what a filter can begin with behind a dash.
pub fn mark_filters(tool: Option<Tool>, words: &[OsString]) -> Cow<'_, [OsString]> {
    let is_filter = |word: &OsString| {
        let word = word.as_encoded_bytes();
        word.first() == Some(&b'-') && word.get(1).is_some_and(|byte| !byte.is_ascii_alphabetic() && *byte != b'-')
    };
    if !words.iter().any(is_filter) {
        return Cow::Borrowed(words);
    }
    let mut words = words.to_vec();
    let options = definition(tool, Options::All);
    let takes = |option: &clap::Arg| match option.get_action().takes_values() {
        true => option.get_num_args().map_or(1, |range| range.min_values()),
        false => 0,
    };
    let mut index = 0;
    while index < words.len() && words[index] != "--" {
        let values = match words[index].to_str() {
            Some(word) if word.starts_with("--") && !word.contains('=') => {
                options.get_opts().find(|option| option.get_long() == word.get(2..)).map_or(0, takes)
            }
            Some(word) if word.starts_with('-') && !is_filter(&words[index]) => {
                let letter = word.chars().last();
                options.get_opts().find(|option| option.get_short() == letter).map_or(0, takes)
            }
            _ => 0,
        };
        if is_filter(&words[index]) {
            let mut marked = OsString::from(MARK.to_string());
            marked.push(&words[index]);
            words[index] = marked;
        }
        index += 1 + values;
    }
    Cow::Owned(words)
}

fn unmarked(word: String) -> String {
    word.strip_prefix(MARK).map(str::to_owned).unwrap_or(word)
}

/// Refuses a filter in the place of the file, which would otherwise be reported as an error in the filter.
fn refuse_swapped(file: &OsStr, filter: &str) -> Result<(), Failure> {
    let is_json = |path: &Path| Form::of(path) != Form::Sequence;
    let (first, second) = (Path::new(file), Path::new(filter));
    if is_json(first) || !is_json(second) || first.exists() || !second.exists() {
        return Ok(());
    }
    Err(Failure::usage(format!("the file comes first, then the filter: {} {}", quoted(second), quoted(first))))
}
