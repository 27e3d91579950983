//! The filter language: jq's own tests, our own table, and a comparison with a real jq.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "the rules are for the product")]

mod access;
mod conformance;
mod differential;
mod limits;
mod modules;
mod real_jq;
mod regex;
mod run;
mod table;
mod tools;
