//! macOS: libproc and sysctl. There is no inotify and no pidfd, so waits end by their timeout.
//!
//! Type-checked only: see docs/contributing.md.

use super::{FileSystem, Pid, Process, Standing};
use std::{ffi::CStr, fs::File, mem::MaybeUninit, path::Path, time::Duration};

/// "process has called exec", from `<sys/proc_info.h>`; libc does not declare it.
const PROC_FLAG_EXEC: u32 = 0x4000;

/// An identifier of this boot of the kernel.
pub fn boot_id() -> Option<String> {
    let mut text = [0u8; 64];
    sysctl(c"kern.bootsessionuuid", &mut text)?;
    Some(CStr::from_bytes_until_nul(&text).ok()?.to_str().ok()?.to_owned())
}

/// When the system started, in seconds since 1970 according to the present wall clock.
pub fn boot_time() -> Option<i64> {
    let mut bytes = [0u8; size_of::<libc::timeval>()];
    let length = sysctl(c"kern.boottime", &mut bytes)?;
    // The seconds come first and take eight bytes in every ABI of the supported targets.
    (length >= 8).then(|| i64::from_ne_bytes(bytes[..8].try_into().expect("eight bytes are eight bytes")))
}

/// macOS has no PID namespaces.
pub fn pid_namespace() -> Option<String> {
    None
}

/// There are no sandboxes that hide processes.
pub fn sees_all_processes() -> bool {
    true
}

/// There are no namespaces.
pub fn is_namespace_empty(_name: &str, _user: u32) -> bool {
    false
}

/// The numbers of all processes that can be seen.
pub fn processes() -> Vec<Pid> {
    let mut pids = vec![0 as libc::c_int; 1 << 16];
    let size = std::mem::size_of_val(pids.as_slice()).try_into().unwrap_or(libc::c_int::MAX);
    // SAFETY: the buffer is as large as is said.
    let count = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast(), size) };
    pids.truncate(usize::try_from(count).unwrap_or(0));
    pids.into_iter().filter_map(|pid| pid.try_into().ok()).collect()
}

/// macOS gives orphans to the system and to nobody else.
pub fn adopt_orphans() {}

/// What the system says about `pid`, or `None` if there is no such process.
pub fn look_up(pid: Pid) -> Option<Process> {
    let info = facts(pid)?;
    Some(Process {
        pid,
        parent: info.pbi_ppid,
        started: info.pbi_start_tvsec * 1_000_000 + info.pbi_start_tvusec,
        zombie: info.pbi_status == libc::SZOMB,
        never_executed: info.pbi_flags & PROC_FLAG_EXEC == 0,
    })
}

/// The name of the program that `pid` runs; the kernel keeps 31 bytes of it.
pub fn name(pid: Pid) -> Option<String> {
    let name = facts(pid)?.pbi_name.map(|byte| byte as u8);
    Some(CStr::from_bytes_until_nul(&name).ok()?.to_string_lossy().into_owned())
}

fn facts(pid: Pid) -> Option<libc::proc_bsdinfo> {
    let mut info = MaybeUninit::<libc::proc_bsdinfo>::zeroed();
    let size = size_of::<libc::proc_bsdinfo>() as libc::c_int;
    // SAFETY: the buffer has the length that is passed, and outlives the call.
    let written =
        unsafe { libc::proc_pidinfo(pid.try_into().ok()?, libc::PROC_PIDTBSDINFO, 0, info.as_mut_ptr().cast(), size) };
    if written != size {
        return None;
    }
    // SAFETY: the call filled the whole structure, which was zeroed before and holds only integers.
    Some(unsafe { info.assume_init() })
}

/// The program and arguments that `pid` was started with: not available on macOS, where the call needs rights over the process.
pub fn arguments(_pid: Pid) -> Option<Vec<String>> {
    None
}

/// Whether `reader` reads what `writer` prints.
///
/// macOS does not tell which process has the other end of a pipe. Instead this looks at our own standard output: if it is a
/// pipe, subshells among our ancestors are taken for those of a command substitution.
pub fn reads_output_of(_reader: Pid, _writer: Pid) -> bool {
    rustix::fs::fstat(std::io::stdout())
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Fifo)
}

/// The file system that an open file is on.
pub fn file_system(file: &File) -> Option<FileSystem> {
    let name = rustix::fs::fstatfs(file).ok()?.f_fstypename.map(|byte| byte as u8);
    let name = CStr::from_bytes_until_nul(&name).ok()?.to_string_lossy().into_owned();
    Some(FileSystem { name, options: String::new() })
}

/// macOS does not tell which processes wait for a file lock.
pub struct FileLocks;

impl FileLocks {
    pub fn now() -> Option<Self> {
        None
    }

    pub fn on(&self, _file: &File) -> Option<Vec<(Pid, Standing)>> {
        None
    }
}

/// The events that can end a wait: on macOS only the timeout.
pub struct Events;

impl Events {
    pub fn new(_dir: &Path, _pid: Option<Pid>) -> Self {
        Events
    }

    pub fn is_complete(&self) -> bool {
        false
    }

    pub fn wait(&self, timeout: Duration) -> bool {
        std::thread::sleep(timeout);
        false
    }
}

fn sysctl(name: &CStr, value: &mut [u8]) -> Option<usize> {
    let mut length = value.len();
    // SAFETY: the name ends with a NUL, the buffer is as long as `length` says, and nothing is set.
    let status =
        unsafe { libc::sysctlbyname(name.as_ptr(), value.as_mut_ptr().cast(), &mut length, std::ptr::null_mut(), 0) };
    (status == 0).then_some(length)
}
