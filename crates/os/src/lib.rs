//! The interface to the operating system: processes, boots, signals, events.
//!
//! The only crate with OS-specific and unsafe code. Every function here has the same signature on
//! Linux and macOS. If a system cannot tell something, the result is `None`, and callers treat it as unknown.

#![expect(unsafe_code, reason = "this is the one crate that may call the operating system directly")]

mod attributes;
pub mod calendar;
mod confine;
mod entry;
mod environment;
mod file_systems;
mod fresh;
pub mod mathematics;
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(not(target_os = "macos"), path = "linux.rs")]
mod os;
pub mod paths;
mod signals;
mod stack;
pub mod text;

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub use attributes::{copy_attributes, is_mount_point};
pub use confine::{Confinement, confine};
pub use entry::start;
pub use environment::{Variable, environment};
pub use file_systems::{FileSystem, is_remote, locks_can_be_lost};
pub use fresh::Fresh;
pub use os::{
    FileLocks, adopt_orphans, arguments, boot_id, boot_time, file_system, is_namespace_empty, look_up, name,
    pid_namespace, reads_output_of, sees_all_processes,
};
pub use signals::{Interrupt, Interrupts, Signals, deliver, reset_child_signal, shares_group, start_helper};
pub use stack::on_stack;

/// A process number.
pub type Pid = u32;

/// What the system says about one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: Pid,
    pub parent: Pid,
    /// When it started, in a unit of the system; constant for the life of the process.
    pub started: u64,
    /// It has exited, and its parent has not yet collected its status.
    pub zombie: bool,
    /// It was forked and has not called exec since, such as a subshell.
    pub never_executed: bool,
}

/// The relation of a process to a kernel lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Holds,
    Waits,
}

/// This process and its ancestors, nearest first.
pub fn lineage() -> Vec<Process> {
    lineage_of(std::process::id())
}

/// The process `pid` and its ancestors, nearest first. The system's process 1, which never exits, is left out;
/// process 1 of a sandbox or container is a process like any other and is included.
pub fn lineage_of(pid: Pid) -> Vec<Process> {
    let mut line = Vec::new();
    let mut next = pid;
    // A parent can exit and its PID be reused during this loop, hence the limit.
    while (next > 1 || next == 1 && !sees_all_processes()) && line.len() < 1024 {
        let Some(process) = look_up(next) else { break };
        next = process.parent;
        line.push(process);
    }
    line
}

/// All that the process `pid` has started and what that has started, as far as it lives and can be traced.
pub fn descendants(pid: Pid) -> Vec<Process> {
    let everybody: Vec<Process> = os::processes().into_iter().filter_map(look_up).collect();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for child in everybody.iter().filter(|process| process.parent == parent && process.pid != parent) {
            if found.iter().all(|known| known.pid != child.pid) {
                parents.push(child.pid);
                found.push(child.clone());
            }
        }
    }
    found.retain(|process| !process.zombie);
    found
}

/// Sends signal `number` to a process, if it is still the one that was looked up.
pub fn send(number: libc::c_int, to: &Process) {
    if look_up(to.pid).is_some_and(|now| now.started == to.started) {
        signals::deliver(number, to.pid);
    }
}

/// Leads a session of its own from now on, which no terminal and no signal to the old one's processes reaches.
pub fn leave_session() {
    // It fails for the leader of a process group alone, who was given a group of its own by intent.
    _ = rustix::process::setsid();
}

/// Whether there is a process `pid`, even if [`look_up`] is not allowed to read its details.
pub fn exists(pid: Pid) -> bool {
    let Some(pid) = pid.try_into().ok().and_then(rustix::process::Pid::from_raw) else { return false };
    // Signal 0 is not sent, only checked, see kill(2): EPERM means that the process exists and belongs to another user.
    matches!(rustix::process::test_kill_process(pid), Ok(()) | Err(rustix::io::Errno::PERM))
}

/// The time since the system started, including sleep. Setting the clock does not affect it.
pub fn uptime() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    // On macOS CLOCK_MONOTONIC counts time asleep, see clock_gettime(3) there.
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

/// Seconds since 1970 by the wall clock.
pub fn wall_clock() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs() as i64,
        Err(before) => -(before.duration().as_secs() as i64),
    }
}

/// The name of this host, as `hostname` prints it.
pub fn host_name() -> String {
    hostname::get().map_or_else(|_| "localhost".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Keeps a descriptor open in programs that this process starts from now on.
pub fn inherit(file: &File) -> io::Result<()> {
    Ok(rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty())?)
}

/// Whether standard output and standard error both go to the null device.
#[expect(clippy::disallowed_methods, reason = "it looks where they go, and prints nothing")]
pub fn is_silenced() -> bool {
    is_null(io::stdout()) && is_null(io::stderr())
}

fn is_null(stream: impl AsFd) -> bool {
    let Ok(stream) = rustix::fs::fstat(stream) else { return false };
    let Ok(null) = rustix::fs::stat("/dev/null") else { return false };
    rustix::fs::FileType::from_raw_mode(stream.st_mode) == rustix::fs::FileType::CharacterDevice
        && stream.st_rdev == null.st_rdev
}

/// Waits for a change in a directory or for the exit of a process, whichever comes first.
pub struct Watch {
    events: os::Events,
}

impl Watch {
    /// Starts to watch `dir` and, if given, the process `pid`.
    ///
    /// To miss nothing, check the directory and the process again after this call.
    pub fn new(dir: &Path, pid: Option<Pid>) -> Self {
        Watch { events: os::Events::new(dir, pid) }
    }

    /// Whether the system reports all the events asked for. Otherwise the caller has to poll.
    pub fn is_complete(&self) -> bool {
        self.events.is_complete()
    }

    /// Sleeps until an event, or for `timeout` at the longest. Returns whether the system has reported the exit of the
    /// process.
    pub fn wait(&self, timeout: Duration) -> bool {
        self.events.wait(timeout)
    }
}
