//! A configuration in a bucket of NATS: an entry for the document, and one for each that it includes.

mod address;

use std::{
    future::Future,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use callgate_core::{Context, document::Texts};
use callgate_nats::bucket::{self, BucketError, Changes, Contents, Revision};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout},
};
use tracing::{debug, info, warn};

pub(super) use address::Address;

use super::{Fetched, Patience, SourceError};

/// How long a gateway that starts tries to reach NATS.
const START: Duration = Duration::from_secs(10);
/// How long until it is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long nothing must be put before the bucket is read: what is put together is one change.
const QUIET: Duration = Duration::from_millis(200);
/// The longest that a bucket which changes all the time keeps from being read.
const LONGEST: Duration = Duration::from_secs(2);
/// How often the bucket is asked for its revision although nothing was told.
const ANYWAY: Duration = Duration::from_secs(30);

/// A bucket, and the key in it.
#[derive(Debug)]
pub(crate) struct Bucket {
    address: Address,
    bucket: bucket::Bucket,
    /// What was fetched last, be it right or wrong.
    fetched: Mutex<Option<Revision>>,
    /// The bucket could be asked the last time.
    answers: AtomicBool,
}

impl Bucket {
    pub(super) async fn open(address: &Address, background: &Handle, patience: Patience) -> Result<Self, SourceError> {
        let context = Context::new("configuration", Path::new(""), background.clone());
        let end = Instant::now() + START;
        let mut told = false;
        loop {
            let error = match bucket::Bucket::connect(address.settings(), address.bucket(), &context).await {
                Ok(bucket) => {
                    let fetched = Mutex::default();
                    return Ok(Self { address: address.clone(), bucket, fetched, answers: AtomicBool::new(true) });
                }
                Err(error) => error,
            };
            if patience == Patience::None || !error.may_pass() || Instant::now() + PAUSE > end {
                return Err(address.failed(error));
            }
            if !told {
                let why = callgate_core::chain(&error);
                warn!(from = %address, why, "The configuration can't be read yet; it is tried again for 10 s.");
                told = true;
            }
            sleep(PAUSE).await;
        }
    }

    pub(super) async fn fetch(&self) -> Result<Fetched, SourceError> {
        let read = self.bucket.read().await;
        self.note(read.as_ref().err());
        let Contents { revision, values } = read.map_err(|error| {
            if let BucketError::TooLarge { revision } = &error {
                self.fetched(*revision);
            }
            self.address.failed(error)
        })?;
        self.fetched(revision);
        let texts = Texts::new(self.address.place(), values);
        Ok(Fetched::Texts { texts, first: self.address.key().to_owned(), revision: revision.number })
    }

    pub(super) async fn follow<C: Future<Output = ()>>(&self, changed: impl Fn() -> C) {
        let mut pause = PAUSE;
        loop {
            // Watched first: what is put after the revision was asked for is told.
            let error = match self.bucket.watch().await {
                Ok(mut changes) => {
                    pause = PAUSE;
                    self.follow_while(&mut changes, &changed).await
                }
                Err(error) => error,
            };
            self.wait_after(&error, pause).await;
            pause = (pause * 2).min(ANYWAY);
        }
    }

    /// Calls when the bucket has changed, until it is watched no more.
    async fn follow_while<C: Future<Output = ()>>(
        &self,
        changes: &mut Changes,
        changed: &impl Fn() -> C,
    ) -> BucketError {
        loop {
            let revision = match self.bucket.revision().await {
                Ok(revision) => revision,
                Err(error) => return error,
            };
            self.note(None);
            if Some(revision) != *self.lock() {
                changed().await;
            }
            let happened = timeout(ANYWAY, changes.next()).await;
            let settled = match happened {
                Ok(Ok(())) => settle(changes).await,
                Ok(Err(error)) => Err(error),
                Err(_) => Ok(()),
            };
            if let Err(error) = settled {
                return error;
            }
        }
    }

    /// Waits until the connection is there, or for a while where it is not the reason.
    async fn wait_after(&self, error: &BucketError, pause: Duration) {
        // What is watched ends when the server restarts, or this process was stopped for a while.
        if !matches!(error, BucketError::Watch(_) | BucketError::Lost) {
            self.note(Some(error));
        }
        let mut connection = self.bucket.connection();
        let lost = connection.borrow().is_lost();
        if lost {
            timeout(ANYWAY, connection.wait_for(|known| !known.is_lost())).await.ok();
        } else {
            timeout(pause, connection.changed()).await.ok();
        }
    }

    pub(super) fn is_reachable(&self) -> bool {
        self.answers.load(Relaxed) && !self.bucket.connection().borrow().is_lost()
    }

    /// Tells the log when the bucket can't be asked any more, and when it can again. A lost connection tells it itself.
    fn note(&self, error: Option<&BucketError>) {
        let answered = self.answers.swap(error.is_none(), Relaxed);
        let in_force = self.lock().is_some();
        match error {
            Some(error) if answered && in_force && !matches!(error, BucketError::Disconnected { .. }) => {
                let why = callgate_core::chain(error);
                warn!(from = %self.address, why, "The configuration can't be read; the one that is in force stays so.");
            }
            Some(error) => debug!(from = %self.address, %error, "The bucket can't be asked"),
            None if !answered => info!(from = %self.address, "The configuration can be read again."),
            None => {}
        }
    }

    fn fetched(&self, revision: Revision) {
        *self.lock() = Some(revision);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Revision>> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until nothing more is put.
async fn settle(changes: &mut Changes) -> Result<(), BucketError> {
    let end = Instant::now() + LONGEST;
    loop {
        let quiet = (Instant::now() + QUIET).min(end);
        match tokio::time::timeout_at(quiet, changes.next()).await {
            Ok(happened) if Instant::now() < end => happened?,
            Ok(happened) => return happened,
            Err(_) => return Ok(()),
        }
    }
}
