//! A process on strings: stopped at each of its system calls, where a test may kill it, let the call fail, cut a write
//! short, or leave it standing while others run.
//!
//! strace can inject faults too, but it counts the calls of each thread by themselves: `when=2` strikes in the first
//! thread that makes a second call of that name, and the second call of the thread that does the work is out of its
//! reach. Here one number runs over all threads, so that "every call" means every call.
//!
//! Only the process itself is on strings, with all of its threads, not the programs that it starts.

use std::{
    collections::{HashMap, HashSet},
    ffi::c_long,
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::{fs::FileExt, process::CommandExt},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A system call that is about to be made.
#[derive(Clone, Debug)]
pub struct Call {
    /// Counts all calls of the process, from 0.
    pub index: usize,
    pub name: String,
    pub args: [u64; 6],
    /// The paths among its arguments.
    pub paths: Vec<String>,
    /// What it hands to the kernel to be written.
    pub data: Vec<u8>,
}

impl Call {
    /// The flags of an open call.
    pub fn opens_with(&self, flags: i32) -> bool {
        self.name == "openat" && self.args[2] as i32 & flags == flags
    }
}

/// A call that was made, and what came of it.
#[derive(Clone, Debug)]
pub struct Made {
    pub call: Call,
    /// Negative: an error number. `None`: it never returned.
    pub result: Option<i64>,
}

/// What to do with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Go,
    /// The process dies by SIGKILL before the call is made.
    Kill,
    /// The call is not made, and fails with this error number.
    Fail(i32),
    /// The call is made with its count of bytes cut down to this.
    Shorten(u64),
    /// The call is made, and this is put in the place of the first word that it fills in: for statfs(2) the kind of file
    /// system.
    Claim(u64),
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Exit(i32),
    Signal(i32),
}

/// What a process left.
#[derive(Debug)]
pub struct Left {
    pub end: End,
    pub stdout: String,
    pub stderr: String,
    pub calls: Vec<Made>,
}

/// A process on strings. It dies with this value.
pub struct Puppet {
    pid: i32,
    threads: HashSet<i32>,
    /// The calls that threads are in: index in `calls`, and what to put in the place of what the kernel says.
    under_way: HashMap<i32, (usize, Option<Instead>)>,
    /// The thread that is stopped before a call, and that call.
    standing: Option<(i32, usize)>,
    calls: Vec<Made>,
    end: Option<End>,
    memory: Option<File>,
    stdout: File,
    stderr: File,
}

/// The result that replaces the kernel's.
enum Instead {
    Result(i64),
    /// At the address in the second argument.
    FirstWord(u64),
}

/// Runs a command to its end. Each call's fate is asked for before it is made.
pub fn run(command: Command, stdin: &[u8], mut fate: impl FnMut(&Call) -> Fate) -> Left {
    let mut puppet = Puppet::start(command, stdin);
    while let Some(call) = puppet.next() {
        puppet.decide(fate(&call));
    }
    puppet.left()
}

