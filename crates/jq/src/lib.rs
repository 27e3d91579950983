//! jq 1.8's language over JSON documents that keep their text: values, documents, filters.
//!
//! [`value`] is what a filter sees, [`document`] turns bytes into values and back, [`filter`] compiles and runs programs on
//! jaq-core; `json` is the grammar of texts.

#![allow(clippy::disallowed_methods, reason = "`$ENV` and the home of modules are the language's own")]

/// The examples of the crate's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

pub mod document;
pub mod filter;
mod json;
pub mod value;
