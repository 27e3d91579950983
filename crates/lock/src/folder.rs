//! The lock folder, and what lies in one lock directory.

use super::{
    Error, Event, Observer,
    belonging::{self, Belonging, SHARED_MARK},
    info::{FILE_NAME, Info, MAX_BYTES},
    level::Level,
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

/// Marks a lock directory as made by memlatch, whose makers hold the guard while they write `info`: without `info`
/// such a directory is a dead maker's, while a script's may be about to get one. mkdir(2) on Linux takes the bit.
const STICKY: u32 = 0o1000;

/// Where all locks of a user lie.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    belonging: OnceCell<Belonging>,
    inside: Arc<[String]>,
}

impl Folder {
    /// The lock folder at `path`, which need not exist yet.
    pub fn at(path: PathBuf) -> Self {
        Folder { path, belonging: OnceCell::new(), inside: Arc::default() }
    }

    /// The same for a process that works inside the holds with these tokens, and so need not wait for them.
    pub fn inside(self, tokens: Vec<String>) -> Self {
        Folder { inside: tokens.into(), ..self }
    }

    /// The tokens of the holds that this process works inside.
    pub(crate) fn tokens(&self) -> &Arc<[String]> {
        &self.inside
    }

    /// To whom belongs what is made in the folder. Of a folder that cannot be looked at nothing is known.
    pub fn belonging(&self) -> Result<Belonging, Error> {
        if let Some(belonging) = self.belonging.get() {
            return Ok(*belonging);
        }
        let facts = fs::metadata(&self.path).map_err(Error::io("look at the lock folder", &self.path))?;
        Ok(*self.belonging.get_or_init(|| Belonging::of(&facts)))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The outermost level of a lock.
    pub fn level(&self, id: &LockId) -> Level {
        Level::of(&self.path, id)
    }

    /// Makes the folder if it is missing, and refuses one that somebody else could have planted.
    pub fn ensure(&self, observer: &dyn Observer) -> Result<(), Error> {
        if self.exists(observer)? { Ok(()) } else { self.make(observer) }
    }

    /// Whether there is a lock folder. It refuses one that somebody else could have planted.
    pub fn exists(&self, observer: &dyn Observer) -> Result<bool, Error> {
        let facts = match fs::symlink_metadata(&self.path) {
            Ok(facts) => facts,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::io("look at the lock folder", &self.path)(error)),
        };
        let facts = if facts.is_symlink() {
            self.refuse_foreign(&facts)?;
            fs::metadata(&self.path).map_err(Error::io("follow the lock folder's link", &self.path))?
        } else {
            facts
        };
        if !facts.is_dir() {
            let path = shown(&self.path);
            return Err(Error::Refused(format!("lock folder '{path}' is not a folder; move it out of the way")));
        }
        self.refuse_foreign(&facts)?;
        if facts.mode() & 0o022 != 0 && !belonging::is_shared(&facts) {
            observer.notice(Event::OpenFolder(&self.path));
        }
        _ = self.belonging.set(Belonging::of(&facts));
        Ok(true)
    }

    fn make(&self, observer: &dyn Observer) -> Result<(), Error> {
        if let Some(base) = self.path.parent() {
            make_all(base)?;
        }
        match DirBuilder::new().mode(0o700).create(&self.path) {
            Ok(()) => {
                self.give().map_err(Error::io("set the owner of the lock folder", &self.path))?;
                observer.notice(Event::NewFolder(&self.path));
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(Error::io("make the lock folder", &self.path)(error)),
        }
    }

    /// Makes the new folder what the one around it is: its owner's, and a group's if that shares it.
    fn give(&self) -> io::Result<()> {
        belonging::give_as_around(&self.path)?;
        match self.path.parent().map(fs::metadata) {
            Some(Ok(around)) if belonging::is_shared(&around) => {
                fs::set_permissions(&self.path, Permissions::from_mode(0o2770))
            }
            _ => Ok(()),
        }
    }

    fn refuse_foreign(&self, facts: &fs::Metadata) -> Result<(), Error> {
        let me = rustix::process::geteuid().as_raw();
        // Root may work in anybody's folder, and everybody has to trust root.
        if me == 0 || facts.uid() == me || facts.uid() == 0 || belonging::is_shared_with_us(facts) {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "lock folder '{}' belongs to user {}, not to you; set AICONFIG_PATH to a folder of your own, or to one that your group shares (chmod 2770)",
            shown(&self.path),
            facts.uid()
        )))
    }
}

