//! The links of `memlatch install`, and what stands in their place.

use super::{Check, Findings, quoted};
use crate::{
    commands::install,
    settings::{self, Settings},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The file that a name in a directory leads to.
enum Place {
    Empty,
    /// This memlatch, or another one of its version.
    Ours,
    /// A memlatch of another version, with what it says of that.
    Other(String),
    /// The target of the link is gone.
    Dangling(PathBuf),
    Foreign,
}

/// Why a directory is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It is meant for the links.
    Home,
    /// Shells look there, and take the first that they find.
    SearchPath,
}

/// Looks at the directories on the PATH and at the usual one, at those that were named, at `scripts` below the base
/// directory, and where memlatch was called.
pub fn check(named: &[PathBuf], base: Option<&Path>, settings: &Settings, findings: &mut Findings) {
    let Ok(binary) = settings::own_program() else {
        let what = "cannot determine where memlatch itself is, so its links were not checked";
        return findings.note(Check::Links, what, None, "call it by its path");
    };
    let called = settings.called_name().and_then(|name| Some(name.parent()?.to_owned()));
    let homes = named.iter().cloned().chain(called).chain(base.map(|base| base.join("scripts")));
    let homes: Vec<PathBuf> = homes.filter_map(|folder| real_folder(&folder)).collect();
    let path: Vec<PathBuf> = settings.search_path().iter().filter_map(|folder| real_folder(folder)).collect();
    let usual = settings.home().and_then(|home| real_folder(&home.join(install::USUAL_PLACE)));
    let mut seen = BTreeSet::new();
    let mut found_on_path = BTreeSet::new();
    let mut ours = 0;
    for folder in path.iter().chain(&homes).chain(&usual).filter(|folder| seen.insert(folder.as_path())) {
        let role = if homes.contains(folder) { Role::Home } else { Role::SearchPath };
        let mut foreign = Vec::new();
        let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in install::names() {
            let link = folder.join(&name);
            match look_at(&link, &binary) {
                Place::Empty => {}
                // Shells pass over it.
                Place::Foreign if role == Role::SearchPath && !is_program(&link) => {}
                // Shells take the one before it.
                Place::Ours | Place::Other(_) | Place::Foreign
                    if path.contains(folder) && !found_on_path.insert(name.clone()) && role == Role::SearchPath => {}
                Place::Ours => ours += 1,
                Place::Other(version) => others.entry(version).or_default().push(format!("'{name}'")),
                Place::Dangling(target) => dangling(&link, &target, folder, findings),
                Place::Foreign => foreign.push(format!("'{name}'")),
            }
        }
        for (version, names) in others {
            let what = format!("memlatch {version}, where this is {VERSION}: {}", names.join(", "));
            findings.note(Check::Links, what, Some(folder), format!("memlatch install {}", quoted(folder)));
        }
        if !foreign.is_empty() {
            stranger(folder, &foreign, role, findings);
        }
    }
    if ours == 0 {
        let what = "no links to this memlatch, neither on the PATH nor where scripts look for them";
        findings.note(Check::Links, what, None, "memlatch install");
    } else if findings.is_clean(Check::Links) {
        findings.ok(Check::Links, format!("{ours} names run memlatch {VERSION}"), Some(&binary));
    }
}

fn real_folder(folder: &Path) -> Option<PathBuf> {
    if folder.as_os_str().is_empty() { None } else { fs::canonicalize(folder).ok() }
}

fn stranger(folder: &Path, names: &[String], role: Role, findings: &mut Findings) {
    let names = names.join(", ");
    let (what, remedy) = match role {
        Role::Home => (
            format!("not a link to memlatch: {names}; --force renames the file to NAME.orig"),
            format!("memlatch install --force {}", quoted(folder)),
        ),
        Role::SearchPath => (
            format!("{names} is another program, found first on the PATH"),
            "put the directory with memlatch's links before it in the PATH".to_owned(),
        ),
    };
    findings.problem(Check::Links, what, Some(folder), remedy);
}

fn dangling(link: &Path, target: &Path, folder: &Path, findings: &mut Findings) {
    let remedy = if install::is_memlatch(target) {
        format!("memlatch install {}", quoted(folder))
    } else {
        format!("rm {}", quoted(link))
    };
    findings.problem(Check::Links, "a broken link", Some(link), remedy);
}

fn look_at(link: &Path, binary: &Path) -> Place {
    let Ok(facts) = fs::symlink_metadata(link) else { return Place::Empty };
    match fs::canonicalize(link) {
        Ok(real) if is_same(&real, binary) => Place::Ours,
        Ok(real) if facts.is_symlink() && install::is_memlatch(&real) => match version_of(&real) {
            version if version == VERSION => Place::Ours,
            version => Place::Other(version),
        },
        Err(error) if facts.is_symlink() && error.kind() == io::ErrorKind::NotFound => {
            Place::Dangling(fs::read_link(link).unwrap_or_default())
        }
        Ok(_) | Err(_) => Place::Foreign,
    }
}

/// Whether both are one file, or a copy of it.
fn is_same(one: &Path, two: &Path) -> bool {
    let (Ok(first), Ok(second)) = (fs::metadata(one), fs::metadata(two)) else { return false };
    let is_one_file = (first.dev(), first.ino()) == (second.dev(), second.ino());
    is_one_file
        || first.is_file()
            && first.len() == second.len()
            && matches!((fs::read(one), fs::read(two)), (Ok(one), Ok(two)) if one == two)
}

/// The version that a memlatch prints.
fn version_of(binary: &Path) -> String {
    let answer = Command::new(binary).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let text = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).trim().to_owned()).unwrap_or_default();
    let version = text.strip_prefix("memlatch ").unwrap_or(&text);
    if version.is_empty() { "of an unknown version".to_owned() } else { memlatch_os::paths::escape(version.as_bytes()) }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}
