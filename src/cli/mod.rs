//! The command lines: how clap is told of them ([`definitions`]), and what clap finds in them as a request ([`parse`](mod@parse)). The
//! only home of defaults.

mod definitions;
mod matches;
mod own;
mod parse;
mod words;

pub use definitions::{Options, definition};
pub use parse::parse;
