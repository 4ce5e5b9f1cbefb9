//! The interface that an author of an upstream kind implements.
//!
//! # Life of an upstream
//! 1. The document's node is read into [`Upstream::Config`], each target into [`Upstream::Target`]; both are checked by
//!    [`Settings::check`], and against each other by [`Upstream::check_target`], after [`Upstream::read_files`] has read
//!    the service's own description, where the settings name its file. Nothing is connected yet; this is as far as
//!    `callgate check` goes.
//! 2. [`Upstream::connect`] runs once for the life of a configuration. It may do I/O, and must not fail because the
//!    remote is down: an absent remote makes [`Upstream::ready`] fail, and calls answer
//!    [`ErrorKind::Unreachable`](crate::ErrorKind::Unreachable) or `Unavailable`.
//! 3. [`Upstream::bind`] runs for every target that a route names, before the first request.
//! 4. [`Upstream::call`] runs per request, on many threads at once, and may be dropped at any await: the client went
//!    away, or the deadline passed. [`Upstream::discover`] runs beside the calls, at load and every so often, where the
//!    document says `discover`.
//! 5. [`Upstream::close`] runs once, after the last call, when a reload removed the upstream or the gateway stops.
//!    Tasks started through [`Context`] are ended after it.

mod contents;
mod context;
mod discovered;
mod endpoint;
mod erased;
mod files;
mod gauge;
mod late;
mod links;
mod parting;
mod per_worker;
mod renewed;
mod settings;
#[cfg(test)]
mod tests;
mod tried;
mod written;

use std::future::{self, Future};

pub use callgate_document::{Content, Description, Parameter};
pub use contents::contents;
pub use context::{Context, Stopped};
pub use discovered::Discovered;
pub use endpoint::{EndpointHealth, EndpointState};
pub(crate) use erased::{AnyKind, AnySettings, AnyUpstream, BoxFuture, Function, Kind, flaw};
pub use files::Files;
pub use gauge::{ConnectionsState, OpenConnection, PoolGauge, TokenGauge, TokenState};
pub use late::Late;
pub use links::{Link, Links, Whose};
pub use parting::part_from_brokers;
pub use per_worker::PerWorker;
pub use renewed::{Lease, Renewed};
pub use settings::{Invalid, Settings, Target};
pub use tried::Tried;
pub use written::written;

use crate::{
    error::UpstreamError,
    invocation::{Invocation, Response},
};

