//! What an engine did not do → a kind of failure, and so an exit status.

use memlatch::failure::{Failure, Kind};
use memlatch_remote::engine::Error;

/// Turns an engine's error into the failure of a command on `address`.
pub fn of(address: &str) -> impl Fn(Error) -> Failure {
    move |error| {
        let kind = match &error {
            Error::Unreachable { .. } => Kind::Unreachable,
            Error::Unknown { .. } => Kind::Unknown,
            Error::Refused { .. } => Kind::Refused,
            Error::TooLarge { .. } | Error::Failed { .. } => Kind::Failed,
            Error::Misconfigured(_) => Kind::Usage,
        };
        match error {
            // The id alone does not tell which document.
            Error::Unknown { .. } => Failure::new(kind, format!("{error} '{address}'")),
            _ => Failure::new(kind, error),
        }
    }
}
