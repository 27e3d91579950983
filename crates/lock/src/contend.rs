//! Contending for a lock: queue in the kernel, clear what the dead left, wait for the living.

pub mod clearing;

use super::{
    Busy, Claim, Error, Event, Observer, Wait,
    belonging::Belonging,
    doubt_of,
    folder::{Folder, LockDir, is_made_by_us, make_dir, open_dir, remove_dir, write_info},
    guard::{self, Mode, Waited},
    holder::{Cause, Here, SETTING_UP, State},
    info::{self, Info, Kind},
    level::Level,
    target::Target,
};
use memlatch_os as process;
use std::{
    fs::{self, File},
    io, mem,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

/// Longer than it takes to lock a guard, find it free and let it go.
const A_MOMENT: Duration = Duration::from_millis(2);

/// How long a try without waiting outlasts such moments: on a loaded machine one can take a time slice or two.
const MOMENTS: Duration = Duration::from_secs(1);
const SECOND: Duration = Duration::from_secs(1);
/// How often who wants to know is told that the wait goes on.
const REMINDER: Duration = Duration::from_secs(10);

/// What came of an attempt at one level.
pub enum Turn<T> {
    Taken(T),
    /// This process is inside the lock: it belongs one level further down.
    Inside,
    /// The lock that this level lies in has ended: start again at the top.
    OuterEnded,
}

/// A lock that was taken.
pub struct Entered {
    pub level: Level,
    /// The guard.
    pub file: Arc<File>,
    /// The lock directory.
    pub dir: File,
    /// The directories of the dead that it came after.
    pub removed: Vec<LockDir>,
}

/// Who occupies a level.
enum Occupant {
    Nobody,
    /// A lock that this process works under.
    Ours,
    Dead(LockDir),
    Held(Option<Info>, State),
}

/// A directory's inode and time. Inode numbers are used again at once, but what is put into a directory or taken out of
/// it changes its time.
type DirState = ((u64, u64), SystemTime);

/// One process on its way to one lock.
pub struct Contender<'a> {
    folder: &'a Folder,
    target: &'a Target,
    observer: &'a dyn Observer,
    wait: Wait,
    begun: Instant,
    here: Rc<Here>,
    /// Our places at the head of queues, kept until the lock is ours.
    turnstiles: Vec<(PathBuf, Arc<File>)>,
    /// The directory without `info` that we saw last, and since when.
    nameless: Option<(DirState, Instant)>,
    /// How long we had waited when we told of it last.
    told: Option<Duration>,
    /// The directories of the dead that we have removed, open until the lock ends: see [`super::Guard`].
    removed: Vec<LockDir>,
}

impl<'a> Contender<'a> {
    pub fn new(folder: &'a Folder, target: &'a Target, wait: Wait, observer: &'a dyn Observer) -> Self {
        Contender::knowing(Rc::new(Here::before(folder)), folder, target, wait, observer)
    }

    /// A contender that need not ask again what the process has found out about itself.
    pub fn knowing(
        here: Rc<Here>,
        folder: &'a Folder,
        target: &'a Target,
        wait: Wait,
        observer: &'a dyn Observer,
    ) -> Self {
        Contender {
            folder,
            target,
            observer,
            wait,
            begun: Instant::now(),
            here,
            turnstiles: Vec::new(),
            nameless: None,
            told: None,
            removed: Vec::new(),
        }
    }

    pub fn here(&self) -> &Here {
        &self.here
    }

    /// What the lock's `info` will say if this process gets it.
    pub fn describe(&self, claim: &Claim) -> Info {
        let mut info = Info::new(std::process::id(), claim.kind);
        info.acquired = Some(process::wall_clock());
        info.host = Some(self.here.host().to_owned());
        info.target = Some(self.target.path.clone());
        info.command = claim.command.clone();
        info.client = claim.client.clone();
        info.boot = self.here.boot().map(str::to_owned);
        info.mount = self.here.mount().map(str::to_owned);
        info.token = Some(info::new_token());
        // Only those that others can be inside of are looked for among ancestors.
        if claim.kind == Kind::With {
            info.namespace = self.here.namespace().map(str::to_owned);
            info.started = process::look_up(info.pid).map(|me| me.started);
        }
        info
    }

