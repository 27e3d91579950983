//! `memlatch install --mcp CLIENT`: the server of `memlatch mcp` among those of an AI client.

use super::{Exit, atomic_write, condition, memory_update, own_program, resolve};
use crate::{
    document,
    failure::Failure,
    filter::Access,
    mcp_entry::{self, Client, NAME},
    replace::{self, Durability, Keep},
    report::Console,
    request::{Binding, Change, Condition, Content, DEFAULT_DOCUMENT, Program, Update, Write},
    revision::{Expected, Revision},
    settings,
};
use memlatch_os::paths::{folder_of, shown};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Writes the entry into the client's own file, or prints it.
pub fn run(client: Client, print: bool, console: &Console) -> Result<Exit, Failure> {
    let home = settings::home().ok_or_else(|| Failure::usage("HOME is not set, and the client's file is there"))?;
    let file = client.file(&home);
    let program = program()?;
    if print {
        console.data(|out| out.write_all(shape(client, &program).as_bytes()))?;
        console.info(format_args!("it goes into {}", shown(&file)));
        return Ok(Exit(0));
    }
    let target = resolve(&file)?;
    let old = condition::current(&target)?;
    let is_changed = if client == Client::Codex {
        put_table(file.clone(), old, &mcp_entry::table(&program), console)?
    } else {
        put_member(client, file.clone(), old, &client.entry(&program), console)?
    };
    if is_changed {
        console.info(format_args!(
            "{} starts memlatch from its next start on; to look: {}",
            client.name(),
            look(client)
        ));
    } else {
        console.ok(format_args!("{} has the entry already", shown(&file)));
    }
    Ok(Exit(0))
}

/// How the client itself tells of its servers.
fn look(client: Client) -> &'static str {
    match client {
        Client::ClaudeCode => "claude mcp list",
        Client::Cursor => "Settings, MCP",
        Client::Gemini => "gemini mcp list",
        Client::Opencode => "opencode mcp list",
        Client::Codex => "codex mcp list",
    }
}

/// What the client's file has to hold, as people put it there themselves.
fn shape(client: Client, program: &str) -> String {
    match client {
        Client::Codex => mcp_entry::table(program),
        _ => format!("{:#}\n", json!({ client.member(): { NAME: client.entry(program) } })),
    }
}

/// This program by its whole path, for a client that the desktop started has another `PATH`. By that of the link where
/// there is one: it stays when the binary is replaced.
fn program() -> Result<String, Failure> {
    let own = own_program()?;
    let found = settings::search_path().into_iter().filter(|folder| folder.is_absolute()).map(|it| it.join("memlatch"));
    let link = found.into_iter().find(|link| fs::canonicalize(link).is_ok_and(|link| link == own));
    let program = link.unwrap_or(own);
    program.to_str().map(str::to_owned).ok_or_else(|| Failure::failed("the path of memlatch is not UTF-8"))
}

/// `false` if it is there already.
fn put_member(
    client: Client,
    file: PathBuf,
    old: Option<Vec<u8>>,
    entry: &Value,
    console: &Console,
) -> Result<bool, Failure> {
    let mut layout = document::Layout::default();
    if let Some(old) = &old {
        layout = condition::layout_of(old);
        let document: Value = serde_json::from_slice(old).map_err(|error| {
            Failure::failed(format!(
                "'{}' is not plain JSON, and stays as it is: {error}; put the entry there yourself: memlatch install --mcp {} --print",
                shown(&file),
                client.name()
            ))
        })?;
        if document[client.member()][NAME] == *entry {
            return Ok(false);
        }
    }
    let named = vec![
        ("member".to_owned(), Binding::Text(client.member().to_owned())),
        ("entry".to_owned(), Binding::Json(entry.to_string())),
    ];
    let filter = Program::of(format!(".[$member].{NAME} = $entry"), Access::none());
    make_folder(&file)?;
    let change = Change::Filter(Program { named, ..filter });
    let plain = Update::of(file, change, settings::wait()?);
    let update = Update { backup: Some(Keep::UpTo(1)), create: Some(DEFAULT_DOCUMENT.to_owned()), layout, ..plain };
    memory_update::run(&update, console).map(|_| true)
}

/// `false` if it is there already.
fn put_table(file: PathBuf, old: Option<Vec<u8>>, table: &str, console: &Console) -> Result<bool, Failure> {
    let read = Expected::parse(&Revision::of(old.as_deref()).to_string()).expect("a revision");
    let text = String::from_utf8(old.unwrap_or_default())
        .map_err(|_| Failure::failed(format!("'{}' is not UTF-8, and stays as it is", shown(&file))))?;
    let new = mcp_entry::with_table(&text, table).map_err(|why| {
        Failure::failed(format!(
            "'{}' stays as it is, for {why}; put the entry there yourself: memlatch install --mcp codex --print",
            shown(&file)
        ))
    })?;
    if new == text {
        return Ok(false);
    }
    make_folder(&file)?;
    let plain = Write::of(file, Content::Text(new), Condition::Revision(read), settings::wait()?);
    let write = Write { backup: Some(Keep::UpTo(1)), ..plain };
    atomic_write::run(&write, console).map(|_| true)
}

/// Makes the directory of a client that has not run yet.
fn make_folder(file: &Path) -> Result<(), Failure> {
    Ok(replace::make_folder(folder_of(file), Durability::Synced).map(drop)?)
}
