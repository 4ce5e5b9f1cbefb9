//! What policies ask beside the upstreams: documents and decisions over HTTP, counters that gateways share.
//!
//! The core holds no client. Who builds a gateway gives it one by [`Registry::with_remotes`](crate::Registry::with_remotes);
//! without it, a policy that needs one is an error when the configuration is loaded.

use std::{fmt, sync::Arc, time::Duration};

use http::{Request, Response};

use crate::{
    body::Body,
    document::Secret,
    error::UpstreamError,
    upstream::{BoxFuture, Context, Invalid},
};

/// Where clients for the services of policies come from.
pub trait Remotes: Send + Sync + 'static {
    /// A service at an `http` or `https` URL. Nothing is connected yet; tasks belong to the context.
    ///
    /// # Errors
    /// The URL or the machine's certificates can't be used.
    fn http(&self, url: &str, context: &Context) -> Result<Arc<dyn HttpService>, Invalid>;

    /// Counters behind a `redis` or `rediss` URL. Nothing needs to be connected yet.
    ///
    /// # Errors
    /// The URL can't be used.
    fn counters(&self, url: &Secret, context: &Context) -> Result<Arc<dyn Counters>, Invalid>;
}

/// A service that answers policies over HTTP.
pub trait HttpService: Send + Sync + 'static {
    /// Sends a request to the service's URL, whose path and query take the place of the request's own. Redirects are
    /// not followed. There is no time limit: the caller has one.
    fn call(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, UpstreamError>>;
}

/// Buckets of rate limits that several gateways share.
pub trait Counters: Send + Sync + 'static {
    /// Takes one from every bucket, or from none of them when one has nothing left. Answers in the order of the draws.
    /// There is no time limit: the caller has one.
    fn take(&self, draws: Vec<Draw>) -> BoxFuture<'static, Result<Vec<Drawn>, UpstreamError>>;
}

/// One to be taken from a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Draw {
    /// The bucket's name, the same on every gateway.
    pub key: String,
    /// The time in which one comes back.
    pub interval: Duration,
    /// How many the bucket holds.
    pub burst: u32,
}

impl Draw {
    /// One from the bucket of this name, which holds `burst` and gets one back in each `interval`.
    pub const fn new(key: String, interval: Duration, burst: u32) -> Self {
        Self { key, interval, burst }
    }
}

/// What came of a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Whether there was one left.
    pub allowed: bool,
    /// How many are left.
    pub remaining: u32,
    /// How long until the bucket is full again.
    pub reset: Duration,
    /// How long until there is one again; zero when there was one.
    pub retry_after: Duration,
}

/// What a build without clients has.
pub(crate) struct NoRemotes;

impl Remotes for NoRemotes {
    fn http(&self, _: &str, _: &Context) -> Result<Arc<dyn HttpService>, Invalid> {
        Err(Invalid::new("this build has no HTTP client for policies"))
    }

    fn counters(&self, _: &Secret, _: &Context) -> Result<Arc<dyn Counters>, Invalid> {
        Err(Invalid::new("this build has no client of Redis"))
    }
}

impl fmt::Debug for dyn Remotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remotes")
    }
}
