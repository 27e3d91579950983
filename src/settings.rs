//! The environment variables, one function each. Unset and empty are the same, as in the shell's `${NAME:-default}`.

#![expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]

use crate::{
    document::colors::Colors,
    lock::{Wait, lease::Owner},
};
use memlatch_os::paths::shown;
use std::{env, ffi::OsString, fmt, path::PathBuf, time::Duration};

/// A variable, or the option that overrides it, whose value means nothing.
#[derive(Debug)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// Where locks lie: `$AICONFIG_PATH/.locks`, or `~/aiconfig/.locks`.
pub fn lock_folder() -> Result<PathBuf, Error> {
    let base = match (value("AICONFIG_PATH"), home()) {
        (Some(base), _) => PathBuf::from(base),
        (None, Some(home)) => home.join("aiconfig"),
        (None, None) => {
            return Err(Error("no place for locks: neither AICONFIG_PATH nor HOME is set; set one of them".into()));
        }
    };
    if base.is_relative() {
        // It would be another one in each working directory, and exclude nobody.
        return Err(Error(format!(
            "AICONFIG_PATH is '{}', a relative path, which means another place in each directory; give the whole path",
            shown(&base)
        )));
    }
    Ok(base.join(".locks"))
}

/// The base folder as it is written in `AICONFIG_PATH`.
pub fn base_folder() -> Option<PathBuf> {
    value("AICONFIG_PATH").map(PathBuf::from)
}

/// How long to wait for a lock: `LOCK_TIMEOUT` in seconds, 30 by default.
pub fn lock_timeout() -> Result<Duration, Error> {
    seconds_in("LOCK_TIMEOUT", 30.0)
}

/// The longest time between two looks: `LOCK_RETRY` in seconds, 0.1 by default.
pub fn lock_retry() -> Result<Duration, Error> {
    // Zero would look without a pause.
    Ok(seconds_in("LOCK_RETRY", 0.1)?.max(Duration::from_millis(1)))
}

/// How to wait for a lock, as far as the environment says.
pub fn wait() -> Result<Wait, Error> {
    Ok(Wait { timeout: lock_timeout()?, retry: lock_retry()? })
}

/// The variable by which `with` tells its command, and what that starts, which holds they work under.
pub const INSIDE: &str = "MEMLATCH_INSIDE";

/// The tokens of the holds that this process was started under.
pub fn inside() -> Vec<String> {
    let tokens = value(INSIDE).unwrap_or_default();
    tokens.to_string_lossy().split(',').filter(|token| !token.is_empty()).map(str::to_owned).collect()
}

/// The process that owns what `acquire` takes: `LOCK_OWNER`.
pub fn lock_owner() -> Result<Option<Owner>, Error> {
    value("LOCK_OWNER").map(|text| owner("LOCK_OWNER", &text.to_string_lossy())).transpose()
}

/// Reads the owner of a lease; `source` names the variable or option in the message.
pub fn owner(source: &str, text: &str) -> Result<Owner, Error> {
    let wrong = |_| Error(format!("{source} is '{text}'; give a process number, or the word client for an AI client"));
    if text == "client" { Ok(Owner::Client) } else { text.parse().map(Owner::Process).map_err(wrong) }
}

/// A sandbox in which an AI client runs commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    Claude,
    Codex,
}

/// The sandbox that a command runs in, as far as the environment tells.
pub fn sandbox() -> Option<Sandbox> {
    let is_set = |name| value(name).is_some();
    // Codex sets the first two within its sandbox only, on Linux, and the last on macOS.
    if ["CODEX_SANDBOX_NETWORK_DISABLED", "CODEX_PERMISSION_PROFILE", "CODEX_SANDBOX"].into_iter().any(is_set) {
        Some(Sandbox::Codex)
    } else if is_set("SANDBOX_RUNTIME") {
        Some(Sandbox::Claude)
    } else {
        None
    }
}

/// Whether to tell each step: `LOCK_DEBUG` is 1.
pub fn lock_debug() -> Result<bool, Error> {
    match value("LOCK_DEBUG").as_deref().map(|text| text.to_string_lossy()).as_deref() {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(text) => Err(Error(format!("LOCK_DEBUG is '{text}'; set it to 1 or 0"))),
    }
}

/// Whether colour is unwanted: `NO_COLOR` is set to anything, see no-color.org.
pub fn no_color() -> bool {
    value("NO_COLOR").is_some()
}

/// Whether the terminal understands colour, as far as `TERM` tells.
pub fn terminal_has_color() -> bool {
    value("TERM").is_none_or(|term| term != "dumb")
}

/// The colours of JSON on a terminal: `JQ_COLORS`, in jq's own form.
pub fn json_colors() -> Result<Colors, Error> {
    let Some(text) = value("JQ_COLORS") else { return Ok(Colors::default()) };
    let text = text.to_string_lossy();
    Colors::parse(&text).ok_or_else(|| {
        Error(format!(
            "JQ_COLORS is '{text}'; give numbers between semicolons, and colons between kinds, such as 0;90:0;39"
        ))
    })
}

/// The file of a knowledge graph: `MEMORY_FILE_PATH`, as the reference memory server has it.
pub fn graph_file() -> Option<PathBuf> {
    value("MEMORY_FILE_PATH").map(PathBuf::from)
}

/// What a command needs that is run for a client of `mcp`. A filter sees no more than this of the environment.
pub fn of_commands() -> impl Iterator<Item = (&'static str, OsString)> {
    let names = ["HOME", "AICONFIG_PATH", "LOCK_TIMEOUT", "LOCK_RETRY", "LOCK_DEBUG", "TZ", INSIDE];
    names.into_iter().filter_map(|name| Some((name, env::var_os(name)?)))
}

/// Where the system looks for commands: `PATH`.
pub fn search_path() -> Vec<PathBuf> {
    value("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// The user's own folder: `HOME`.
pub fn home() -> Option<PathBuf> {
    value("HOME").map(PathBuf::from)
}

/// Where relative paths begin.
pub fn working_directory() -> Option<PathBuf> {
    env::current_dir().ok()
}

/// This program's own file.
pub fn own_program() -> std::io::Result<PathBuf> {
    env::current_exe().and_then(std::fs::canonicalize)
}

/// The name that this program was called by: `argv[0]`.
pub fn called_name() -> Option<PathBuf> {
    env::args_os().next().map(PathBuf::from)
}

/// The definition of an exported bash function, which bash keeps in the environment under this name.
pub fn bash_function(name: &str) -> Option<OsString> {
    value(&format!("BASH_FUNC_{name}%%"))
}

/// Reads a number of seconds; `source` names the variable or option in the message.
pub fn seconds(source: &str, text: &str) -> Result<Duration, Error> {
    let wrong = || Error(format!("{source} is '{text}'; give a number of seconds, such as 30 or 0.5"));
    let seconds: f64 = text.trim().parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

fn seconds_in(name: &str, default: f64) -> Result<Duration, Error> {
    match value(name) {
        Some(text) => seconds(name, &text.to_string_lossy()),
        None => Ok(Duration::from_secs_f64(default)),
    }
}

/// A variable that has a value.
pub fn value(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
