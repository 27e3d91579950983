//! One write to a document beyond this machine: read, compute, replace, and again if another write came between.
//!
//! The first attempt takes no lock. A writer that finds that another came first, or that others are in the queue for the lock,
//! joins the queue and tries again when it is its turn, so no writer is overtaken for ever. A bucket has no queue; there each writer waits
//! a little longer than before.

use crate::{
    Means, inside,
    place::{Store, Subject, until},
};
use memlatch::failure::{Failure, Kind};
use memlatch_lock::{
    Busy, Error as LockError, Event, Observer, Wait,
    info::{self, Info},
};
use memlatch_os as process;
use memlatch_remote::{
    Moment,
    engine::{Change, Entry, Ladder, Landed, Replaced, Seen, Standing, Wanted, judge},
    etcd::{
        Cluster,
        locks::{Place, Turn},
    },
    random,
};
use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How long a lease lasts that is taken for one write.
const FOR_ONE_WRITE: Duration = Duration::from_secs(6);

/// A write under way.
pub struct Session<'a> {
    subject: &'a Subject,
    store: Store,
    means: Means<'a>,
    claim: Info,
    wait: Wait,
    begun: Instant,
    /// When an engine has to have answered.
    until: Moment,
    /// The holds that this process works under.
    under: Ladder,
    /// The place in the queue that was taken for this write.
    held: Option<Place>,
    /// Names this write in all its attempts.
    id: String,
    /// The list of writes before an attempt that may still be made.
    doubt: Option<Vec<String>>,
    attempts: u32,
}

/// What became of an attempt.
pub enum Attempt {
    Done,
    /// Another write came between; this is the document now.
    Again(Seen),
}

impl<'a> Session<'a> {
    /// Begins a write to a document.
    pub fn begin(subject: &'a Subject, claim: Info, wait: Wait, means: Means<'a>) -> Result<Self, Failure> {
        Ok(Session {
            store: subject.store()?,
            under: inside::told(subject, means.settings),
            until: until(wait.timeout),
            begun: Instant::now(),
            id: random::write_id(),
            held: None,
            doubt: None,
            attempts: 0,
            subject,
            means,
            claim,
            wait,
        })
    }

    /// Reads the document, after waiting for those in the queue for its lock.
    pub fn look(&mut self, wanted: Wanted) -> Result<Seen, Failure> {
        let mut seen = self.read(wanted)?;
        if self.under.0.is_empty() && self.held.is_none() {
            if let Some(rung) = seen.first.as_ref().and_then(inside::is_ours) {
                self.under = Ladder(vec![rung]);
                seen = self.read(wanted)?;
            }
        }
        match seen.first {
            Some(_) if self.held.is_none() => {
                self.line_up()?;
                self.read(wanted)
            }
            _ => Ok(seen),
        }
    }

    /// Takes the lock for this write, so that what makes the new content runs once.
    pub fn lock(&mut self) -> Result<(), Failure> {
        if self.under.0.is_empty() {
            let seen = self.read(Wanted::Document)?;
            self.under.0.extend(seen.first.as_ref().and_then(inside::is_ours));
        }
        self.line_up()
    }

    /// The holds under which the new content is made.
    pub fn ladder(&self) -> Ladder {
        match &self.held {
            Some(place) => self.under.with(place.rung.clone()),
            None => self.under.clone(),
        }
    }

