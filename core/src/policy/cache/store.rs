//! Replies that are kept, by what was asked for.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::request::Parts;
use http_cache_semantics::{BeforeRequest, CachePolicy};
use moka::sync::Cache;

use super::has_credentials;

/// How many replies are kept of one resource, for requests that differ in what `vary` names.
const VARIANTS: usize = 8;
/// How long requests for something that can't be kept do not wait for each other.
const PASS: Duration = Duration::from_secs(10);
/// What an entry costs beside its body, about: its headers and those of its request.
const OVERHEAD: usize = 1024;

/// A reply that is kept.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) policy: CachePolicy,
    pub(super) body: Bytes,
    /// Whether its freshness is the policy's own word, which clients do not get to see.
    pub(super) by_ttl: bool,
}

#[derive(Debug, Clone)]
enum Kept {
    Variants(Arc<[Arc<Entry>]>),
    /// What came last could not be kept.
    Nothing {
        since: Instant,
        /// Whether that may be for the credentials of who asked.
        for_credentials: bool,
    },
}

/// What is known of a request.
pub(super) enum Known {
    /// A reply that still holds, with the head as it is now.
    Fresh(Box<http::response::Parts>, Arc<Entry>),
    /// A reply that may still hold: the function is asked by this request.
    Stale(Box<Parts>, Arc<Entry>),
    /// Nothing.
    Unknown,
    /// Nothing, and it is no use to wait for what others get.
    Passing,
}

/// Replies up to a sum of bytes.
#[derive(Debug)]
pub(super) struct Store(Cache<Arc<str>, Kept>);

impl Store {
    pub(super) fn new(max_size: u64) -> Self {
        let weigh = |key: &Arc<str>, kept: &Kept| {
            let variants = match kept {
                Kept::Variants(variants) => variants.iter().map(|entry| entry.body.len() + OVERHEAD).sum(),
                Kept::Nothing { .. } => 0,
            };
            u32::try_from(key.len() + variants).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(max_size).weigher(weigh).build())
    }

    pub(super) fn find(&self, key: &Arc<str>, request: &Parts, now: SystemTime) -> Known {
        let has_credentials = has_credentials(request);
        let variants = match self.0.get(key) {
            Some(Kept::Variants(variants)) => variants,
            Some(Kept::Nothing { since, for_credentials })
                if since.elapsed() < PASS && (has_credentials || !for_credentials) =>
            {
                return Known::Passing;
            }
            Some(Kept::Nothing { .. }) | None => return Known::Unknown,
        };
        let mut stale = None;
        let mut nothing = Known::Unknown;
        for entry in variants.iter() {
            // A function that says nothing may have something else for who is known to it.
            if entry.by_ttl && has_credentials {
                nothing = Known::Passing;
                continue;
            }
            match entry.policy.before_request(request, now) {
                BeforeRequest::Fresh(parts) => return Known::Fresh(Box::new(parts), Arc::clone(entry)),
                BeforeRequest::Stale { request, matches: true } => stale = Some((request, Arc::clone(entry))),
                BeforeRequest::Stale { matches: false, .. } => {}
            }
        }
        stale.map_or(nothing, |(request, entry)| Known::Stale(Box::new(request), entry))
    }

    /// Keeps a reply, in the place of one for the same request.
    pub(super) fn put(&self, key: &Arc<str>, request: &Parts, entry: Entry) {
        let mut variants = vec![Arc::new(entry)];
        if let Some(Kept::Variants(former)) = self.0.get(key) {
            let now = SystemTime::now();
            let other = |entry: &&Arc<Entry>| match entry.policy.before_request(request, now) {
                BeforeRequest::Fresh(_) => false,
                BeforeRequest::Stale { matches, .. } => !matches,
            };
            variants.extend(former.iter().filter(other).take(VARIANTS - 1).cloned());
        }
        self.0.insert(Arc::clone(key), Kept::Variants(variants.into()));
    }

    /// Keeps in mind that nothing can be kept.
    pub(super) fn pass(&self, key: &Arc<str>, for_credentials: bool) {
        if !matches!(self.0.get(key), Some(Kept::Variants(_))) {
            self.0.insert(Arc::clone(key), Kept::Nothing { since: Instant::now(), for_credentials });
        }
    }

    /// Forgets what was changed (RFC 9111 4.4).
    pub(super) fn forget(&self, key: &Arc<str>) {
        self.0.invalidate(key);
    }
}
