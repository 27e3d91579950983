//! `memlatch install`: links for memlatch itself and for the four tools, these with and without `.sh`.

use super::{Context, own_program};
use crate::{
    failure::Failure,
    multicall::Tool,
    outcome::{Linked, Outcome},
    settings::Settings,
    sink::Note,
};
use memlatch_os::paths::shown;
use std::{
    fs, io,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
};

/// What is at the place of a link.
enum Place {
    Empty,
    /// A link to a memlatch.
    OurLink,
    /// The binary itself: a link in its place would lead to itself.
    Binary,
    Foreign,
}

/// Where the links go if no other directory is named, below the home directory. The XDG base directory specification has
/// it, and the shipped files for cron, systemd, launchd and AI clients look there.
pub const USUAL_PLACE: &str = ".local/bin";

/// Puts the links into `folder`, or into the usual place. Looks at all places first, so that nothing has changed if one is
/// occupied.
pub fn run(folder: Option<&Path>, force: bool, context: Context<'_>) -> Result<Outcome, Failure> {
    let usual = match folder {
        Some(_) => None,
        None => Some(
            context.settings.home().ok_or_else(|| Failure::usage("HOME is not set; name a directory for the links"))?,
        ),
    };
    let usual = usual.map(|home| home.join(USUAL_PLACE));
    let folder = folder.or(usual.as_deref()).expect("one of them is there");
    let binary = own_program()?;
    let (mut links, mut foreign) = (Vec::new(), Vec::new());
    for link in names().chain(["memlatch".to_owned()]).map(|name| folder.join(name)) {
        match look_at(&link, &binary)? {
            Place::Binary => continue,
            Place::Foreign => foreign.push(link.clone()),
            Place::Empty | Place::OurLink => {}
        }
        links.push(link);
    }
    if !force && !foreign.is_empty() {
        let names: Vec<String> = foreign.iter().map(|link| format!("'{}'", shown(link))).collect();
        return Err(Failure::failed(format!(
            "kept {}, which memlatch did not make; move it away, or let --force rename it to NAME.orig",
            names.join(", ")
        )));
    }
    for link in &foreign {
        refuse_overwriting(&original(link))?;
    }
    fs::create_dir_all(folder).map_err(cannot("make the directory", folder))?;
    for link in &foreign {
        let kept = original(link);
        fs::rename(link, &kept).map_err(cannot("rename", link))?;
        context.sink.note(Note::Kept { file: link, as_file: &kept });
    }
    for link in &links {
        put_link(link, &binary).map_err(cannot("make the link", link))?;
    }
    let is_on_path = is_on_path(folder, context.settings);
    Ok(Outcome::Linked(Linked { folder: folder.to_owned(), binary, count: links.len(), is_on_path }))
}

fn is_on_path(folder: &Path, settings: &Settings) -> bool {
    let real = |folder: &Path| fs::canonicalize(folder).ok();
    let here = real(folder);
    settings.search_path().iter().any(|other| real(other) == here)
}

/// The names of the tools' links.
pub fn names() -> impl Iterator<Item = String> {
    Tool::ALL.into_iter().flat_map(|tool| [tool.name().to_owned(), format!("{}.sh", tool.name())])
}

/// Whether a link with this target is one to a memlatch.
pub fn is_memlatch(target: &Path) -> bool {
    target.file_name().is_some_and(|name| name == "memlatch")
}

fn look_at(link: &Path, binary: &Path) -> Result<Place, Failure> {
    match fs::symlink_metadata(link) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Place::Empty),
        Err(error) => Err(cannot("look at", link)(error)),
        Ok(facts) if !facts.is_symlink() => {
            let is_binary = fs::metadata(binary).is_ok_and(|it| (it.dev(), it.ino()) == (facts.dev(), facts.ino()));
            Ok(if is_binary { Place::Binary } else { Place::Foreign })
        }
        Ok(_) => {
            let target = fs::read_link(link).map_err(cannot("read the link", link))?;
            let is_ours = target.file_name() == binary.file_name() || is_memlatch(&target);
            Ok(if is_ours { Place::OurLink } else { Place::Foreign })
        }
    }
}

/// Puts the new link beside the old one and renames it over it, so that the name is never missing.
fn put_link(link: &Path, binary: &Path) -> io::Result<()> {
    let fresh = link.with_file_name(format!(".memlatch-{}.tmp", std::process::id()));
    symlink(binary, &fresh)?;
    fs::rename(&fresh, link).inspect_err(|_| _ = fs::remove_file(&fresh))
}

fn original(link: &Path) -> PathBuf {
    let mut name = link.as_os_str().to_owned();
    name.push(".orig");
    name.into()
}

fn refuse_overwriting(kept: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(kept) {
        Ok(_) => Err(Failure::failed(format!("'{}' exists already; move it away first", shown(kept)))),
        Err(_) => Ok(()),
    }
}

fn cannot(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::failed(format!("cannot {doing} '{}': {error}", shown(path)))
}