/// A kind of upstream: a connection to something that runs functions.
///
/// See the [module's page](self) for what is called when.
pub trait Upstream: Sized + Send + Sync + 'static {
    /// The key in the YAML document under which the kind's settings stand.
    const KIND: &'static str;

    /// What the kind is, in one line, for `callgate kinds` and the schema.
    const SUMMARY: &'static str;

    /// Whether the kind's remotes can say which functions they have. A kind that sets it implements [`discover`] and
    /// [`listed_as`]; for all others the document must not say `discover`.
    ///
    /// [`discover`]: Upstream::discover
    /// [`listed_as`]: Upstream::listed_as
    const DISCOVERS: bool = false;

    /// The settings of an upstream: region, credentials, URL.
    type Config: Settings;

    /// What a route names in the upstream: a function, a subject, a routing key.
    type Target: Target;

    /// A target resolved against this upstream: compiled templates, descriptors, a ready path.
    type Function: Send + Sync + 'static;

    /// Makes the upstream ready for calls.
    ///
    /// # Errors
    /// Wrong settings (an unreadable certificate, no region) fail the load; an absent remote must not.
    fn connect(config: Self::Config, context: Context) -> impl Future<Output = Result<Self, UpstreamError>> + Send;

    /// Resolves a target, once, at load.
    ///
    /// # Errors
    /// An operation that the upstream does not have is a configuration error at the target's place.
    fn bind(&self, target: Self::Target) -> Result<Self::Function, Invalid>;

    /// Reads every local file that the settings name, and says at its field what is wrong with it: certificates and
    /// credentials, which [`connect`](Self::connect) reads again, and what says what the service can do, an OpenAPI
    /// document or a WSDL, into the settings. Runs once, after [`Settings::check`] found nothing and before targets are
    /// checked against the settings. Every file goes through `files` before it is read, those that others name too, so
    /// that a change of one is a reload; the network is not used.
    fn read_files(_config: &mut Self::Config, _files: &Files) -> Vec<Invalid> {
        Vec::new()
    }

    /// What of a target doesn't go with the upstream's settings: a key that it needs and that they lack. Pure, as
    /// [`Settings::check`]: `callgate check` tells it without connecting.
    fn check_target(_config: &Self::Config, _target: &Self::Target) -> Vec<Invalid> {
        Vec::new()
    }

    /// Calls a function.
    ///
    /// # Errors
    /// Classified by the author ([`ErrorKind`](crate::ErrorKind)); the core decides about retries and the answer.
    fn call(
        &self,
        function: &Self::Function,
        invocation: Invocation,
    ) -> impl Future<Output = Result<Response, UpstreamError>> + Send;

    /// Whether a call may be made twice without harm, so that it may be tried again even where nobody knows whether the
    /// first try did anything. Asked before a call, where the document says `retry`.
    ///
    /// The default goes by HTTP: see [`is_idempotent`]. A kind that publishes says itself what its broker drops as a
    /// repetition.
    fn is_idempotent(&self, _function: &Self::Function, invocation: &Invocation) -> bool {
        is_idempotent(invocation)
    }

    /// Whether calls can be expected to succeed now.
    ///
    /// # Errors
    /// Says why not, for `/ready`, `check --connect` and the log.
    fn ready(&self) -> impl Future<Output = Result<(), UpstreamError>> + Send {
        future::ready(Ok(()))
    }

    /// The endpoints, for a kind that has several to choose from, for operators to see. Looks at what is known and asks
    /// nobody.
    fn endpoints(&self) -> Vec<EndpointState> {
        Vec::new()
    }

    /// What the function would be sent for this invocation beyond its method, path and headers, as a text without secrets:
    /// the event of a cloud function, a broker's message, the request of an operation ([`written`]). For `callgate
    /// explain` and `render`: it needs no connection, and the body is in memory.
    ///
    /// # Errors
    /// Those of a call that comes to nothing before anything is sent.
    fn preview(
        _config: &Self::Config,
        _target: &Self::Target,
        _invocation: Invocation,
    ) -> Result<Option<String>, UpstreamError> {
        Ok(None)
    }

    /// Lists the functions that the remote has now, in any order. An empty list says that there are none.
    ///
    /// Runs beside calls, at load and then as often as the document says, and may be dropped at any await; globs of the
    /// document are applied by the core. What it lists can be bound: `to: upstream/NAME` works for each name.
    ///
    /// # Errors
    /// The remote can't be asked, or does not tell: it is down, or the credentials are not allowed to.
    fn discover(&self) -> impl Future<Output = Result<Vec<Discovered>, UpstreamError>> + Send {
        future::ready(Ok(Vec::new()))
    }

    /// Why an upstream with these settings can't list its functions although its kind can, if so. Pure, as
    /// [`Settings::check`]; asked where the document says `discover`.
    fn check_discovery(_config: &Self::Config) -> Option<Invalid> {
        None
    }

    /// The name under which [`discover`](Self::discover) lists a function while it is there; `None` where that can't
    /// be said, as for a name that depends on the request. Routes to functions that are not listed are told from it.
    fn listed_as(&self, _function: &Self::Function) -> Option<String> {
        None
    }

    /// What a function takes and gives, for `callgate describe` and the document that the gateway publishes of itself;
    /// `None` where its service does not tell. Runs on a connected upstream, of which the remote may be down.
    ///
    /// # Errors
    /// The service's description is to be had from the remote, which does not give it.
    fn describe(
        &self,
        _function: &Self::Function,
    ) -> impl Future<Output = Result<Option<Description>, UpstreamError>> + Send {
        future::ready(Ok(None))
    }

    /// Flushes what is under way and returns.
    fn close(&self) -> impl Future<Output = ()> + Send {
        future::ready(())
    }
}

/// Whether a request may be sent twice without harm as HTTP has it: by its method (RFC 9110 9.2.2), or because the client
/// gave it an `idempotency-key`, by which it says that it may repeat it itself.
#[must_use]
pub fn is_idempotent(invocation: &Invocation) -> bool {
    let method = invocation.request.method();
    method.is_idempotent() || has_idempotency_key(invocation)
}

/// Whether the client gave its request an `idempotency-key`.
#[must_use]
pub fn has_idempotency_key(invocation: &Invocation) -> bool {
    invocation.request.headers().get("idempotency-key").is_some_and(|key| !key.is_empty())
}