    /// Does what may take long, and keeps the lease meanwhile, if there is one.
    pub fn keeping<T>(&self, work: impl FnOnce() -> T) -> T {
        let Some(place) = &self.held else { return work() };
        let (lease, kept_until, pause) = (place.rung.lease, place.kept_until, place.ttl / 3);
        let (done, is_done) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let access = &self.subject.access;
            let keeper = move || {
                let mut kept_until = kept_until;
                // The connection of this thread is made when it is first needed.
                while let Err(mpsc::RecvTimeoutError::Timeout) = is_done.recv_timeout(pause) {
                    let kept = Cluster::new(access).and_then(|cluster| cluster.keep(lease, kept_until));
                    match kept {
                        Ok(Some(until)) => kept_until = until,
                        // The write will find out.
                        Ok(None) | Err(_) => return,
                    }
                }
            };
            // Without the thread the lease may end early, and the write is refused then.
            _ = thread::Builder::new().spawn_scoped(scope, keeper);
            let result = work();
            drop(done);
            result
        })
    }

    /// Tries to put new content in the place of what was `seen`.
    pub fn put(&mut self, seen: &Seen, document: &[u8], row: Row<'_>) -> Result<Attempt, Failure> {
        if self.has_landed(seen)? {
            return self.end().map(|()| Attempt::Done);
        }
        self.attempts += 1;
        let change = Change { document, backups: row.new, id: &self.id };
        let standing = Standing { under: self.ladder(), ends_last: self.held.is_some() };
        let wanted = if row.matters { Wanted::Backups } else { Wanted::Document };
        let replaced = self.store.engine().replace(self.subject.key(), seen, &change, &standing, self.until);
        match replaced.map_err(|error| self.subject.failure(error))? {
            Replaced::Done => self.end().map(|()| Attempt::Done),
            Replaced::Changed { now, in_doubt } => {
                if in_doubt {
                    self.doubt.get_or_insert_with(|| seen.version.known().to_vec());
                }
                self.step_back()?;
                let now =
                    if self.held.is_some() || row.matters || now.first.is_some() { self.read(wanted)? } else { now };
                Ok(Attempt::Again(now))
            }
            Replaced::FenceLost => {
                self.make_sure_of_outer_holds()?;
                // The lease that was taken for this write is over: nothing was heard of us for too long.
                self.held = None;
                self.line_up()?;
                self.read(wanted).map(Attempt::Again)
            }
        }
    }

    /// Whether what an attempt that was not answered was to write is what is there.
    fn has_landed(&self, seen: &Seen) -> Result<bool, Failure> {
        let Some(before) = &self.doubt else { return Ok(false) };
        match judge(&self.id, before, seen.version.known()) {
            Landed::Yes => Ok(true),
            Landed::No => Ok(false),
            Landed::Forgotten => Err(self.subject.failure(memlatch_remote::engine::Error::Unknown {
                engine: self.store.engine().name().to_owned(),
                id: self.id.clone(),
                why: "others have written so often since that it is not on the list of writes any more".to_owned(),
            })),
        }
    }

    /// Lets others go first, in the way of the engine.
    fn step_back(&mut self) -> Result<(), Failure> {
        match (&self.store, &self.held) {
            (Store::Etcd(_), None) => self.line_up(),
            (Store::Etcd(_), Some(_)) => self.within_time(None),
            (Store::Bucket(_), _) => {
                self.within_time(None)?;
                // Between half and all of it, so that writers that collided do not collide again.
                let longest = Duration::from_millis(20 << self.attempts.min(6)).as_millis() as u64;
                thread::sleep(Duration::from_millis(longest / 2 + random::number() % (longest / 2)));
                Ok(())
            }
        }
    }

    fn within_time(&self, holder: Option<&Entry>) -> Result<(), Failure> {
        if self.begun.elapsed() < self.wait.timeout.max(Duration::from_secs(1)) {
            Ok(())
        } else {
            Err(self.busy(holder))
        }
    }

    fn busy(&self, holder: Option<&Entry>) -> Failure {
        busy(self.subject, holder, self.begun.elapsed())
    }

    fn read(&self, wanted: Wanted) -> Result<Seen, Failure> {
        let seen = self.store.engine().read(self.subject.key(), wanted, &self.under, self.until);
        seen.map_err(|error| self.subject.failure(error))
    }

    /// Takes the lock for this write.
    fn line_up(&mut self) -> Result<(), Failure> {
        let Store::Etcd(cluster) = &self.store else { return Ok(()) };
        let wait = Wait { timeout: self.wait.timeout.saturating_sub(self.begun.elapsed()), ..self.wait };
        self.held = Some(take(cluster, self.subject, &self.under, &self.claim, FOR_ONE_WRITE, wait, self.means)?);
        Ok(())
    }

    fn make_sure_of_outer_holds(&self) -> Result<(), Failure> {
        let Store::Etcd(cluster) = &self.store else { return Ok(()) };
        let holds = cluster.holds(self.subject.key(), &self.under, self.until);
        if holds.map_err(|error| self.subject.failure(error))? { Ok(()) } else { Err(lost(self.subject)) }
    }

    /// Gives back what was taken for this write.
    pub fn end(&mut self) -> Result<(), Failure> {
        if let (Store::Etcd(cluster), Some(place)) = (&self.store, self.held.take()) {
            // The write has ended the hold already; what is left is a lease without anything on it.
            if let Err(error) = cluster.revoke(place.rung.lease, until(Duration::ZERO)) {
                self.means.console.debug(format_args!("the lease ends by itself: {error}"));
            }
        }
        Ok(())
    }
}