impl Puppet {
    /// Starts a command, stopped before its first call.
    pub fn start(mut command: Command, stdin: &[u8]) -> Puppet {
        let mut input = tempfile::tempfile().expect("a file for standard input");
        input.write_all(stdin).and_then(|()| input.seek(SeekFrom::Start(0)).map(drop)).expect("standard input");
        let output = || tempfile::tempfile().expect("a file for an output");
        let (stdout, stderr) = (output(), output());
        let share = |file: &File| Stdio::from(file.try_clone().expect("one more descriptor"));
        command.stdin(Stdio::from(input)).stdout(share(&stdout)).stderr(share(&stderr));
        // SAFETY: ptrace(2) with PTRACE_TRACEME touches no memory and may be called between fork and exec.
        unsafe {
            command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
                -1 => Err(std::io::Error::last_os_error()),
                _ => Ok(()),
            });
        }
        #[expect(clippy::zombie_processes, reason = "`step` waits for it, as its tracer")]
        let child = command.spawn().expect("a process that may be traced");
        let pid = child.id() as i32;
        let mut puppet = Puppet {
            pid,
            threads: HashSet::from([pid]),
            under_way: HashMap::new(),
            standing: None,
            calls: Vec::new(),
            end: None,
            memory: None,
            stdout,
            stderr,
        };
        let (tid, status) = wait(0).expect("the stop after exec");
        assert!(tid == pid && libc::WIFSTOPPED(status), "the stop after exec");
        let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_EXITKILL;
        request(libc::PTRACE_SETOPTIONS, pid, options as usize);
        puppet.memory = Some(
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(format!("/proc/{pid}/mem"))
                .expect("the memory of a traced process"),
        );
        resume(pid, 0);
        puppet
    }

    /// Runs to the next call and stops before it. `None` at the end.
    pub fn next(&mut self) -> Option<Call> {
        loop {
            match self.step(0) {
                Step::Stands(call) => return Some(call),
                Step::Ended => return None,
                Step::Went | Step::Nothing => {}
            }
        }
    }

    /// Lets the call at which it is stopped proceed in this way.
    pub fn decide(&mut self, fate: Fate) {
        let (tid, index) = self.standing.take().expect("a call to decide on");
        let mut instead = None;
        match fate {
            Fate::Go => {}
            Fate::Kill => return self.kill(),
            Fate::Fail(error) => {
                registers::set(tid, registers::NUMBER, u64::MAX);
                instead = Some(Instead::Result(-i64::from(error)));
            }
            Fate::Claim(word) => instead = Some(Instead::FirstWord(word)),
            Fate::Shorten(length) => {
                let is_copy = self.calls[index].call.name == "copy_file_range";
                registers::set(tid, if is_copy { registers::FIFTH } else { registers::THIRD }, length);
            }
        }
        self.under_way.insert(tid, (index, instead));
        resume(tid, 0);
    }

    /// Lets it run until it is stopped before a call that the test looks for. `None` if it exited first.
    pub fn run_to(&mut self, mut wanted: impl FnMut(&Call) -> bool) -> Option<Call> {
        if self.standing.is_some() {
            self.decide(Fate::Go);
        }
        while let Some(call) = self.next() {
            if wanted(&call) {
                return Some(call);
            }
            self.decide(Fate::Go);
        }
        None
    }

    /// Lets it run until it sleeps in a call of this name, or fails the test.
    pub fn run_until_asleep_in(&mut self, name: &str) {
        if self.standing.is_some() {
            self.decide(Fate::Go);
        }
        let start = Instant::now();
        loop {
            match self.step(libc::WNOHANG) {
                Step::Stands(_) => self.decide(Fate::Go),
                Step::Ended => panic!("it ended instead of sleeping in {name}: {:?}", self.end),
                Step::Went => {}
                Step::Nothing => {
                    let sleeps = self.under_way.iter().any(|(tid, (index, _))| {
                        self.calls[*index].call.name == name && state_of(self.pid, *tid) == Some('S')
                    });
                    if sleeps {
                        return;
                    }
                    assert!(start.elapsed() < Duration::from_secs(60), "it never slept in {name}");
                    thread::sleep(Duration::from_micros(200));
                }
            }
        }
    }

    pub fn kill(&mut self) {
        self.standing = None;
        // SAFETY: sends a signal to a child of ours that has not been waited for.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
    }

    /// Lets it run to its end.
    pub fn finish(mut self) -> Left {
        self.run_to(|_| false);
        self.left()
    }

    fn left(mut self) -> Left {
        while self.end.is_none() {
            self.step(0);
        }
        let text = |file: &mut File| {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes)).expect("an output");
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Left {
            end: self.end.clone().expect("it has ended"),
            stdout: text(&mut self.stdout),
            stderr: text(&mut self.stderr),
            calls: std::mem::take(&mut self.calls),
        }
    }

    /// Takes one report of the kernel.
    fn step(&mut self, options: i32) -> Step {
        if self.end.is_some() {
            return Step::Ended;
        }
        let Some((tid, status)) = wait(options) else { return Step::Nothing };
        if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
            self.under_way.remove(&tid);
            if tid != self.pid {
                return Step::Went;
            }
            self.end = Some(match libc::WIFEXITED(status) {
                true => End::Exit(libc::WEXITSTATUS(status)),
                false => End::Signal(libc::WTERMSIG(status)),
            });
            return Step::Ended;
        }
        let signal = libc::WSTOPSIG(status);
        if signal == libc::SIGTRAP | 0x80 {
            return self.at_a_call(tid);
        }
        let is_event = status >> 16 != 0;
        // A thread under ptrace begins with a SIGSTOP that no process has sent.
        let is_new = self.threads.insert(tid) && signal == libc::SIGSTOP;
        resume(tid, if is_event || is_new { 0 } else { signal });
        Step::Went
    }

    fn at_a_call(&mut self, tid: i32) -> Step {
        match self.under_way.remove(&tid) {
            Some((index, instead)) => {
                let mut result = registers::info(tid).map(|info| info[3] as i64);
                match instead {
                    None => {}
                    // A call that was not made has no result of the kernel's own.
                    Some(Instead::Result(number)) => {
                        registers::set(tid, registers::RESULT, number as u64);
                        result = Some(number);
                    }
                    Some(Instead::FirstWord(word)) => {
                        let (memory, address) = (self.memory.as_ref(), self.calls[index].call.args[1]);
                        let written = memory.map(|memory| memory.write_all_at(&word.to_ne_bytes(), address));
                        written.expect("a process").expect("memory that the call may fill in");
                    }
                }
                self.calls[index].result = result;
                resume(tid, 0);
                Step::Went
            }
            None => {
                // It may have been killed meanwhile.
                let Some(info) = registers::info(tid) else { return Step::Went };
                let call = self.read_call(info);
                self.calls.push(Made { call: call.clone(), result: None });
                self.standing = Some((tid, call.index));
                Step::Stands(call)
            }
        }
    }

    fn read_call(&self, info: [u64; 11]) -> Call {
        let name = name_of(info[3] as c_long);
        let args: [u64; 6] = info[4..10].try_into().expect("six of eleven");
        let mut call = Call { index: self.calls.len(), name, args, paths: Vec::new(), data: Vec::new() };
        let paths: &[usize] = match call.name.as_str() {
            "open" | "mkdir" | "rmdir" | "unlink" | "stat" | "lstat" | "chmod" | "readlink" | "access" | "execve" => {
                &[0]
            }
            "rename" | "link" => &[0, 1],
            "openat" | "mkdirat" | "unlinkat" | "newfstatat" | "statx" | "readlinkat" | "faccessat" | "fchmodat"
            | "inotify_add_watch" => &[1],
            "renameat" | "renameat2" | "linkat" => &[1, 3],
            _ => &[],
        };
        call.paths = paths.iter().map(|&place| self.path_at(place, &args)).collect();
        if call.name == "write" {
            call.data = self.bytes_at(args[1], args[2].min(1 << 20) as usize);
        }
        call
    }

    /// The path in an argument. In those of calls like openat(2) it is taken from the directory in the argument before.
    fn path_at(&self, place: usize, args: &[u64; 6]) -> String {
        let path = self.text_at(args[place]);
        let directory = place.checked_sub(1).map(|before| args[before] as i32);
        let Some(directory) = directory.filter(|&file| file >= 0 && !path.starts_with('/')) else { return path };
        match std::fs::read_link(format!("/proc/{}/fd/{directory}", self.pid)) {
            Ok(directory) => directory.join(path).to_string_lossy().into_owned(),
            Err(_) => path,
        }
    }

    fn bytes_at(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let read = self.memory.as_ref().and_then(|memory| memory.read_at(&mut bytes, address).ok()).unwrap_or(0);
        bytes.truncate(read);
        bytes
    }

    fn text_at(&self, address: u64) -> String {
        let mut text = Vec::new();
        // In pieces that end with a page, for the next one need not be there.
        while text.len() < 4096 {
            let at = address + text.len() as u64;
            let piece = self.bytes_at(at, (4096 - at % 4096) as usize);
            let end = piece.iter().position(|&byte| byte == 0);
            text.extend_from_slice(&piece[..end.unwrap_or(piece.len())]);
            if end.is_some() || piece.is_empty() {
                break;
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        if self.end.is_none() {
            self.kill();
            while self.end.is_none() {
                self.step(0);
            }
        }
    }
}

enum Step {
    /// A thread is stopped before a call.
    Stands(Call),
    /// An event of no interest.
    Went,
    Nothing,
    Ended,
}

/// Waits for a report on what this very thread traces: each test has its puppets for itself.
fn wait(options: i32) -> Option<(i32, i32)> {
    let mut status = 0;
    // SAFETY: `status` is one int.
    let tid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD | options) };
    (tid > 0).then_some((tid, status))
}

