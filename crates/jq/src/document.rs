//! Documents: bytes to values and back.
//!
//! Reading is strict (RFC 8259: one value, UTF-8, nothing else) and lazy: the whole text is
//! checked once, then it stays text until a filter looks inside. Writing lays the text out as
//! jq 1.8 does. Files of one value a line are in [`lines`]. What jq itself reads more leniently (`fromjson`) is in [`lenient`].

pub mod colors;
pub mod lenient;
pub mod lines;
mod read;

pub use crate::json::{DocumentError, check};
pub(crate) use crate::value::write::to_text;
pub use crate::value::write::{Indent, Layout, write};
pub use read::{parse, parse_all};
