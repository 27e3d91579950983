//! `memlatch install --git-merge`: memlatch as the merge driver for JSON files in a repository.

use super::{Context, own_program};
use crate::{
    failure::Failure,
    outcome::{MergeDriver, Outcome},
};
use memlatch_os::paths::{quoted, shown};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// The lines of `.gitattributes`. Where the driver is not set up, git merges these files by lines as before
/// (gitattributes(5)).
const ATTRIBUTES: [&str; 3] = ["*.json merge=memlatch", "*.jsonl merge=memlatch", "*.ndjson merge=memlatch"];

/// Sets the driver and the attributes of the repository around `directory`.
pub fn install(directory: Option<&Path>, context: Context<'_>) -> Result<Outcome, Failure> {
    let top = top_of(directory)?;
    let driver = format!("{} merge --driver %O %A %B %P", program(context)?);
    git(&top, &["config", "merge.memlatch.name", "merges JSON documents by member and element"])?;
    git(&top, &["config", "merge.memlatch.driver", &driver])?;
    let file = top.join(".gitattributes");
    let old = attributes(&file)?;
    let missing: Vec<&str> = ATTRIBUTES.into_iter().filter(|line| !old.lines().any(|it| it.trim() == *line)).collect();
    if !missing.is_empty() {
        let end = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
        write(&file, &format!("{old}{end}{}\n", missing.join("\n")))?;
    }
    Ok(Outcome::MergeDriver(MergeDriver { repository: top, set: Some((file, driver)) }))
}

/// Undoes what [`install`] did.
pub fn remove(directory: Option<&Path>) -> Result<Outcome, Failure> {
    let top = top_of(directory)?;
    if git(&top, &["config", "--get", "merge.memlatch.driver"]).is_ok() {
        git(&top, &["config", "--remove-section", "merge.memlatch"])?;
    }
    let file = top.join(".gitattributes");
    let old = attributes(&file)?;
    let kept: String = old.split_inclusive('\n').filter(|line| !ATTRIBUTES.contains(&line.trim())).collect();
    if kept.is_empty() && !old.is_empty() {
        fs::remove_file(&file).map_err(cannot("remove", &file))?;
    } else if kept != old {
        write(&file, &kept)?;
    }
    Ok(Outcome::MergeDriver(MergeDriver { repository: top, set: None }))
}

/// The command of the driver: by name if that is on the PATH, so that it still works after the binary has moved.
fn program(context: Context<'_>) -> Result<String, Failure> {
    let own = own_program()?;
    let found =
        context.settings.search_path().into_iter().map(|directory| directory.join("memlatch")).find(|it| it.exists());
    let is_own = found.and_then(|found| fs::canonicalize(found).ok()).is_some_and(|found| found == own);
    Ok(if is_own { "memlatch".to_owned() } else { quoted(&own) })
}

fn top_of(directory: Option<&Path>) -> Result<PathBuf, Failure> {
    let directory = directory.unwrap_or(Path::new("."));
    let top = git(directory, &["rev-parse", "--show-toplevel"])?;
    Ok(PathBuf::from(top.trim_end_matches('\n')))
}

fn git(directory: &Path, words: &[&str]) -> Result<String, Failure> {
    let run = Command::new("git").arg("-C").arg(directory).args(words).output();
    let output = run.map_err(|error| Failure::failed(format!("cannot run git: {error}; is it installed?")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(Failure::failed(format!("git {} failed in '{}': {}", words[0], shown(directory), told.trim_end())))
}

fn attributes(file: &Path) -> Result<String, Failure> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(cannot("read", file)),
    }
}

#[expect(clippy::disallowed_methods, reason = "git has no lock for its attributes, and reads them when it starts")]
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(cannot("write", file))
}

fn cannot(doing: &'static str, file: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::failed(format!("cannot {doing} '{}': {error}", shown(file)))
}
