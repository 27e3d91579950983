//! The environment variables and the command line of this process, read once.
//!
//! The value is passed on, so that the arguments of a command show what it depends on. Unset and empty are the same, as in the
//! shell's `${NAME:-default}`. A variable is parsed when it is used: an invalid variable does not stop a command that does
//! not use it.

use crate::{
    document::colors::Colors,
    filter::{Access, Environment},
    lock::{Wait, lease::Owner},
};
use memlatch_os::{Variable, environment, paths::shown};
use std::{
    env,
    ffi::{OsStr, OsString},
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// An invalid value of a variable, or of the option that overrides it.
#[derive(Debug)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// The variable by which `with` passes to its command the tokens of the holds that the command works under.
pub const INSIDE: &str = "MEMLATCH_INSIDE";

/// A sandbox in which an AI client runs commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    Claude,
    Codex,
}

/// The variables and the words.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    variables: &'static [Variable],
    words: Vec<OsString>,
}

impl Settings {
    /// Reads them; `words` are those of the command line, the program's name first.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn read(words: Vec<OsString>) -> Self {
        Settings { variables: environment(), words }
    }

    /// A variable that has a value.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    fn raw(&self, name: &str) -> Option<&OsStr> {
        self.variables.iter().find_map(|variable| variable.value_of(name))
    }

    /// The words of the command line, the program's name first.
    pub fn words(&self) -> &[OsString] {
        &self.words
    }

    /// The name that this program was called by: `argv[0]`.
    pub fn called_name(&self) -> Option<&Path> {
        self.words.first().map(Path::new)
    }

    /// The lock directory: `$AICONFIG_PATH/.locks`, or `~/aiconfig/.locks`.
    pub fn lock_folder(&self) -> Result<PathBuf, Error> {
        let base = match (self.base_folder(), self.home()) {
            (Some(base), _) => base.to_owned(),
            (None, Some(home)) => home.join("aiconfig"),
            (None, None) => {
                return Err(Error("no place for locks: neither AICONFIG_PATH nor HOME is set; set one of them".into()));
            }
        };
        if base.is_relative() {
            // It would be a different one in each working directory, and exclude nobody.
            return Err(Error(format!(
                "AICONFIG_PATH is '{}', a relative path, which means a different place in each working directory; give an absolute path",
                shown(&base)
            )));
        }
        Ok(base.join(".locks"))
    }

    /// The base directory as it is written in `AICONFIG_PATH`.
    pub fn base_folder(&self) -> Option<&Path> {
        self.value("AICONFIG_PATH").map(Path::new)
    }

    /// How long to wait for a lock: `LOCK_TIMEOUT` in seconds, 30 by default.
    pub fn lock_timeout(&self) -> Result<Duration, Error> {
        self.seconds_in("LOCK_TIMEOUT", 30.0)
    }

    /// The longest interval between two checks: `LOCK_RETRY` in seconds, 0.1 by default.
    pub fn lock_retry(&self) -> Result<Duration, Error> {
        // Zero would poll without a pause.
        Ok(self.seconds_in("LOCK_RETRY", 0.1)?.max(Duration::from_millis(1)))
    }

    /// How to wait for a lock, according to the environment.
    pub fn wait(&self) -> Result<Wait, Error> {
        Ok(Wait { timeout: self.lock_timeout()?, retry: self.lock_retry()? })
    }

    /// The tokens of the holds that this process was started under.
    pub fn inside(&self) -> Vec<String> {
        let tokens = self.value(INSIDE).unwrap_or_default();
        tokens.to_string_lossy().split(',').filter(|token| !token.is_empty()).map(str::to_owned).collect()
    }

    /// The owner of the lease that `acquire` takes: `LOCK_OWNER`.
    pub fn lock_owner(&self) -> Result<Option<Owner>, Error> {
        self.value("LOCK_OWNER").map(|text| owner("LOCK_OWNER", &text.to_string_lossy())).transpose()
    }

    /// The sandbox that this command runs in, if the environment shows it.
    pub fn sandbox(&self) -> Option<Sandbox> {
        let is_set = |name| self.value(name).is_some();
        // Codex sets the first two within its sandbox only, on Linux, and the last on macOS.
        if ["CODEX_SANDBOX_NETWORK_DISABLED", "CODEX_PERMISSION_PROFILE", "CODEX_SANDBOX"].into_iter().any(is_set) {
            Some(Sandbox::Codex)
        } else if is_set("SANDBOX_RUNTIME") {
            Some(Sandbox::Claude)
        } else {
            None
        }
    }

    /// Whether to print each step: `LOCK_DEBUG` is 1.
    pub fn lock_debug(&self) -> Result<bool, Error> {
        match self.value("LOCK_DEBUG").map(OsStr::to_string_lossy).as_deref() {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(text) => Err(Error(format!("LOCK_DEBUG is '{text}'; set it to 1 or 0"))),
        }
    }

    /// Whether to use colour on a terminal. Not if `NO_COLOR` has any value, see no-color.org.
    pub fn wants_color(&self) -> bool {
        self.value("NO_COLOR").is_none() && self.terminal_is_able()
    }

    /// Whether the terminal supports more than lines of text, according to `TERM`.
    pub fn terminal_is_able(&self) -> bool {
        self.value("TERM").is_none_or(|term| term != "dumb")
    }

    /// The colours of JSON on a terminal: `JQ_COLORS`, in jq's own form.
    pub fn json_colors(&self) -> Result<Colors, Error> {
        let Some(text) = self.value("JQ_COLORS") else { return Ok(Colors::default()) };
        let text = text.to_string_lossy();
        Colors::parse(&text).ok_or_else(|| {
            Error(format!(
                "JQ_COLORS is '{text}'; give numbers between semicolons, and colons between kinds, such as 0;90:0;39"
            ))
        })
    }

    /// What a filter of the user can reach on the machine. The language makes `$ENV` from the environment,
    /// only if a filter uses it.
    pub fn access(&self) -> Access {
        Access { environment: Environment::OfProcess, home: self.home().map(Path::to_owned), files: true }
    }

    /// The file of a knowledge graph: `MEMORY_FILE_PATH`, as in the reference memory server.
    pub fn graph_file(&self) -> Option<&Path> {
        self.value("MEMORY_FILE_PATH").map(Path::new)
    }

    /// The environment of a command that runs for a client of `mcp`. Its filter can reach none of it.
    pub fn of_commands(&self) -> impl Iterator<Item = (&'static str, &OsStr)> {
        let names = ["HOME", "AICONFIG_PATH", "LOCK_TIMEOUT", "LOCK_RETRY", "LOCK_DEBUG", "TZ", INSIDE];
        // An empty TZ means UTC, an unset one the system's own zone.
        names.into_iter().filter_map(|name| Some((name, self.raw(name)?)))
    }

    /// The directories with commands: `PATH`.
    pub fn search_path(&self) -> Vec<PathBuf> {
        self.value("PATH").map(|path| env::split_paths(path).collect()).unwrap_or_default()
    }

    /// The home directory: `HOME`.
    pub fn home(&self) -> Option<&Path> {
        self.value("HOME").map(Path::new)
    }

    /// Whether bash has exported a function of this name.
    pub fn has_bash_function(&self, name: &str) -> bool {
        self.value(&format!("BASH_FUNC_{name}%%")).is_some()
    }

    fn seconds_in(&self, name: &str, default: f64) -> Result<Duration, Error> {
        match self.value(name) {
            Some(text) => seconds(name, &text.to_string_lossy()),
            None => Ok(Duration::from_secs_f64(default)),
        }
    }
}

/// Reads the owner of a lease; `source` names the variable or option in the message.
pub fn owner(source: &str, text: &str) -> Result<Owner, Error> {
    let wrong = |_| Error(format!("{source} is '{text}'; give a PID, or the word client for the AI client"));
    if text == "client" { Ok(Owner::Client) } else { text.parse().map(Owner::Process).map_err(wrong) }
}

/// Reads a number of seconds; `source` names the variable or option in the message.
pub fn seconds(source: &str, text: &str) -> Result<Duration, Error> {
    let wrong = || Error(format!("{source} is '{text}'; give a number of seconds, such as 30 or 0.5"));
    let seconds: f64 = text.trim().parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// Where relative paths begin.
#[expect(clippy::disallowed_methods, reason = "asked of the system when a message needs it")]
pub fn working_directory() -> Option<PathBuf> {
    env::current_dir().ok()
}

/// This program's own file.
#[expect(clippy::disallowed_methods, reason = "asked of the system when another process is to run it")]
pub fn own_program() -> io::Result<PathBuf> {
    env::current_exe().and_then(fs::canonicalize)
}
