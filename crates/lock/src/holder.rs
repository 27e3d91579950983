//! Alive, dead or unknown: the judgement over a lock's `info`, and who is inside a lock.

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

/// A script makes its directory first and writes `info` next. If that has not come after this long, it never will.
pub const SETTING_UP: Duration = Duration::from_secs(2);

/// What is known of a holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Alive,
    Dead(Cause),
    /// It cannot be judged from here, and counts as alive.
    Unknown(Doubt),
}

/// Why a hold is over although nobody ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The process is gone, or its number belongs to another one by now.
    Ended(Pid),
    /// The lease's time is over.
    Expired(Pid),
    /// The directory tells of no holder: whoever made it ended before it had written.
    Unfinished,
}

/// Why a holder cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    OtherHost(String),
    OtherNamespace,
    /// The system shows nothing of the process but that there is one.
    Hidden,
}

/// What this process knows about itself and about its lock folder, looked up when first needed.
pub struct Here {
    folder: PathBuf,
    /// The tokens of the holds that it works inside.
    inside: Arc<[String]>,
    mount: OnceCell<Option<String>>,
    /// By how many seconds the clock of the folder's server is ahead of ours.
    clock_ahead: OnceCell<i64>,
    host: OnceCell<String>,
    boot: OnceCell<Option<String>>,
    namespace: OnceCell<Option<String>>,
    lineage: OnceCell<Vec<Process>>,
}

impl Here {
    pub fn before(folder: &Folder) -> Self {
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

    /// How the lock folder is mounted, if other machines may share it.
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

    /// Judges the holder that made a lock directory. `guard_is_free` says whether the guard is locked by nobody, or by the
    /// caller alone.
    pub fn judge(&self, dir: &LockDir, guard_is_free: bool) -> State {
        match &dir.info {
            // Our own files are sealed by their last line; an unsealed one was never finished.
            Some(info) if info.kind != Kind::Script || !dir.made_by_us => self.judge_holder(info, dir, guard_is_free),
            _ if dir.made_by_us && !guard_is_free => State::Alive,
            _ if dir.made_by_us => State::Dead(Cause::Unfinished),
            _ if dir.idle() >= SETTING_UP => State::Dead(Cause::Unfinished),
            _ => State::Alive,
        }
    }

    /// The same for one whose `info` was found.
    fn judge_holder(&self, info: &Info, dir: &LockDir, guard_is_free: bool) -> State {
        let same_host = info.host.as_deref().is_none_or(|host| host == self.host());
        let same_boot = info.boot.is_some() && info.boot.as_deref() == self.boot();
        if self.has_expired(info, dir, same_boot) {
            return State::Dead(Cause::Expired(info.pid));
        }
        if info.kind.keeps_guard() && !guard_is_free {
            return State::Alive;
        }
        // The kernel that knows the guard free is the kernel that the holder ran on, in whatever container.
        if info.kind.keeps_guard() && same_boot {
            return State::Dead(Cause::Ended(info.pid));
        }
        if info.kind.keeps_guard() && self.guard_speaks_for(info) {
            return State::Dead(Cause::Ended(info.pid));
        }
        if !same_host {
            return State::Unknown(Doubt::OtherHost(info.host.clone().unwrap_or_default()));
        }
        if info.boot.is_some() && !same_boot {
            // Another machine may bear the same name, but it did not take the lock before we started.
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
            // From outside of all sandboxes one can see that nobody is left in one.
            return match process::is_namespace_empty(namespace, dir.user) {
                true => State::Dead(Cause::Ended(info.pid)),
                false => State::Unknown(Doubt::OtherNamespace),
            };
        }
        judge_process(info)
    }

    /// Whether a guard that is free here is free on the holder's machine too: locks were seen to exclude between two
    /// machines that had mounted the folder as ours and the holder's have.
    fn guard_speaks_for(&self, info: &Info) -> bool {
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

    /// How many seconds a lease of another machine or boot has left. Its length is known from its holder's clock, and its
    /// beginning and the present moment from the clock of the server that both share.
    fn time_left_by_the_folder(&self, info: &Info, dir: &LockDir, expires: i64) -> i64 {
        let written = dir.written.and_then(|written| written.duration_since(UNIX_EPOCH).ok());
        let begun = written.map(|written| written.as_secs() as i64);
        let now = process::wall_clock();
        match info.acquired.zip(begun) {
            Some((acquired, begun)) if self.mount().is_some() => {
                let ahead = || hosts::clock_of(&self.folder).map_or(0, |there| there - now);
                // Both clocks are cut to whole seconds, and nobody's lease is to end early by that.
                begun + (expires - acquired) + 1 - (now + *self.clock_ahead.get_or_init(ahead))
            }
            _ => expires - now,
        }
    }

    /// Whether this process works inside the hold that `info` tells of.
    pub fn is_inside(&self, info: &Info) -> bool {
        let told = info.token.as_ref().is_some_and(|token| self.inside.contains(token));
        told || (info.kind != Kind::Script && self.descends_from(info))
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

/// Whether the `with` that took a lock is gone, so that others must be keeping the guard that they inherited.
pub fn is_orphaned(info: &Info) -> bool {
    info.kind == Kind::With && process::look_up(info.pid).is_none_or(|process| process.zombie)
}

/// The sentence that `show` prints behind `Status: `.
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
                "UNKNOWN (held on host {}, cannot be judged from here)",
                memlatch_os::paths::escape(host.as_bytes())
            )
        }
        (State::Unknown(Doubt::OtherNamespace), _) => {
            "UNKNOWN (held in another PID namespace, a sandbox or container, and cannot be judged from here)".to_owned()
        }
        (State::Unknown(Doubt::Hidden), _) => "UNKNOWN (the system hides the process)".to_owned(),
    }
}
