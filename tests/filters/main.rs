//! The filter language: jq's own tests, our own table, and a comparison with a real jq.

mod conformance;
mod differential;
mod limits;
mod modules;
mod real_jq;
mod regex;
mod run;
mod table;
mod tools;
