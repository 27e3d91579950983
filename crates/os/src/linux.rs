//! Linux: `/proc`, inotify and pidfd. See proc(5), inotify(7), pidfd_open(2).

use super::{FileSystem, Pid, Process, Standing};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify,
    process::{PidfdFlags, pidfd_open},
};
use std::{
    fs::{self, File},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::Path,
    sync::OnceLock,
    time::Duration,
};

/// "forked but didn't exec", from `include/linux/sched.h`; the kernel shows it in `/proc/PID/stat`.
const PF_FORKNOEXEC: u64 = 0x40;

/// An identifier of this boot of the kernel.
pub fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim_end().to_owned())
}

/// When the system started, in seconds since 1970 according to the present wall clock.
pub fn boot_time() -> Option<i64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// An identifier of the PID namespace of this process. PIDs are meaningful only within their namespace.
pub fn pid_namespace() -> Option<String> {
    let name = fs::read_link("/proc/self/ns/pid").ok()?;
    let name = name.to_str()?;
    Some(name.strip_prefix("pid:[")?.strip_suffix(']')?.to_owned())
}

/// The inode of the initial PID namespace, the same in every kernel (PROC_PID_INIT_INO in include/linux/proc_ns.h).
const FIRST_NAMESPACE: &str = "4026531836";

/// Whether this process sees all processes of the system, because it is not in the PID namespace of a sandbox or container.
pub fn sees_all_processes() -> bool {
    pid_namespace().is_none_or(|name| name == FIRST_NAMESPACE)
}

/// Whether no process of a PID namespace is left. `false` if that cannot be determined: from within another namespace, or if
/// the system hides the namespace of one of `user`'s processes.
pub fn is_namespace_empty(name: &str, user: u32) -> bool {
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    let link = format!("pid:[{name}]");
    let is_over = |process: &fs::DirEntry| {
        let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
        pid.and_then(look_up).is_none_or(|process| process.zombie)
    };
    let is_elsewhere = |process: &fs::DirEntry| match fs::read_link(process.path().join("ns/pid")) {
        Ok(namespace) => namespace != Path::new(&link),
        // It belongs to another user, or has exited; a zombie no longer has a namespace, and does nothing.
        Err(_) => process.metadata().map_or(true, |facts| facts.uid() != user) || is_over(process),
    };
    // Process 1 is always in the initial namespace; some systems do not allow reading its namespace.
    let is_process = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        name != "1" && name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
    };
    sees_all_processes() && entries.flatten().filter(is_process).all(|process| is_elsewhere(&process))
}

/// What the system says about `pid`, or `None` if there is no such process.
pub fn look_up(pid: Pid) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may contain any character, even ')'.
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end_of_name + 2..)?).ok()?;
    let fields: Vec<&str> = rest.split(' ').collect();
    // proc_pid_stat(5) counts from 1 and `fields` starts with the third.
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Process {
        pid,
        parent: field(4)?.parse().ok()?,
        started: field(22)?.parse().ok()?,
        zombie: matches!(field(3)?, "Z" | "X"),
        never_executed: field(9)?.parse::<u64>().ok()? & PF_FORKNOEXEC != 0,
    })
}

/// The numbers of all processes that can be seen.
pub fn processes() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Becomes the parent of whatever a descendant leaves behind, so that it stays one.
pub fn adopt_orphans() {
    // Kernels before 3.4 do not know it, and then orphans are the system's.
    _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// The program and arguments that `pid` was started with.
pub fn arguments(pid: Pid) -> Option<Vec<String>> {
    let text = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = text.strip_suffix(b"\0").unwrap_or(&text);
    Some(text.split(|&byte| byte == 0).map(|argument| String::from_utf8_lossy(argument).into_owned()).collect())
}

/// The name of the program that `pid` runs, or the name that it has given itself; the kernel keeps 15 bytes of it.
pub fn name(pid: Pid) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name)).into_owned())
}

/// Whether the standard output of `writer` is a pipe whose read end `reader` has open.
///
/// This distinguishes the subshell of a command substitution from one that a script opened with `( … )`.
pub fn reads_output_of(reader: Pid, writer: Pid) -> bool {
    let Ok(output) = fs::read_link(format!("/proc/{writer}/fd/1")) else { return false };
    if !output.to_string_lossy().starts_with("pipe:[") {
        return false;
    }
    let Ok(descriptors) = fs::read_dir(format!("/proc/{reader}/fd")) else { return false };
    descriptors.flatten().any(|descriptor| {
        fs::read_link(descriptor.path()).is_ok_and(|file| file == output)
            && is_read_end(reader, &descriptor.file_name().to_string_lossy())
    })
}

fn is_read_end(pid: Pid, descriptor: &str) -> bool {
    let Ok(facts) = fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}")) else { return false };
    let flags = facts.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).is_some_and(|flags| flags & 0o3 == 0)
}

/// The file system that an open file is on.
pub fn file_system(file: &File) -> Option<FileSystem> {
    if let Some(mount) = Place::of(file).and_then(|place| place.mount) {
        return Some(FileSystem { name: mount.kind, options: mount.options });
    }
    // After chroot(2) the mount may not be listed. The magic numbers are those of statfs(2).
    let magic = rustix::fs::fstatfs(file).ok()?.f_type;
    let name = match magic & 0xffff_ffff {
        0x6969 => "nfs".to_owned(),
        0xff53_4d42 | 0xfe53_4d42 => "cifs".to_owned(),
        0x0102_1997 => "9p".to_owned(),
        0x6573_5546 => "fuse".to_owned(),
        0x794c_7630 => "overlay".to_owned(),
        magic => format!("of type {magic:#x}"),
    };
    Some(FileSystem { name, options: String::new() })
}

