//! Proof under fire: every crash point, every failing system call, every order on disk, races both staged and stormed,
//! holders that are hard to judge and hostile surroundings.
//!
//! `docs/reliability.md` lists what is promised, the test here that tries to break it, and the figures. The storms are
//! short by default; `MEMLATCH_FIRE_SECONDS=600 cargo test --test fire storm` makes each of them last so long.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "the rules are for the product")]
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "the other test binary uses the rest")]
#[path = "../cli/sandbox.rs"]
mod sandbox;

mod appends;
mod corpus;
mod crash;
mod faults;

mod holders;
mod hostile;
mod order;
mod properties;
#[expect(unsafe_code, reason = "it traces another process")]
mod puppet;
mod scene;
mod schedules;
mod shares;
mod storms;
