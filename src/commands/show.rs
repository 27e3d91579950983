//! `file-lock show`: all locks at once.

use super::{Context, lock_folder};
use crate::{
    failure::{self, Failure},
    lock::{census, folder::Folder, waiters::Waiters},
    outcome::{Locks, Outcome, Ran},
    request::Listing,
};

/// Lists all locks, once or until it is ended.
pub fn run(listing: Listing, context: Context<'_>) -> Result<Outcome, Failure> {
    let folder = lock_folder(context)?;
    let as_json = listing == Listing::Json;
    if listing == Listing::Watch {
        let signal = context.sink.watch(&mut || look(&folder, as_json))?;
        return Ok(Outcome::Ran(Ran { status: signal.map_or(0, failure::status_of_signal) }));
    }
    look(&folder, as_json).map(Outcome::Locks)
}

fn look(folder: &Folder, as_json: bool) -> Result<Locks, Failure> {
    let sightings = census::look_at_all(folder)?;
    Ok(Locks { folder: folder.path().to_owned(), sightings, waiters: Waiters::now(), as_json })
}
