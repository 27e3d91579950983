//! A sandbox for each test: directories, environment, the tools on the PATH, and a check of what is left at the end.
//!
//! Nothing here sleeps in the hope that something has happened by then: every wait names its event, and the deadline is
//! so generous that only a hang can miss it.

use std::{
    ffi::{OsStr, OsString},
    fmt::Write as _,
    fs,
    io::{Read, Write},
    os::unix::{fs::symlink, process::CommandExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use assert_cmd::assert::{Assert, OutputAssertExt};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_memlatch");
pub const TOOLS: [&str; 4] = ["file-lock", "memory-update", "memory-read", "atomic-write"];

/// Only a hang takes this long.
const DEADLINE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Dash,
    Zsh,
}

impl Shell {
    /// The shells that this machine has; a missing one is said loudly, and is a failure where `CI` is set.
    pub fn all() -> Vec<Shell> {
        [Shell::Bash, Shell::Dash, Shell::Zsh].into_iter().filter(|shell| available(shell.name())).collect()
    }

    pub fn name(self) -> &'static str {
        match self {
            Shell::Bash => "bash",
            Shell::Dash => "dash",
            Shell::Zsh => "zsh",
        }
    }
}

/// Whether a text can be followed with this build: without the feature `schema` there is no option of that name.
pub fn is_built_for(text: &str) -> bool {
    cfg!(feature = "schema") || !text.contains("--schema")
}

