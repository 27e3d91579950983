//! The entries of `memlatch install --mcp`, and of the memory server that `memlatch mcp --graph` replaces.

use super::{Check, Findings};
use crate::{mcp_entry::Client, settings::Settings};
use std::{fs, path::Path};

/// The reference memory server, which writes without a lock.
const WITHOUT_LOCK: &str = "@modelcontextprotocol/server-memory";

/// Checks the existing configuration files of the clients.
pub fn check(settings: &Settings, findings: &mut Findings) {
    let Some(home) = settings.home() else { return };
    for client in Client::ALL {
        let file = client.file(home);
        let Ok(text) = fs::read_to_string(&file) else { continue };
        if text.contains(WITHOUT_LOCK) {
            let what =
                format!("{} starts {WITHOUT_LOCK}, which loses what others write at the same time", client.name());
            findings.note(Check::Servers, what, Some(&file), "let it start: memlatch mcp --graph FILE (docs/mcp.md)");
        }
        let Some(program) = client.program_in(&text) else { continue };
        if Path::new(&program).is_absolute() && fs::metadata(&program).is_err() {
            let what = format!("{} starts '{program}' as its memory server, and there is no such file", client.name());
            let remedy = format!("memlatch install --mcp {}", client.name());
            findings.problem(Check::Servers, what, Some(&file), remedy);
        } else {
            findings.ok(Check::Servers, format!("{} starts memlatch as a memory server", client.name()), Some(&file));
        }
    }
}
