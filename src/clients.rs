//! AI clients: whether one runs this command, and which process it is.

use crate::{lock::client::Client, settings::Settings};

/// A client, and the variables that it sets.
struct Known {
    name: &'static str,
    /// The names of its program, in lower case.
    programs: &'static [&'static str],
    /// The variables that it sets for its commands.
    marks: &'static [&'static str],
    /// The variable with the client's PID.
    pid: Option<&'static str>,
}

/// The known clients. A name that another well-known program has is left out.
const KNOWN: [Known; 5] = [
    Known { name: "claude-code", programs: &["claude"], marks: &["CLAUDECODE"], pid: Some("CLAUDE_PID") },
    Known {
        name: "cursor",
        programs: &["cursor", "cursor-agent", "cursor helper", "cursor helper (plugin)"],
        marks: &["CURSOR_AGENT"],
        pid: None,
    },
    Known { name: "codex", programs: &["codex"], marks: &["CODEX_SANDBOX", "CODEX_THREAD_ID", "CODEX_CI"], pid: None },
    Known { name: "gemini", programs: &["gemini", "gemini.js"], marks: &["GEMINI_CLI"], pid: None },
    Known { name: "opencode", programs: &["opencode"], marks: &["OPENCODE"], pid: Some("OPENCODE_PID") },
];

/// The known clients, each with the PID from its variable.
pub fn known(settings: &Settings) -> Vec<Client> {
    let told = |known: &Known| settings.value(known.pid?)?.to_str()?.parse().ok();
    KNOWN.iter().map(|known| Client { name: known.name, programs: known.programs, told_pid: told(known) }).collect()
}

/// Whether an AI client runs this command, according to the environment. Several clients have agreed on `AI_AGENT` and `AGENT`.
pub fn runs_this(settings: &Settings) -> bool {
    let marks = KNOWN.iter().flat_map(|client| client.marks.iter().copied().chain(client.pid));
    marks.chain(["AI_AGENT", "AGENT"]).any(|mark| settings.value(mark).is_some())
}
