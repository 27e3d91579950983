//! Whether a holder is alive, dead or unknown, judged by its `info`; and whether this process is inside a lock.

use super::{
    folder::{Folder, LockDir},
    hosts,
    info::{Info, Kind, utc},
};
use crate::process::{self, Pid, Process};
use std::{
    cell::OnceCell,
    path::PathBuf,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

/// A script makes its entry first and then writes `info`. After this time without `info`, the script is taken for dead.
pub const SETTING_UP: Duration = Duration::from_secs(2);

/// What is known of a holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Alive,
    Dead(Cause),
    /// It cannot be checked from here, and counts as alive.
    Unknown(Doubt),
}

/// Why a hold is over although it was not released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The process has exited, or its PID belongs to another one by now.
    Ended(Pid),
    /// The lease's time is over.
    Expired(Pid),
    /// The entry names no holder: the process that made it exited before it had written `info`.
    Unfinished,
}

/// Why a holder cannot be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    OtherHost(String),
    OtherNamespace,
    /// The system shows only that the process exists.
    Hidden,
}

/// What this process knows about itself and about its lock directory, looked up when first needed.
pub struct Here {
    folder: PathBuf,
    /// The tokens of the holds that this process works inside.
    inside: Arc<[String]>,
    mount: OnceCell<Option<String>>,
    /// By how many seconds the clock of the file server is ahead of ours.
    clock_ahead: OnceCell<i64>,
    host: OnceCell<String>,
    boot: OnceCell<Option<String>>,
    namespace: OnceCell<Option<String>>,
    lineage: OnceCell<Vec<Process>>,
}

impl Here {
    pub fn new(folder: &Folder) -> Self {
        Here {
            folder: folder.path().to_owned(),
            inside: Arc::clone(folder.tokens()),
            mount: OnceCell::new(),
            clock_ahead: OnceCell::new(),
            host: OnceCell::new(),
            boot: OnceCell::new(),
            namespace: OnceCell::new(),
            lineage: OnceCell::new(),
        }
    }

    /// How the lock directory is mounted, if other machines may share it.
    pub fn mount(&self) -> Option<&str> {
        self.mount.get_or_init(|| hosts::kind_of_mount(&self.folder)).as_deref()
    }

    pub fn host(&self) -> &str {
        self.host.get_or_init(process::host_name)
    }

    pub fn boot(&self) -> Option<&str> {
        self.boot.get_or_init(process::boot_id).as_deref()
    }

    pub fn namespace(&self) -> Option<&str> {
        self.namespace.get_or_init(process::pid_namespace).as_deref()
    }

    /// This process and its ancestors, nearest first.
    pub fn lineage(&self) -> &[Process] {
        self.lineage.get_or_init(process::lineage)
    }

    /// Judges the holder of a lock entry. `guard_is_free` says that the guard is unlocked, or locked only by the
    /// caller.
    pub fn judge(&self, dir: &LockDir, guard_is_free: bool) -> State {
        match &dir.info {
            // The last line marks memlatch's own files as complete; a file without it was never finished.
            Some(info) if info.kind != Kind::Script || !dir.made_by_us => self.judge_holder(info, dir, guard_is_free),
            _ if dir.made_by_us && !guard_is_free => State::Alive,
            _ if dir.made_by_us => State::Dead(Cause::Unfinished),
            _ if dir.idle() >= SETTING_UP => State::Dead(Cause::Unfinished),
            _ => State::Alive,
        }
    }

    /// The same if the entry has `info`.
    fn judge_holder(&self, info: &Info, dir: &LockDir, guard_is_free: bool) -> State {
        let same_host = info.host.as_deref().is_none_or(|host| host == self.host());
        let same_boot = info.boot.is_some() && info.boot.as_deref() == self.boot();
        if self.has_expired(info, dir, same_boot) {
            return State::Dead(Cause::Expired(info.pid));
        }
        if info.kind.keeps_guard() && !guard_is_free {
            return State::Alive;
        }
        // The holder ran on this kernel, in whatever container, and this kernel says that the guard is free.
        if info.kind.keeps_guard() && same_boot {
            return State::Dead(Cause::Ended(info.pid));
        }
        if info.kind.keeps_guard() && self.guard_reaches_host_of(info) {
            return State::Dead(Cause::Ended(info.pid));
        }
        if !same_host {
            return State::Unknown(Doubt::OtherHost(info.host.clone().unwrap_or_default()));
        }
        if info.boot.is_some() && !same_boot {
            // Another machine may have the same name. But if the lock is older than our boot, the holder's boot is a former one of this machine.
            let before_our_start = info.acquired.zip(process::boot_time()).is_some_and(|(then, start)| then <= start);
            let host = || info.host.clone().unwrap_or_default();
            return if before_our_start {
                State::Dead(Cause::Ended(info.pid))
            } else {
                State::Unknown(Doubt::OtherHost(host()))
            };
        }
        if info.kind.keeps_guard() {
            return State::Dead(Cause::Ended(info.pid));
        }
        if let Some(namespace) = info.namespace.as_deref().filter(|name| Some(*name) != self.namespace()) {
            // From outside of all sandboxes this process can see whether any process is left in the holder's.
            return match process::is_namespace_empty(namespace, dir.user) {
                true => State::Dead(Cause::Ended(info.pid)),
                false => State::Unknown(Doubt::OtherNamespace),
            };
        }
        judge_process(info)
    }

