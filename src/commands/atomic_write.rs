//! `atomic-write`: new content for a file, all of it or nothing.

use super::{Exit, is_json_name, lock_folder, own_command, refuse_special, resolve};
use crate::{
    cli, document,
    failure::Failure,
    lock::{
        self, Claim,
        info::{Kind, new_token},
        shown,
        target::Target,
    },
    replace,
    report::Console,
};
use std::io::{self, Read};

/// Writes the file.
pub fn run(request: &cli::Write, console: &Console) -> Result<Exit, Failure> {
    // The content is complete before the lock is taken: a slow pipe keeps nobody waiting.
    let content = content(request)?;
    let target = resolve(&request.file)?;
    refuse_special(&target)?;
    if request.locked {
        let claim = Claim { kind: Kind::Write, command: own_command(), client: request.client.clone() };
        let guard = lock::exclusive(&lock_folder()?, &target, &claim, request.wait, console)?;
        put(request, &target, guard.token(), &content, console)?;
        if let Err(error) = guard.release(console) {
            console.info(format_args!("{error}; the next to lock it clears what is left"));
        }
    } else {
        put(request, &target, &new_token(), &content, console)?;
    }
    console.ok(format_args!("Written: {}", shown(&target.given)));
    Ok(Exit(0))
}

fn put(request: &cli::Write, target: &Target, token: &str, content: &[u8], console: &Console) -> Result<(), Failure> {
    make_folder(request, target, console)?;
    if request.backup {
        replace::back_up(&target.given, &target.path, token, request.durability)?;
    }
    Ok(replace::replace(&target.path, token, request.durability, |out| out.write_all(content))?)
}

/// What will be in the file.
fn content(request: &cli::Write) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    match &request.content {
        Some(text) => content.extend_from_slice(text.trim_end_matches('\n').as_bytes()),
        None => {
            let read = io::stdin().lock().read_to_end(&mut content);
            read.map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))?;
        }
    }
    if content.is_empty() {
        return Err(Failure::failed(format!(
            "there is no content for '{}': give it on standard input or with --content TEXT",
            shown(&request.file)
        )));
    }
    if request.validate || is_json_name(&request.file) {
        document::check(&content).map_err(|error| {
            Failure::from(error).about(format_args!("the new content for '{}'", shown(&request.file)))
        })?;
        content.truncate(content.trim_ascii_end().len());
        content.push(b'\n');
    } else if request.content.is_some() {
        content.push(b'\n');
    }
    Ok(content)
}

fn make_folder(request: &cli::Write, target: &Target, console: &Console) -> Result<(), Failure> {
    let Some(folder) = target.path.parent() else { return Ok(()) };
    if replace::make_folder(folder, request.durability)? {
        console.info(format_args!("Made folder: {}", shown(folder)));
    }
    Ok(())
}
