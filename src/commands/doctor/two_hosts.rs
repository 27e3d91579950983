//! Whether locks exclude between two machines: `doctor --hold` on one, `doctor --probe` on the other.
//!
//! The two communicate through files in the shared lock directory. The first holds a lock and announces that in an offer. The
//! second must be refused that lock while the first holds it, and be granted it when the first has released it. The result
//! is recorded in the file `hosts`, for judging holders on other machines ([`crate::lock::hosts`]).

use super::Context;
use crate::{
    failure::Failure,
    lock::{
        folder::Folder,
        guard::{self, Mode, Waited},
        hosts::{self, Host, Proof},
        info::new_token,
        ownership::Ownership,
    },
    outcome::Outcome,
    process,
    request::Part,
    sink::Note,
};
use memlatch_os::paths::{escape, shown};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// How long a side waits for the other: a user has to go to the other machine.
const PATIENCE: Duration = Duration::from_secs(600);
/// The polling interval, because the system does not report changes by other machines.
const LOOK: Duration = Duration::from_millis(250);
/// The holding side updates its offer at each poll; after this time without an update it is considered gone.
const SILENCE: Duration = Duration::from_secs(5);
/// The time a server may take to give a lock to another machine: NFS clients ask again in growing intervals.
const HAND_OVER: Duration = Duration::from_secs(90);

/// Runs one side.
pub fn run(part: Part, context: Context<'_>) -> Result<Outcome, Failure> {
    let folder = Folder::at(context.settings.lock_folder()?);
    folder.ensure(context.sink.observer())?;
    let path = fs::canonicalize(folder.path())
        .map_err(|error| Failure::failed(format!("cannot examine '{}': {error}", shown(folder.path()))))?;
    let table = Table { folder: Folder::at(path) };
    match part {
        Part::Hold => hold(&table, context),
        Part::Probe => probe(&table, context),
    }
}

/// The files by which both sides communicate.
struct Table {
    folder: Folder,
}

impl Table {
    fn path(&self, ending: &str) -> PathBuf {
        self.folder.path().join(format!("two-hosts.{ending}"))
    }

    fn open_lock(&self) -> Result<Arc<File>, Failure> {
        let path = self.path("guard");
        let open = || guard::open(&path, Mode::Exclusive, Some(Ownership::beside(&path)?));
        open().map(Arc::new).map_err(cannot("open", &path))
    }

    /// The other side's file, freshly read from the server.
    fn read(&self, ending: &str) -> Option<Value> {
        let _fresh = process::Fresh::directory(self.folder.path()).ok()?;
        serde_json::from_slice(&fs::read(self.path(ending)).ok()?).ok()
    }

    fn write(&self, ending: &str, word: &Value) -> Result<(), Failure> {
        let path = self.path(ending);
        self.try_write(&path, &self.path(&format!("{ending}.new")), word).map_err(cannot("write", &path))
    }

    #[expect(clippy::disallowed_methods, reason = "a new file beside the real one, whose place it takes")]
    fn try_write(&self, path: &Path, new: &Path, word: &Value) -> io::Result<()> {
        fs::write(new, word.to_string())?;
        Ownership::beside(new)?.give_file(&File::open(new)?)?;
        fs::rename(new, path)
    }

    /// The description of this machine.
    fn introduction(&self) -> Result<Value, Failure> {
        let folder = self.folder.path();
        let Some(mount) = hosts::kind_of_mount(folder) else {
            let place = File::open(folder).ok().and_then(|folder| process::file_system(&folder));
            let name = place.map_or_else(|| "a disk".to_owned(), |place| place.name);
            return Err(Failure::failed(format!(
                "the lock directory '{}' is on {name}, which is this machine's own; set AICONFIG_PATH to a directory that the \
                 machines share",
                shown(folder)
            )));
        };
        Ok(json!({
            "host": process::host_name(),
            "boot": process::boot_id(),
            "folder": folder.to_string_lossy(),
            "mount": mount,
        }))
    }
}

fn hold(table: &Table, context: Context<'_>) -> Result<Outcome, Failure> {
    let mut offer = table.introduction()?;
    let lock = table.open_lock()?;
    if !guard::try_lock(&lock, Mode::Exclusive).map_err(cannot("lock", &table.path("guard")))? {
        return Err(Failure::failed("another 'memlatch doctor --hold' holds the lock; end it, or run --probe"));
    }
    let nonce = new_token();
    offer["nonce"] = json!(nonce);
    table.write("offer", &offer)?;
    context.sink.note(Note::Holding(table.folder.path()));
    let mut lock = Some(lock);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        offer["beat"] = json!(begun.elapsed().as_millis() as u64);
        table.write("offer", &offer)?;
        let answer = table.read("answer").filter(|answer| answer["nonce"] == nonce);
        match answer.as_ref().and_then(|answer| answer["found"].as_str()) {
            Some("refused") => lock = None,
            Some("granted") => {
                return Err(Failure::failed(format!(
                    "host {} was granted the lock that this one holds: {NOT_SHARED}",
                    text(answer.as_ref(), "host")
                )));
            }
            Some("proven") => {
                clear(table);
                return Ok(Outcome::Proven(text(answer.as_ref(), "host")));
            }
            _ => {}
        }
        thread::sleep(LOOK);
    }
    drop(lock);
    clear(table);
    Err(Failure::failed(format!(
        "the lock in '{}' was not probed for {} s; run 'memlatch doctor --probe' on the other machine, with an \
         AICONFIG_PATH that leads to the same directory",
        shown(table.folder.path()),
        PATIENCE.as_secs()
    )))
}

