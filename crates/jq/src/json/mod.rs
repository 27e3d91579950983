//! The grammar of JSON (RFC 8259) over bytes: the strict check of a text, and its strings. Nothing here knows values.

mod check;
mod string;

pub use check::{DocumentError, check};
pub(crate) use check::{survey, utf8, values};
pub use string::unescape;
pub(crate) use string::{end_of_string, plain_run};

/// The deepest nesting that is read, compared, merged or printed; jq's own limit.
pub const MAX_DEPTH: u32 = 10_000;

/// How close a text is to what the writer would print for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TextLayout {
    /// Nothing is known: strings may be written with other escapes, keys may occur twice.
    Free,
    /// Every string is written as the writer writes it and no object has a key twice.
    Plain,
    /// Also, all white space is that of the two-space layout.
    Tidy,
}
