//! The lock directory, and the contents of one lock entry.

use super::{
    Error, Event, Observer,
    info::{FILE_NAME, Info, MAX_BYTES},
    level::Level,
    ownership::{self, Ownership, SHARED_MARK},
    target::LockId,
};
use memlatch_os::{Fresh, paths::shown};
use rustix::{
    fs::{Mode, OFlags},
    io::retry_on_intr,
};
use std::{
    cell::OnceCell,
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Marks a lock entry as made by memlatch. memlatch holds the guard while it writes `info`, so such an entry without
/// `info` was left by a process that died, while a script's entry may be about to get one. mkdir(2) on Linux accepts the bit.
const STICKY: u32 = 0o1000;

/// The directory of all locks of a user.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    ownership: OnceCell<Ownership>,
    inside: Arc<[String]>,
}

impl Folder {
    /// The lock directory at `path`, which need not exist yet.
    pub fn at(path: PathBuf) -> Self {
        Folder { path, ownership: OnceCell::new(), inside: Arc::default() }
    }

    /// The same for a process that works inside the holds with these tokens, and so does not wait for them.
    pub fn inside(self, tokens: Vec<String>) -> Self {
        Folder { inside: tokens.into(), ..self }
    }

    /// The tokens of the holds that this process works inside.
    pub(crate) fn tokens(&self) -> &Arc<[String]> {
        &self.inside
    }

    /// The ownership of files that are made in the directory.
    pub fn ownership(&self) -> Result<Ownership, Error> {
        if let Some(ownership) = self.ownership.get() {
            return Ok(*ownership);
        }
        let facts = fs::metadata(&self.path).map_err(Error::io("examine the lock directory", &self.path))?;
        Ok(*self.ownership.get_or_init(|| Ownership::of(&facts)))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The outermost level of a lock.
    pub fn level(&self, id: &LockId) -> Level {
        Level::of(&self.path, id)
    }

    /// Makes the directory if it is missing, and refuses one that another user could have planted.
    pub fn ensure(&self, observer: &dyn Observer) -> Result<(), Error> {
        if self.exists(observer)? { Ok(()) } else { self.make(observer) }
    }

    /// Whether the lock directory exists. Refuses one that another user could have planted.
    pub fn exists(&self, observer: &dyn Observer) -> Result<bool, Error> {
        let facts = match fs::symlink_metadata(&self.path) {
            Ok(facts) => facts,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::io("examine the lock directory", &self.path)(error)),
        };
        let facts = if facts.is_symlink() {
            self.refuse_foreign(&facts)?;
            fs::metadata(&self.path).map_err(Error::io("follow the lock directory's link", &self.path))?
        } else {
            facts
        };
        if !facts.is_dir() {
            let path = shown(&self.path);
            return Err(Error::Refused(format!("lock directory '{path}' is not a directory; move it out of the way")));
        }
        self.refuse_foreign(&facts)?;
        if facts.mode() & 0o022 != 0 && !ownership::is_shared(&facts) {
            observer.notice(Event::OpenFolder(&self.path));
        }
        _ = self.ownership.set(Ownership::of(&facts));
        Ok(true)
    }

    fn make(&self, observer: &dyn Observer) -> Result<(), Error> {
        if let Some(base) = self.path.parent() {
            make_all(base)?;
        }
        match DirBuilder::new().mode(0o700).create(&self.path) {
            Ok(()) => {
                self.give().map_err(Error::io("set the owner of the lock directory", &self.path))?;
                observer.notice(Event::NewFolder(&self.path));
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(Error::io("make the lock directory", &self.path)(error)),
        }
    }

    /// Gives the new directory the owner of its parent, and the group if a group shares that.
    fn give(&self) -> io::Result<()> {
        ownership::give_to_owner_of_parent(&self.path)?;
        match self.path.parent().map(fs::metadata) {
            Some(Ok(around)) if ownership::is_shared(&around) => {
                fs::set_permissions(&self.path, Permissions::from_mode(0o2770))
            }
            _ => Ok(()),
        }
    }

    fn refuse_foreign(&self, facts: &fs::Metadata) -> Result<(), Error> {
        let me = rustix::process::geteuid().as_raw();
        // Root may work in every user's directory, and every user has to trust root.
        if me == 0 || facts.uid() == me || facts.uid() == 0 || ownership::is_shared_with_us(facts) {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "lock directory '{}' belongs to user {}, not to you; set AICONFIG_PATH to a directory of your own, or to one that your group shares (chmod 2770)",
            shown(&self.path),
            facts.uid()
        )))
    }
}

/// A lock entry and its contents.
pub struct LockDir {
    /// The open directory: operations through it cannot affect another that has taken its name since.
    file: File,
    pub inode: (u64, u64),
    /// The owner of the entry.
    pub user: u32,
    pub made_by_us: bool,
    pub modified: SystemTime,
    /// When `info` was written, by the clock of the machine that stores the lock directory.
    pub written: Option<SystemTime>,
    /// `None` if `info` is missing, is not a plain file, or names no holder.
    pub info: Option<Info>,
}

