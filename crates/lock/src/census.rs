//! All locks at once: status, show, cleanup.

use super::{
    Error, Observer, Wait,
    contend::{Attempt, Contender, clearing},
    folder::{Folder, LockDir, ignore_missing},
    guard::{self, Mode},
    holder::{self, Cause, Here, State},
    info::Info,
    level::{self, Level},
    target::{LockId, Target},
};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

/// Guards younger than this are not removed, so that a contender that found its guard unlinked is sure to lock the next one.
const IDLE: Duration = Duration::from_secs(1);

/// One lock as it was found.
#[derive(Clone, Debug)]
pub struct Sighting {
    pub id: LockId,
    pub level: Level,
    pub info: Option<Info>,
    pub state: State,
    /// The lock held inside this one.
    pub inside: Option<Box<Sighting>>,
}

impl Sighting {
    /// Whether the lock excludes others, be it by its holder or by a process at work inside a dead holder's lock.
    pub fn is_held(&self) -> bool {
        !matches!(self.state, State::Dead(_)) || self.inside.as_ref().is_some_and(|inside| inside.is_held())
    }

    /// What is known of the holder, in words. A lock whose holder is dead lives on in those inside it.
    pub fn described(&self) -> String {
        match (&self.state, self.inside.as_deref()) {
            (State::Dead(_), Some(inside)) if inside.is_held() => inside.described(),
            (state, _) => holder::describe(self.info.as_ref(), state),
        }
    }
}

/// What a cleanup did, or would do.
#[derive(Debug, Default)]
pub struct Cleaned {
    pub locks: Vec<(LockId, Option<Info>, Cause)>,
    pub idle_files: Vec<PathBuf>,
    /// Locks that are held.
    pub held: usize,
    /// Errors of locks that could not be examined or cleared.
    pub failures: Vec<Error>,
}

/// Looks at the lock of one target. `None` if there is no lock.
pub fn look(folder: &Folder, id: &LockId) -> Result<Option<Sighting>, Error> {
    observe(&Here::new(folder), id, folder.level(id))
}

/// Looks at all locks, in the order of their names.
pub fn look_at_all(folder: &Folder) -> Result<Vec<Sighting>, Error> {
    look_at_each(folder)?.into_iter().collect()
}

/// The same with a result for each lock, so that an error with one does not hide the others.
pub fn look_at_each(folder: &Folder) -> Result<Vec<Result<Sighting, Error>>, Error> {
    let here = Here::new(folder);
    let names = names(folder)?;
    Ok(names.with_ending(level::DIR).filter_map(|id| observe(&here, &id, folder.level(&id)).transpose()).collect())
}

fn observe(here: &Here, id: &LockId, level: Level) -> Result<Option<Sighting>, Error> {
    let Some(dir) = LockDir::read(&level.dir)? else { return Ok(None) };
    let asks_guard = dir.info.as_ref().map_or(dir.made_by_us, |info| info.kind.keeps_guard());
    let state = here.judge(&dir, !(asks_guard && guard::is_locked(&level.guard)?));
    let inside = observe(here, id, level.inside())?.map(Box::new);
    Ok(Some(Sighting { id: id.clone(), level, info: dir.info, state, inside }))
}

/// Removes the locks of dead holders, their temporary files, and unused guards.
///
/// It cannot remove a lock that another process has just taken, because it checks and removes under the lock's guard. It does
/// not wait.
pub fn clean(folder: &Folder, dry_run: bool, observer: &dyn Observer) -> Result<Cleaned, Error> {
    let mut cleaned = Cleaned::default();
    let names = names(folder)?;
    let here = Rc::new(Here::new(folder));
    for id in names.with_ending(level::DIR) {
        let result = if dry_run { would_retire(&here, folder, &id) } else { retire(&here, folder, &id, observer) };
        match result {
            Ok(Some((info, cause))) => cleaned.locks.push((id, info, cause)),
            Ok(None) => cleaned.held += 1,
            Err(Error::Busy(_)) => cleaned.held += 1,
            Err(error) => cleaned.failures.push(error),
        }
    }
    for ending in [level::GUARD, level::QUEUE] {
        for id in names.with_ending(ending) {
            let level = folder.level(&id);
            let file = if ending == level::GUARD { &level.guard } else { &level.queue };
            match prune(&level, file, dry_run) {
                Ok(true) => cleaned.idle_files.push(file.clone()),
                Ok(false) => {}
                Err(error) => cleaned.failures.push(error),
            }
        }
    }
    Ok(cleaned)
}

fn would_retire(here: &Here, folder: &Folder, id: &LockId) -> Result<Option<(Option<Info>, Cause)>, Error> {
    let sighting = observe(here, id, folder.level(id))?.filter(|sighting| !sighting.is_held());
    Ok(sighting.and_then(|sighting| match sighting.state {
        State::Dead(cause) => Some((sighting.info, cause)),
        State::Alive | State::Unknown(_) => None,
    }))
}

fn retire(
    here: &Rc<Here>,
    folder: &Folder,
    id: &LockId,
    observer: &dyn Observer,
) -> Result<Option<(Option<Info>, Cause)>, Error> {
    let level = folder.level(id);
    let path = PathBuf::from(id.as_str());
    let target = Target { given: path.clone(), path, id: id.clone() };
    let mut contender = Contender::with_here(Rc::clone(here), folder, &target, Wait::TRY_ONCE, observer);
    let Some(_file) = contender.lock_from_inside(&level)? else { return Ok(None) };
    let Some(dir) = LockDir::read(&level.dir)? else { return Ok(None) };
    match contender.here().judge(&dir, true) {
        State::Dead(cause) => match clearing::retire(&mut contender, &level, &dir)? {
            Attempt::Taken(()) => Ok(Some((dir.info, cause))),
            Attempt::Inside | Attempt::OuterEnded => Ok(None),
        },
        State::Alive | State::Unknown(_) => Ok(None),
    }
}

/// Unlinks a guard or queue that is not locked and does not belong to a lock.
fn prune(level: &Level, path: &Path, dry_run: bool) -> Result<bool, Error> {
    let file = match guard::open(path, Mode::Exclusive, None) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    let age = file.metadata().and_then(|facts| facts.modified()).ok().and_then(|since| since.elapsed().ok());
    let is_idle = age.is_some_and(|age| age >= IDLE)
        && guard::try_lock(&file, Mode::Exclusive).map_err(Error::io("lock", path))?
        && guard::is_linked(&file, path).map_err(Error::io("examine", path))?
        && !level.dir.exists();
    if is_idle && !dry_run {
        ignore_missing(fs::remove_file(path)).map_err(Error::io("remove", path))?;
    }
    Ok(is_idle)
}

/// The names in a lock directory that have the form of an ID and a suffix.
struct Names(BTreeSet<(LockId, String)>);

impl Names {
    fn with_ending(&self, ending: &str) -> impl Iterator<Item = LockId> {
        self.0.iter().filter(move |(_, found)| found == ending).map(|(id, _)| id.clone())
    }
}

fn names(folder: &Folder) -> Result<Names, Error> {
    let entries = match fs::read_dir(folder.path()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Names(BTreeSet::new())),
        Err(error) => return Err(Error::io("read the lock directory", folder.path())(error)),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let name = entry.map_err(Error::io("read the lock directory", folder.path()))?.file_name();
        let parts = name.to_str().and_then(|name| name.split_once('.'));
        if let Some((id, ending)) = parts.and_then(|(id, ending)| Some((LockId::parse(id)?, ending))) {
            names.insert((id, ending.to_owned()));
        }
    }
    Ok(Names(names))
}
