//! Manual pages and completions, generated from the definitions of the command lines, so that both include new options automatically.
//!
//! [`levels`] tells what can stand where in a command line; [`bash`], [`zsh`] and [`fish`] say it in a shell's words,
//! and [`mod@pages`] lays out the manual.

mod bash;
mod fish;
mod levels;
mod pages;
mod zsh;

use crate::{
    failure::Failure,
    multicall::Tool,
    outcome::{Outcome, Pages},
    request::Shell,
};
use levels::Level;
use memlatch_os::paths::shown;
use std::{fs, io, os::unix::fs::symlink, path::Path};

/// The completions of the four tools, their `.sh` links and memlatch itself.
pub fn completions(shell: Shell) -> Outcome {
    let levels = Level::all();
    let text = match shell {
        Shell::Bash => bash::script(&levels),
        Shell::Zsh => zsh::script(&levels),
        Shell::Fish => fish::script(&levels),
    };
    Outcome::Data(text.into_bytes())
}

/// Gives memlatch's page, or writes all of them into a directory.
pub fn pages(folder: Option<&Path>) -> Result<Outcome, Failure> {
    let pages = pages::all(&Level::all());
    let Some(folder) = folder else {
        let own = pages.into_iter().find(|page| page.name == "memlatch").expect("memlatch has a page");
        return Ok(Outcome::Data(own.text.into_bytes()));
    };
    let cannot = |path: &Path| {
        let path = shown(path);
        move |error: io::Error| Failure::failed(format!("cannot write '{path}': {error}"))
    };
    fs::create_dir_all(folder).map_err(cannot(folder))?;
    for page in &pages {
        let file = folder.join(page.file());
        #[expect(clippy::disallowed_methods, reason = "a page can be made again")]
        fs::write(&file, &page.text).map_err(cannot(&file))?;
    }
    for tool in Tool::ALL {
        // A link, not a page that includes the other: the included one's path would depend on where the directory is.
        let link = folder.join(format!("{}.sh.1", tool.name()));
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(&link)(error)),
            _ => symlink(format!("{}.1", tool.name()), &link).map_err(cannot(&link))?,
        }
    }
    Ok(Outcome::Pages(Pages { folder: folder.to_owned(), count: pages.len() + Tool::ALL.len() }))
}

/// Every name under which completions are asked for: memlatch's own, and each tool's with and without `.sh`.
fn names() -> Vec<String> {
    let tools = Tool::ALL.map(|tool| [tool.name().to_owned(), format!("{}.sh", tool.name())]);
    std::iter::once("memlatch".to_owned()).chain(tools.into_iter().flatten()).collect()
}
