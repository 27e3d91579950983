//! The keeper: a process that tells the engine that the holder of a lock lives, and ends the holder's work when it cannot.
//!
//! `with` and `acquire` start one. It is a process of its own because theirs may be stopped, killed or over while the hold
//! goes on. It knows three ends: whoever started it says that the work is done; the owner has ended, and the lock is given
//! back; or nothing was heard of the engine for so long that the lease may be another's soon. Then the command is
//! ended before that, first by SIGTERM, then by SIGKILL. All times are by a clock that runs on while the machine sleeps.

use memlatch_os::{self as process, Process};
use memlatch_remote::{Moment, access::Access, etcd::Cluster};
use serde_json::{Value, json};
use std::{
    io::{self, BufRead, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// No wait is longer: a machine that has slept is to know it at once.
const LOOK: Duration = Duration::from_millis(500);

/// One lease to be kept.
#[derive(Clone, Debug)]
pub struct Hold {
    pub access: Access,
    pub lease: i64,
    pub ttl: Duration,
    pub kept_until: Moment,
}

impl Hold {
    /// When the work has to begin to end, unless the engine was heard of.
    pub fn ends(&self) -> Moment {
        self.kept_until.before(self.ttl / 5)
    }

    fn encode(&self) -> Value {
        json!({
            "access": self.access.encode(), "lease": self.lease,
            "ttl": self.ttl.as_millis() as u64, "kept_until": self.kept_until.as_millis(),
        })
    }

    fn decode(value: &Value) -> Option<Hold> {
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        Some(Hold {
            access: Access::decode(value.get("access")?)?,
            lease: value.get("lease")?.as_i64()?,
            ttl: Duration::from_millis(number("ttl")?),
            kept_until: Moment::from_millis(number("kept_until")?),
        })
    }
}

/// The process that leases are kept for.
#[derive(Clone, Debug)]
pub enum Owner {
    /// A command that the process which starts the keeper is about to run.
    Command,
    /// A process that need not know of it.
    Process(Process),
}

/// A keeper, from the view of the process that started it.
pub struct Keeper {
    child: Child,
    orders: ChildStdin,
}

impl Keeper {
    /// Starts one. `spawn` starts its program.
    pub fn start(
        holds: &[Hold],
        owner: &Owner,
        spawn: impl FnOnce(&mut Command) -> io::Result<Child>,
    ) -> io::Result<(Self, ChildStdout)> {
        let program = memlatch::settings::own_program()?;
        let mut command = Command::new(program);
        command.arg(crate::KEEP).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = spawn(&mut command)?;
        let (Some(mut orders), Some(news)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for")
        };
        let owner = match owner {
            Owner::Command => Value::Null,
            Owner::Process(process) => json!({ "pid": process.pid, "started": process.started }),
        };
        let holds: Vec<Value> = holds.iter().map(Hold::encode).collect();
        let order = json!({ "holds": holds, "owner": owner, "starter": std::process::id() });
        // Secrets go this way: other users can see neither a pipe nor what is read from it.
        writeln!(orders, "{order}")?;
        Ok((Keeper { child, orders }, news))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells the keeper the PID of the command.
    pub fn tell_command(&mut self, pid: u32) -> io::Result<()> {
        writeln!(self.orders, "{COMMAND} {pid}")
    }

    /// Tells the keeper that the work is done and that the caller releases the locks.
    pub fn dismiss(mut self) {
        // A keeper that is gone needs no dismissal.
        _ = writeln!(self.orders, "{DONE}");
    }
}

const COMMAND: &str = "command";
const DONE: &str = "done";
/// What the keeper says: the leases are kept until then, or one of them is lost.
pub const KEPT: &str = "kept";
pub const LOST: &str = "lost";

/// Messages to a keeper from the process that started it.
enum Order {
    Command(u32),
    Done,
    /// The process that started it is gone.
    Alone,
}

/// Keeps leases as the first line of standard input says. Its status is not used.
pub fn run() -> u8 {
    process::leave_session();
    let mut first = String::new();
    let read = io::stdin().lock().read_line(&mut first);
    let order: Option<Value> = read.ok().and_then(|_| serde_json::from_str(&first).ok());
    let Some(work) = order.as_ref().and_then(Work::from) else { return 2 };
    let (tell, told) = mpsc::channel();
    let listener = move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            let order = match line.split_once(' ') {
                Some((COMMAND, pid)) => pid.parse().map_or(Order::Alone, Order::Command),
                _ if line == DONE => Order::Done,
                _ => continue,
            };
            if tell.send(order).is_err() {
                return;
            }
        }
        _ = tell.send(Order::Alone);
    };
    match thread::Builder::new().spawn(listener) {
        Ok(_) => work.keep(&told),
        Err(_) => 1,
    }
}

/// What a keeper does.
struct Work {
    holds: Vec<Hold>,
    /// Without it, a command whose number is still to come.
    owner: Option<Process>,
    starter: u32,
}

impl Work {
    fn from(order: &Value) -> Option<Self> {
        let holds = order.get("holds")?.as_array()?.iter().map(Hold::decode).collect::<Option<Vec<_>>>()?;
        let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64);
        let owner = match order.get("owner")? {
            Value::Null => None,
            owner => {
                let pid = number(owner, "pid")?.try_into().ok()?;
                let started = number(owner, "started")?;
                // A process that has exited meanwhile shows by its absence.
                Some(Process { pid, started, parent: 0, zombie: false, never_executed: false })
            }
        };
        Some(Work { holds, owner, starter: number(order, "starter")?.try_into().ok()? })
    }

    fn keep(mut self, told: &mpsc::Receiver<Order>) -> u8 {
        let is_for_command = self.owner.is_none();
        let mut is_alone = false;
        let clusters: Vec<Cluster> = match self.holds.iter().map(|hold| Cluster::new(&hold.access)).collect() {
            Ok(clusters) => clusters,
            Err(_) => return 1,
        };
        let mut signs: Vec<Moment> = self.holds.iter().map(|hold| Moment::now() + hold.ttl / 3).collect();
        loop {
            match told.recv_timeout(if is_alone { Duration::ZERO } else { self.pause(&signs) }) {
                Ok(Order::Command(pid)) => self.owner = process::look_up(pid),
                Ok(Order::Done) => return 0,
                Ok(Order::Alone) => is_alone = true,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => is_alone = true,
            }
            if is_alone {
                thread::sleep(self.pause(&signs));
            }
            // A lease for a command lasts as long as the command, even if the process that started both was killed.
            let waits_for_owner = is_alone || !is_for_command;
            if waits_for_owner && !self.owner.as_ref().is_some_and(lives) {
                for (cluster, hold) in clusters.iter().zip(&self.holds) {
                    // A lease that cannot be released ends by itself.
                    _ = cluster.revoke(hold.lease, hold.kept_until);
                }
                return 0;
            }
            for ((cluster, hold), sign) in clusters.iter().zip(&mut self.holds).zip(&mut signs) {
                if !sign.has_passed() && !hold.ends().has_passed() {
                    continue;
                }
                match cluster.keep(hold.lease, hold.ends()) {
                    Ok(Some(until)) => {
                        hold.kept_until = until;
                        *sign = Moment::now() + hold.ttl / 3;
                        say(&format!("{KEPT} {} {}", hold.lease, until.as_millis()));
                    }
                    Ok(None) | Err(_) => {
                        say(LOST);
                        // The process that has just released the locks is about to say so.
                        if is_for_command && !matches!(told.recv_timeout(LOOK), Ok(Order::Done)) {
                            self.end_command(hold_end(&self.holds));
                        }
                        return 1;
                    }
                }
            }
        }
    }

    fn pause(&self, signs: &[Moment]) -> Duration {
        let next = signs.iter().copied().chain(self.holds.iter().map(Hold::ends)).map(Moment::left).min();
        next.unwrap_or(LOOK).clamp(Duration::from_millis(1), LOOK)
    }

    fn end_command(&self, by: Moment) {
        let starter = self.starter;
        let owner = self.owner.clone();
        end(by, || {
            let own = std::process::id();
            let mut all = process::descendants(starter);
            all.extend(owner.as_ref().filter(|owner| lives(owner)).cloned());
            all.extend(owner.iter().flat_map(|owner| process::descendants(owner.pid)));
            all.retain(|process| process.pid != own);
            all
        });
    }
}

