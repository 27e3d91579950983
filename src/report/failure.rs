//! Failures in words.

use crate::{failure::Failure, lock, sandbox, settings::Settings};

/// What has failed, why, and what to do.
pub fn in_words(failure: &Failure, settings: &Settings) -> String {
    let advice = failure.cause.downcast_ref().and_then(|error| advice(error, settings));
    advice.map_or_else(|| failure.to_string(), |advice| format!("{failure}; {advice}"))
}

/// The same for a failure of a lock that is one of several.
pub fn lock_in_words(error: &lock::Error, settings: &Settings) -> String {
    advice(error, settings).map_or_else(|| error.to_string(), |advice| format!("{error}; {advice}"))
}

/// What to do where a sandbox is in the way.
fn advice(error: &lock::Error, settings: &Settings) -> Option<String> {
    match error {
        lock::Error::Io { path, source, .. } => sandbox::advice(path, source, settings),
        lock::Error::Busy(_) | lock::Error::Refused(_) => None,
    }
}

/// Leaves out the number that the standard library puts behind the system's own words for an error, ` (os error 2)`: the
/// words say it all, and everywhere the same.
pub fn without_error_numbers(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.parse::<u32>().is_ok() => plain.push_str(rest),
            _ => plain.extend([" (os error ", part]),
        }
    }
    plain
}