fn probe(table: &Table, context: Context<'_>) -> Result<Outcome, Failure> {
    let mut answer = table.introduction()?;
    let Some(offer) = table.read("offer") else {
        return Err(Failure::failed(format!(
            "no lock is held in '{}'; first run 'memlatch doctor --hold' on the other machine, with an AICONFIG_PATH \
             that leads to the same directory",
            shown(table.folder.path())
        )));
    };
    if offer["boot"] == answer["boot"] {
        return Err(Failure::failed(
            "the lock is held on this machine, which proves nothing; run 'memlatch doctor --probe' on another one",
        ));
    }
    answer["nonce"] = offer["nonce"].clone();
    let other = text(Some(&offer), "host");
    let lock = table.open_lock()?;
    let is_granted = guard::try_lock(&lock, Mode::Exclusive).map_err(cannot("lock", &table.path("guard")))?;
    if !is_alive(table, &offer) {
        return Err(Failure::failed(format!(
            "host {other} no longer holds the lock; run 'memlatch doctor --hold' there"
        )));
    }
    answer["found"] = json!(if is_granted { "granted" } else { "refused" });
    table.write("answer", &answer)?;
    if is_granted {
        return Err(Failure::failed(format!(
            "this machine was granted the lock that host {other} holds: {NOT_SHARED}"
        )));
    }
    let deadline = Some(Instant::now() + HAND_OVER);
    match guard::lock(&lock, Mode::Exclusive, deadline, &mut || true).map_err(cannot("lock", &table.path("guard")))? {
        Waited::Granted => {}
        Waited::TimedOut | Waited::Stopped => {
            return Err(Failure::failed(format!(
                "host {other} has released the lock, but it was not granted here for {} s: the server's lock service \
                 does not answer, or refuses everybody",
                HAND_OVER.as_secs()
            )));
        }
    }
    conclude(table, &offer, &answer, context)?;
    answer["found"] = json!("proven");
    table.write("answer", &answer)?;
    differing_places(&offer, &answer)?;
    Ok(Outcome::Nothing)
}

/// Whether the other side still updates its file.
fn is_alive(table: &Table, offer: &Value) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < SILENCE {
        thread::sleep(LOOK);
        if table.read("offer").is_some_and(|now| now["nonce"] == offer["nonce"] && now["beat"] != offer["beat"]) {
            return true;
        }
    }
    false
}

/// Records the result, if it is usable.
fn conclude(table: &Table, offer: &Value, answer: &Value, context: Context<'_>) -> Result<(), Failure> {
    let word = |side: &Value, member: &str| side[member].as_str().unwrap_or_default().to_owned();
    if offer["mount"] != answer["mount"] {
        return Err(Failure::failed(format!(
            "locks exclude between the two machines now, but host {} has mounted the directory as {} and this one as {}; \
             mount it alike, and probe once more",
            text(Some(offer), "host"),
            text(Some(offer), "mount"),
            text(Some(answer), "mount"),
        )));
    }
    let host = |side: &Value| Host { name: word(side, "host"), folder: word(side, "folder").into() };
    let proof = Proof { seen: process::wall_clock(), mount: word(offer, "mount"), hosts: [host(offer), host(answer)] };
    hosts::add(&table.folder, &proof).map_err(cannot("write", &table.folder.path().join(hosts::FILE_NAME)))?;
    context.sink.note(Note::Proven { host: &text(Some(offer), "host"), mount: &text(Some(offer), "mount") });
    Ok(())
}

/// The name of a lock comes from the path of its file.
fn differing_places(offer: &Value, answer: &Value) -> Result<(), Failure> {
    if offer["folder"] == answer["folder"] {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "the lock directory is '{}' on host {} and '{}' here; a lock's name comes from the absolute path of its file, so mount \
         the share at the same place on both machines, or they do not exclude each other",
        text(Some(offer), "folder"),
        text(Some(offer), "host"),
        text(Some(answer), "folder"),
    )))
}

const NOT_SHARED: &str = "locks do not exclude between the two machines, so updates of a file that both write will be lost; \
                          mount the directory so that locks go through its server, or keep the file where they do";

fn clear(table: &Table) {
    for ending in ["offer", "answer", "guard"] {
        // A file that remains is overwritten by the next holding side.
        _ = fs::remove_file(table.path(ending));
    }
}

/// A member of the other side's file, escaped for a terminal.
fn text(side: Option<&Value>, member: &str) -> String {
    escape(side.and_then(|side| side[member].as_str()).unwrap_or("unknown").as_bytes())
}

fn cannot(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::failed(format!("cannot {doing} '{}': {error}", shown(path)))
}