/// Reports to the process that started the keeper, on the pipe that is its standard output. If the reader is gone, that does not matter.
#[expect(clippy::disallowed_methods, reason = "a pipe that only a process of our own reads")]
fn say(line: &str) {
    _ = writeln!(io::stdout(), "{line}");
}

/// When the first of the leases can be given to another.
fn hold_end(holds: &[Hold]) -> Moment {
    holds.iter().map(|hold| hold.kept_until).min().unwrap_or_else(Moment::now)
}

fn lives(process: &Process) -> bool {
    process::look_up(process.pid).is_some_and(|now| now.started == process.started && !now.zombie)
}

/// Ends processes before a moment: asks them to, and half the time later makes them.
pub fn end(by: Moment, processes: impl Fn() -> Vec<Process>) {
    let patience = Moment::now() + (by.left() / 2).min(Duration::from_secs(2));
    for process in processes() {
        process::send(SIGTERM, &process);
        // A stopped process hears of it only then.
        process::send(SIGCONT, &process);
    }
    loop {
        let left = processes();
        if left.is_empty() {
            return;
        }
        if patience.has_passed() {
            left.iter().for_each(|process| process::send(SIGKILL, process));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

const SIGTERM: i32 = libc::SIGTERM;
const SIGCONT: i32 = libc::SIGCONT;
const SIGKILL: i32 = libc::SIGKILL;
