//! `memlatch install --mcp`: the entry in each client's own file, and what the doctor says of it.

use crate::sandbox::Sandbox;
use serde_json::{Value, json};
use std::fs;

/// The clients with JSON files: name, file below the home directory, and where the entry is.
const JSON: [(&str, &str, &str); 3] = [
    ("cursor", ".cursor/mcp.json", "/mcpServers/memlatch"),
    ("gemini", ".gemini/settings.json", "/mcpServers/memlatch"),
    ("opencode", ".config/opencode/opencode.json", "/mcp/memlatch"),
];

fn program(sandbox: &Sandbox) -> String {
    sandbox.bin().join("memlatch").to_str().expect("UTF-8").to_owned()
}

fn plain(sandbox: &Sandbox) -> Value {
    json!({ "command": program(sandbox), "args": ["mcp"], "env": { "AICONFIG_PATH": sandbox.aiconfig() } })
}

#[test]
fn each_client_gets_the_entry_and_keeps_its_other_settings() {
    let sandbox = Sandbox::new();
    for (client, file, place) in JSON {
        let path = sandbox.home().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let old = "{\n    \"theme\": \"dark\",\n    \"n\": 1.10\n}\n";
        fs::write(&path, old).expect("a configuration");
        sandbox.line(&format!("memlatch install --mcp {client}")).succeeds();
        let text = fs::read_to_string(&path).expect("a configuration");
        // As it was laid out, and what was there as it was written.
        assert!(text.starts_with("{\n    \"theme\": \"dark\",\n    \"n\": 1.10,\n"), "{text}");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let entry = document.pointer(place).unwrap_or_else(|| panic!("no entry in {text}"));
        if client == "opencode" {
            assert_eq!(entry["command"], json!([program(&sandbox), "mcp"]));
        } else {
            assert_eq!(*entry, plain(&sandbox));
        }
        let backup = format!("{}.bak", path.display());
        assert_eq!(fs::read_to_string(&backup).expect("a backup"), old);
        sandbox.line(&format!("memlatch install --mcp {client}")).succeeds().tells(["already"]);
        assert_eq!(fs::read_to_string(&path).expect("a configuration"), text);
        assert_eq!(fs::read_to_string(&backup).expect("a backup"), old);
    }
}

#[test]
fn claude_code_gets_it_in_the_project() {
    let sandbox = Sandbox::new();
    sandbox.line("memlatch install --mcp claude-code").succeeds();
    let document: Value = serde_json::from_str(&sandbox.read(".mcp.json")).expect("JSON");
    assert_eq!(document, json!({ "mcpServers": { "memlatch": plain(&sandbox) } }));
}

#[test]
fn codex_gets_a_table_and_its_comments_stay() {
    let sandbox = Sandbox::new();
    let path = sandbox.home().join(".codex/config.toml");
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let old = "model = \"m\" # mine\n\n[mcp_servers.memlatch]\ncommand = \"/gone\"\n\n# the other\n[mcp_servers.other]\ncommand = \"x\"\n";
    fs::write(&path, old).expect("a configuration");
    sandbox.line("memlatch doctor").ends(1);
    sandbox.line("memlatch install --mcp codex").succeeds();
    let table = format!(
        "[mcp_servers.memlatch]\ncommand = \"{}\"\nargs = [\"mcp\"]\nenv = {{ AICONFIG_PATH = \"{}\" }}\n",
        program(&sandbox),
        sandbox.aiconfig().display()
    );
    let new = old.replace("[mcp_servers.memlatch]\ncommand = \"/gone\"\n", &table);
    assert_eq!(fs::read_to_string(&path).expect("a configuration"), new);
    assert_eq!(fs::read_to_string(path.with_extension("toml.bak")).expect("a backup"), old);
    sandbox.line("memlatch install --mcp codex").succeeds().tells(["already"]);
    assert_eq!(sandbox.line("memlatch install --mcp codex --print").succeeds().stdout(), table);
    assert!(sandbox.line("memlatch doctor").succeeds().stdout().contains("codex starts memlatch as a memory server"));
}

#[test]
fn a_configuration_that_cannot_be_parsed_is_left_alone() {
    let sandbox = Sandbox::new();
    let path = sandbox.home().join(".gemini/settings.json");
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, "{ // mine\n}\n").expect("a configuration");
    sandbox.line("memlatch install --mcp gemini").ends(1).tells(["not plain JSON", "--print"]);
    assert_eq!(fs::read_to_string(&path).expect("a configuration"), "{ // mine\n}\n");
    sandbox.line("memlatch install --mcp emacs").ends(2).tells(["claude-code", "codex"]);
    sandbox.line("memlatch install --print").ends(2);
}

#[test]
fn doctor_reports_broken_server_entries_and_the_server_without_a_lock() {
    let sandbox = Sandbox::new();
    let path = sandbox.home().join(".cursor/mcp.json");
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let reference = json!({ "command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory"] });
    let ours = json!({ "command": "/nowhere/memlatch", "args": ["mcp"] });
    let servers = json!({ "mcpServers": { "memory": reference, "memlatch": ours } });
    fs::write(&path, servers.to_string()).expect("a configuration");
    let told = sandbox.line("memlatch doctor").ends(1).stdout();
    assert!(told.contains("'/nowhere/memlatch'") && told.contains("memlatch install --mcp cursor"), "{told}");
    assert!(told.contains("server-memory, which loses") && told.contains("memlatch mcp --graph"), "{told}");
    sandbox.line("memlatch install --mcp cursor").succeeds();
    sandbox.line("memlatch doctor").succeeds();
}
