//! What a lock has to know of its surroundings: the locks that a process was started under, AI clients, owners of leases.

use memlatch_os::Pid;
use std::{env, ffi::OsString};

/// Who is to own a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The AI client that runs the command.
    Client,
    Process(Pid),
}

/// An AI client, and how it can be known.
pub struct Client {
    pub name: &'static str,
    /// The names of its program, in lower case.
    pub programs: &'static [&'static str],
    /// Variables that it sets for the commands that it runs.
    marks: &'static [&'static str],
    /// The variable by which it tells its commands its PID.
    pid: Option<&'static str>,
}

/// The clients that are known. Only names that no other well-known program bears are in it.
pub const CLIENTS: [Client; 5] = [
    Client { name: "claude-code", programs: &["claude"], marks: &["CLAUDECODE"], pid: Some("CLAUDE_PID") },
    Client {
        name: "cursor",
        programs: &["cursor", "cursor-agent", "cursor helper", "cursor helper (plugin)"],
        marks: &["CURSOR_AGENT"],
        pid: None,
    },
    Client { name: "codex", programs: &["codex"], marks: &["CODEX_SANDBOX", "CODEX_THREAD_ID", "CODEX_CI"], pid: None },
    Client { name: "gemini", programs: &["gemini", "gemini.js"], marks: &["GEMINI_CLI"], pid: None },
    Client { name: "opencode", programs: &["opencode"], marks: &["OPENCODE"], pid: Some("OPENCODE_PID") },
];

impl Client {
    /// The PID that this client has told its commands, as it stands in the environment: a shell that outlived the
    /// client, or was never its own, may have inherited it all the same.
    pub fn told_pid(&self) -> Option<Pid> {
        value(self.pid?)?.to_str()?.parse().ok()
    }
}

/// Whether an AI client runs this command, as far as the environment tells. `AI_AGENT` and `AGENT` are what several agree on.
pub fn is_in_client() -> bool {
    let marks = CLIENTS.iter().flat_map(|client| client.marks.iter().copied().chain(client.pid));
    marks.chain(["AI_AGENT", "AGENT"]).any(|mark| value(mark).is_some())
}

/// The variable by which `with` tells its command, and what that starts, which holds they work under.
pub const INSIDE: &str = "MEMLATCH_INSIDE";

/// The tokens of the holds that this process was started under.
pub fn inside() -> Vec<String> {
    let tokens = value(INSIDE).unwrap_or_default();
    tokens.to_string_lossy().split(',').filter(|token| !token.is_empty()).map(str::to_owned).collect()
}

fn value(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
