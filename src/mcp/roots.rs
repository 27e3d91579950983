//! The directories that are served, and the resolution of a path below one of them.
//!
//! The way is walked one directory at a time, each opened within the one before and never through a symbolic link, as
//! openat2(2) does with `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS` where it is there. That tells the client what is wrong
//! with a path. The process that does the work opens the file again, by its path; that nobody leads it elsewhere in between,
//! with a link in the place of a directory, is what [`memlatch_os::confine`] is for.

use crate::{commands::form::Form, failure::Failure, settings::Settings};
use memlatch_os::paths::shown;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};
use std::{
    ffi::OsString,
    fs, io,
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

/// How many directories below a root are listed.
const DEEPEST: usize = 8;

struct Root {
    path: PathBuf,
    directory: OwnedFd,
}

/// All of them.
pub struct Roots(Vec<Root>);

/// A file below a root, which may not exist yet.
pub struct Place {
    /// The root, and the way from there.
    pub root: PathBuf,
    pub way: PathBuf,
    directory: OwnedFd,
    /// Its name in that directory.
    name: OsString,
}

impl Roots {
    /// Opens the directories that were named, or else those of the usual ones that are there.
    pub fn open(named: &[PathBuf], settings: &Settings) -> Result<Self, Failure> {
        let usual = || {
            let base = settings.base_folder().map(Path::to_owned).or_else(|| Some(settings.home()?.join("aiconfig")));
            base.map(|base| base.join("memory"))
                .into_iter()
                .chain([PathBuf::from("memory")])
                .filter(|path| path.is_dir())
        };
        let paths: Vec<PathBuf> = if named.is_empty() { usual().collect() } else { named.to_vec() };
        if paths.is_empty() {
            return Err(Failure::usage(
                "neither $AICONFIG_PATH/memory nor ./memory is a directory; name one: memlatch mcp --root DIR",
            ));
        }
        let open = |path: &PathBuf| {
            let path = fs::canonicalize(path)?;
            let directory = openat(CWD, &path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            Ok(Root { path, directory })
        };
        let opened = paths.iter().map(|path| {
            open(path)
                .map_err(|error: io::Error| Failure::usage(format!("cannot open the root '{}': {error}", shown(path))))
        });
        opened.collect::<Result<_, _>>().map(Roots)
    }

    /// Finds a file by its path below a root, or by its whole path.
    pub fn find(&self, file: &str) -> Result<Place, String> {
        let path = Path::new(file);
        let below = |root: &Root| match path.is_absolute() {
            true => path.strip_prefix(&root.path).ok().map(Path::to_owned),
            false => Some(path.to_owned()),
        };
        let ways: Vec<(&Root, PathBuf)> = self.0.iter().filter_map(|root| Some((root, below(root)?))).collect();
        let Some((first, way)) = ways.first() else {
            return Err(format!("'{file}' is outside of the directories that this server serves: {}", self.paths()));
        };
        let existing = ways.iter().find_map(|(root, way)| walk(root, way).ok().filter(Place::exists));
        existing
            .map_or_else(|| walk(first, way).map_err(|why| format!("'{file}' {why}; memory_list lists the files")), Ok)
    }

    /// The directories themselves.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|root| root.path.as_path())
    }

    fn paths(&self) -> String {
        self.0.iter().map(|root| shown(&root.path)).collect::<Vec<_>>().join(", ")
    }

    /// The memory files below the roots, with their sizes in bytes.
    pub fn list(&self) -> Vec<(PathBuf, u64)> {
        let mut found = Vec::new();
        self.0.iter().for_each(|root| list(&root.path, 0, &mut found));
        found.sort();
        found
    }
}

fn list(folder: &Path, depth: usize, found: &mut Vec<(PathBuf, u64)>) {
    // What cannot be read is not offered.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        // Not followed: a symbolic link may lead out of the root.
        let Ok(facts) = entry.metadata() else { continue };
        if facts.is_dir() && !is_hidden && depth < DEEPEST {
            list(&path, depth + 1, found);
        } else if facts.is_file() && !is_hidden && is_memory_file(&path) {
            found.push((path, facts.len()));
        }
    }
}

fn is_memory_file(path: &Path) -> bool {
    Form::of(path) != Form::Sequence
}

fn walk(root: &Root, way: &Path) -> Result<Place, String> {
    let mut parts = Vec::new();
    for part in way.components() {
        match part {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            _ => return Err("leads out of the directory with '..'".to_owned()),
        }
    }
    let name = parts.pop().ok_or("names a directory, not a file")?;
    if !is_memory_file(Path::new(name)) {
        return Err("is not named *.json or *.jsonl".to_owned());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut directory =
        openat(&root.directory, ".", flags, Mode::empty()).map_err(|error| format!("has no root: {error}"))?;
    for part in parts {
        directory = openat(&directory, part, flags, Mode::empty())
            .map_err(|error| format!("is not below a plain directory '{}' ({error})", shown(Path::new(part))))?;
    }
    let place = Place { root: root.path.clone(), way: way.to_owned(), directory, name: name.to_owned() };
    match place.kind() {
        None | Some(FileType::RegularFile) => Ok(place),
        Some(FileType::Symlink) => Err("is a symbolic link, which this server does not follow".to_owned()),
        Some(_) => Err("is not a plain file".to_owned()),
    }
}

impl Place {
    fn kind(&self) -> Option<FileType> {
        let facts = statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(FileType::from_raw_mode(facts.st_mode as _))
    }

    fn exists(&self) -> bool {
        self.kind().is_some()
    }

    /// The content of the file.
    pub fn content(&self) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut content = Vec::new();
        let mut file = fs::File::from(openat(&self.directory, &self.name, flags, Mode::empty())?);
        io::Read::read_to_end(&mut file, &mut content)?;
        Ok(content)
    }
}