    /// Takes the lock at the level where this process stands, from `top` down.
    pub fn enter(&mut self, top: Level, info: &Info) -> Result<Entered, Error> {
        let mut level = top.clone();
        loop {
            level = match self.claim(&level, true)? {
                Turn::Taken(file) => match settle(&level, info, self.folder.belonging()?)? {
                    Some(dir) => return Ok(Entered { level, file, dir, removed: mem::take(&mut self.removed) }),
                    // Somebody removed the directory that we had just made.
                    None => level,
                },
                Turn::Inside => level.inside(),
                Turn::OuterEnded => top.clone(),
            };
            // Whoever clears the level above may be waiting behind us there.
            self.turnstiles.clear();
        }
    }

    /// Waits until nobody holds `level` and keeps its exclusive guard; then makes its directory if `occupy`.
    pub fn claim(&mut self, level: &Level, occupy: bool) -> Result<Turn<Arc<File>>, Error> {
        'queue: loop {
            let file = match self.lock_guard(level, Mode::Exclusive)? {
                Turn::Taken(file) => file,
                Turn::Inside => return Ok(Turn::Inside),
                Turn::OuterEnded => return Ok(Turn::OuterEnded),
            };
            loop {
                if occupy {
                    match make_dir(level, self.folder.belonging()?) {
                        Ok(true) if self.is_within(level)? => return Ok(Turn::Taken(file)),
                        Ok(true) => {
                            remove_dir(level).map_err(Error::io("remove", &level.dir))?;
                            return Ok(Turn::OuterEnded);
                        }
                        Ok(false) => {}
                        Err(error) if error.kind() == io::ErrorKind::NotFound && level.depth > 0 => {
                            return Ok(Turn::OuterEnded);
                        }
                        Err(error) => return Err(Error::io("make the lock", &level.dir)(error)),
                    }
                }
                match self.occupant(level, true)? {
                    Occupant::Nobody if occupy => {}
                    Occupant::Nobody => return Ok(Turn::Taken(file)),
                    Occupant::Ours => return Ok(Turn::Inside),
                    Occupant::Dead(dir) => {
                        if let Turn::Inside = clearing::retire(self, level, &dir)? {
                            return Ok(Turn::Inside);
                        }
                        self.removed.push(dir);
                    }
                    Occupant::Held(info, state) => {
                        // Given back while we wait, so that a release need not wait for us.
                        drop(file);
                        self.await_end(level, info, state)?;
                        continue 'queue;
                    }
                }
            }
        }
    }

    /// Waits until nobody else writes, at the level where this process stands, and keeps the shared guards.
    pub fn pass(&mut self, top: &Level) -> Result<Vec<Arc<File>>, Error> {
        let mut kept = Vec::new();
        let mut level = top.clone();
        let mut is_sure = true;
        loop {
            let file = match self.lock_guard(&level, Mode::Shared)? {
                Turn::Taken(file) => Some(file),
                // A lock folder that cannot be written: there we can only look.
                Turn::OuterEnded => None,
                Turn::Inside => {
                    (level, is_sure) = (level.inside(), false);
                    continue;
                }
            };
            match self.occupant(&level, file.is_some())? {
                Occupant::Nobody if is_sure || self.is_within(&level)? => {
                    kept.extend(file);
                    return Ok(kept);
                }
                Occupant::Nobody => {
                    kept.clear();
                    (level, is_sure) = (top.clone(), true);
                }
                Occupant::Ours => (level, is_sure) = (level.inside(), false),
                // Those who were inside a dead holder's lock may still be at work there. While we keep its guard,
                // nobody can clear it away.
                Occupant::Dead(_) => {
                    kept.extend(file);
                    level = level.inside();
                }
                Occupant::Held(info, state) => {
                    drop(file);
                    kept.clear();
                    self.await_end(&level, info, state)?;
                    self.turnstiles.retain(|(path, _)| *path == top.queue);
                    (level, is_sure) = (top.clone(), true);
                }
            }
        }
    }

    /// Locks the guard of a level, unless this process is inside the lock.
    fn lock_guard(&mut self, level: &Level, mode: Mode) -> Result<Turn<Arc<File>>, Error> {
        self.lock_file(level, mode, true)
    }

    /// Locks the guard of a level, even from inside the lock: to end it.
    pub fn lock_from_inside(&mut self, level: &Level) -> Result<Option<Arc<File>>, Error> {
        match self.lock_file(level, Mode::Exclusive, false)? {
            Turn::Taken(file) => Ok(Some(file)),
            Turn::Inside | Turn::OuterEnded => Ok(None),
        }
    }

    /// Locks the guard of a level, and makes sure that it is the one that everybody else sees.
    fn lock_file(&mut self, level: &Level, mode: Mode, descend: bool) -> Result<Turn<Arc<File>>, Error> {
        loop {
            let file = match guard::open(&level.guard, mode, self.maker()?) {
                Ok(file) => Arc::new(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound && level.depth > 0 => {
                    return Ok(Turn::OuterEnded);
                }
                Err(error) if mode == Mode::Shared && cannot_be_made(&error) => return Ok(Turn::OuterEnded),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Somebody removed the whole lock folder since we made sure of it.
                    self.folder.ensure(self.observer)?;
                    continue;
                }
                Err(error) => return Err(Error::io("open the guard", &level.guard)(error)),
            };
            let attempt = || guard::try_lock(&file, mode).map_err(Error::io("lock the guard", &level.guard));
            let mut is_ours = attempt()?;
            if !is_ours && self.wait.timeout.is_zero() {
                is_ours = outlast_a_moment(level, attempt)?;
            }
            if !is_ours {
                if descend && self.is_inside(level) {
                    return Ok(Turn::Inside);
                }
                if !self.queue_for(&file, &level.guard, mode, level, descend)? {
                    return Ok(Turn::Inside);
                }
            }
            if guard::is_linked(&file, &level.guard).map_err(Error::io("look at the guard", &level.guard))? {
                return Ok(Turn::Taken(file));
            }
            // Cleanup unlinks idle guards at the top. Within a lock a guard goes only with that lock: to make it anew
            // would hinder whoever is emptying the directory.
            if level.depth > 0 {
                return Ok(Turn::OuterEnded);
            }
        }
    }

    /// Sleeps in the kernel until `file` is locked. `false` if we are inside `level` by now: an ancestor took the lock.
    fn queue_for(
        &mut self,
        file: &Arc<File>,
        path: &Path,
        mode: Mode,
        level: &Level,
        descend: bool,
    ) -> Result<bool, Error> {
        let deadline = self.begun.checked_add(self.wait.timeout);
        if self.wait.timeout.is_zero() {
            return Err(self.busy(level));
        }
        let waited = guard::lock(file, mode, deadline, &mut || {
            self.tell(level);
            !(descend && self.is_inside(level))
        });
        match waited.map_err(Error::io("wait for", path))? {
            Waited::Granted => Ok(true),
            Waited::CalledOff => Ok(false),
            Waited::TimedOut => Err(self.busy(level)),
        }
    }

    /// Waits until the holder of `level`, who keeps no guard, has ended. The first in the queue watches, the others
    /// sleep behind it.
    fn await_end(&mut self, level: &Level, mut info: Option<Info>, mut state: State) -> Result<(), Error> {
        if self.wait.timeout.is_zero() {
            return Err(self.busy(level));
        }
        if !self.queue_up(level)? {
            return Ok(());
        }
        loop {
            let nearby = info.as_ref().filter(|_| state == State::Alive).map(|info| info.pid);
            let watch = process::Watch::new(&level.dir, nearby);
            match self.occupant(level, false)? {
                // Somebody else has it by now, and keeps the guard: that is the queue to wait in.
                Occupant::Held(Some(new), _) if new.kind.keeps_guard() && !is_same(&new, info.as_ref()) => {
                    return Ok(());
                }
                // Only the guard tells whether a doubtful holder of one still works, so one look is all we take here.
                Occupant::Held(Some(new), _) if new.kind.keeps_guard() => {
                    watch.wait(self.wait.retry.min(self.wait.timeout.saturating_sub(self.begun.elapsed())));
                    return if self.begun.elapsed() < self.wait.timeout { Ok(()) } else { Err(self.busy(level)) };
                }
                Occupant::Held(None, _) if is_ours(level)? => return Ok(()),
                Occupant::Held(new, judged) => (info, state) = (new, judged),
                Occupant::Nobody | Occupant::Ours | Occupant::Dead(_) => return Ok(()),
            }
            let waited = self.begun.elapsed();
            if waited >= self.wait.timeout {
                return Err(self.busy(level));
            }
            if waited >= SECOND {
                self.tell(level);
            }
            let longest =
                if watch.is_complete() && info.is_some() && state == State::Alive { SECOND } else { self.wait.retry };
            let until_told = if waited < SECOND { SECOND - waited } else { SECOND };
            let has_ended =
                watch.wait(longest.min(until_told).min(self.wait.timeout - waited).min(self.time_left(info.as_ref())));
            if has_ended {
                // Whoever takes the guard judges the holder once more.
                return Ok(());
            }
        }
    }

    /// To whom a guard will belong that has to be made. Without the folder there is nothing to make one in.
    fn maker(&self) -> Result<Option<Belonging>, Error> {
        match self.folder.belonging() {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            belonging => belonging.map(Some),
        }
    }

    /// Takes the turnstile of `level`. `false` if it is gone with its level, or we are inside by now.
    fn queue_up(&mut self, level: &Level) -> Result<bool, Error> {
        while !self.turnstiles.iter().any(|(path, _)| *path == level.queue) {
            let file = match guard::open(&level.queue, Mode::Exclusive, self.maker()?) {
                Ok(file) => Arc::new(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                // Where nothing can be written there are readers only, and each of them watches.
                Err(error) if cannot_be_made(&error) => return Ok(true),
                Err(error) => return Err(Error::io("open the queue", &level.queue)(error)),
            };
            let is_first = guard::try_lock(&file, Mode::Exclusive).map_err(Error::io("queue in", &level.queue))?;
            if !is_first && !self.queue_for(&file, &level.queue, Mode::Exclusive, level, true)? {
                return Ok(false);
            }
            if guard::is_linked(&file, &level.queue).map_err(Error::io("look at", &level.queue))? {
                self.turnstiles.push((level.queue.clone(), file));
            } else if level.depth > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Who occupies `level`, with its guard free or held by us alone if `guard_is_free`.
    fn occupant(&mut self, level: &Level, guard_is_free: bool) -> Result<Occupant, Error> {
        let Some(dir) = LockDir::read(&level.dir)? else { return Ok(Occupant::Nobody) };
        let state = self.judge(&dir, guard_is_free);
        Ok(match (&dir.info, state) {
            (_, State::Dead(_)) if self.is_inside(&level.inside()) => Occupant::Ours,
            (_, State::Dead(_)) => Occupant::Dead(dir),
            (Some(info), _) if self.here.is_inside(info) => Occupant::Ours,
            (info, state) => Occupant::Held(info.clone(), state),
        })
    }

    fn judge(&mut self, dir: &LockDir, guard_is_free: bool) -> State {
        let state = self.here.judge(dir, guard_is_free);
        if state == State::Alive && dir.info.is_none() && !dir.made_by_us {
            // The clock may be set back while a directory waits for its `info`, so our own patience counts too.
            let found = (dir.inode, dir.modified);
            let (seen, since) = *self.nameless.get_or_insert((found, Instant::now()));
            if seen != found {
                self.nameless = Some((found, Instant::now()));
            } else if since.elapsed() >= SETTING_UP {
                return State::Dead(Cause::Unfinished);
            }
        }
        state
    }

    /// Whether this process works under the lock of `level`, or under one inside it, which may outlive it.
    fn is_inside(&self, level: &Level) -> bool {
        let Ok(Some(dir)) = LockDir::read(&level.dir) else { return false };
        dir.info.is_some_and(|info| self.here.is_inside(&info)) || self.is_inside(&level.inside())
    }

    /// Whether the lock that `level` lies in is still one that this process works under.
    ///
    /// Between finding ourselves inside a lock and locking the guard within, that lock may have ended, and another's
    /// directory have come in its place. Everybody who ends a lock removes `info` first and looks at the guard within
    /// only then; so either we see here that `info` is gone, or they see that we are at work.
    fn is_within(&self, level: &Level) -> Result<bool, Error> {
        let Some(outer) = level.outer() else { return Ok(true) };
        let info = LockDir::read(outer)?.and_then(|dir| dir.info);
        Ok(info.is_some_and(|info| self.here.is_inside(&info)))
    }

    /// Tells that we wait, and for whom; from time to time again.
    fn tell(&mut self, level: &Level) {
        let waited = self.begun.elapsed();
        if self.told.is_some_and(|told| waited < told + REMINDER) {
            return;
        }
        let holder = LockDir::read(&level.dir).ok().flatten().and_then(|dir| dir.info);
        let (target, holder, timeout) = (&self.target.given, holder.as_ref(), self.wait.timeout);
        self.observer.notice(match self.told {
            None => Event::Waiting { target, holder, timeout },
            Some(_) => Event::StillWaiting { target, holder, waited, timeout },
        });
        self.told = Some(waited);
    }

    /// How long a lease of this boot has left; the deadline of another one counts from another beginning.
    fn time_left(&self, info: Option<&Info>) -> Duration {
        let ours = info.filter(|info| info.boot.as_deref() == self.here.boot());
        let deadline = ours.and_then(|info| info.deadline).map(Duration::from_millis);
        let left = |deadline: Duration| deadline.saturating_sub(process::uptime()).max(Duration::from_millis(1));
        deadline.map_or(Duration::MAX, left)
    }

    fn busy(&self, level: &Level) -> Error {
        let dir = LockDir::read(&level.dir).ok().flatten();
        let guard_is_free = !guard::is_locked(&level.guard).unwrap_or(true);
        let doubt = dir.as_ref().and_then(|dir| doubt_of(&self.here.judge(dir, guard_is_free)));
        Error::Busy(Box::new(Busy {
            target: self.target.given.clone(),
            holder: dir.and_then(|dir| dir.info),
            doubt,
            waited: self.begun.elapsed(),
        }))
    }
}

/// Tries again for as long as nobody says that the lock is held: `show` and `status` lock a guard for a moment to see
/// whether anybody has it, a reader until it has the file open, and neither is a holder to give up for.
fn outlast_a_moment(level: &Level, attempt: impl Fn() -> Result<bool, Error>) -> Result<bool, Error> {
    let begun = Instant::now();
    loop {
        thread::sleep(A_MOMENT);
        if attempt()? {
            return Ok(true);
        }
        // A writer that has its flock and not yet its directory looks the same, but only for a moment too.
        if LockDir::read(&level.dir)?.is_some() || begun.elapsed() >= MOMENTS {
            return Ok(false);
        }
    }
}

fn cannot_be_made(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), NotFound | PermissionDenied | ReadOnlyFilesystem)
}

