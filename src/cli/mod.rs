//! The command lines: how clap is told of them ([`definitions`]), and what clap finds in them as a request ([`meaning`]). The
//! only home of defaults.

mod definitions;
mod matches;
mod meaning;
mod own;
mod words;

pub use definitions::{Options, definition};
pub use meaning::parse;
