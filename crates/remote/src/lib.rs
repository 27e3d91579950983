//! Documents and locks beyond one machine, on engines that exist: etcd, and stores that speak S3.
//!
//! An [`address`] names a document, [`access`] finds the way to its engine and the credentials for it, and [`engine`] is the
//! seam: what an engine has to be able to do. [`etcd`] and [`s3`] do it, through the one HTTP client in [`http`].
//!
//! Nothing here knows JSON documents, filters or the command line: a document is bytes under a key.

pub mod access;
pub mod address;
pub mod engine;
pub mod etcd;
mod http;
mod names;
pub mod random;
pub mod s3;

use memlatch_os as process;
use std::time::Duration;

/// A moment by the clock that neither jumps nor stops while the machine sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    pub fn now() -> Self {
        Moment(process::uptime())
    }

    /// How long it is until then; nothing if it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_sub(process::uptime())
    }

    pub fn has_passed(self) -> bool {
        self.left().is_zero()
    }

    /// A moment as much earlier.
    pub fn before(self, time: Duration) -> Moment {
        Moment(self.0.saturating_sub(time))
    }

    /// In milliseconds since the machine started.
    pub fn as_millis(self) -> u64 {
        self.0.as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// The inverse of [`Moment::as_millis`].
    pub fn from_millis(millis: u64) -> Self {
        Moment(Duration::from_millis(millis))
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, time: Duration) -> Moment {
        Moment(self.0.saturating_add(time))
    }
}
