//! The lock protocol as a state machine: what three processes do to one target's lock, one system call at a time.
//!
//! It follows `crates/lock/src/contend.rs` function by function: a [`Step`] bears the name of the function that makes the
//! system call, and the comments say where the model is coarser. Not modelled: shell scripts, other hosts and
//! namespaces, time-outs (a process that gives up leaves what a killed one leaves), several targets.

use crate::state::*;
use stateright::{Model, Property};

/// What the protocol does to be safe. Every field can be left out, to see what for it is there.
#[derive(Clone, Copy, Debug)]
pub struct Safeguards {
    /// `lock_file` compares the inode of the guard that it was granted with the one at the path.
    pub is_linked: bool,
    /// So does `prune`, before it unlinks a guard.
    pub prune_is_linked: bool,
    /// `prune` unlinks only guards that it has locked.
    pub prune_try_lock: bool,
    /// `judge_process` compares the start time of the PID.
    pub started: bool,
    /// A dead holder's lock is judged and retired under the guard.
    pub guard_around_takeover: bool,
    /// A lease is ended under the guard.
    pub guard_around_release: bool,
    /// `release` looks again, under the guard, at whose lease it ends.
    pub release_compares_token: bool,
    /// `release` ends leases of its own process tree only.
    pub descends_from: bool,
    /// `retire` and `end` claim the level inside before they empty the directory.
    pub claim_inside: bool,
    /// `remove_dir` notices that something is in the directory.
    pub not_empty: bool,
    /// A process that has made an entry inside a lock checks that it is still inside, and so does a reader.
    pub is_within: bool,
    /// The command of `with` inherits the guard's descriptor.
    pub inherit: bool,
    /// A process inside a deeper level is inside this one.
    pub inside_deeper: bool,
}

impl Safeguards {
    pub const ALL: Safeguards = Safeguards {
        is_linked: true,
        prune_is_linked: true,
        prune_try_lock: true,
        started: true,
        guard_around_takeover: true,
        guard_around_release: true,
        release_compares_token: true,
        descends_from: true,
        claim_inside: true,
        not_empty: true,
        is_within: true,
        inherit: true,
        inside_deeper: true,
    };
}

pub struct Protocol {
    pub cast: Cast,
    pub safeguards: Safeguards,
    pub kills: bool,
}

impl Protocol {
    pub fn role(&self, i: usize) -> Role {
        self.cast[i].0
    }

