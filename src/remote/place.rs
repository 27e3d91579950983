//! Which document a word of the command line means, and the way to its engine.

use crate::failures;
use memlatch::{failure::Failure, settings::Settings};
use memlatch_lock::target::{Elsewhere, LockId, Target};
use memlatch_os::paths::{is_address, shown};
use memlatch_remote::{
    Moment,
    access::{Access, Remotes},
    address::{Address, Place},
    engine::{Engine, Error},
    etcd::Cluster,
    s3::Bucket,
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// So long an engine may take at least, however little patience there is with locks.
const LEAST: Duration = Duration::from_secs(4);

/// A document on an engine.
#[derive(Debug)]
pub struct Subject {
    /// As it was written, and as it is: the address without short names and links.
    pub target: Target,
    pub access: Access,
}

impl Subject {
    /// Finds out which document is meant: by an address, a short name, or a link to either.
    pub fn find(word: &Path, settings: &Settings) -> Result<Self, Failure> {
        let subject = Subject::find_any(word, settings)?;
        if !subject.access.address.names_document() {
            return Err(Failure::usage(format!("'{}' names no document; add one: …/sessions.json", shown(word))));
        }
        Ok(subject)
    }

    /// The same for an address that documents' addresses begin with.
    pub fn find_any(word: &Path, settings: &Settings) -> Result<Self, Failure> {
        let place = if is_address(word) { word.to_owned() } else { behind(word)? };
        let text = place.to_str().ok_or_else(|| Failure::usage(format!("'{}' is not UTF-8", shown(&place))))?;
        let folder = settings.lock_folder().ok().and_then(|locks| Some(locks.parent()?.to_owned()));
        let variables = |name: &str| settings.value(name)?.to_str().map(str::to_owned);
        let access = Remotes::in_folder(folder).and_then(|remotes| remotes.find(text, &variables));
        let access = access.map_err(failures::of(text))?;
        Ok(Subject::of(word.to_owned(), access))
    }

    /// The document at an address that is known already.
    pub fn of(given: PathBuf, access: Access) -> Self {
        let path = PathBuf::from(access.address.to_string());
        Subject { target: Target { given, id: LockId::of(&path), path }, access }
    }

    pub fn address(&self) -> &Address {
        &self.access.address
    }

    pub fn key(&self) -> &str {
        &self.access.address.key
    }

    /// Turns an engine's error into a failure about this document.
    pub fn failure(&self, error: Error) -> Failure {
        failures::of(&shown(&self.target.given))(error)
    }

    /// The engine, if it has locks.
    pub fn cluster(&self) -> Result<Cluster, Failure> {
        match &self.access.address.place {
            Place::Etcd { .. } => Cluster::new(&self.access).map_err(|error| self.failure(error)),
            Place::Bucket { .. } => Err(Failure::usage(format!(
                "'{}' is in a bucket, which has no lock that could keep a late writer out; memory-update and atomic-write need \
                 none, and for a lock of several steps there is etcd",
                shown(&self.target.given)
            ))),
        }
    }

    /// The engine.
    pub fn store(&self) -> Result<Store, Failure> {
        open(&self.access).map_err(|error| self.failure(error))
    }
}

/// The resolution of a short name or a link.
fn behind(word: &Path) -> Result<PathBuf, Failure> {
    match Target::resolve(word) {
        Err(error) => match error.downcast::<Elsewhere>() {
            Ok(Elsewhere(address)) => Ok(address),
            Err(_) => Ok(word.to_owned()),
        },
        // A file of this machine, unless the user has given its name to an engine.
        Ok(_) if word.to_str().is_some_and(|word| word.contains(':')) => Ok(word.to_owned()),
        Ok(_) => Err(Failure::usage(format!(
            "'{}' is a file of this machine; one command works on this machine or beyond it, not on both",
            shown(word)
        ))),
    }
}

/// The engine that a document is on.
pub fn open(access: &Access) -> Result<Store, Error> {
    match &access.address.place {
        Place::Etcd { .. } => Cluster::new(access).map(Store::Etcd),
        Place::Bucket { .. } => Bucket::new(access).map(Store::Bucket),
    }
}

/// An engine, with or without locks.
pub enum Store {
    Etcd(Cluster),
    Bucket(Bucket),
}

impl Store {
    pub fn engine(&self) -> &dyn Engine {
        match self {
            Store::Etcd(cluster) => cluster,
            Store::Bucket(bucket) => bucket,
        }
    }
}

/// Until when an engine may take for a command that waits for locks so long.
pub fn until(timeout: Duration) -> Moment {
    Moment::now() + timeout.max(LEAST)
}
