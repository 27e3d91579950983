//! What was set up on this machine: links, git's merge driver, the entry of the server in a client, manual pages.

use super::Console;
use crate::{
    failure::Failure,
    mcp_entry::Client,
    outcome::{EntryState, Linked, MergeDriver, Pages, ServerEntry},
};
use memlatch_os::paths::{quoted, shown};

/// Links to memlatch.
pub fn linked(linked: &Linked, console: &Console) -> u8 {
    let Linked { folder, binary, count, is_on_path } = linked;
    console.ok(format_args!("Linked {count} names in {} to {}", shown(folder), shown(binary)));
    if !is_on_path {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
        console.info(format_args!(
            "'{}' is not on the PATH; to add it, put this line into ~/.profile: PATH={}:$PATH",
            shown(&folder),
            quoted(&folder)
        ));
    }
    console.progress("Run 'memlatch doctor' to check the installation");
    0
}

/// How git merges.
pub fn merge_driver(driver: &MergeDriver, console: &Console) -> u8 {
    let repository = shown(&driver.repository);
    match &driver.set {
        None => console.ok(format_args!("git merges JSON files in {repository} by lines again")),
        Some((attributes, command)) => {
            console.ok(format_args!("git merges JSON files in {repository} with: {command}"));
            console.info(format_args!(
                "{} lists the files, so commit it; the driver itself is configured only on this machine, so run this command on the others too",
                shown(attributes)
            ));
        }
    }
    0
}

/// The entry in a client's own file.
pub fn server_entry(entry: &ServerEntry, console: &Console) -> Result<u8, Failure> {
    let file = shown(&entry.file);
    match &entry.state {
        EntryState::There => console.ok(format_args!("{file} already has the entry")),
        EntryState::Shown(text) => {
            console.data(|out| out.write_all(text.as_bytes()))?;
            console.info(format_args!("this entry belongs in {file}"));
        }
        EntryState::Written(written) => {
            console.tell(written)?;
            let (name, look) = (entry.client.name(), look(entry.client));
            console.info(format_args!("{name} will start memlatch after its own next start; to check: {look}"));
        }
    }
    Ok(0)
}

/// The command by which the client lists its servers.
fn look(client: Client) -> &'static str {
    match client {
        Client::ClaudeCode => "claude mcp list",
        Client::Cursor => "Settings, MCP",
        Client::Gemini => "gemini mcp list",
        Client::Opencode => "opencode mcp list",
        Client::Codex => "codex mcp list",
    }
}

/// Pages of the manual.
pub fn pages(pages: &Pages, console: &Console) -> u8 {
    console.ok(format_args!("Wrote {} manual pages to {}", pages.count, shown(&pages.folder)));
    0
}