fn request(what: libc::c_uint, tid: i32, data: usize) {
    // SAFETY: the requests made here take numbers, no pointers. A tracee that was killed meanwhile makes them fail,
    // and then its end is reported next.
    unsafe { libc::ptrace(what, tid, 0usize, data) };
}

fn resume(tid: i32, signal: i32) {
    request(libc::PTRACE_SYSCALL, tid, signal as usize);
}

fn state_of(pid: i32, tid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

mod registers {
    /// Offsets into the user area, from <sys/user.h> of x86-64.
    pub const NUMBER: usize = 15 * 8;
    pub const RESULT: usize = 10 * 8;
    pub const THIRD: usize = 12 * 8;
    pub const FIFTH: usize = 9 * 8;

    pub fn set(tid: i32, register: usize, value: u64) {
        // SAFETY: the offset is within the user area, and the value is a number.
        unsafe { libc::ptrace(libc::PTRACE_POKEUSER, tid, register, value) };
    }

    /// The words of `struct ptrace_syscall_info`: before a call its number is word 3 and its arguments are words 4 to
    /// 9; after it, the result is word 3.
    pub fn info(tid: i32) -> Option<[u64; 11]> {
        let mut info = [0u64; 11];
        let size = size_of_val(&info);
        // SAFETY: the kernel writes no more than `size` bytes, see ptrace(2).
        let known = unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, tid, size, info.as_mut_ptr()) };
        (known > 0).then_some(info)
    }
}