/// A writer that gives up releases its place in the queue; its lease would only end some seconds later.
impl Drop for Session<'_> {
    fn drop(&mut self) {
        _ = self.end();
    }
}

/// What becomes of the row of backups.
#[derive(Default)]
pub struct Row<'a> {
    /// Whether the write is about backups at all.
    pub matters: bool,
    /// The new row, from the front as far as it changes.
    pub new: Vec<&'a [u8]>,
}

/// The entry for this process in the queue for the lock.
pub fn claim(subject: &Subject, kind: info::Kind, command: Option<String>, client: Option<String>) -> Info {
    let mut info = Info::new(std::process::id(), kind);
    info.acquired = Some(process::wall_clock());
    info.host = Some(process::host_name());
    info.target = Some(subject.target.path.clone());
    info.command = command;
    info.client = client;
    info.boot = process::boot_id();
    info.namespace = process::pid_namespace();
    info.started = process::look_up(info.pid).map(|me| me.started);
    info
}

/// Takes a lock, below the holds of `under`: lines up, and waits for its turn.
pub fn take(
    cluster: &Cluster,
    subject: &Subject,
    under: &Ladder,
    claim: &Info,
    ttl: Duration,
    wait: Wait,
    means: Means<'_>,
) -> Result<Place, Failure> {
    let failed = |error| subject.failure(error);
    let begun = Instant::now();
    let deadline = Moment::now() + wait.timeout;
    let text = claim.encode();
    let mut teller = Teller { subject, means, begun, timeout: wait.timeout, told: None };
    loop {
        let place = cluster.line_up(subject.key(), under, text.as_bytes(), ttl, until(wait.timeout)).map_err(failed)?;
        let Some(mut place) = place else { return Err(lost(subject)) };
        let lease = place.rung.lease;
        let turn = cluster.wait_turn(subject.key(), under, &mut place, deadline, &mut |holder| teller.tell(holder));
        match turn {
            Ok(Turn::Mine) => return Ok(place),
            // The place in the queue was lost with its lease, so take a new one, at the end.
            Ok(Turn::Lost) if !deadline.has_passed() => {}
            Ok(Turn::Lost) => return Err(busy(subject, None, begun.elapsed())),
            Ok(Turn::TimeUp(holder)) => {
                // If it cannot be reached now, the place ends with its lease.
                _ = cluster.revoke(lease, until(Duration::ZERO));
                return Err(busy(subject, holder.as_ref(), begun.elapsed()));
            }
            Err(error) => {
                _ = cluster.revoke(lease, until(Duration::ZERO));
                return Err(failed(error));
            }
        }
    }
}

/// Reports the holder of the lock while waiting: after a second, and then every ten.
struct Teller<'a> {
    subject: &'a Subject,
    means: Means<'a>,
    begun: Instant,
    timeout: Duration,
    told: Option<Instant>,
}

impl Teller<'_> {
    fn tell(&mut self, holder: Option<&Entry>) {
        let holder = holder.and_then(|entry| Info::decode(&entry.info));
        let (target, holder, waited) = (&*self.subject.target.given, holder.as_ref(), self.begun.elapsed());
        let timeout = self.timeout;
        match self.told {
            None if waited >= Duration::from_secs(1) => {
                self.means.console.notice(Event::Waiting { target, holder, timeout })
            }
            Some(told) if told.elapsed() >= Duration::from_secs(10) => {
                self.means.console.notice(Event::StillWaiting { target, holder, waited, timeout });
            }
            _ => return,
        }
        self.told = Some(Instant::now());
    }
}

/// The lock was not free in time.
pub fn busy(subject: &Subject, holder: Option<&Entry>, waited: Duration) -> Failure {
    let holder = holder.and_then(|entry| Info::decode(&entry.info));
    LockError::Busy(Box::new(Busy { target: subject.target.given.clone(), holder, doubt: None, waited })).into()
}

/// A hold that this process works under is over.
pub fn lost(subject: &Subject) -> Failure {
    Failure::new(
        Kind::Unreachable,
        format!(
            "the lock on '{}' that this command works under is lost: its engine has not heard from its holder for too long, or \
             somebody has released it by force, and it may be another's by now; nothing has changed; run the whole work again",
            memlatch_os::paths::shown(&subject.target.given)
        ),
    )
}