/// The kernel's list of file locks at one moment, see proc_locks(5).
///
/// It contains only the processes of this PID namespace.
pub struct FileLocks(String);

impl FileLocks {
    pub fn now() -> Option<Self> {
        fs::read_to_string("/proc/locks").ok().map(FileLocks)
    }

    /// The processes that hold, or wait for, a `flock` on an open file.
    pub fn on(&self, file: &File) -> Option<Vec<(Pid, Standing)>> {
        let place = Place::of(file)?;
        let (major, minor) = place.mount.map_or(place.device, |mount| mount.device);
        let name = format!("{major:02x}:{minor:02x}:{}", place.inode);
        Some(self.0.lines().filter_map(|line| entry(line, &name)).collect())
    }
}

/// Parses "1: -> FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF"; without the arrow the lock was granted.
fn entry(line: &str, name: &str) -> Option<(Pid, Standing)> {
    let mut words = line.split_whitespace().skip(1).peekable();
    let standing = if words.next_if_eq(&"->").is_some() { Standing::Waits } else { Standing::Holds };
    let is_flock = words.next()? == "FLOCK";
    let pid = words.nth(2)?.parse().ok()?;
    (is_flock && words.next()? == name).then_some((pid, standing))
}

/// The location of an open file, as the kernel's lists express it.
struct Place {
    inode: u64,
    device: (u32, u32),
    mount: Option<Mount>,
}

struct Mount {
    device: (u32, u32),
    kind: String,
    options: String,
}

impl Place {
    /// On file systems with volumes or layers (btrfs, overlay), stat(2) returns other numbers than the lists show, so
    /// `fdinfo` comes first. Kernels before 5.14 do not show the inode there.
    fn of(file: &File) -> Option<Self> {
        let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
        let field = |name: &str| facts.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let stat = file.metadata().ok()?;
        Some(Place {
            inode: field("ino:").and_then(|number| number.parse().ok()).unwrap_or(stat.ino()),
            device: (rustix::fs::major(stat.dev()), rustix::fs::minor(stat.dev())),
            mount: field("mnt_id:").and_then(mount),
        })
    }
}

/// Looks up a mount, see proc_pid_mountinfo(5): "36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue".
fn mount(id: &str) -> Option<Mount> {
    let list = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = list.lines().find(|line| line.split(' ').next() == Some(id))?;
    let (own, shared) = line.split_once(" - ")?;
    let mut own = own.split(' ');
    let (major, minor) = own.nth(2)?.split_once(':')?;
    let mut shared = shared.split(' ');
    Some(Mount {
        device: (major.parse().ok()?, minor.parse().ok()?),
        kind: shared.next()?.to_owned(),
        options: format!("{},{}", own.nth(2)?, shared.nth(1).unwrap_or_default()),
    })
}

/// The events that can end a wait.
pub struct Events {
    changes: Option<Changes>,
    end: Option<OwnedFd>,
    wants_end: bool,
}

impl Events {
    pub fn new(dir: &Path, pid: Option<Pid>) -> Self {
        Events { changes: Changes::in_dir(dir).ok(), end: pid.and_then(end_of), wants_end: pid.is_some() }
    }

    pub fn is_complete(&self) -> bool {
        self.changes.is_some() && (self.end.is_some() || !self.wants_end)
    }

    pub fn wait(&self, timeout: Duration) -> bool {
        let queue = self.changes.as_ref().map(|changes| changes.queue);
        let mut sources: Vec<PollFd<'_>> =
            queue.into_iter().chain(&self.end).map(|source| PollFd::new(source, PollFlags::IN)).collect();
        let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
        // An interruption only shortens the wait, and the caller checks again after every wait.
        _ = poll(&mut sources, Some(&timeout));
        self.end.is_some() && sources.last().is_some_and(|end| !end.revents().is_empty())
    }
}

/// The changes in one directory, reported by the process's only inotify queue.
///
/// Closing a queue that still watches something takes the kernel some 10 ms (it waits until the watch cannot be in use
/// any more), and would delay a waiter that has just been notified of a free lock. So the queue stays open
/// until the process exits.
struct Changes {
    queue: &'static OwnedFd,
    watch: i32,
}

impl Changes {
    fn in_dir(dir: &Path) -> rustix::io::Result<Self> {
        use inotify::{CreateFlags, WatchFlags};
        static QUEUE: OnceLock<rustix::io::Result<OwnedFd>> = OnceLock::new();
        let queue = QUEUE.get_or_init(|| inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK));
        let queue = queue.as_ref().map_err(|error| *error)?;
        // Discard reports of an earlier watch, which would end the next wait at once.
        let mut reports = [0; 4096];
        while rustix::io::read(queue, &mut reports).is_ok_and(|length| length > 0) {}
        let what = WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        Ok(Changes { queue, watch: inotify::add_watch(queue, dir, what)? })
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        // This fails if the directory is gone, and the watch with it.
        _ = inotify::remove_watch(self.queue, self.watch);
    }
}

fn end_of(pid: Pid) -> Option<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(pid.try_into().ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}
