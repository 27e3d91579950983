//! `file-lock with` on documents beyond this machine: a command that is ended before its lock can be another's.

use crate::{
    Means, inside,
    keeper::{self, Hold, KEPT, Keeper, LOST, Owner},
    leases::around,
    place::{Subject, until},
    session::{claim, take},
};
use memlatch::{
    commands::with::{cannot_run, shell_status, wait_and_forward},
    failure::{Failure, Kind},
    request::With,
    settings,
    sink::{Note, Sink},
};
use memlatch_lock::{Event, Observer, Wait, info};
use memlatch_os::{self as process, Signals, paths::shown};
use memlatch_remote::{
    Moment,
    engine::{Ladder, Rung},
    etcd::Cluster,
};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{ChildStdout, Command},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

/// The variable that tells a command the number of its hold, which is higher than that of every earlier holder: whoever it
/// writes to can refuse a lower one.
const FENCE: &str = "MEMLATCH_FENCE";

/// A lock that is held.
struct Held {
    subject: Subject,
    cluster: Cluster,
    ladder: Ladder,
    rung: Rung,
    hold: Hold,
}

impl Held {
    fn give_back(&self, means: Means<'_>) {
        means.console.notice(Event::Releasing(&self.subject.target.path));
        match self.cluster.revoke(self.rung.lease, until(Duration::ZERO)) {
            Ok(()) => means.console.notice(Event::Released),
            Err(error) => {
                means.console.info(format_args!("{error}; the lock ends by itself in {} s", self.hold.ttl.as_secs()))
            }
        }
    }
}

/// Runs a command while holding the locks, and gives its exit status.
pub fn run(request: &With, means: Means<'_>) -> Result<u8, Failure> {
    let held = take_all(request, means)?;
    means.console.note(Note::Executing(&request.command));
    let result = run_inside(&held, request, means);
    held.iter().rev().for_each(|held| held.give_back(means));
    result
}

/// Takes the locks in the order of their addresses, the same for everybody, so that no two commands each hold what the other
/// waits for.
fn take_all(request: &With, means: Means<'_>) -> Result<Vec<Held>, Failure> {
    let mut subjects: Vec<Subject> =
        request.files.iter().map(|file| Subject::find(file, means.settings)).collect::<Result<_, _>>()?;
    subjects.sort_by(|a, b| a.target.path.cmp(&b.target.path));
    subjects.dedup_by(|a, b| a.target.path == b.target.path);
    let program =
        request.command.first().map(|program| shown(Path::new(Path::new(program).file_name().unwrap_or(program))));
    let begun = Instant::now();
    let mut held: Vec<Held> = Vec::new();
    for subject in subjects {
        let wait = Wait { timeout: request.wait.timeout.saturating_sub(begun.elapsed()), ..request.wait };
        match take_one(subject, program.clone(), request, wait, means) {
            Ok(one) => held.push(one),
            Err(mut failure) => {
                held.iter().rev().for_each(|held| held.give_back(means));
                if let (Kind::Busy, Some(code)) = (failure.kind, request.conflict_code) {
                    failure.kind = Kind::Conflict(code);
                }
                return Err(failure);
            }
        }
    }
    Ok(held)
}

fn take_one(
    subject: Subject,
    program: Option<String>,
    request: &With,
    wait: Wait,
    means: Means<'_>,
) -> Result<Held, Failure> {
    means.console.notice(Event::Acquiring(&subject.target.given));
    let cluster = subject.cluster()?;
    let under = around(&subject, &cluster, wait.timeout, means.settings)?;
    let claim = claim(&subject, info::Kind::With, program, request.client.clone());
    let place = take(&cluster, &subject, &under, &claim, subject.access.lease, wait, means)?;
    means.console.notice(Event::Acquired(&subject.target.path));
    let (lease, ttl, kept_until) = (place.rung.lease, place.ttl, place.kept_until);
    let hold = Hold { access: subject.access.clone(), lease, ttl, kept_until };
    Ok(Held { ladder: under.with(place.rung.clone()), rung: place.rung, subject, cluster, hold })
}

/// How the command and the watch over it stand to each other.
mod state {
    pub const RUNS: u8 = 0;
    pub const ENDED: u8 = 1;
    pub const LOST: u8 = 2;
}

