//! Signals for a process that waits for a child process and must not exit before it.

use rustix::process::{Pid as RawPid, Signal, getpgid, getpgrp, kill_process};
use std::{
    io,
    mem::MaybeUninit,
    os::unix::process::CommandExt,
    process::{Child, Command},
    ptr,
    sync::mpsc,
    thread,
    time::Duration,
};

/// The signals by which users and service managers end or notify a command.
const FORWARDED: [libc::c_int; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

/// The signals that end, stop or resize a program that draws on a terminal.
const OF_TERMINALS: [libc::c_int; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGTSTP, libc::SIGWINCH];

/// Signals that are blocked from now on and received one at a time.
pub struct Signals {
    set: libc::sigset_t,
    /// The signals that were blocked before.
    old: libc::sigset_t,
}

/// A received signal.
pub struct Received {
    pub number: libc::c_int,
    /// It was sent by a key on the terminal, to the whole foreground process group. This is never set for SIGHUP, which may have been sent
    /// only to the session leader.
    pub from_key: bool,
}

impl Signals {
    /// Blocks the signals in [`FORWARDED`], and SIGCHLD.
    pub fn block() -> io::Result<Self> {
        reset_child_signal();
        Signals::block_these(FORWARDED.into_iter().chain([libc::SIGCHLD]))
    }

    fn block_these(numbers: impl Iterator<Item = libc::c_int>) -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        let mut old = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set before anything reads it; the numbers are valid signals; a successful
        // pthread_sigmask initialises the old mask.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in numbers {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            match libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), old.as_mut_ptr()) {
                0 => Ok(Signals { set: set.assume_init(), old: old.assume_init() }),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        }
    }

    /// Blocks every signal that can be blocked.
    fn block_all() -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        let mut old = MaybeUninit::uninit();
        // SAFETY: sigfillset initialises the set, and a successful pthread_sigmask the old mask.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            match libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), old.as_mut_ptr()) {
                0 => Ok(Signals { set: set.assume_init(), old: old.assume_init() }),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        }
    }

    /// Starts a program with the former signal mask: the mask is inherited through exec, see
    /// signal(7), and a shell in which SIGCHLD is blocked waits for ever.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let old = self.old;
        // SAFETY: between fork and exec only async-signal-safe functions may be called, and pthread_sigmask with valid
        // pointers is one (signal-safety(7)).
        unsafe {
            command.pre_exec(move || match libc::pthread_sigmask(libc::SIG_SETMASK, &old, ptr::null_mut()) {
                0 => Ok(()),
                error => Err(io::Error::from_raw_os_error(error)),
            });
        }
        command.spawn()
    }

    /// Sleeps until one of the signals arrives.
    pub fn next(&self) -> io::Result<Received> {
        loop {
            match self.wait() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    #[cfg(not(target_os = "macos"))]
    fn wait(&self) -> io::Result<Received> {
        let mut facts = MaybeUninit::<libc::siginfo_t>::uninit();
        // SAFETY: the set was initialised by `block`, and the buffer is one siginfo_t.
        let number = unsafe { libc::sigwaitinfo(&self.set, facts.as_mut_ptr()) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a successful sigwaitinfo(2) fills in at least the number, the code and the error.
        let facts = unsafe { facts.assume_init() };
        Ok(Received { number, from_key: is_typed(number) && facts.si_code == libc::SI_KERNEL })
    }

    /// macOS has no sigwaitinfo(2). A signal is taken to come from a key if this process is in the terminal's foreground group.
    #[cfg(target_os = "macos")]
    fn wait(&self) -> io::Result<Received> {
        let mut number = 0;
        // SAFETY: the set was initialised by `block`, and `number` is one int.
        match unsafe { libc::sigwait(&self.set, &mut number) } {
            0 => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        let in_foreground = rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp());
        Ok(Received { number, from_key: is_typed(number) && in_foreground })
    }
}

/// Starts a helper thread with all signals blocked, so that they go to a thread that handles them (signal(7)).
///
/// # Errors
///
/// The user already has the maximum number of threads (EAGAIN in pthread_create(3)).
pub fn start_helper(stack: usize, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let signals = Signals::block_all()?;
    // A thread inherits the signal mask of the thread that starts it.
    let started = thread::Builder::new().stack_size(stack).spawn(work);
    // SAFETY: the old mask was initialised when it was replaced.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &signals.old, ptr::null_mut()) };
    started.map(drop)
}

/// Restores the default handling of SIGCHLD. If the parent left it ignored, the system would discard the exit status of child
/// processes, see wait(2).
pub fn reset_child_signal() {
    // SAFETY: SIG_DFL is a valid disposition.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Whether a key can send the signal, see termios(3).
fn is_typed(number: libc::c_int) -> bool {
    matches!(number, libc::SIGINT | libc::SIGQUIT)
}

/// The end of a wait for signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// No signal came in time.
    TimedOut,
    /// A signal to end this process.
    End(libc::c_int),
    /// A signal to stop this process for a while.
    Stop,
    /// The terminal was resized.
    Resized,
}

/// The signals for a program that draws on a terminal, blocked from now on.
pub struct Interrupts(mpsc::Receiver<libc::c_int>);

impl Interrupts {
    /// Blocks the signals.
    ///
    /// macOS has no sigtimedwait(2), so a thread waits for the signals, and the caller waits for the thread.
    pub fn block() -> io::Result<Self> {
        let signals = Signals::block_these(OF_TERMINALS.into_iter())?;
        let (report, received) = mpsc::channel();
        thread::Builder::new().stack_size(64 * 1024).spawn(move || {
            while let Ok(signal) = signals.next() {
                if report.send(signal.number).is_err() {
                    return;
                }
            }
        })?;
        Ok(Interrupts(received))
    }

    /// Sleeps until one of the signals arrives, or for `timeout` at the longest.
    pub fn wait(&self, timeout: Duration) -> Interrupt {
        match self.0.recv_timeout(timeout) {
            Ok(libc::SIGWINCH) => Interrupt::Resized,
            Ok(libc::SIGTSTP) => Interrupt::Stop,
            Ok(number) => Interrupt::End(number),
            Err(mpsc::RecvTimeoutError::Timeout) => Interrupt::TimedOut,
            // Not expected, because sigwait(3) fails only for an invalid set. Sleeping keeps the caller's loop from spinning.
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                thread::sleep(timeout);
                Interrupt::TimedOut
            }
        }
    }

    /// Stops this process until it is continued, for example by `fg` in a shell.
    ///
    /// With SIGTSTP, not SIGSTOP: if no shell could continue the process, the kernel does not stop it, see setpgid(2).
    pub fn suspend(&self) {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set before anything reads it, the number is a valid signal, and raise(3)
        // sends to this thread, which has unblocked it.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGTSTP);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut());
            libc::raise(libc::SIGTSTP);
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
        }
    }
}

/// Whether the process `pid` is in the process group of this one, so that the terminal sends its signals to both.
pub fn shares_group(pid: u32) -> bool {
    RawPid::from_raw(pid as i32).is_some_and(|pid| getpgid(Some(pid)).is_ok_and(|group| group == getpgrp()))
}

/// Sends signal `number` to the process `pid`, which must be an unreaped child of ours.
pub fn deliver(number: libc::c_int, pid: u32) {
    if let (Some(signal), Some(pid)) = (Signal::from_named_raw(number), RawPid::from_raw(pid as i32)) {
        // The child may have exited already; then there is nothing to do.
        _ = kill_process(pid, signal);
    }
}
