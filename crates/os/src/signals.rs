//! Signals for a process that waits for its command and must not end before it.

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

/// Those that people and service managers end or poke a command with.
const FORWARDED: [libc::c_int; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

/// Those that end, stop or resize a program which draws on a terminal.
const OF_TERMINALS: [libc::c_int; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGTSTP, libc::SIGWINCH];

/// Signals that are held back from now on and fetched one at a time.
pub struct Signals {
    set: libc::sigset_t,
    /// What was held back before.
    old: libc::sigset_t,
}

/// One signal that came in.
pub struct Received {
    pub number: libc::c_int,
    /// A key of the terminal sent it to the whole foreground group. A hang-up is none of these: it may have come to the
    /// leader of the session alone.
    pub from_key: bool,
}

impl Signals {
    /// Holds back the signals of [`FORWARDED`], and SIGCHLD.
    pub fn hold() -> io::Result<Self> {
        reset_child_signal();
        Signals::hold_these(FORWARDED.into_iter().chain([libc::SIGCHLD]))
    }

    fn hold_these(numbers: impl Iterator<Item = libc::c_int>) -> io::Result<Self> {
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

    /// Holds back every signal that can be held back.
    fn hold_all() -> io::Result<Self> {
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

    /// Starts a program for which nothing is held back but what was before: a mask is inherited through exec, see
    /// signal(7), and a shell that never hears of SIGCHLD waits for ever.
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

    /// Sleeps until one of the signals has come in.
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
        // SAFETY: the set was initialised by `hold`, and the buffer is one siginfo_t.
        let number = unsafe { libc::sigwaitinfo(&self.set, facts.as_mut_ptr()) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a successful sigwaitinfo(2) fills in at least the number, the code and the error.
        let facts = unsafe { facts.assume_init() };
        Ok(Received { number, from_key: is_typed(number) && facts.si_code == libc::SI_KERNEL })
    }

    /// macOS has no sigwaitinfo(2), so who sent a signal is guessed from the group that the terminal serves.
    #[cfg(target_os = "macos")]
    fn wait(&self) -> io::Result<Received> {
        let mut number = 0;
        // SAFETY: the set was initialised by `hold`, and `number` is one int.
        match unsafe { libc::sigwait(&self.set, &mut number) } {
            0 => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        let in_foreground = rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp());
        Ok(Received { number, from_key: is_typed(number) && in_foreground })
    }
}

/// Starts a helper thread that no signal reaches: it goes to a thread that knows what to do with it (signal(7)).
///
/// # Errors
///
/// There are as many threads as the user may have (EAGAIN in pthread_create(3)).
pub fn start_helper(stack: usize, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let signals = Signals::hold_all()?;
    // A thread begins with the mask of the one that starts it.
    let started = thread::Builder::new().stack_size(stack).spawn(work);
    // SAFETY: the old mask was initialised when it was replaced.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &signals.old, ptr::null_mut()) };
    started.map(drop)
}

/// Makes sure that the system tells how a child has ended: a parent may have left SIGCHLD ignored, and then it does not,
/// see wait(2).
pub fn reset_child_signal() {
    // SAFETY: SIG_DFL is a valid disposition.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Whether there is a key for a signal, see termios(3).
fn is_typed(number: libc::c_int) -> bool {
    matches!(number, libc::SIGINT | libc::SIGQUIT)
}

/// What comes between two looks at a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Nothing: the time is up.
    Nothing,
    /// Somebody wants this process to end, by this signal.
    End(libc::c_int),
    /// Somebody wants this process to stop for a while.
    Stop,
    /// The terminal has another size.
    Resized,
}

/// The signals of a program that draws on a terminal, held back from now on.
pub struct Interrupts(mpsc::Receiver<libc::c_int>);

impl Interrupts {
    /// Holds the signals back.
    ///
    /// macOS has no sigtimedwait(2), so a thread waits for the signals and the caller for the thread.
    pub fn hold() -> io::Result<Self> {
        let signals = Signals::hold_these(OF_TERMINALS.into_iter())?;
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

    /// Sleeps until one of the signals has come in, or for `timeout` at the longest.
    pub fn wait(&self, timeout: Duration) -> Interrupt {
        match self.0.recv_timeout(timeout) {
            Ok(libc::SIGWINCH) => Interrupt::Resized,
            Ok(libc::SIGTSTP) => Interrupt::Stop,
            Ok(number) => Interrupt::End(number),
            Err(mpsc::RecvTimeoutError::Timeout) => Interrupt::Nothing,
            // sigwait(3) fails for a bad set alone, so the thread is there; without it this would never pause.
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                thread::sleep(timeout);
                Interrupt::Nothing
            }
        }
    }

    /// Stops this process, until somebody lets it go on, as a shell's `fg` does.
    ///
    /// By SIGTSTP and not SIGSTOP: where no shell is there to let it go on, the kernel does not stop it, see setpgid(2).
    pub fn suspend(&self) {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set before anything reads it, the number is a valid signal, and raise(3)
        // sends to this thread, which lets it through.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGTSTP);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut());
            libc::raise(libc::SIGTSTP);
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
        }
    }
}

/// Whether the process `pid` is in the process group of this one, and so gets what the terminal sends to it.
pub fn shares_group(pid: u32) -> bool {
    RawPid::from_raw(pid as i32).is_some_and(|pid| getpgid(Some(pid)).is_ok_and(|group| group == getpgrp()))
}

/// Sends signal `number` to the process `pid`, which must be an unreaped child of ours.
pub fn deliver(number: libc::c_int, pid: u32) {
    if let (Some(signal), Some(pid)) = (Signal::from_named_raw(number), RawPid::from_raw(pid as i32)) {
        // The child may have ended already, and then nobody is left to be told.
        _ = kill_process(pid, signal);
    }
}
