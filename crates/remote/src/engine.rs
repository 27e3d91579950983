//! The seam: what an engine does for documents. All else is the same for every engine.

use crate::Moment;
use std::fmt;

/// What is to be read beside a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Document,
    /// Its backups as well.
    Backups,
}

/// A document as it was found, all of it of one moment.
#[derive(Clone, Debug)]
pub struct Seen {
    pub document: Option<Vec<u8>>,
    /// The earlier contents, newest first, if they were wanted.
    pub backups: Vec<Vec<u8>>,
    /// The first in the queue, which holds the lock or waits for it, if there is one.
    pub first: Option<Entry>,
    /// What the engine calls the document as it is now.
    pub version: Version,
}

/// The engine's own name for what a document is at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// The last changes of the document and of its list of writes, and what is on that list.
    Etcd { document: i64, writes: i64, known: Vec<String> },
    /// The tag of the object, and the writes that its metadata name. `None` if there is no object.
    Bucket { tag: Option<String>, known: Vec<String> },
}

impl Version {
    /// The ids of the last writes, newest first.
    pub fn known(&self) -> &[String] {
        match self {
            Version::Etcd { known, .. } | Version::Bucket { known, .. } => known,
        }
    }
}

/// An entry in the queue for a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub lease: i64,
    /// When it lined up, in the engine's own count.
    pub created: i64,
    /// What it says about itself: the text of a lock's `info`.
    pub info: Vec<u8>,
}

/// One hold of a lock, as a place in the engine that cannot be taken over unnoticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    pub lease: i64,
    pub created: i64,
}

/// The holds that a process works under, outermost first. A write names them all, and the engine refuses it if one is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder(pub Vec<Rung>);

impl Ladder {
    /// The ladder with one more hold at its end.
    pub fn with(&self, rung: Rung) -> Ladder {
        Ladder(self.0.iter().cloned().chain([rung]).collect())
    }

    /// As text, for the environment of a command: `LEASE.CREATED/LEASE.CREATED`.
    pub fn encode(&self) -> String {
        let rungs = self.0.iter().map(|rung| format!("{:x}.{}", rung.lease, rung.created));
        rungs.collect::<Vec<_>>().join("/")
    }

    /// Reads what [`Ladder::encode`] wrote.
    pub fn decode(text: &str) -> Option<Ladder> {
        let rung = |text: &str| {
            let (lease, created) = text.split_once('.')?;
            Some(Rung { lease: i64::from_str_radix(lease, 16).ok()?, created: created.parse().ok()? })
        };
        text.split('/').map(rung).collect::<Option<Vec<_>>>().map(Ladder)
    }
}

/// The relation of a writer to the lock of the document.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The holds that it works under.
    pub under: Ladder,
    /// Whether the last of them was only taken for this write, and ends with it.
    pub ends_last: bool,
}

/// New content for a document.
#[derive(Debug)]
pub struct Change<'a> {
    pub document: &'a [u8],
    /// The new row of backups from the front, as far as it changes.
    pub backups: Vec<&'a [u8]>,
    /// Names this write, so that it can be repeated without being done twice.
    pub id: &'a str,
}

/// What became of a write.
#[derive(Debug)]
pub enum Replaced {
    Done,
    /// Another writer has changed the document, or joined the queue for its lock.
    Changed {
        /// As it is now.
        now: Seen,
        /// Whether an attempt that was not answered may still do it.
        in_doubt: bool,
    },
    /// A hold that the writer works under is lost; nothing was written.
    FenceLost,
}

/// Whether a write was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landed {
    Yes,
    No,
    /// Too many others have written since for the outcome to be determined.
    Forgotten,
}

