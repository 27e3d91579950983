//! The contract, tested at its boundary: the binary, files, real shells and exit statuses.
//!
//! Nothing here knows how memlatch works inside, but for `tidy`, which holds the code to its architecture.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "the rules are for the product")]

mod advice;
mod atomic_write;
mod attributes;
mod backups;
mod bad_input;
mod clients;
mod completions;
mod concurrency;
mod dispatch;
mod docs;
mod doctor;
mod document;
mod dry_run;
mod durability;
mod examples;
mod exit_codes;
mod file_lock;
mod jq_options;
mod json_lines;
mod leases;
mod manual;
mod mcp;
mod mcp_graph;
mod mcp_install;
mod memory_read;
mod memory_update;
mod merge;
mod messages;
mod nesting;
#[allow(dead_code, reason = "the test of filters runs it in one more way")]
#[path = "../filters/real_jq.rs"]
mod real_jq;
mod revisions;
mod sandbox;
mod sandboxed;
#[cfg(feature = "schema")]
mod schema;
mod show;
mod terminal;
mod tidy;
mod users;