fn name_of(number: c_long) -> String {
    macro_rules! names {
        ($($name:ident $constant:ident)*) => {
            match number {
                $(libc::$constant => stringify!($name).to_owned(),)*
                other => format!("#{other}"),
            }
        };
    }
    names! {
        open SYS_open openat SYS_openat read SYS_read pread64 SYS_pread64 write SYS_write pwrite64 SYS_pwrite64
        writev SYS_writev close SYS_close stat SYS_stat lstat SYS_lstat fstat SYS_fstat newfstatat SYS_newfstatat
        statx SYS_statx access SYS_access faccessat SYS_faccessat lseek SYS_lseek mkdir SYS_mkdir mkdirat SYS_mkdirat
        rmdir SYS_rmdir unlink SYS_unlink unlinkat SYS_unlinkat rename SYS_rename renameat SYS_renameat
        renameat2 SYS_renameat2 link SYS_link linkat SYS_linkat chmod SYS_chmod fchmod SYS_fchmod
        fchmodat SYS_fchmodat fchown SYS_fchown fsync SYS_fsync fdatasync SYS_fdatasync ftruncate SYS_ftruncate
        fallocate SYS_fallocate flock SYS_flock fcntl SYS_fcntl getcwd SYS_getcwd readlink SYS_readlink
        readlinkat SYS_readlinkat getdents64 SYS_getdents64 copy_file_range SYS_copy_file_range sendfile SYS_sendfile
        splice SYS_splice inotify_init1 SYS_inotify_init1 inotify_add_watch SYS_inotify_add_watch
        pidfd_open SYS_pidfd_open poll SYS_poll ppoll SYS_ppoll clone SYS_clone clone3 SYS_clone3 vfork SYS_vfork
        execve SYS_execve exit SYS_exit exit_group SYS_exit_group kill SYS_kill futex SYS_futex mmap SYS_mmap
        munmap SYS_munmap mprotect SYS_mprotect brk SYS_brk ioctl SYS_ioctl getrandom SYS_getrandom
        rt_sigaction SYS_rt_sigaction rt_sigprocmask SYS_rt_sigprocmask rt_sigtimedwait SYS_rt_sigtimedwait
        wait4 SYS_wait4 waitid SYS_waitid pipe2 SYS_pipe2 dup2 SYS_dup2 sigaltstack SYS_sigaltstack uname SYS_uname
        sched_getaffinity SYS_sched_getaffinity statfs SYS_statfs fstatfs SYS_fstatfs
    }
}
