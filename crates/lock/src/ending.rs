//! Ending locks: this process's own, those of dead holders, and those that were released while a process inside was still at work.
//!
//! `info` is always removed first, so that no new process gets inside; then processes inside are looked for, or waited for; then
//! the entry is removed. Every step needs the level's exclusive guard.

use super::{
    Error, Event, Observer, Wait,
    contend::{
        Attempt, Contender,
        clearing::{empty, retire},
    },
    folder::{Folder, LockDir, ignore_missing, remove_dir},
    holder::State,
    info,
    level::Level,
    target::Target,
};
use std::fs;

/// Ends a hold. The caller holds the exclusive guard of `level`.
///
/// It does not wait: if a process is still at work inside, the entry stays, without `info`, and the next contender
/// waits for that process before removing it.
pub fn end(folder: &Folder, target: &Target, level: &Level) -> Result<(), Error> {
    ignore_missing(fs::remove_file(level.dir.join(info::FILE_NAME)))
        .map_err(Error::io("release the lock", &level.dir))?;
    let inside = level.inside();
    loop {
        if remove_dir(level).map_err(Error::io("remove the lock", &level.dir))? {
            return Ok(());
        }
        match Contender::new(folder, target, Wait::TRY_ONCE, &Silent).claim(&inside, false) {
            Ok(Attempt::Taken(_file)) => empty(level)?,
            Ok(Attempt::OuterEnded) => {}
            Ok(Attempt::Inside) | Err(Error::Busy(_)) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Clears the locks around `level` that were released while a process was at work at `level`: their holders did not wait.
pub fn sweep_above(folder: &Folder, target: &Target, level: &Level) -> Result<(), Error> {
    let mut levels = vec![folder.level(&target.id)];
    while levels.len() < level.depth as usize {
        levels.extend(levels.last().map(Level::inside));
    }
    for outer in levels.iter().take(level.depth as usize).rev() {
        match LockDir::read(&outer.dir)? {
            Some(dir) if dir.made_by_us && dir.info.is_none() => {}
            _ => return Ok(()),
        }
        let mut contender = Contender::new(folder, target, Wait::TRY_ONCE, &Silent);
        match sweep(&mut contender, outer) {
            // The process that holds the guard, or that is inside, will clear it.
            Ok(()) | Err(Error::Busy(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

struct Silent;

impl Observer for Silent {
    fn notice(&self, _: Event<'_>) {}
}

/// Clears the lock at `level` if its holder is dead.
fn sweep(contender: &mut Contender<'_>, level: &Level) -> Result<(), Error> {
    let Some(_file) = contender.lock_from_inside(level)? else { return Ok(()) };
    let Some(dir) = LockDir::read(&level.dir)? else { return Ok(()) };
    if let State::Dead(_) = contender.here().judge(&dir, true) {
        retire(contender, level, &dir)?;
    }
    Ok(())
}
