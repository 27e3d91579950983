//! What there is: the files of one lock on disk, and what each process has open and in mind.

pub const PROCESSES: usize = 3;
/// The target's lock, the level inside it, and one more for whoever works inside that.
pub const LEVELS: usize = 3;
/// `file-lock acquire` twice gives one process two holds.
pub const HOLDS: usize = 2;

/// Identifies a hold: its process and which of its holds. Stands for the token in `info`, and everything else in `info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    pub process: u8,
    pub hold: u8,
}

/// What a process is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `memory-update` or `atomic-write`.
    Update,
    /// `file-lock with`. Processes that have it for a parent are its command; it `waits` for them, or they are daemons.
    With { waits: bool },
    /// A shell: `acquire`, work, `release`. `waits`: it releases only when its children have ended (else they run in
    /// the background). `ttl`: its first lease may expire. `twice`: it acquires and releases once more inside.
    Lease { waits: bool, ttl: bool, twice: bool },
    /// `file-lock release`, run by a child.
    Release,
    /// `file-lock cleanup`.
    Cleanup,
    /// `memory-read`.
    Read,
}

/// The processes: a role and a parent each.
pub type Cast = [(Role, Option<usize>); PROCESSES];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    Not,
    Shared,
    Exclusive,
}

/// A descriptor of a guard or a queue. Inode 0: none. As in a real file system, the number of an unlinked inode comes
/// reused only when no process has it open any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct File {
    pub inode: u8,
    pub lock: Mode,
}

pub const CLOSED: File = File { inode: 0, lock: Mode::Not };

/// A lock directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dir {
    Absent,
    /// Without `info`.
    Nameless,
    /// `info` is there and not sealed.
    Unsealed(Token),
    Held(Token),
}

/// One level on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Level {
    pub guard: u8,
    pub queue: u8,
    pub dir: Dir,
}

/// What a process wants at its `base` level. Above `base` it always claims the inside of a lock that it clears or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Errand {
    /// `take` / `Contender::enter`.
    Enter,
    /// `Guard::end`.
    End,
    /// `lease::release`.
    Release,
    /// `contend::sweep_above`.
    Sweep,
    /// `census::clean`.
    Clean,
    /// `shared` / `Contender::pass`.
    Pass,
}

/// The next system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Not started yet.
    Idle,
    Start,
    OpenGuard,
    TryLock,
    IsInside,
    QueueFor,
    IsLinked,
    MakeDir,
    IsWithin,
    BackOut,
    Occupant,
    OpenQueue,
    TryLockQueue,
    QueueForQueue,
    IsLinkedQueue,
    AwaitEnd,
    RemoveInfo,
    RemoveDir,
    EmptyInfo,
    EmptyGuard,
    EmptyQueue,
    SettleCreate,
    SettleWrite,
    LeaveLease,
    Work,
    Innermost,
    CompareToken,
    Unlock,
    SweepAbove,
    Names,
    PruneOpen,
    PruneTryLock,
    PruneIsLinked,
    PruneDirExists,
    PruneUnlink,
    /// Ended, killed, or failed.
    Done,
    Dead,
    Failed,
}

impl Step {
    /// All steps except the first and the last state: each stands for one system call in the code.
    pub const CALLS: [Step; 34] = [
        Step::Start,
        Step::OpenGuard,
        Step::TryLock,
        Step::IsInside,
        Step::QueueFor,
        Step::IsLinked,
        Step::MakeDir,
        Step::IsWithin,
        Step::BackOut,
        Step::Occupant,
        Step::OpenQueue,
        Step::TryLockQueue,
        Step::QueueForQueue,
        Step::IsLinkedQueue,
        Step::AwaitEnd,
        Step::RemoveInfo,
        Step::RemoveDir,
        Step::EmptyInfo,
        Step::EmptyGuard,
        Step::EmptyQueue,
        Step::SettleCreate,
        Step::SettleWrite,
        Step::LeaveLease,
        Step::Work,
        Step::Innermost,
        Step::CompareToken,
        Step::Unlock,
        Step::SweepAbove,
        Step::Names,
        Step::PruneOpen,
        Step::PruneTryLock,
        Step::PruneIsLinked,
        Step::PruneDirExists,
        Step::PruneUnlink,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub step: Step,
    pub errand: Errand,
    pub base: u8,
    pub at: u8,
    pub guards: [File; LEVELS],
    pub queues: [File; LEVELS],
    /// The guard's descriptor inherited from `with`: its level and inode.
    pub inherited: Option<(u8, u8)>,
    /// `Here::lineage`, looked up once: the processes that were alive then.
    pub lineage: u8,
    /// The hold that it takes, works under, or releases.
    pub hold: u8,
    /// What `occupant` or `innermost` saw last.
    pub seen: Option<Token>,
    /// Holds that it was granted and has not begun to release.
    pub holds: u8,
    /// The level of each hold.
    pub levels: [u8; HOLDS],
    /// The shell that owns the leases; of other roles the process itself.
    pub owner: bool,
    pub expired: bool,
    /// The owner's PID belongs to another process now, one that never ends.
    pub reused: bool,
    pub tool_killed: bool,
    /// `prune` is at the queue.
    pub at_queue: bool,
    /// How many levels `sweep_above` has still to look at.
    pub sweeps: u8,
    /// `pass` knows that the levels above stay, for it keeps their guards.
    pub is_sure: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub levels: [Level; LEVELS],
    pub processes: [Process; PROCESSES],
    /// A lock directory was changed without its guard.
    pub unguarded: bool,
    /// A holder was judged dead although it still relies on its hold.
    pub misjudged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Step(usize, Step),
    /// `with` starts a process of its command.
    Spawn(usize),
    /// SIGKILL: of a process, or of the tool that a shell runs at this moment.
    Kill(usize),
    KillShell(usize),
    /// The lease's time is over.
    Expire(usize),
    /// The dead owner's PID is given to a process that never ends.
    ReusePid(usize),
}

impl Role {
    /// `Kind::keeps_guard`.
    pub fn keeps_guard(self) -> bool {
        matches!(self, Role::Update | Role::With { .. })
    }

