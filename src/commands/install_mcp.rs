//! `memlatch install --mcp CLIENT`: the server of `memlatch mcp` among those of an AI client.

use super::{Context, atomic_write, condition, memory_update, own_program, resolve};
use crate::{
    document,
    failure::Failure,
    filter::Access,
    mcp_entry::{self, Client, NAME},
    outcome::{EntryState, Outcome, ServerEntry},
    replace::{self, Durability, Keep},
    request::{Binding, Change, Condition, Content, DEFAULT_DOCUMENT, FilterSpec, Update, Write},
    revision::{Expected, Revision},
    settings::Settings,
};
use memlatch_os::paths::{folder_of, shown};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Writes the entry into the client's own file, or prints it.
pub fn run(client: Client, print: bool, context: Context<'_>) -> Result<Outcome, Failure> {
    let home = context
        .settings
        .home()
        .ok_or_else(|| Failure::usage("HOME is not set, so the client's file cannot be found"))?;
    let file = client.file(home);
    let program = program(context.settings)?;
    let base = context.settings.base_folder();
    let state = if print {
        EntryState::Shown(shape(client, &program, base))
    } else {
        let target = resolve(&file)?;
        let old = condition::current(&target)?;
        let written = match client {
            Client::Codex => put_table(file.clone(), old, &mcp_entry::table(&program, base), context)?,
            _ => put_member(client, file.clone(), old, &client.entry(&program, base), context)?,
        };
        written.map_or(EntryState::There, |written| EntryState::Written(Box::new(written)))
    };
    Ok(Outcome::ServerEntry(ServerEntry { client, file, state }))
}

/// The entry as users would add it to the client's file by hand.
fn shape(client: Client, program: &str, base: Option<&Path>) -> String {
    match client {
        Client::Codex => mcp_entry::table(program, base),
        _ => format!("{:#}\n", json!({ client.member(): { NAME: client.entry(program, base) } })),
    }
}

/// This program by its whole path, for a client that the desktop started has another `PATH`. By that of the link where
/// there is one: it stays when the binary is replaced.
fn program(settings: &Settings) -> Result<String, Failure> {
    let own = own_program()?;
    let found = settings.search_path().into_iter().filter(|folder| folder.is_absolute()).map(|it| it.join("memlatch"));
    let link = found.into_iter().find(|link| fs::canonicalize(link).is_ok_and(|link| link == own));
    let program = link.unwrap_or(own);
    program.to_str().map(str::to_owned).ok_or_else(|| Failure::failed("the path of memlatch is not UTF-8"))
}

/// `None` if it exists already.
fn put_member(
    client: Client,
    file: PathBuf,
    old: Option<Vec<u8>>,
    entry: &Value,
    context: Context<'_>,
) -> Result<Option<Outcome>, Failure> {
    let mut layout = document::Layout::default();
    if let Some(old) = &old {
        layout = condition::layout_of(old);
        let document: Value = serde_json::from_slice(old).map_err(|error| {
            Failure::failed(format!(
                "'{}' is not plain JSON and is left unchanged: {error}; add the entry yourself: memlatch install --mcp {} --print",
                shown(&file),
                client.name()
            ))
        })?;
        if document[client.member()][NAME] == *entry {
            return Ok(None);
        }
    }
    let named = vec![
        ("member".to_owned(), Binding::Text(client.member().to_owned())),
        ("entry".to_owned(), Binding::Json(entry.to_string())),
    ];
    let filter = FilterSpec::of(format!(".[$member].{NAME} = $entry"), Access::none());
    make_folder(&file)?;
    let change = Change::Filter(FilterSpec { named, ..filter });
    let plain = Update::of(file, change, context.settings.wait()?);
    let update = Update { backup: Some(Keep::UpTo(1)), create: Some(DEFAULT_DOCUMENT.to_owned()), layout, ..plain };
    memory_update::run(&update, context).map(Some)
}

/// `None` if it exists already.
fn put_table(
    file: PathBuf,
    old: Option<Vec<u8>>,
    table: &str,
    context: Context<'_>,
) -> Result<Option<Outcome>, Failure> {
    let read = Expected::parse(&Revision::of(old.as_deref()).to_string()).expect("a revision");
    let text = String::from_utf8(old.unwrap_or_default())
        .map_err(|_| Failure::failed(format!("'{}' is not UTF-8 and is left unchanged", shown(&file))))?;
    let new = mcp_entry::with_table(&text, table).map_err(|why| {
        Failure::failed(format!(
            "'{}' is left unchanged, because {why}; add the entry yourself: memlatch install --mcp codex --print",
            shown(&file)
        ))
    })?;
    if new == text {
        return Ok(None);
    }
    make_folder(&file)?;
    let plain = Write::of(file, Content::Text(new), Condition::Revision(read), context.settings.wait()?);
    let write = Write { backup: Some(Keep::UpTo(1)), ..plain };
    atomic_write::run(&write, context).map(Some)
}

/// Makes the directory of a client that has not run yet.
fn make_folder(file: &Path) -> Result<(), Failure> {
    Ok(replace::make_folder(folder_of(file), Durability::Synced).map(drop)?)
}