/// What was found in a lock directory.
pub struct LockDir {
    /// The directory itself: what is done through it cannot hit another that has taken its name since.
    file: File,
    pub inode: (u64, u64),
    /// Whose the directory is.
    pub user: u32,
    pub made_by_us: bool,
    pub modified: SystemTime,
    /// When `info` was written, by the clock of the machine that keeps the folder.
    pub written: Option<SystemTime>,
    /// `None` where `info` is missing, is not a plain file, or names no holder.
    pub info: Option<Info>,
}

impl LockDir {
    /// Reads the lock directory at a path, or finds that there is none.
    pub fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let file = match open_afresh(dir) {
            Ok(file) => file,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTDIR | libc::ELOOP)) => {
                let dir = shown(dir);
                return Err(Error::Refused(format!("'{dir}' is no folder, so no lock: look at it and remove it")));
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

    /// How long ago something was last put in or taken out. Zero if the clock has been set back since.
    pub fn idle(&self) -> Duration {
        SystemTime::now().duration_since(self.modified).unwrap_or_default()
    }

    /// Takes the `info` out of this very directory.
    pub fn remove_info(&self) -> io::Result<()> {
        if !self.made_by_us {
            // Whoever dies after this step leaves a directory without `info`, and nobody is to take it for one that a
            // script is setting up. One of another user cannot be marked, and is only waited for.
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
        // Nothing there, or a planted link or socket: no info.
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Ok(None);
    }
    // With room for the usual text and its end, it is read in two calls.
    let mut text = Vec::with_capacity(1024);
    file.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    Ok((text.len() as u64 <= MAX_BYTES).then(|| (text, facts.modified().ok())))
}

/// Writes `info` into a lock directory that has none. One that cannot be written whole is removed.
pub fn write_info(dir: &File, info: &Info, belonging: Belonging) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = retry_on_intr(|| rustix::fs::openat(dir, FILE_NAME, flags, Mode::RUSR | Mode::WUSR))?;
    let mut file = File::from(file);
    let given = if belonging.is_plain() { Ok(()) } else { belonging.give_file(&file) };
    given.and_then(|()| file.write_all(info.encode().as_bytes())).inspect_err(|_| {
        _ = rustix::fs::unlinkat(dir, FILE_NAME, rustix::fs::AtFlags::empty());
    })
}

/// Whether memlatch made a lock directory, and no script.
pub fn is_made_by_us(facts: &fs::Metadata) -> bool {
    facts.mode() & (STICKY | SHARED_MARK) != 0
}

/// Opens a lock directory, and nothing that a link leads to.
pub fn open_dir(dir: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(retry_on_intr(|| rustix::fs::open(dir, flags, Mode::empty()))?))
}

/// The same, as it is now on the server where there is one: a lock that is remembered may be gone, or another's.
fn open_afresh(dir: &Path) -> io::Result<File> {
    Fresh::around(dir)?.open(dir.file_name().unwrap_or_default(), OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Whether what was looked for is not there (any more): NFS tells so of what another machine removes after it was found.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle)
}

/// Makes a lock directory. `false` if there is one already.
pub fn make_dir(level: &Level, belonging: Belonging) -> io::Result<bool> {
    match create_dir(level, belonging) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn create_dir(level: &Level, belonging: Belonging) -> io::Result<()> {
    if belonging.is_plain() {
        return DirBuilder::new().mode(0o700 | STICKY).create(&level.dir);
    }
    if belonging.is_shared() {
        // Whoever dies before the mark is set leaves what looks like a script's directory, and that any member can clear,
        // but for the umask.
        let umask = rustix::process::umask(Mode::empty());
        let made = DirBuilder::new().mode(0o770).create(&level.dir);
        rustix::process::umask(umask);
        made?;
    } else {
        DirBuilder::new().mode(0o700 | STICKY).create(&level.dir)?;
    }
    belonging.give_directory(&open_dir(&level.dir)?)
}

/// Makes a directory and those above it that are missing. What root makes belongs to the owner of the one around it.
fn make_all(directory: &Path) -> Result<(), Error> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|above| !above.exists()).collect();
    for directory in missing.into_iter().rev() {
        match fs::create_dir(directory) {
            Ok(()) => belonging::give_as_around(directory).map_err(Error::io("set the owner of", directory))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("make the folder", directory)(error)),
        }
    }
    Ok(())
}

/// Removes a lock directory. `false` if something is in it.
pub fn remove_dir(level: &Level) -> io::Result<bool> {
    match fs::remove_dir(&level.dir) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Ok(true),
            // POSIX lets rmdir(2) say either.
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => Ok(false),
            _ => Err(error),
        },
    }
}

/// Takes "there is no such file" for success.
pub fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
