//! jq 1.8's language over JSON documents that keep their text: values, documents, filters.
//!
//! [`value`] is what a filter sees, [`document`] turns bytes into values and back, [`filter`] compiles and runs programs on
//! jaq-core.

pub mod document;
pub mod filter;
pub mod value;