/// Why an engine did not do what it was asked for.
#[derive(Debug)]
pub enum Error {
    /// It could not be reached, or it is there but cannot do anything. Nothing has changed.
    Unreachable { engine: String, why: String },
    /// A write was sent, and no answer came in time.
    Unknown { engine: String, id: String, why: String },
    /// It does not let these credentials do this.
    Refused { engine: String, source: String, why: String },
    /// The document does not fit.
    TooLarge { engine: String, size: usize, limit: String },
    /// It answered, and with something that does not help.
    Failed { engine: String, why: String },
    /// The configuration says what cannot be meant.
    Misconfigured(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unreachable { engine, why } => write!(f, "{engine} cannot be reached: {why}; nothing has changed"),
            Error::Unknown { engine, id, why } => write!(
                f,
                "{engine} took a write and did not answer in time: {why}; whether it was made is not known; ask later: \
                 memlatch-remote landed {id}"
            ),
            Error::Refused { engine, source, why } => write!(f, "{engine} refuses {source}: {why}"),
            Error::TooLarge { engine, size, limit } => write!(
                f,
                "the new content has {size} bytes, which is more than {engine} takes: {limit}; nothing has changed; split \
                 the document, or keep large texts elsewhere"
            ),
            Error::Failed { engine, why } => write!(f, "{engine}: {why}; nothing has changed"),
            Error::Misconfigured(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {}

/// A place for documents that several machines can reach.
pub trait Engine {
    /// What messages call it.
    fn name(&self) -> &str;

    /// Reads a document as the last acknowledged write left it.
    fn read(&self, key: &str, wanted: Wanted, under: &Ladder, until: Moment) -> Result<Seen, Error>;

    /// Puts new content in the place of what was `seen`, all of it or nothing, and only if that is what is there still.
    fn replace(
        &self,
        key: &str,
        seen: &Seen,
        change: &Change<'_>,
        standing: &Standing,
        until: Moment,
    ) -> Result<Replaced, Error>;

    /// Whether the write of that id was made.
    fn landed(&self, key: &str, id: &str, until: Moment) -> Result<Landed, Error> {
        let seen = self.read(key, Wanted::Document, &Ladder::default(), until)?;
        // Nothing is known of the time before it: only a list that nothing has left yet tells of all writes.
        Ok(judge(id, &[], seen.version.known()))
    }

    /// Removes a document and what is stored beside it, even if it is in use.
    fn remove(&self, key: &str, until: Moment) -> Result<(), Error>;
}

/// What a list of the last writes says of one whose answer was lost. `before` was the list when the write was prepared, `after`
/// is the list now, and the write can no longer be under way.
pub fn judge(id: &str, before: &[String], after: &[String]) -> Landed {
    let is_whole = match before.first() {
        // As long as what was newest then is still on the list, nothing that came later has left it.
        Some(newest) => after.contains(newest),
        None => after.len() < KEPT_WRITES,
    };
    match (after.iter().any(|known| known == id), is_whole) {
        (true, _) => Landed::Yes,
        (false, true) => Landed::No,
        (false, false) => Landed::Forgotten,
    }
}

/// So many ids of writes are kept with a document.
pub const KEPT_WRITES: usize = 16;

/// The list with a new id in front.
pub fn with_write(id: &str, known: &[String]) -> Vec<String> {
    [id.to_owned()].into_iter().chain(known.iter().cloned()).take(KEPT_WRITES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_writes_tells_what_it_can_tell() {
        let ids = |names: &str| names.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(judge("x", &ids("b a"), &ids("x b a")), Landed::Yes);
        assert_eq!(judge("x", &ids("b a"), &ids("c b a")), Landed::No);
        assert_eq!(judge("x", &ids("b a"), &ids("e d c")), Landed::Forgotten);
        assert_eq!(judge("x", &[], &ids("a")), Landed::No);
        let full: Vec<String> = (0..KEPT_WRITES).map(|i| i.to_string()).collect();
        assert_eq!(judge("x", &[], &full), Landed::Forgotten);
        assert_eq!(with_write("x", &full).len(), KEPT_WRITES);
        assert_eq!(with_write("x", &full)[0], "x");
    }

    #[test]
    fn a_ladder_survives_the_environment() {
        let ladder = Ladder(vec![Rung { lease: 0x7587, created: 12 }, Rung { lease: 1, created: 99 }]);
        assert_eq!(Ladder::decode(&ladder.encode()), Some(ladder));
        assert_eq!(Ladder::decode("x"), None);
    }
}