    pub fn ancestors(&self, i: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.cast[i].1, |&parent| self.cast[parent].1)
    }

    /// Looks up `process::lineage`: ends at the first parent that is gone.
    fn lineage(&self, s: &State, i: usize) -> u8 {
        let own = if s.processes[i].owner { 1 << i } else { 0 };
        self.ancestors(i).take_while(|&parent| s.processes[parent].owner).fold(own, |line, parent| line | 1 << parent)
    }

    /// `Here::is_inside`: by the environment of a command of `with`, or by the PIDs of ancestors.
    fn is_inside_hold(&self, s: &State, i: usize, token: Token) -> bool {
        let holder = token.process as usize;
        match self.role(holder) {
            Role::With { .. } => self.ancestors(i).any(|ancestor| ancestor == holder),
            Role::Lease { .. } => s.processes[i].lineage & (1 << holder) != 0,
            _ => false,
        }
    }

    /// `Contender::is_inside`.
    fn is_inside(&self, s: &State, i: usize, level: usize) -> bool {
        let here = matches!(s.levels[level].dir, Dir::Held(token) if self.is_inside_hold(s, i, token));
        here || self.safeguards.inside_deeper
            && level + 1 < LEVELS
            && s.levels[level].dir != Dir::Absent
            && self.is_inside(s, i, level + 1)
    }

    /// `judge`: whether a lock is a dead holder's.
    pub fn is_dead(&self, s: &State, dir: Dir, guard_is_free: bool) -> bool {
        let Dir::Held(token) = dir else { return guard_is_free };
        let holder = &s.processes[token.process as usize];
        match self.role(token.process as usize) {
            Role::Lease { .. } => {
                let runs = holder.owner || holder.reused && !self.safeguards.started;
                !runs || holder.expired && token.hold == 0
            }
            _ => guard_is_free,
        }
    }

    /// Whether process `i` waits, or goes away when it would have to (`Wait::TRY_ONCE`).
    fn waits(&self, p: &Process) -> bool {
        match p.errand {
            Errand::Enter | Errand::Pass => true,
            Errand::Release => p.at == p.base,
            Errand::End | Errand::Sweep | Errand::Clean => false,
        }
    }

    /// `Attempt::OuterEnded`.
    fn gone(&self, p: &mut Process) {
        let at = p.at as usize;
        p.guards[at] = CLOSED;
        if p.at > p.base {
            p.at -= 1;
            return p.go(Step::RemoveDir);
        }
        match p.errand {
            Errand::Enter => {
                p.leave_queues();
                self.restart(p);
            }
            Errand::Pass => self.restart(p),
            Errand::Clean => self.prune(p, false),
            Errand::Sweep => self.next_sweep(p),
            Errand::End | Errand::Release => {
                p.base = 0;
                p.go(Step::Unlock);
            }
        }
    }

    /// The guard is not there, or is not the one at the path, at a level within a lock.
    fn unlinked(&self, p: &mut Process) {
        // A reader goes on without a guard, and finds no holder.
        if p.errand == Errand::Pass { p.go(Step::Occupant) } else { self.gone(p) }
    }

    /// Starts again at the top.
    fn restart(&self, p: &mut Process) {
        p.guards = [CLOSED; LEVELS];
        (p.base, p.at, p.is_sure) = (0, 0, p.errand == Errand::Pass);
        p.go(Step::OpenGuard);
    }

    /// `await_end` returned.
    fn awaited(&self, p: &mut Process) {
        if p.errand == Errand::Pass {
            // It keeps its place in the queue at the top only.
            p.queues[1..].fill(CLOSED);
            return self.restart(p);
        }
        p.go(Step::OpenGuard);
    }

    /// `Attempt::Inside`, all the way up to `base`.
    fn inside(&self, p: &mut Process) {
        match p.errand {
            Errand::Enter | Errand::Pass => {
                let kept = if p.errand == Errand::Pass { p.base as usize } else { 0 };
                p.guards[kept..].fill(CLOSED);
                if p.errand == Errand::Enter {
                    p.leave_queues();
                }
                p.is_sure = false;
                p.base += 1;
                p.at = p.base;
                assert!((p.base as usize) < LEVELS, "the casts nest less deeply");
                p.go(Step::OpenGuard);
            }
            _ => self.busy(p),
        }
    }

    /// `Error::Busy` of a contender that does not wait.
    fn busy(&self, p: &mut Process) {
        match p.errand {
            Errand::Clean => self.prune(p, false),
            Errand::Sweep => self.next_sweep(p),
            _ => p.go(Step::Unlock),
        }
    }

    /// `sweep_above` goes on with the level around.
    fn next_sweep(&self, p: &mut Process) {
        p.close();
        p.go(Step::SweepAbove);
    }

    /// `census::prune`, first of the guard, then of the queue.
    fn prune(&self, p: &mut Process, at_queue: bool) {
        p.close();
        (p.base, p.at, p.at_queue) = (0, 0, at_queue);
        p.go(Step::PruneOpen);
    }

    fn next_prune(&self, p: &mut Process) {
        p.close();
        if p.at_queue { p.end(Step::Done) } else { self.prune(p, true) }
    }

    /// The tool that process `i` ran has ended, and so have all its descriptors.
    fn finish(&self, s: &mut State, i: usize) {
        let p = &mut s.processes[i];
        p.close();
        (p.base, p.at, p.seen, p.sweeps) = (0, 0, None, 0);
        let over = if p.expired { 1 } else { 0 };
        match self.role(i) {
            Role::Lease { .. } if !p.owner => p.end(Step::Dead),
            Role::Lease { .. } if p.holds & !over != 0 => p.go(Step::Innermost),
            _ => p.end(Step::Done),
        }
    }

    /// `release` found nothing to release. That is an error only for a process that has a lease and has not shared it.
    fn nothing_to_release(&self, s: &mut State, i: usize) {
        let p = &s.processes[i];
        let over = if p.expired { 1 } else { 0 };
        let shared = (0..PROCESSES).any(|other| self.role(other) == Role::Release);
        if self.role(i).is_lease() && p.owner && p.holds & !over != 0 && !shared {
            s.processes[i].close();
            s.processes[i].step = Step::Failed;
        } else {
            s.processes[i].holds = 0;
            self.finish(s, i);
        }
    }

    /// `remove_dir` succeeded.
    fn removed(&self, p: &mut Process) {
        let at_base = p.at == p.base;
        match p.errand {
            _ if !at_base => p.go(Step::Occupant),
            Errand::Enter if self.safeguards.guard_around_takeover => p.go(Step::MakeDir),
            Errand::Enter => p.go(Step::OpenGuard),
            Errand::Clean => self.prune(p, false),
            Errand::Sweep => self.next_sweep(p),
            _ => p.go(Step::Unlock),
        }
    }

    /// `lease::innermost`.
    fn innermost(&self, s: &State, i: usize) -> Option<(usize, Token)> {
        let mut found = None;
        for (level, files) in s.levels.iter().enumerate() {
            match files.dir {
                Dir::Held(token) => {
                    let is_lease = self.role(token.process as usize).is_lease();
                    let descends = s.processes[i].lineage & (1 << token.process) != 0;
                    if is_lease && (descends || !self.safeguards.descends_from) {
                        found = Some((level, token));
                    }
                }
                Dir::Absent => break,
                Dir::Nameless | Dir::Unsealed(_) => {}
            }
        }
        found
    }

    /// Does the next system call of process `i`. `None` while it sleeps.
    pub fn step(&self, last: &State, i: usize) -> Option<State> {
        let mut s = *last;
        let at = last.processes[i].at as usize;
        let me = |hold: u8| Token { process: i as u8, hold };
        // Copied back at the end, but by the arms that return.
        let mut p = last.processes[i];
        let claims = p.at > p.base;
        let mode = if p.errand == Errand::Pass { Mode::Shared } else { Mode::Exclusive };
        match p.step {
            Step::Idle | Step::Done | Step::Dead | Step::Failed => return None,
            Step::Start => {
                p.lineage = self.lineage(last, i);
                (p.base, p.at) = (0, 0);
                (p.errand, p.step) = match self.role(i) {
                    Role::Update | Role::With { .. } | Role::Lease { .. } => (Errand::Enter, Step::OpenGuard),
                    Role::Release => (Errand::Release, Step::Innermost),
                    Role::Cleanup => (Errand::Clean, Step::Names),
                    Role::Read => (Errand::Pass, Step::OpenGuard),
                };
                p.is_sure = p.errand == Errand::Pass;
            }
            Step::OpenGuard => {
                if !last.is_there(at) {
                    self.unlinked(&mut p);
                } else {
                    if last.levels[at].guard == 0 {
                        s.levels[at].guard = last.new_inode(false, at);
                    }
                    p.guards[at] = File { inode: s.levels[at].guard, lock: Mode::Not };
                    p.go(Step::TryLock);
                }
            }
            Step::TryLock => {
                if !last.conflicts(i, false, at, p.guards[at].inode, mode) {
                    p.guards[at].lock = mode;
                    p.go(Step::IsLinked);
                } else if !claims && matches!(p.errand, Errand::Clean | Errand::Sweep | Errand::Release) {
                    p.go(Step::QueueFor);
                } else {
                    p.go(Step::IsInside);
                }
            }
            Step::IsInside if self.is_inside(last, i, at) => self.inside(&mut p),
            Step::IsInside => p.go(Step::QueueFor),
            Step::QueueFor => {
                let descends = claims || matches!(p.errand, Errand::Enter | Errand::Pass);
                if !self.waits(&p) {
                    self.busy(&mut p);
                } else if !last.conflicts(i, false, at, p.guards[at].inode, mode) {
                    p.guards[at].lock = mode;
                    p.go(Step::IsLinked);
                } else if descends && self.is_inside(last, i, at) {
                    self.inside(&mut p);
                } else {
                    return None;
                }
            }
            Step::IsLinked => {
                if self.safeguards.is_linked && p.guards[at].inode != last.levels[at].guard {
                    p.guards[at] = CLOSED;
                    // A guard within a lock goes only with that lock.
                    if at > 0 { self.unlinked(&mut p) } else { p.go(Step::OpenGuard) }
                } else {
                    p.step = match p.errand {
                        Errand::Enter if !claims => Step::MakeDir,
                        Errand::Release if !claims => Step::CompareToken,
                        _ => Step::Occupant,
                    };
                }
            }
            Step::MakeDir => match last.levels[at].dir {
                _ if !last.is_there(at) => self.gone(&mut p),
                Dir::Absent => {
                    s.change(i, at, Dir::Nameless);
                    let look = at > 0 && self.safeguards.is_within;
                    p.go(if look { Step::IsWithin } else { Step::SettleCreate });
                }
                _ => p.go(Step::Occupant),
            },
            Step::IsWithin => {
                let inside = matches!(last.levels[at - 1].dir, Dir::Held(token) if self.is_inside_hold(last, i, token));
                match p.errand {
                    Errand::Pass if inside => p.go(Step::Work),
                    Errand::Pass => self.restart(&mut p),
                    _ if inside => p.go(Step::SettleCreate),
                    _ => p.go(Step::BackOut),
                }
            }
            Step::BackOut => {
                s.change(i, at, Dir::Absent);
                self.gone(&mut p);
            }
            Step::Occupant => {
                let dir = last.levels[at].dir;
                let has_guard = p.guards[at].lock != Mode::Not;
                let dead = self.is_dead(last, dir, has_guard);
                let ours = matches!(dir, Dir::Held(token) if self.is_inside_hold(last, i, token));
                let relied_on = |token: Token| self.relies_on(last, token.process as usize, token.hold as usize);
                s.misjudged |= dead && matches!(dir, Dir::Held(token) if relied_on(token));
                p.seen = match dir {
                    Dir::Unsealed(token) | Dir::Held(token) => Some(token),
                    Dir::Absent | Dir::Nameless => None,
                };
                match (dir, p.errand) {
                    (Dir::Absent, Errand::Enter) if !claims => p.go(Step::MakeDir),
                    (Dir::Absent, Errand::Pass) if at > 0 && !p.is_sure && self.safeguards.is_within => {
                        p.go(Step::IsWithin)
                    }
                    (Dir::Absent, Errand::Pass) => p.go(Step::Work),
                    (Dir::Absent, Errand::Clean | Errand::Sweep) if !claims => self.busy(&mut p),
                    (Dir::Absent, _) => {
                        // Every file is removed.
                        let has_info = !matches!(last.levels[at - 1].dir, Dir::Nameless | Dir::Absent);
                        p.go(if has_info { Step::EmptyInfo } else { Step::EmptyGuard });
                    }
                    // Processes inside may still be at work there. The guard is kept.
                    (_, Errand::Pass) if dead => {
                        p.base += 1;
                        p.at += 1;
                        p.go(Step::OpenGuard);
                    }
                    (_, errand) if dead => {
                        if errand == Errand::Enter && !claims && !self.safeguards.guard_around_takeover {
                            p.guards[at] = CLOSED;
                        }
                        p.go(Step::RemoveInfo);
                    }
                    (_, Errand::Clean | Errand::Sweep) if !claims => self.busy(&mut p),
                    _ if ours => self.inside(&mut p),
                    _ => {
                        p.guards[at] = CLOSED;
                        if p.errand == Errand::Pass {
                            p.guards = [CLOSED; LEVELS];
                        }
                        if !self.waits(&p) {
                            self.busy(&mut p);
                        } else if p.queues[at].inode == 0 {
                            p.go(Step::OpenQueue);
                        } else {
                            p.go(Step::AwaitEnd);
                        }
                    }
                }
            }
            Step::OpenQueue => {
                if !last.is_there(at) {
                    self.awaited(&mut p);
                } else {
                    if last.levels[at].queue == 0 {
                        s.levels[at].queue = last.new_inode(true, at);
                    }
                    p.queues[at] = File { inode: s.levels[at].queue, lock: Mode::Not };
                    p.go(Step::TryLockQueue);
                }
            }
            Step::TryLockQueue | Step::QueueForQueue => {
                if !last.conflicts(i, true, at, p.queues[at].inode, Mode::Exclusive) {
                    p.queues[at].lock = Mode::Exclusive;
                    p.go(Step::IsLinkedQueue);
                } else if p.step == Step::TryLockQueue {
                    p.go(Step::QueueForQueue);
                } else if self.is_inside(last, i, at) {
                    p.queues[at] = CLOSED;
                    self.awaited(&mut p);
                } else {
                    return None;
                }
            }
            Step::IsLinkedQueue => {
                let is_linked = p.queues[at].inode == last.levels[at].queue;
                if !is_linked {
                    p.queues[at] = CLOSED;
                }
                match is_linked {
                    true => p.go(Step::AwaitEnd),
                    false if at > 0 => self.awaited(&mut p),
                    false => p.go(Step::OpenQueue),
                }
            }
            Step::AwaitEnd => {
                let is_held = matches!(last.levels[at].dir, Dir::Held(token) if
                    !self.role(token.process as usize).keeps_guard()
                        && !self.is_dead(last, last.levels[at].dir, false)
                        && !self.is_inside_hold(last, i, token));
                if is_held {
                    return None;
                }
                self.awaited(&mut p);
            }
            Step::RemoveInfo => {
                let by_path = !claims && matches!(p.errand, Errand::End | Errand::Release);
                let token = match last.levels[at].dir {
                    Dir::Held(token) | Dir::Unsealed(token) => Some(token),
                    Dir::Absent | Dir::Nameless => None,
                };
                // `retire` removes it through the directory that it judged, `end` by its path.
                if token.is_some() && (by_path || token == p.seen) {
                    s.change(i, at, Dir::Nameless);
                }
                if by_path {
                    let ended = if p.errand == Errand::End { me(p.hold) } else { p.seen.expect("innermost found it") };
                    p.go(Step::RemoveDir);
                    s.processes[i] = p;
                    // Whoever loses its hold to a stranger goes on relying on it.
                    if p.lineage & (1 << ended.process) != 0 {
                        s.processes[ended.process as usize].holds &= !(1 << ended.hold);
                    }
                    return Some(s);
                }
                p.go(Step::RemoveDir);
            }
            Step::RemoveDir => match last.levels[at].dir {
                Dir::Absent => self.removed(&mut p),
                Dir::Nameless if last.is_empty(at + 1) => {
                    s.change(i, at, Dir::Absent);
                    self.removed(&mut p);
                }
                _ if !self.safeguards.not_empty => {
                    self.removed(&mut p);
                    if p.step == Step::MakeDir {
                        p.go(Step::SettleCreate);
                    }
                }
                _ if self.safeguards.claim_inside => {
                    p.at += 1;
                    p.go(Step::OpenGuard);
                }
                _ => {
                    // As `remove_dir_all` would, in one.
                    s.levels[at + 1..].fill(NOTHING);
                    s.change(i, at, Dir::Absent);
                    self.removed(&mut p);
                }
            },
            Step::EmptyInfo => {
                s.change(i, at - 1, Dir::Nameless);
                p.go(Step::EmptyGuard);
            }
            Step::EmptyGuard => {
                s.levels[at].guard = 0;
                p.go(Step::EmptyQueue);
            }
            Step::EmptyQueue => {
                s.levels[at].queue = 0;
                p.guards[at] = CLOSED;
                p.at -= 1;
                p.go(Step::RemoveDir);
            }
            Step::SettleCreate => match last.levels[at].dir {
                Dir::Nameless => {
                    s.change(i, at, Dir::Unsealed(me(p.hold)));
                    p.go(Step::SettleWrite);
                }
                Dir::Absent => {
                    p.guards[at] = CLOSED;
                    p.go(Step::OpenGuard);
                }
                Dir::Unsealed(_) | Dir::Held(_) => {
                    p.close();
                    p.go(Step::Failed);
                }
            },
            Step::SettleWrite => {
                if last.levels[at].dir == Dir::Unsealed(me(p.hold)) {
                    s.change(i, at, Dir::Held(me(p.hold)));
                }
                p.holds |= 1 << p.hold;
                p.levels[p.hold as usize] = p.base;
                p.leave_queues();
                p.go(if self.role(i).is_lease() { Step::LeaveLease } else { Step::Work });
            }
            Step::LeaveLease => {
                p.guards = [CLOSED; LEVELS];
                match self.role(i) {
                    _ if !p.owner => p.end(Step::Dead),
                    Role::Lease { twice: true, .. } if p.hold == 0 => {
                        p.hold = 1;
                        p.go(Step::Start);
                    }
                    _ => p.go(Step::Work),
                }
            }
            Step::Work => {
                let children = || (0..PROCESSES).filter(|&other| self.ancestors(other).any(|ancestor| ancestor == i));
                match self.role(i) {
                    Role::Lease { waits: true, .. } | Role::With { waits: true }
                        if children().any(|child| !last.processes[child].ended()) =>
                    {
                        return None;
                    }
                    Role::Lease { .. } => p.go(Step::Innermost),
                    Role::Read => {
                        s.processes[i] = p;
                        self.finish(&mut s, i);
                        return Some(s);
                    }
                    _ => {
                        p.errand = Errand::End;
                        p.go(Step::RemoveInfo);
                    }
                }
            }
            Step::Innermost => {
                p.lineage = self.lineage(last, i);
                p.errand = Errand::Release;
                s.processes[i] = p;
                let Some((level, token)) = self.innermost(&s, i) else {
                    self.nothing_to_release(&mut s, i);
                    return Some(s);
                };
                (p.base, p.at, p.seen) = (level as u8, level as u8, Some(token));
                p.go(if self.safeguards.guard_around_release { Step::OpenGuard } else { Step::RemoveInfo });
            }
            Step::CompareToken => {
                let is_same = Some(last.levels[at].dir) == p.seen.map(Dir::Held);
                if is_same || !self.safeguards.release_compares_token {
                    p.go(Step::RemoveInfo);
                } else {
                    s.processes[i] = p;
                    self.nothing_to_release(&mut s, i);
                    return Some(s);
                }
            }
            Step::Unlock => {
                // LOCK_UN frees it for all processes that share the descriptor.
                for (child, process) in s.processes.iter_mut().enumerate() {
                    if self.cast[child].1 == Some(i) {
                        process.inherited = None;
                    }
                }
                p.close();
                s.processes[i] = p;
                p.sweeps = p.base;
                p.errand = Errand::Sweep;
                if p.sweeps == 0 {
                    self.finish(&mut s, i);
                    return Some(s);
                }
                p.go(Step::SweepAbove);
            }
            Step::SweepAbove => {
                let Some(level) =
                    p.sweeps.checked_sub(1).filter(|&level| last.levels[level as usize].dir == Dir::Nameless)
                else {
                    self.finish(&mut s, i);
                    return Some(s);
                };
                (p.base, p.at, p.sweeps) = (level, level, level);
                p.go(Step::OpenGuard);
            }
            Step::Names if last.levels[0].dir == Dir::Absent => self.prune(&mut p, false),
            Step::Names => p.go(Step::OpenGuard),
            Step::PruneOpen | Step::PruneTryLock | Step::PruneIsLinked | Step::PruneDirExists | Step::PruneUnlink => {
                self.prune_step(last, &mut s, i, &mut p);
            }
        }
        s.processes[i] = p;
        Some(s)
    }

    fn prune_step(&self, last: &State, s: &mut State, i: usize, p: &mut Process) {
        let linked = if p.at_queue { last.levels[0].queue } else { last.levels[0].guard };
        let file = if p.at_queue { &mut p.queues[0] } else { &mut p.guards[0] };
        let (goes_on, next) = match p.step {
            Step::PruneOpen => {
                *file = File { inode: linked, lock: Mode::Not };
                (linked != 0, Step::PruneTryLock)
            }
            Step::PruneTryLock => {
                let is_free = !last.conflicts(i, p.at_queue, 0, file.inode, Mode::Exclusive);
                if is_free {
                    file.lock = Mode::Exclusive;
                }
                (is_free || !self.safeguards.prune_try_lock, Step::PruneIsLinked)
            }
            Step::PruneIsLinked => (linked == file.inode || !self.safeguards.prune_is_linked, Step::PruneDirExists),
            Step::PruneDirExists => (last.levels[0].dir == Dir::Absent, Step::PruneUnlink),
            _ => {
                let path = if p.at_queue { &mut s.levels[0].queue } else { &mut s.levels[0].guard };
                *path = 0;
                (false, Step::Done)
            }
        };
        if goes_on { p.go(next) } else { self.next_prune(p) }
    }

    fn kill(&self, s: &State, i: usize) -> State {
        let mut s = *s;
        let p = &mut s.processes[i];
        p.close();
        if self.role(i).is_lease() && p.owner {
            p.tool_killed = true;
            (p.base, p.at, p.seen, p.errand) = (0, 0, None, Errand::Release);
            p.sweeps = 0;
            p.go(Step::Innermost);
        } else {
            p.owner = false;
            p.end(Step::Dead);
        }
        s
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let process = |i: usize| {
            let by_with = self.cast[i].1.is_some_and(|parent| matches!(self.role(parent), Role::With { .. }));
            Process::new(if by_with { Step::Idle } else { Step::Start })
        };
        vec![State {
            levels: [NOTHING; LEVELS],
            processes: std::array::from_fn(process),
            unguarded: false,
            misjudged: false,
        }]
    }

    fn actions(&self, s: &State, actions: &mut Vec<Action>) {
        for i in 0..PROCESSES {
            let p = &s.processes[i];
            let lease = self.role(i).is_lease();
            if self.moves(s, i) {
                actions.push(Action::Step(i, p.step));
            }
            let parent = self.cast[i].1;
            if p.step == Step::Idle && parent.is_some_and(|parent| s.processes[parent].step == Step::Work) {
                actions.push(Action::Spawn(i));
            }
            let runs = !p.ended() && p.step != Step::Failed;
            if self.kills && runs && (!lease || p.step != Step::Work && !p.tool_killed) {
                actions.push(Action::Kill(i));
            }
            if self.kills && lease && runs && p.owner {
                actions.push(Action::KillShell(i));
            }
            let first = Token { process: i as u8, hold: 0 };
            let is_held = s.levels.iter().any(|level| level.dir == Dir::Held(first));
            if matches!(self.role(i), Role::Lease { ttl: true, .. }) && is_held && !p.expired {
                actions.push(Action::Expire(i));
            }
            if lease && !p.owner && !p.reused && is_held {
                actions.push(Action::ReusePid(i));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut s = *last;
        match action {
            Action::Step(i, _) => return self.step(last, i),
            Action::Kill(i) => return Some(self.kill(last, i)),
            Action::Spawn(i) => {
                let parent = self.cast[i].1.expect("a child has a parent");
                let level = s.processes[parent].base;
                s.processes[i].step = Step::Start;
                if self.safeguards.inherit {
                    s.processes[i].inherited = Some((level, s.processes[parent].guards[level as usize].inode));
                }
            }
            Action::KillShell(i) => {
                let p = &mut s.processes[i];
                p.owner = false;
                if p.step == Step::Work {
                    p.end(Step::Dead);
                }
            }
            Action::Expire(i) => s.processes[i].expired = true,
            Action::ReusePid(i) => s.processes[i].reused = true,
        }
        Some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("mutual exclusion", Self::mutual_exclusion),
            Property::always("no lock stolen from a living holder", Self::nothing_stolen),
            Property::always("lock directories change under their guard only", |_, s: &State| !s.unguarded),
            Property::always("no living holder judged dead", |_, s: &State| !s.misjudged),
            Property::always("no lock lost for ever", Self::nobody_stuck),
            Property::always("release frees", Self::release_frees),
            Property::always("nobody fails", |_, s: &State| {
                s.processes.iter().all(|process| process.step != Step::Failed)
            }),
        ]
    }
}