/// Whether a program that a test needs is there. Where it is not, the test says so past cargo's capture and skips.
pub fn available(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    found_or_skipped(program, std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// The same for a file that is not a program.
pub fn installed(file: &str) -> bool {
    found_or_skipped(file, Path::new(file).is_file())
}

fn found_or_skipped(what: &str, found: bool) -> bool {
    if !found {
        assert!(std::env::var_os("CI").is_none(), "'{what}' is missing, and CI must not skip what needs it");
        let name = thread::current().name().unwrap_or("a test").to_owned();
        _ = writeln!(std::io::stderr(), "\nSKIPPED: {name} needs '{what}', which is not installed\n");
    }
    found
}

/// Words in front of a command that make it heed every signal: what a script runs in the background ignores SIGINT, and
/// so would all that the tests start there (env(1) of the GNU coreutils).
pub fn heeding_signals() -> &'static [&'static str] {
    if cfg!(target_os = "linux") { &["env", "--default-signal"] } else { &[] }
}

/// Waits for an event; the caller names it for the message.
#[track_caller]
pub fn wait_until(event: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < DEADLINE, "waited in vain for: {event}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A temporary home with its own lock directory, a working directory, and the tools on the PATH and in `scripts/`.
pub struct Sandbox {
    root: TempDir,
    may_leave_locks: AtomicBool,
    may_leave_litter: AtomicBool,
}

impl Sandbox {
    pub fn new() -> Sandbox {
        let root = tempfile::Builder::new().prefix("memlatch-test-").tempdir().expect("a temporary folder");
        let sandbox =
            Sandbox { root, may_leave_locks: AtomicBool::new(false), may_leave_litter: AtomicBool::new(false) };
        for folder in ["bin", "home", "work/scripts"] {
            fs::create_dir_all(sandbox.root().join(folder)).expect("a folder of the sandbox");
        }
        symlink(BINARY, sandbox.root().join("bin/memlatch")).expect("a link to the binary");
        for tool in TOOLS {
            symlink(BINARY, sandbox.root().join("bin").join(tool)).expect("a link on the PATH");
            symlink(BINARY, sandbox.path("scripts").join(format!("{tool}.sh"))).expect("a link in scripts/");
        }
        sandbox
    }

    /// The test ends with a lock on disk, and means it.
    pub fn may_leave_locks(&self) -> &Sandbox {
        self.may_leave_locks.store(true, Relaxed);
        self
    }

    /// The test ends with a temporary file on disk, and means it.
    pub fn may_leave_litter(&self) -> &Sandbox {
        self.may_leave_litter.store(true, Relaxed);
        self
    }

    fn root(&self) -> PathBuf {
        self.root.path().canonicalize().expect("the sandbox is there")
    }

    /// A path in the working directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join("work").join(name)
    }

    pub fn bin(&self) -> PathBuf {
        self.root().join("bin")
    }

    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    pub fn aiconfig(&self) -> PathBuf {
        self.home().join("notes/aiconfig")
    }

    pub fn locks_folder(&self) -> PathBuf {
        self.aiconfig().join(".locks")
    }

    /// Writes a program, and not by this process: another thread that forks would inherit the descriptor, and while that
    /// is open the program cannot be run (execve(2), ETXTBSY).
    #[track_caller]
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let mut shell = Command::new("sh")
            .args(["-c", "cat >\"$0\" && chmod 755 \"$0\""])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell");
        shell.stdin.take().expect("its input").write_all(text.as_bytes()).expect("a shell that reads");
        assert!(shell.wait().expect("a child").success(), "{} could not be written", path.display());
        path
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a file of the sandbox");
        path
    }

    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).expect("UTF-8")
    }

    #[track_caller]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
    }

    #[track_caller]
    pub fn holds(&self, name: &str, content: &str) {
        assert_eq!(self.read(name), content, "content of {name}");
    }

    /// The name of a file's lock: the SHA-256 of its canonical path.
    pub fn lock_id(&self, name: &str) -> String {
        Sha256::digest(self.path(name).as_os_str().as_encoded_bytes()).iter().fold(String::new(), |mut hex, byte| {
            _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    pub fn lock_folder(&self, name: &str) -> PathBuf {
        self.locks_folder().join(format!("{}.lock", self.lock_id(name)))
    }

    /// The names of the lock directorys that exist now.
    pub fn locks(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.locks_folder()) else { return Vec::new() };
        let names = entries.map(|entry| entry.expect("a lock").file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(".lock")).collect()
    }

    /// Files in the working directory whose names look like unfinished writes.
    pub fn litter(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path("")];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(entry.path());
                } else if entry.file_name().to_string_lossy().contains(".memlatch-") {
                    found.push(entry.path());
                }
            }
        }
        found
    }

    /// A lock directory as the shell scripts made it, held by `pid`.
    pub fn plant_script_lock(&self, name: &str, pid: u32) {
        let folder = self.lock_folder(name);
        fs::create_dir_all(&folder).expect("a lock directory");
        let host = hostname::get().expect("a host name").to_string_lossy().into_owned();
        let info = format!("PID: {pid}\nACQUIRED: 2026-01-25T10:30:00Z\nHOSTNAME: {host}\n");
        fs::write(folder.join("info"), info).expect("an info file");
    }

    /// The PID of a process that has been and gone.
    pub fn dead_pid(&self) -> u32 {
        let mut child = Command::new("true").spawn().expect("true");
        child.wait().expect("true ends");
        child.id()
    }

    /// A command line: the tool as a shell finds it on the PATH, then its words.
    pub fn call<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Call<'_> {
        let mut words = words.into_iter();
        let program = words.next().expect("a program");
        let own = self.bin().join(program.as_ref());
        let mut command = Command::new(if own.exists() { own.as_os_str() } else { program.as_ref() });
        command.args(words).current_dir(self.path("")).env_clear().process_group(0);
        command.env("PATH", self.search_path()).env("HOME", self.home()).env("AICONFIG_PATH", self.aiconfig());
        command.env("LANG", "C.UTF-8");
        if let Some(folder) = std::env::var_os("TMPDIR") {
            command.env("TMPDIR", folder);
        }
        Call { command, stdin: None, _sandbox: self }
    }

    /// The same from a line without quoting: words are separated by blanks.
    pub fn line(&self, line: &str) -> Call<'_> {
        self.call(line.split_whitespace())
    }

    /// A script run by a shell from a file of its own, as users run them (`sh -c` would exec a single command).
    pub fn script(&self, shell: Shell, text: &str) -> Call<'_> {
        let mut file = tempfile::Builder::new().prefix("script-").tempfile_in(self.root()).expect("a script");
        file.write_all(text.as_bytes()).expect("a script");
        let (_, path) = file.keep().expect("a script");
        self.call([OsStr::new(shell.name()), path.as_os_str()])
    }

    pub fn bash(&self, text: &str) -> Call<'_> {
        self.script(Shell::Bash, text)
    }

    fn search_path(&self) -> OsString {
        let mut path = self.bin().into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        path
    }

    /// Another process that works under the lock of `name` until told to stop, or killed.
    #[track_caller]
    pub fn holder(&self, name: &str) -> Running {
        let held = self.call(["file-lock", "with", name, "--", "sh", "-c", "echo held; read _ || true"]).start();
        held.says("held");
        held
    }

    /// Another process whose shell has acquired `name` and lives until told to stop, or killed.
    #[track_caller]
    pub fn leaseholder(&self, name: &str) -> Running {
        let script = format!("ID=$(file-lock acquire '{name}') || exit\necho \"held $ID\"\nread _\ntrue\n");
        let held = self.bash(&script).start();
        held.says("held");
        held
    }

    #[track_caller]
    pub fn is_held(&self, name: &str) {
        self.call(["file-lock", "status", name]).ends(1);
        self.call(["file-lock", "with", name, "--timeout", "0", "--", "true"]).ends(75);
    }

    #[track_caller]
    pub fn is_free(&self, name: &str) {
        self.call(["file-lock", "status", name]).ends(0);
        self.call(["file-lock", "with", name, "--timeout", "0", "--", "true"]).ends(0);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        if !self.may_leave_litter.load(Relaxed) {
            assert_eq!(self.litter(), Vec::<PathBuf>::new(), "temporary files are left");
        }
        if !self.may_leave_locks.load(Relaxed) {
            assert_eq!(self.locks(), Vec::<String>::new(), "locks are left");
        }
    }
}

