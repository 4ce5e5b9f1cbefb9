//! Where a configuration comes from: files, or a bucket of NATS.

#[cfg(feature = "nats")]
mod bucket;
mod error;
mod place;

use std::{future::Future, path::PathBuf};

use callgate_core::{
    Registry,
    document::{Report, System, Texts},
    plan::Plan,
};
use tokio::runtime::Handle;

pub(crate) use error::SourceError;
pub(crate) use place::Place;

/// A source that is read again and again.
#[derive(Debug)]
pub(crate) enum Source {
    /// A file, or a folder of them.
    Files(PathBuf),
    #[cfg(feature = "nats")]
    Bucket(Box<bucket::Bucket>),
}

/// How long a source is waited for that can't be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// One attempt is made.
    None,
    /// It is tried again for ten seconds: what starts together may need a moment.
    Start,
}

/// What was fetched of a source, and can be read without waiting for others.
#[derive(Debug)]
pub(crate) enum Fetched {
    Files(PathBuf),
    #[cfg_attr(not(feature = "nats"), expect(dead_code, reason = "there is no bucket"))]
    Texts {
        texts: Texts,
        /// The one that includes the others.
        first: String,
        /// Which state of the source it is.
        revision: u64,
    },
}

impl Source {
    /// Reaches the source that is at a place.
    pub(crate) async fn open(place: &Place, background: &Handle, patience: Patience) -> Result<Self, SourceError> {
        match place {
            Place::Files(path) => Ok(Self::Files(path.clone())),
            #[cfg(feature = "nats")]
            Place::Bucket(address) => {
                let address = address.as_ref().map_err(Clone::clone)?;
                Ok(Self::Bucket(Box::new(bucket::Bucket::open(address, background, patience).await?)))
            }
            #[cfg(not(feature = "nats"))]
            Place::Bucket(refused) => {
                let (_, _) = (background, patience);
                Err(refused.clone().into())
            }
        }
    }

    /// Fetches what is there now.
    pub(crate) async fn fetch(&self) -> Result<Fetched, SourceError> {
        match self {
            Self::Files(path) => Ok(Fetched::Files(path.clone())),
            #[cfg(feature = "nats")]
            Self::Bucket(bucket) => bucket.fetch().await,
        }
    }

    /// Calls when the source may have changed by itself, other than its files, for as long as it is polled.
    pub(crate) async fn follow<C: Future<Output = ()>>(&self, changed: impl Fn() -> C) {
        match self {
            Self::Files(_) => drop(changed),
            #[cfg(feature = "nats")]
            Self::Bucket(bucket) => bucket.follow(changed).await,
        }
    }

    /// Whether a source that is not files can be read at the moment.
    pub(crate) fn is_reachable(&self) -> Option<bool> {
        match self {
            Self::Files(_) => None,
            #[cfg(feature = "nats")]
            Self::Bucket(bucket) => Some(bucket.is_reachable()),
        }
    }
}

impl Fetched {
    /// Reads and checks the configuration.
    pub(crate) fn plan(&self, registry: &Registry) -> Result<Plan, Report> {
        match self {
            Self::Files(path) => Plan::load(path, &System, registry),
            Self::Texts { texts, first, .. } => Plan::load_texts(texts, first, &System, registry),
        }
    }

    /// Which state of the source it is, where it counts them.
    pub(crate) const fn revision(&self) -> Option<u64> {
        match self {
            Self::Files(_) => None,
            Self::Texts { revision, .. } => Some(*revision),
        }
    }
}
