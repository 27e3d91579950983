//! The values that clap has parsed, by option name. An option that was not defined for clap was not given.

use crate::failure::Failure;
use clap::{
    ArgMatches,
    parser::{MatchesError, ValueSource},
};
use std::{ffi::OsString, path::Path};

/// The position of a counted option. clap gives a missing one a default value, and that a position.
pub fn occurrences(matches: &ArgMatches, name: &str) -> Vec<usize> {
    if value(matches, name).unwrap_or(0_u8) == 0 { Vec::new() } else { places(matches, name) }
}

pub fn flag(matches: &ArgMatches, name: &str) -> bool {
    value(matches, name) == Some(true)
}

pub fn one<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> T {
    value(matches, name).expect("clap requires this argument")
}

pub fn value<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> Option<T> {
    if_defined(matches.try_get_one(name)).cloned()
}

pub fn many<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> Vec<T> {
    if_defined(matches.try_get_many(name)).into_iter().flatten().cloned().collect()
}

/// Whether an option stands on the command line.
pub fn is_given(matches: &ArgMatches, name: &str) -> bool {
    let is_known = matches.try_contains_id(name).is_ok_and(|given| given);
    is_known && matches.value_source(name) == Some(ValueSource::CommandLine)
}

/// Where the values of an argument stand among the words.
pub fn places(matches: &ArgMatches, name: &str) -> Vec<usize> {
    let given = matches.try_contains_id(name).is_ok_and(|given| given);
    if given { matches.indices_of(name).into_iter().flatten().collect() } else { Vec::new() }
}

/// An option that clap was not told of (`Options::In`) was not given.
fn if_defined<T>(found: Result<Option<T>, MatchesError>) -> Option<T> {
    match found {
        Ok(found) => found,
        Err(MatchesError::UnknownArgument { .. }) => None,
        Err(error) => unreachable!("an argument has one type: {error}"),
    }
}

pub fn text(word: OsString, what: &str) -> Result<String, Failure> {
    word.into_string().map_err(|word| {
        Failure::usage(format!("{what} is not UTF-8: '{}'", memlatch_os::paths::shown(Path::new(&word))))
    })
}
