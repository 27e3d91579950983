//! Contending for a lock: queue in the kernel, clear the locks of dead holders, wait for living ones.

pub mod clearing;

use super::{
    Busy, Claim, Error, Event, Observer, Wait, doubt_of,
    folder::{Folder, LockDir, is_made_by_us, make_dir, open_dir, remove_dir, write_info},
    guard::{self, Mode, Waited},
    holder::{Cause, Here, SETTING_UP, State},
    info::{self, Info, Kind},
    level::Level,
    ownership::Ownership,
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

/// Longer than it takes to lock a guard, find it free and unlock it.
const SHORT_HOLD: Duration = Duration::from_millis(2);

/// How long an attempt without waiting keeps trying past such short holds: on a loaded machine one can take a time slice or two.
const SHORT_HOLDS: Duration = Duration::from_secs(1);
const SECOND: Duration = Duration::from_secs(1);
/// Interval between reminders that the wait goes on.
const REMINDER: Duration = Duration::from_secs(10);

/// The result of an attempt at one level.
pub enum Attempt<T> {
    Taken(T),
    /// This process is inside the lock: it belongs one level further down.
    Inside,
    /// The lock around this level has ended: start again at the top.
    OuterEnded,
}

/// A lock that was taken.
pub struct Entered {
    pub level: Level,
    /// The guard.
    pub file: Arc<File>,
    /// The lock entry.
    pub dir: File,
    /// The entries of dead holders that were removed to take it.
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

/// A directory's inode and modification time. Inode numbers are reused at once, but adding or removing an entry
/// changes the time.
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
    queue_places: Vec<(PathBuf, Arc<File>)>,
    /// The entry without `info` that we saw last, and since when.
    without_info: Option<(DirState, Instant)>,
    /// How long we had waited when we last reported it.
    last_report: Option<Duration>,
    /// The entries of dead holders that we have removed, open until the lock ends: see [`super::Guard`].
    removed: Vec<LockDir>,
}

impl<'a> Contender<'a> {
    pub fn new(folder: &'a Folder, target: &'a Target, wait: Wait, observer: &'a dyn Observer) -> Self {
        Contender::with_here(Rc::new(Here::new(folder)), folder, target, wait, observer)
    }

    /// A contender that reuses what the process has already found out about itself.
    pub fn with_here(
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
            queue_places: Vec::new(),
            without_info: None,
            last_report: None,
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
        // Only a `with` can be an ancestor of other contenders, so only a `with` needs what identifies an ancestor.
        if claim.kind == Kind::With {
            info.namespace = self.here.namespace().map(str::to_owned);
            info.started = process::look_up(info.pid).map(|me| me.started);
        }
        info
    }

    /// Takes the lock at the outermost level, from `top` down, that this process is not inside of.
    pub fn enter(&mut self, top: Level, info: &Info) -> Result<Entered, Error> {
        let mut level = top.clone();
        loop {
            level = match self.claim(&level, true)? {
                Attempt::Taken(file) => match settle(&level, info, self.folder.ownership()?)? {
                    Some(dir) => return Ok(Entered { level, file, dir, removed: mem::take(&mut self.removed) }),
                    // Another process removed the entry that we had just made.
                    None => level,
                },
                Attempt::Inside => level.inside(),
                Attempt::OuterEnded => top.clone(),
            };
            // A process that clears the level above may be waiting behind us there.
            self.queue_places.clear();
        }
    }

    /// Waits until `level` is free, and returns with its guard locked exclusively. If `occupy`, also makes its entry.
    pub fn claim(&mut self, level: &Level, occupy: bool) -> Result<Attempt<Arc<File>>, Error> {
        'queue: loop {
            let file = match self.lock_guard(level, Mode::Exclusive)? {
                Attempt::Taken(file) => file,
                Attempt::Inside => return Ok(Attempt::Inside),
                Attempt::OuterEnded => return Ok(Attempt::OuterEnded),
            };
            loop {
                if occupy {
                    match make_dir(level, self.folder.ownership()?) {
                        Ok(true) if self.is_within(level)? => return Ok(Attempt::Taken(file)),
                        Ok(true) => {
                            remove_dir(level).map_err(Error::io("remove", &level.dir))?;
                            return Ok(Attempt::OuterEnded);
                        }
                        Ok(false) => {}
                        Err(error) if error.kind() == io::ErrorKind::NotFound && level.depth > 0 => {
                            return Ok(Attempt::OuterEnded);
                        }
                        Err(error) => return Err(Error::io("make the lock", &level.dir)(error)),
                    }
                }
                match self.occupant(level, true)? {
                    Occupant::Nobody if occupy => {}
                    Occupant::Nobody => return Ok(Attempt::Taken(file)),
                    Occupant::Ours => return Ok(Attempt::Inside),
                    Occupant::Dead(dir) => {
                        if let Attempt::Inside = clearing::retire(self, level, &dir)? {
                            return Ok(Attempt::Inside);
                        }
                        self.removed.push(dir);
                    }
                    Occupant::Held(info, state) => {
                        // Unlocked while we wait, so that a release need not wait for us.
                        drop(file);
                        self.await_end(level, info, state)?;
                        continue 'queue;
                    }
                }
            }
        }
    }

    /// Waits until no process writes at the outermost level that this process is not inside of, and returns with the guards locked shared.
    pub fn enter_shared(&mut self, top: &Level) -> Result<Vec<Arc<File>>, Error> {
        let mut kept = Vec::new();
        let mut level = top.clone();
        let mut is_sure = true;
        loop {
            let file = match self.lock_guard(&level, Mode::Shared)? {
                Attempt::Taken(file) => Some(file),
                // We cannot write in the lock directory, so we can only look at the entry.
                Attempt::OuterEnded => None,
                Attempt::Inside => {
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
                // Processes inside a dead holder's lock may still be at work there. While we hold its guard,
                // nobody can clear that lock.
                Occupant::Dead(_) => {
                    kept.extend(file);
                    level = level.inside();
                }
                Occupant::Held(info, state) => {
                    drop(file);
                    kept.clear();
                    self.await_end(&level, info, state)?;
                    self.queue_places.retain(|(path, _)| *path == top.queue);
                    (level, is_sure) = (top.clone(), true);
                }
            }
        }
    }

    /// Locks the guard of a level, unless this process is inside the lock.
    fn lock_guard(&mut self, level: &Level, mode: Mode) -> Result<Attempt<Arc<File>>, Error> {
        self.lock_file(level, mode, true)
    }

    /// Locks the guard of a level, even from inside the lock, in order to end it.
    pub fn lock_from_inside(&mut self, level: &Level) -> Result<Option<Arc<File>>, Error> {
        match self.lock_file(level, Mode::Exclusive, false)? {
            Attempt::Taken(file) => Ok(Some(file)),
            Attempt::Inside | Attempt::OuterEnded => Ok(None),
        }
    }

    /// Locks the guard of a level, and checks that its path still leads to the same file.
    fn lock_file(&mut self, level: &Level, mode: Mode, descend: bool) -> Result<Attempt<Arc<File>>, Error> {
        loop {
            let file = match guard::open(&level.guard, mode, self.ownership_of_new_guard()?) {
                Ok(file) => Arc::new(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound && level.depth > 0 => {
                    return Ok(Attempt::OuterEnded);
                }
                Err(error) if mode == Mode::Shared && cannot_be_made(&error) => return Ok(Attempt::OuterEnded),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // The whole lock directory was removed since we checked for it.
                    self.folder.ensure(self.observer)?;
                    continue;
                }
                Err(error) => return Err(Error::io("open the guard", &level.guard)(error)),
            };
            let attempt = || guard::try_lock(&file, mode).map_err(Error::io("lock the guard", &level.guard));
            let mut is_ours = attempt()?;
            if !is_ours && self.wait.timeout.is_zero() {
                is_ours = retry_past_short_holds(level, attempt)?;
            }
            if !is_ours {
                if descend && self.is_inside(level) {
                    return Ok(Attempt::Inside);
                }
                if !self.queue_for(&file, &level.guard, mode, level, descend)? {
                    return Ok(Attempt::Inside);
                }
            }
            if guard::is_linked(&file, &level.guard).map_err(Error::io("examine the guard", &level.guard))? {
                return Ok(Attempt::Taken(file));
            }
            // At the top, cleanup unlinks unused guards. Within a lock, a guard is removed only together with that lock: making
            // it again would get in the way of the process that empties the entry.
            if level.depth > 0 {
                return Ok(Attempt::OuterEnded);
            }
        }
    }

    /// Sleeps in the kernel until `file` is locked. `false` if we are inside `level` by now, because an ancestor took the lock.
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
            self.report_wait(level);
            !(descend && self.is_inside(level))
        });
        match waited.map_err(Error::io("wait for", path))? {
            Waited::Granted => Ok(true),
            Waited::Stopped => Ok(false),
            Waited::TimedOut => Err(self.busy(level)),
        }
    }

    /// Waits for the end of a hold without a locked guard, such as a lease. The first waiter in the queue watches the holder, the others
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
                // Another process holds the lock by now, with the guard locked: wait for that guard instead.
                Occupant::Held(Some(new), _) if new.kind.keeps_guard() && !is_same(&new, info.as_ref()) => {
                    return Ok(());
                }
                // For a holder of the guard that cannot be checked, only the guard shows whether it still works: return to it after one wait.
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
                self.report_wait(level);
            }
            let longest =
                if watch.is_complete() && info.is_some() && state == State::Alive { SECOND } else { self.wait.retry };
            let until_report = if waited < SECOND { SECOND - waited } else { SECOND };
            let has_ended = watch
                .wait(longest.min(until_report).min(self.wait.timeout - waited).min(self.time_left(info.as_ref())));
            if has_ended {
                // The process that takes the guard checks the holder again.
                return Ok(());
            }
        }
    }

    /// The ownership of a guard that has to be made. `None` if there is no lock directory to make it in.
    fn ownership_of_new_guard(&self) -> Result<Option<Ownership>, Error> {
        match self.folder.ownership() {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            ownership => ownership.map(Some),
        }
    }

    /// Takes the first place in the queue of `level`. `false` if the queue is gone with its level, or we are inside by now.
    fn queue_up(&mut self, level: &Level) -> Result<bool, Error> {
        while !self.queue_places.iter().any(|(path, _)| *path == level.queue) {
            let file = match guard::open(&level.queue, Mode::Exclusive, self.ownership_of_new_guard()?) {
                Ok(file) => Arc::new(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                // Without write permission all waiters are readers, and each of them watches the holder.
                Err(error) if cannot_be_made(&error) => return Ok(true),
                Err(error) => return Err(Error::io("open the queue", &level.queue)(error)),
            };
            let is_first = guard::try_lock(&file, Mode::Exclusive).map_err(Error::io("queue in", &level.queue))?;
            if !is_first && !self.queue_for(&file, &level.queue, Mode::Exclusive, level, true)? {
                return Ok(false);
            }
            if guard::is_linked(&file, &level.queue).map_err(Error::io("examine", &level.queue))? {
                self.queue_places.push((level.queue.clone(), file));
            } else if level.depth > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The occupant of `level`. `guard_is_free` says that its guard is free, or locked by us alone.
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
            // The clock may be set back while an entry waits for its `info`, so we also measure how long we have seen it.
            let found = (dir.inode, dir.modified);
            let (seen, since) = *self.without_info.get_or_insert((found, Instant::now()));
            if seen != found {
                self.without_info = Some((found, Instant::now()));
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

    /// Whether this process is still inside the lock around `level`.
    ///
    /// Between finding that we are inside a lock and locking the guard within it, that lock may have ended, and another
    /// holder's entry may have taken its place. A process that ends a lock removes `info` first and looks at the guard within
    /// only after that; so either we see here that `info` is gone, or that process sees that we are at work.
    fn is_within(&self, level: &Level) -> Result<bool, Error> {
        let Some(outer) = level.outer() else { return Ok(true) };
        let info = LockDir::read(outer)?.and_then(|dir| dir.info);
        Ok(info.is_some_and(|info| self.here.is_inside(&info)))
    }

    /// Reports that we wait, and for which holder, unless it was reported a short time ago.
    fn report_wait(&mut self, level: &Level) {
        let waited = self.begun.elapsed();
        if self.last_report.is_some_and(|last| waited < last + REMINDER) {
            return;
        }
        let holder = LockDir::read(&level.dir).ok().flatten().and_then(|dir| dir.info);
        let (target, holder, timeout) = (&self.target.given, holder.as_ref(), self.wait.timeout);
        self.observer.notice(match self.last_report {
            None => Event::Waiting { target, holder, timeout },
            Some(_) => Event::StillWaiting { target, holder, waited, timeout },
        });
        self.last_report = Some(waited);
    }

    /// The time that a lease of this boot has left. Deadlines count from the boot, so that of another boot says nothing here.
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

/// Keeps trying while the guard is locked but no entry says that the lock is held: `show` and `status` lock a guard for a moment to check
/// whether it is held, a reader until it has opened the file. Neither is a reason to give up.
fn retry_past_short_holds(level: &Level, attempt: impl Fn() -> Result<bool, Error>) -> Result<bool, Error> {
    let begun = Instant::now();
    loop {
        thread::sleep(SHORT_HOLD);
        if attempt()? {
            return Ok(true);
        }
        // A writer between its flock and its entry looks the same, but also only for a moment.
        if LockDir::read(&level.dir)?.is_some() || begun.elapsed() >= SHORT_HOLDS {
            return Ok(false);
        }
    }
}

fn cannot_be_made(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), NotFound | PermissionDenied | ReadOnlyFilesystem)
}

/// Whether both describe the same hold.
fn is_same(new: &Info, old: Option<&Info>) -> bool {
    old.is_some_and(|old| old.token == new.token)
}

/// Whether the entry of `level` was made by memlatch.
fn is_ours(level: &Level) -> Result<bool, Error> {
    Ok(LockDir::read(&level.dir)?.is_some_and(|dir| dir.made_by_us))
}

/// Opens the entry that we have just made and writes `info` into it. `None` if the entry is gone, or another
/// has taken its place: scripts know nothing of guards.
fn settle(level: &Level, info: &Info, ownership: Ownership) -> Result<Option<File>, Error> {
    let settled = try_to_settle(level, info, ownership);
    if settled.is_err() {
        // Without `info` there is no lock: the entry is removed, and the caller drops the guard.
        _ = fs::remove_dir(&level.dir);
    }
    settled
}

fn try_to_settle(level: &Level, info: &Info, ownership: Ownership) -> Result<Option<File>, Error> {
    let dir = match open_dir(&level.dir) {
        Ok(dir) => dir,
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP)) => {
            return Ok(None);
        }
        Err(error) => return Err(Error::io("open the lock", &level.dir)(error)),
    };
    if !is_made_by_us(&dir.metadata().map_err(Error::io("examine the lock", &level.dir))?) {
        return Ok(None);
    }
    match write_info(&dir, info, ownership) {
        Ok(()) => Ok(Some(dir)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("write", &level.dir.join(info::FILE_NAME))(error)),
    }
}
