//! Where AI clients list their MCP servers, and what memlatch's entry looks like there. Pure, except for the paths.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A client whose configuration is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    ClaudeCode,
    Cursor,
    Gemini,
    Opencode,
    Codex,
}

/// The name of the entry.
pub const NAME: &str = "memlatch";

impl Client {
    pub const ALL: [Client; 5] = [Client::ClaudeCode, Client::Cursor, Client::Gemini, Client::Opencode, Client::Codex];
    /// In the order of [`Client::ALL`].
    pub const NAMES: [&str; 5] = ["claude-code", "cursor", "gemini", "opencode", "codex"];

    pub fn named(name: &str) -> Client {
        let place = Client::NAMES.iter().position(|known| *known == name);
        Client::ALL[place.expect("the command line takes no other name")]
    }

    pub fn name(self) -> &'static str {
        Client::NAMES[self as usize]
    }

    /// The file with its list of servers. That of Claude Code is the project's: it rewrites its own `~/.claude.json` all the
    /// time, from memory and under no lock.
    pub fn file(self, home: &Path) -> PathBuf {
        match self {
            Client::ClaudeCode => PathBuf::from(".mcp.json"),
            Client::Cursor => home.join(".cursor/mcp.json"),
            Client::Gemini => home.join(".gemini/settings.json"),
            Client::Opencode => home.join(".config/opencode/opencode.json"),
            Client::Codex => home.join(".codex/config.toml"),
        }
    }

    /// The member of a JSON file that lists the servers.
    pub fn member(self) -> &'static str {
        if self == Client::Opencode { "mcp" } else { "mcpServers" }
    }

    /// The entry in a JSON file. `base` is the value of `AICONFIG_PATH`: a client may start servers without its own
    /// environment, and locks elsewhere exclude nobody.
    pub fn entry(self, program: &str, base: Option<&Path>) -> Value {
        let base = base.and_then(|base| Some(json!({ "AICONFIG_PATH": base.to_str()? })));
        let (mut entry, variables) = match self {
            Client::Opencode => {
                (json!({ "type": "local", "command": [program, "mcp"], "enabled": true }), "environment")
            }
            _ => (json!({ "command": program, "args": ["mcp"] }), "env"),
        };
        if let Some(base) = base {
            entry[variables] = base;
        }
        entry
    }

    /// The program that the entry in the text of the client's file names.
    pub fn program_in(self, text: &str) -> Option<String> {
        if self == Client::Codex {
            let table = text.split(HEADER).nth(1)?.split("\n[").next()?;
            let line = table.lines().find_map(|line| line.trim().strip_prefix("command")?.trim().strip_prefix('='))?;
            return Some(line.trim().trim_matches('"').to_owned());
        }
        let document: Value = serde_json::from_str(text).ok()?;
        let command = &document[self.member()][NAME]["command"];
        command.as_str().or_else(|| command[0].as_str()).map(str::to_owned)
    }
}

/// The table of Codex, which keeps its configuration in TOML. A JSON string of plain text is one of TOML too.
pub fn table(program: &str, base: Option<&Path>) -> String {
    let entry = Client::Codex.entry(program, base);
    let mut table = format!("{HEADER}\ncommand = {}\nargs = [\"mcp\"]\n", entry["command"]);
    if let Some(base) = entry["env"].get("AICONFIG_PATH") {
        table.push_str(&format!("env = {{ AICONFIG_PATH = {base} }}\n"));
    }
    table
}

const HEADER: &str = "[mcp_servers.memlatch]";

/// The text of a TOML file with the table in it, at the place of the old one or at the end. Only whole lines from its
/// header to the next one are replaced, so nothing else in the file can change. `Err`: the entry is written in a way that
/// this does not find.
pub fn with_table(text: &str, table: &str) -> Result<String, &'static str> {
    let bare = |line: &str| line.trim().replace([' ', '"', '\''], "");
    let mut start = None;
    let mut end = text.len();
    let mut at = 0;
    let mut section = String::new();
    for line in text.split_inclusive('\n') {
        let word = bare(line);
        if word.starts_with('[') {
            if start.is_some() && end == text.len() && !word.starts_with("[mcp_servers.memlatch.") {
                end = at;
            }
            if word.split('#').next() == Some(HEADER) {
                start = Some(at);
            }
            section = word;
        } else if start.is_none()
            && (section.is_empty() && word.starts_with("mcp_servers")
                || section == "[mcp_servers]" && word.starts_with(NAME))
        {
            return Err("it lists its servers without a table for each");
        }
        at += line.len();
    }
    let Some(start) = start else {
        let gap = if text.is_empty() {
            ""
        } else if text.ends_with('\n') {
            "\n"
        } else {
            "\n\n"
        };
        return Ok(format!("{text}{gap}{table}"));
    };
    // Comments and blank lines before the next header belong to that.
    let is_own = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let lines: Vec<&str> = text[start..end].split_inclusive('\n').collect();
    let own = lines.iter().rposition(|line| is_own(line)).map_or(0, |last| last + 1);
    let rest: String = lines[own..].concat();
    Ok(format!("{}{table}{rest}{}", &text[..start], &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_its_own_place_and_no_other() {
        let table = "[mcp_servers.memlatch]\ncommand = \"m\"\n";
        let put = |text: &str| with_table(text, table).expect("a table");
        assert_eq!(put(""), table);
        assert_eq!(put("a = 1"), format!("a = 1\n\n{table}"));
        let around = |old: &str| format!("a = 1 # one\n\n{old}\n# of b\n[b]\nc = [\n  1,\n]\n");
        assert_eq!(put(&around("[mcp_servers.\"memlatch\"]\nold = 1\n")), around(table));
        assert_eq!(put(&around(table)), around(table));
        let with_env = "[mcp_servers.memlatch]\nold = 1\n[mcp_servers.memlatch.env]\nA = \"b\"\n";
        assert_eq!(put(&around(with_env)), around(table));
        assert!(with_table("mcp_servers = { x = {} }\n", table).is_err());
        assert!(with_table("[mcp_servers]\nmemlatch = {}\n", table).is_err());
    }
}
