//! The lock protocol as a model: [`state`] is what there is, [`protocol`] what a process does next, [`promises`] what must
//! hold in every state. `search.rs` searches it; `docs/model.md` maps its steps to the code.

pub mod promises;
pub mod protocol;
pub mod state;