/// A command about to run.
pub struct Call<'a> {
    command: Command,
    stdin: Option<Vec<u8>>,
    _sandbox: &'a Sandbox,
}

impl Call<'_> {
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.command.arg(word);
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.command.args(words);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn within(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Sets argv[0], independently of the file that runs.
    pub fn named(mut self, name: &str) -> Self {
        self.command.arg0(name);
        self
    }

    pub fn stdin(mut self, content: impl AsRef<[u8]>) -> Self {
        self.stdin = Some(content.as_ref().to_vec());
        self
    }

    /// Runs to the end, which is when its outputs are closed, and gives everything it left.
    #[track_caller]
    pub fn output(mut self) -> Output {
        let input = self.stdin.take().unwrap_or_default();
        let mut running = self.start();
        let mut stdin = running.stdin.take().expect("a standard input");
        // In a thread: a command may print before it has read all. One that ends without reading breaks the pipe.
        let feeder = thread::spawn(move || _ = stdin.write_all(&input));
        let output = running.ended();
        feeder.join().expect("the input's writer");
        output
    }

    #[track_caller]
    pub fn assert(self) -> Assert {
        let line = format!("{:?}", self.command);
        self.output().assert().append_context("command", line)
    }

    /// Runs to the end with this status.
    #[track_caller]
    pub fn ends(self, code: i32) -> Ended {
        Ended(self.assert().code(code))
    }

    #[track_caller]
    pub fn succeeds(self) -> Ended {
        self.ends(0)
    }

    /// Starts it and goes on.
    #[track_caller]
    pub fn start(mut self) -> Running {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        let stdout = Collected::of(child.stdout.take().expect("a standard output"));
        let stderr = Collected::of(child.stderr.take().expect("a standard error"));
        Running { stdin: child.stdin.take(), child, reaped: false, stdout, stderr }
    }
}

/// A command that has ended as expected, for a closer look at what it said.
pub struct Ended(Assert);