/// Whether both tell of one hold.
fn is_same(new: &Info, old: Option<&Info>) -> bool {
    old.is_some_and(|old| old.token == new.token)
}

/// Whether the directory of `level` is one of memlatch's own.
fn is_ours(level: &Level) -> Result<bool, Error> {
    Ok(LockDir::read(&level.dir)?.is_some_and(|dir| dir.made_by_us))
}

/// Opens the directory that we have just made and writes `info` into it. `None` if it is not there any more, or another
/// has come in its place: scripts know nothing of guards.
fn settle(level: &Level, info: &Info, belonging: Belonging) -> Result<Option<File>, Error> {
    let settled = try_to_settle(level, info, belonging);
    if settled.is_err() {
        // What cannot be said cannot be held: the directory goes, and the guard with the caller.
        _ = fs::remove_dir(&level.dir);
    }
    settled
}

fn try_to_settle(level: &Level, info: &Info, belonging: Belonging) -> Result<Option<File>, Error> {
    let dir = match open_dir(&level.dir) {
        Ok(dir) => dir,
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP)) => {
            return Ok(None);
        }
        Err(error) => return Err(Error::io("open the lock", &level.dir)(error)),
    };
    if !is_made_by_us(&dir.metadata().map_err(Error::io("look at the lock", &level.dir))?) {
        return Ok(None);
    }
    match write_info(&dir, info, belonging) {
        Ok(()) => Ok(Some(dir)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("write", &level.dir.join(info::FILE_NAME))(error)),
    }
}
