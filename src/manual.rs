//! Manual pages and completions, generated from the definitions of the command lines.

use crate::{cli, commands::Exit, failure::Failure, lock::shown, multicall::Tool, report::Console};
use clap_complete::Shell;
use std::{fs, io, path::Path};

/// Prints completions for the four tools and memlatch itself.
pub fn completions(shell: Shell, console: &Console) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    for tool in Tool::ALL.map(Some).into_iter().chain([None]) {
        let mut command = cli::definition(tool);
        let name = command.get_name().to_owned();
        clap_complete::generate(shell, &mut command, name, &mut text);
    }
    console.data(|out| out.write_all(&text))?;
    Ok(Exit(0))
}

/// Prints memlatch's page, or writes one a tool into a folder.
pub fn pages(folder: Option<&Path>, console: &Console) -> Result<Exit, Failure> {
    let Some(folder) = folder else {
        let page = page(None).map_err(Failure::from_output)?;
        console.data(|out| out.write_all(&page))?;
        return Ok(Exit(0));
    };
    let cannot = |path: &Path| {
        let path = shown(path);
        move |error: io::Error| Failure::failed(format!("cannot write '{path}': {error}"))
    };
    fs::create_dir_all(folder).map_err(cannot(folder))?;
    for tool in Tool::ALL.map(Some).into_iter().chain([None]) {
        let file = folder.join(format!("{}.1", cli::definition(tool).get_name()));
        page(tool).and_then(|page| fs::write(&file, page)).map_err(cannot(&file))?;
    }
    console.ok(format_args!("Wrote {} manual pages to {}", Tool::ALL.len() + 1, shown(folder)));
    Ok(Exit(0))
}

fn page(tool: Option<Tool>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(cli::definition(tool)).render(&mut text)?;
    Ok(text)
}