fn run_inside(held: &[Held], request: &With, means: Means<'_>) -> Result<u8, Failure> {
    let signals = Signals::block().map_err(|error| Failure::failed(format!("cannot hold signals back: {error}")))?;
    // Whatever the command leaves behind stays a descendant, and can be ended with it.
    process::adopt_orphans();
    let holds: Vec<Hold> = held.iter().map(|held| held.hold.clone()).collect();
    let no_keeper = |error| Failure::failed(format!("cannot start the process that keeps the lock: {error}"));
    let (mut keeper, news) =
        Keeper::start(&holds, &Owner::Command, |command| signals.spawn(command)).map_err(no_keeper)?;
    let (program, arguments) = request.command.split_first().expect("the command line requires a command");
    let mut tokens = means.settings.inside();
    tokens.extend(held.iter().map(|held| inside::token(held.subject.address(), &held.ladder)));
    let mut command = Command::new(program);
    command.args(arguments).env(settings::INSIDE, tokens.join(","));
    if let Some(last) = held.last() {
        command.env(FENCE, last.rung.created.to_string());
    }
    let spawned = signals.spawn(&mut command);
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            keeper.dismiss();
            return Err(cannot_run(program, &error));
        }
    };
    let state = Arc::new(AtomicU8::new(state::RUNS));
    // If the keeper is gone already, the watch sees that next.
    _ = keeper.tell_command(child.id());
    watch(holds, news, keeper.pid(), Arc::clone(&state))
        .map_err(|error| Failure::failed(format!("cannot watch over the lock: {error}")))?;
    let status = wait_and_forward(&mut child, &signals)
        .map_err(|error| Failure::failed(format!("cannot wait for '{}': {error}", shown(Path::new(program)))))?;
    let was = state.compare_exchange(state::RUNS, state::ENDED, Ordering::SeqCst, Ordering::SeqCst);
    keeper.dismiss();
    if was == Err(state::LOST) {
        return Err(Failure::new(
            Kind::Unreachable,
            format!(
                "the lock was lost while '{}' ran under it, so the command has been ended: the engine was not heard of in time, \
                 or somebody has released the lock by force; what it had not written is not written",
                shown(Path::new(program))
            ),
        ));
    }
    means.console.debug(format_args!("Command ended: {status}"));
    Ok(shell_status(status))
}

/// Watches over the keeper: if nothing good is heard of it in time, as when it is stopped or killed, the command is ended
/// from here.
fn watch(mut holds: Vec<Hold>, news: ChildStdout, keeper: u32, state: Arc<AtomicU8>) -> std::io::Result<()> {
    let (tell, told) = mpsc::channel();
    process::start_helper(256 * 1024, move || {
        for line in BufReader::new(news).lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    })?;
    process::start_helper(1 << 20, move || {
        loop {
            let next = holds.iter().map(|hold| hold.ends().left()).min().unwrap_or(LOOK);
            let is_lost = match told.recv_timeout(next.clamp(Duration::from_millis(1), LOOK)) {
                Ok(line) => !learn(&mut holds, &line),
                Err(mpsc::RecvTimeoutError::Timeout) => holds.iter().any(|hold| hold.ends().has_passed()),
                Err(mpsc::RecvTimeoutError::Disconnected) => true,
            };
            if !is_lost {
                continue;
            }
            if state.compare_exchange(state::RUNS, state::LOST, Ordering::SeqCst, Ordering::SeqCst).is_err() {
                return;
            }
            let by = holds.iter().map(|hold| hold.kept_until).min().unwrap_or_else(Moment::now);
            let own = std::process::id();
            keeper::end(by, || process::descendants(own).into_iter().filter(|process| process.pid != keeper).collect());
            return;
        }
    })
}

const LOOK: Duration = Duration::from_millis(500);

/// Reads the messages of the keeper. Returns whether the locks are still held.
fn learn(holds: &mut [Hold], line: &str) -> bool {
    let mut words = line.split(' ');
    match words.next() {
        Some(KEPT) => {
            let (lease, until) = (
                words.next().and_then(|word| word.parse::<i64>().ok()),
                words.next().and_then(|word| word.parse().ok()),
            );
            if let (Some(lease), Some(until)) = (lease, until) {
                holds
                    .iter_mut()
                    .filter(|hold| hold.lease == lease)
                    .for_each(|hold| hold.kept_until = Moment::from_millis(until));
            }
            true
        }
        Some(LOST) => false,
        _ => true,
    }
}