    /// Whether a guard that is free here is free on the holder's machine too: a test has shown that locks exclude between two
    /// machines that had mounted the lock directory in the way that ours and the holder's have.
    fn guard_reaches_host_of(&self, info: &Info) -> bool {
        info.mount.is_some()
            && info.mount.as_deref() == self.mount()
            && hosts::proofs(&self.folder).iter().any(|proof| Some(proof.mount.as_str()) == self.mount())
    }

    fn has_expired(&self, info: &Info, dir: &LockDir, same_boot: bool) -> bool {
        match (info.deadline, info.expires) {
            (Some(deadline), _) if same_boot => process::uptime().as_millis() >= u128::from(deadline),
            (_, Some(expires)) => self.time_left_by_the_folder(info, dir, expires) <= 0,
            _ => false,
        }
    }

    /// The seconds that a lease of another machine or boot has left. The holder's clock gives its length; the clock of the shared
    /// file server gives its start and the present time.
    fn time_left_by_the_folder(&self, info: &Info, dir: &LockDir, expires: i64) -> i64 {
        let written = dir.written.and_then(|written| written.duration_since(UNIX_EPOCH).ok());
        let begun = written.map(|written| written.as_secs() as i64);
        let now = process::wall_clock();
        match info.acquired.zip(begun) {
            Some((acquired, begun)) if self.mount().is_some() => {
                let ahead = || hosts::clock_of(&self.folder).map_or(0, |there| there - now);
                // Both times are cut to whole seconds; one more second makes sure that this never ends a lease early.
                begun + (expires - acquired) + 1 - (now + *self.clock_ahead.get_or_init(ahead))
            }
            _ => expires - now,
        }
    }

    /// Whether this process works inside the hold that `info` describes.
    pub fn is_inside(&self, info: &Info) -> bool {
        let has_token = info.token.as_ref().is_some_and(|token| self.inside.contains(token));
        has_token || (info.kind != Kind::Script && self.descends_from(info))
    }

    /// Whether the holder is this process or one of its ancestors.
    pub fn descends_from(&self, info: &Info) -> bool {
        let comparable = info.boot.as_deref() == self.boot() && info.namespace.as_deref() == self.namespace();
        comparable
            && self.lineage().iter().any(|process| process.pid == info.pid && Some(process.started) == info.started)
    }
}

fn judge_process(info: &Info) -> State {
    match process::look_up(info.pid) {
        Some(process) if process.zombie => State::Dead(Cause::Ended(info.pid)),
        Some(process) if info.started.is_some_and(|started| started != process.started) => {
            State::Dead(Cause::Ended(info.pid))
        }
        Some(_) => State::Alive,
        None if process::exists(info.pid) => State::Unknown(Doubt::Hidden),
        None => State::Dead(Cause::Ended(info.pid)),
    }
}

/// Whether the `with` that took a lock is gone, so that processes that inherited the guard must be holding it.
pub fn is_orphaned(info: &Info) -> bool {
    info.kind == Kind::With && process::look_up(info.pid).is_none_or(|process| process.zombie)
}

/// The sentence that `show` prints after `Status: `.
pub fn describe(info: Option<&Info>, state: &State) -> String {
    match (state, info) {
        (State::Alive, Some(info)) if is_orphaned(info) => {
            format!("ACTIVE (process {} is gone, its command still runs)", info.pid)
        }
        (State::Alive, Some(info)) => match info.expires {
            Some(expires) => format!("ACTIVE (process {} is running, until {} at the latest)", info.pid, utc(expires)),
            None => format!("ACTIVE (process {} is running)", info.pid),
        },
        (State::Alive, None) => "ACTIVE (being set up)".to_owned(),
        (State::Dead(Cause::Ended(pid)), _) => format!("STALE (process {pid} is dead)"),
        (State::Dead(Cause::Expired(pid)), _) => format!("STALE (the lease of process {pid} has expired)"),
        (State::Dead(Cause::Unfinished), _) => "STALE (it names no holder)".to_owned(),
        (State::Unknown(Doubt::OtherHost(host)), _) => {
            format!(
                "UNKNOWN (held on host {}, cannot be checked from here)",
                memlatch_os::paths::escape(host.as_bytes())
            )
        }
        (State::Unknown(Doubt::OtherNamespace), _) => {
            "UNKNOWN (held in another PID namespace, a sandbox or container, and cannot be checked from here)"
                .to_owned()
        }
        (State::Unknown(Doubt::Hidden), _) => "UNKNOWN (the system hides the process)".to_owned(),
    }
}