impl Ended {
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.get_output().stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.get_output().stderr).into_owned()
    }

    #[track_caller]
    pub fn prints(self, expected: &str) -> Self {
        Ended(self.0.stdout(expected.to_owned()))
    }

    /// Exactly this on standard error.
    #[track_caller]
    pub fn reports(self, expected: &str) -> Self {
        Ended(self.0.stderr(expected.to_owned()))
    }

    /// Each of these somewhere on standard error.
    #[track_caller]
    pub fn tells<S: AsRef<str>>(self, parts: impl IntoIterator<Item = S>) -> Self {
        let text = self.stderr();
        for part in parts {
            assert!(text.contains(part.as_ref()), "{:?} is not in the message:\n{text}", part.as_ref());
        }
        self
    }

    /// Nothing on standard output; an `[ERROR] ` on standard error, without a panic.
    #[track_caller]
    pub fn refuses(self) -> Self {
        let text = self.stderr();
        let speaks = |tool: &str| text.lines().any(|line| line.starts_with(&format!("[ERROR] {tool}: ")));
        assert!(speaks("memlatch") || TOOLS.into_iter().any(speaks), "no [ERROR] line that names its tool:\n{text}");
        assert!(!text.contains("panicked"), "a panic:\n{text}");
        self.prints("")
    }
}

/// A command at work. Dropped before its end, it is killed with its process group.
pub struct Running {
    child: Child,
    reaped: bool,
    pub stdin: Option<ChildStdin>,
    stdout: Collected,
    stderr: Collected,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until it has printed this.
    #[track_caller]
    pub fn says(&self, part: &str) {
        let (child, stderr) = (self.child.id(), &self.stderr);
        assert!(self.stdout.shows(part), "process {child} never printed {part:?}; stderr: {}", stderr.text());
    }

    /// Waits until it has said this on standard error.
    #[track_caller]
    pub fn warns(&self, part: &str) {
        assert!(self.stderr.shows(part), "process {} never said {part:?}: {}", self.child.id(), self.stderr.text());
    }

    pub fn printed(&self) -> String {
        self.stdout.text()
    }

    /// Sends a line to its standard input.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("an open standard input");
        writeln!(stdin, "{line}").expect("it still reads");
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it is still there");
    }

    /// Kills only this process and waits for its end, not for that of its children.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// Waits for the process itself, not for those that inherited its outputs.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the end of a process", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        self.reaped = true;
        status.expect("it has ended")
    }

    /// Ends its input, and waits until it has ended and its outputs are closed.
    #[track_caller]
    pub fn ended(mut self) -> Output {
        drop(self.stdin.take());
        assert!(
            self.stdout.closes() && self.stderr.closes(),
            "it hangs, or has left a process behind: {}",
            self.stderr.text()
        );
        let status = self.wait();
        Output { status, stdout: self.stdout.bytes(), stderr: self.stderr.bytes() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            // The child has not been waited for, so the number still is its group's. The group may have ended.
            _ = kill_process_group(self.pid(), Signal::KILL);
            _ = self.child.wait();
        }
    }
}

/// The status as a shell would say it.
pub fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().expect("a code or a signal"))
}

/// What a pipe has carried so far.
#[derive(Clone, Default)]
struct Collected(Arc<(Mutex<Carried>, Condvar)>);

#[derive(Default)]
struct Carried {
    bytes: Vec<u8>,
    closed: bool,
}

impl Collected {
    fn of(mut pipe: impl Read + Send + 'static) -> Collected {
        let collected = Collected::default();
        let shared = collected.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let length = pipe.read(&mut buffer).unwrap_or(0);
                let (state, changed) = &*shared.0;
                let mut state = state.lock().expect("no panic under this lock");
                state.bytes.extend_from_slice(&buffer[..length]);
                state.closed = length == 0;
                changed.notify_all();
                if length == 0 {
                    return;
                }
            }
        });
        collected
    }

    fn until(&self, happened: impl Fn(&Carried) -> bool) -> bool {
        let (state, changed) = &*self.0;
        let state = state.lock().expect("no panic under this lock");
        let (state, _) = changed
            .wait_timeout_while(state, DEADLINE, |state| !happened(state) && !state.closed)
            .expect("no panic under this lock");
        happened(&state)
    }

    fn shows(&self, part: &str) -> bool {
        self.until(|carried| String::from_utf8_lossy(&carried.bytes).contains(part))
    }

    fn closes(&self) -> bool {
        self.until(|carried| carried.closed)
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.0.lock().expect("no panic under this lock").bytes.clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}