    pub fn is_lease(self) -> bool {
        matches!(self, Role::Lease { .. })
    }
}

impl Process {
    pub fn ended(&self) -> bool {
        matches!(self.step, Step::Idle | Step::Done | Step::Dead)
    }

    pub fn close(&mut self) {
        self.guards = [CLOSED; LEVELS];
        self.leave_queues();
    }

    pub fn leave_queues(&mut self) {
        self.queues = [CLOSED; LEVELS];
    }

    /// What a process knew does not matter any more once it has ended: states that differ in that only are one.
    pub fn end(&mut self, step: Step) {
        let (owner, reused, expired) = (self.owner, self.reused, self.expired);
        let (holds, levels) = (self.holds, self.levels);
        *self = Process { owner, reused, expired, holds, levels, ..Process::new(step) };
    }

    pub fn new(step: Step) -> Self {
        Process {
            step,
            errand: Errand::Enter,
            base: 0,
            at: 0,
            guards: [CLOSED; LEVELS],
            queues: [CLOSED; LEVELS],
            inherited: None,
            lineage: 0,
            hold: 0,
            seen: None,
            holds: 0,
            levels: [0; HOLDS],
            owner: true,
            expired: false,
            reused: false,
            tool_killed: false,
            at_queue: false,
            sweeps: 0,
            is_sure: false,
        }
    }

    pub fn go(&mut self, step: Step) {
        self.step = step;
    }
}

impl State {
    pub fn is_there(&self, level: usize) -> bool {
        level == 0 || self.levels[level - 1].dir != Dir::Absent
    }

    pub fn is_empty(&self, level: usize) -> bool {
        level == LEVELS || self.levels[level] == NOTHING
    }

    /// Whether another process prevents process `i` from locking `inode` in `mode`.
    pub fn conflicts(&self, i: usize, queue: bool, level: usize, inode: u8, mode: Mode) -> bool {
        let kept = |lock: Mode| match mode {
            Mode::Exclusive => lock != Mode::Not,
            _ => lock == Mode::Exclusive,
        };
        let of = |process: &Process| if queue { process.queues[level] } else { process.guards[level] };
        let mut others = self.processes.iter().enumerate().filter(|(other, _)| *other != i);
        others.any(|(_, process)| of(process).inode == inode && kept(of(process).lock))
            // A new descriptor excludes even an inherited one of the same process.
            || !queue && self.processes.iter().any(|process| process.inherited == Some((level as u8, inode)))
    }

    pub fn new_inode(&self, queue: bool, level: usize) -> u8 {
        let used = |inode: u8| {
            let linked = if queue { self.levels[level].queue } else { self.levels[level].guard };
            linked == inode
                || self.processes.iter().any(|process| {
                    let file = if queue { process.queues[level] } else { process.guards[level] };
                    file.inode == inode || !queue && process.inherited == Some((level as u8, inode))
                })
        };
        (1..).find(|&inode| !used(inode)).expect("descriptors are few")
    }

    /// Notes a change of the lock directory of `level` by process `i`, which had better keep its guard.
    pub fn change(&mut self, i: usize, level: usize, dir: Dir) {
        let file = self.processes[i].guards[level];
        let guarded = file.lock == Mode::Exclusive && file.inode == self.levels[level].guard;
        if !guarded && self.levels[level].dir != dir {
            self.unguarded = true;
        }
        self.levels[level].dir = dir;
    }
}

pub const NOTHING: Level = Level { guard: 0, queue: 0, dir: Dir::Absent };