impl LockDir {
    /// Reads the lock entry at a path, if there is one.
    pub fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let file = match open_afresh(dir) {
            Ok(file) => file,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTDIR | libc::ELOOP)) => {
                let dir = shown(dir);
                return Err(Error::Refused(format!(
                    "'{dir}' is not a directory, so it is not a lock: examine it and remove it"
                )));
            }
            Err(error) => return Err(Error::io("open the lock", dir)(error)),
        };
        let (facts, found) = match file.metadata().and_then(|facts| Ok((facts, read_info(&file)?))) {
            Ok(both) => both,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(Error::io("read the lock", dir)(error)),
        };
        let made_by_us = is_made_by_us(&facts);
        let info = found.as_ref().and_then(|(text, _)| Info::decode(text));
        Ok(Some(LockDir {
            file,
            inode: (facts.dev(), facts.ino()),
            user: facts.uid(),
            made_by_us,
            modified: facts.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            written: found.and_then(|(_, written)| written),
            info,
        }))
    }

    /// The time since the entry's contents last changed. Zero if the clock has been set back since.
    pub fn idle(&self) -> Duration {
        SystemTime::now().duration_since(self.modified).unwrap_or_default()
    }

    /// Removes the `info` from this very entry, even if another has taken its name.
    pub fn remove_info(&self) -> io::Result<()> {
        if !self.made_by_us {
            // If this process dies after this step, an entry without `info` stays, and must not be mistaken for one that a
            // script is setting up. An entry of another user cannot be marked; contenders then wait for a while.
            _ = rustix::fs::fchmod(&self.file, Mode::RWXU | Mode::SVTX);
        }
        ignore_missing(rustix::fs::unlinkat(&self.file, FILE_NAME, rustix::fs::AtFlags::empty()).map_err(Into::into))
    }
}

/// The text of `info`, and when it was written.
fn read_info(dir: &File) -> io::Result<Option<(Vec<u8>, Option<SystemTime>)>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match retry_on_intr(|| rustix::fs::openat(dir, FILE_NAME, flags, Mode::empty())) {
        Ok(fd) => File::from(fd),
        // Missing, or a planted link or socket: no info.
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Ok(None);
    }
    // With room for the usual text, reading takes two calls: the text and the end of the file.
    let mut text = Vec::with_capacity(1024);
    file.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    Ok((text.len() as u64 <= MAX_BYTES).then(|| (text, facts.modified().ok())))
}

/// Writes `info` into a lock entry that has none. If it cannot be written completely it is removed.
pub fn write_info(dir: &File, info: &Info, ownership: Ownership) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = retry_on_intr(|| rustix::fs::openat(dir, FILE_NAME, flags, Mode::RUSR | Mode::WUSR))?;
    let mut file = File::from(file);
    let given = if ownership.is_plain() { Ok(()) } else { ownership.give_file(&file) };
    given.and_then(|()| file.write_all(info.encode().as_bytes())).inspect_err(|_| {
        _ = rustix::fs::unlinkat(dir, FILE_NAME, rustix::fs::AtFlags::empty());
    })
}

/// Whether memlatch made a lock entry, and not a script.
pub fn is_made_by_us(facts: &fs::Metadata) -> bool {
    facts.mode() & (STICKY | SHARED_MARK) != 0
}

/// Opens a lock entry without following links.
pub fn open_dir(dir: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(retry_on_intr(|| rustix::fs::open(dir, flags, Mode::empty()))?))
}

/// The same, but asks the file server, if there is one: a cached entry may be gone, or belong to another holder.
fn open_afresh(dir: &Path) -> io::Result<File> {
    Fresh::around(dir)?.open(dir.file_name().unwrap_or_default(), OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Whether the error says that the file does not exist, or no longer: NFS reports a stale handle if another machine removed the file after it was found.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle)
}

/// Makes a lock entry. `false` if there is one already.
pub fn make_dir(level: &Level, ownership: Ownership) -> io::Result<bool> {
    match create_dir(level, ownership) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn create_dir(level: &Level, ownership: Ownership) -> io::Result<()> {
    if ownership.is_plain() {
        return DirBuilder::new().mode(0o700 | STICKY).create(&level.dir);
    }
    if ownership.is_shared() {
        // A process that dies before the mark is set leaves what looks like a script's entry. Any member of the group must be able
        // to clear that, so the umask must not apply.
        let umask = rustix::process::umask(Mode::empty());
        let made = DirBuilder::new().mode(0o770).create(&level.dir);
        rustix::process::umask(umask);
        made?;
    } else {
        DirBuilder::new().mode(0o700 | STICKY).create(&level.dir)?;
    }
    ownership.give_directory(&open_dir(&level.dir)?)
}

/// Makes a directory and its missing parents. What root makes is given to the owner of its parent.
fn make_all(directory: &Path) -> Result<(), Error> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|above| !above.exists()).collect();
    for directory in missing.into_iter().rev() {
        match fs::create_dir(directory) {
            Ok(()) => {
                ownership::give_to_owner_of_parent(directory).map_err(Error::io("set the owner of", directory))?
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("make the directory", directory)(error)),
        }
    }
    Ok(())
}

/// Removes a lock entry. `false` if it is not empty.
pub fn remove_dir(level: &Level) -> io::Result<bool> {
    match fs::remove_dir(&level.dir) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Ok(true),
            // POSIX allows rmdir(2) to return either.
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => Ok(false),
            _ => Err(error),
        },
    }
}

/// Treats "no such file" as success.
pub fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
