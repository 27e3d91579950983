//! Documents: bytes to values and back.
//!
//! Reading is strict (RFC 8259: one value, UTF-8, nothing else) and lazy: the whole text is
//! checked once, then it stays text until a filter looks inside. Writing lays the text out as
//! jq 1.8 does. Files of one value a line are in [`lines`]. What jq itself reads more leniently (`fromjson`) is in [`read::lenient`].

mod check;
pub mod colors;
pub mod lines;
pub mod read;
pub mod write;

pub use check::{DocumentError, check};
pub(crate) use read::open;
pub use read::{parse, parse_all};
pub(crate) use write::to_text;
pub use write::{Indent, Layout, write};
