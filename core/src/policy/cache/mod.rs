//! `cache`: replies are kept and given again, by HTTP's own rules for shared caches (RFC 9111).

mod answer;
mod flight;
mod kept;
mod settings;
mod store;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderValue, Method, Request, StatusCode, header, request::Parts};
use http_body::Body as _;
use http_cache_semantics::{AfterResponse, CacheOptions, CachePolicy};
use tokio::time::timeout;

pub(crate) use settings::{CacheSettings, Keeping};

use self::{
    answer::{Forward, again, marked},
    flight::{Flight, Flights},
    kept::Coming,
    store::{Entry, Known, Store},
};
use super::{denial::Denial, stack::Stack};
use crate::{
    failure::Failure,
    invocation::{Invocation, Response},
    respond::Code,
    upstream::BoxFuture,
};

/// How long a request waits for what another one gets.
const PATIENCE: Duration = Duration::from_secs(5);

/// The layers within, asked only for what is not known.
pub(super) struct Cached {
    pub(super) inner: Arc<dyn Stack>,
    pub(super) cache: Arc<Replies>,
}

/// What is kept for a destination.
#[derive(Debug)]
pub(super) struct Replies {
    keeping: Keeping,
    store: Arc<Store>,
    flights: Flights,
}

impl Replies {
    pub(super) fn new(keeping: Keeping) -> Self {
        Self { keeping, store: Arc::new(Store::new(keeping.max_size)), flights: Flights::default() }
    }
}

impl Stack for Cached {
    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Response, Failure>> {
        let (inner, cache) = (Arc::clone(&self.inner), Arc::clone(&self.cache));
        Box::pin(async move { cache.answer(&*inner, invocation).await })
    }
}

impl Replies {
    async fn answer(&self, inner: &dyn Stack, invocation: Invocation) -> Result<Response, Failure> {
        let key = key(&invocation);
        if !matches!(*invocation.request.method(), Method::GET | Method::HEAD) {
            return self.change(inner, invocation, &key).await;
        }
        let request = asked(&invocation);
        let only_kept = asks_only_for_what_is_kept(&request);
        if !is_plain(&invocation) {
            if only_kept {
                return Err(not_cached());
            }
            return inner.call(invocation).await.map(|reply| marked(reply, Forward::Bypass));
        }
        let stale = match self.store.find(&key, &request, SystemTime::now()) {
            Known::Fresh(head, entry) => return Ok(again(*head, &entry, &request)),
            Known::Passing | Known::Stale(..) | Known::Unknown if only_kept => return Err(not_cached()),
            Known::Passing => return inner.call(invocation).await.map(|reply| marked(reply, Forward::Miss)),
            Known::Stale(conditional, entry) => Some((conditional, entry)),
            Known::Unknown => None,
        };
        // A reply to HEAD, or to a condition of the client's, is not the whole that is kept.
        if invocation.request.method() == Method::HEAD || is_conditional(&request) {
            return inner.call(invocation).await.map(|reply| marked(reply, Forward::Miss));
        }
        // Who has waited long enough asks by itself.
        let flight = timeout(PATIENCE, self.flights.take(&key)).await.ok();
        let stale = match self.store.find(&key, &request, SystemTime::now()) {
            Known::Fresh(head, entry) => return Ok(again(*head, &entry, &request)),
            Known::Passing => {
                drop(flight);
                return inner.call(invocation).await.map(|reply| marked(reply, Forward::Miss));
            }
            Known::Stale(conditional, entry) => Some((conditional, entry)),
            Known::Unknown => stale,
        };
        match stale {
            Some((conditional, entry)) => self.revalidate(inner, invocation, &key, flight, &conditional, &entry).await,
            None => {
                let reply = inner.call(invocation).await?;
                Ok(marked(self.keep(reply, key, request, flight), Forward::Miss))
            }
        }
    }

    /// Passes on what may change something, and forgets what it was if it did.
    async fn change(&self, inner: &dyn Stack, invocation: Invocation, key: &Arc<str>) -> Result<Response, Failure> {
        let is_safe = invocation.request.method().is_safe();
        let reply = inner.call(invocation).await?;
        if !is_safe && (reply.status().is_success() || reply.status().is_redirection()) {
            self.store.forget(key);
        }
        Ok(reply)
    }

    /// Asks the function whether a reply still holds.
    async fn revalidate(
        &self,
        inner: &dyn Stack,
        mut invocation: Invocation,
        key: &Arc<str>,
        flight: Option<Flight>,
        conditional: &Parts,
        entry: &Entry,
    ) -> Result<Response, Failure> {
        let request = asked(&invocation);
        for name in [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE] {
            if let Some(value) = conditional.headers.get(&name) {
                invocation.request.headers_mut().insert(name, value.clone());
            }
        }
        let reply = inner.call(invocation).await?;
        if reply.status() != StatusCode::NOT_MODIFIED {
            return Ok(marked(self.keep(reply, Arc::clone(key), request, flight), Forward::Stale));
        }
        let AfterResponse::NotModified(policy, head) = entry.policy.after_response(&request, &reply, SystemTime::now())
        else {
            // It is of another reply than the one that is kept.
            self.store.forget(key);
            return Ok(marked(reply, Forward::Stale));
        };
        let renewed = Entry { policy, body: entry.body.clone(), by_ttl: entry.by_ttl };
        let answer = again(head, &renewed, &request);
        self.store.put(key, &request, renewed);
        Ok(answer)
    }

    /// Keeps a reply, if it may be kept.
    fn keep(&self, reply: Response, key: Arc<str>, request: Parts, flight: Option<Flight>) -> Response {
        let (head, body) = reply.into_parts();
        let mut shown = Response::new(crate::body::Body::empty());
        *shown.status_mut() = head.status;
        *shown.headers_mut() = head.headers.clone();
        let says = [header::CACHE_CONTROL, header::EXPIRES, header::PRAGMA];
        let silent = !says.iter().any(|name| head.headers.contains_key(name));
        // The configuration can say how long a reply holds, but not that what one client gets is for all.
        let has_credentials = has_credentials(&request);
        let by_ttl = if silent && !has_credentials { self.keeping.ttl } else { None };
        if let Some(ttl) = by_ttl {
            let value = HeaderValue::try_from(format!("s-maxage={}", ttl.as_secs()));
            value.into_iter().for_each(|value| drop(shown.headers_mut().insert(header::CACHE_CONTROL, value)));
        }
        let options = CacheOptions { cache_heuristic: 0.0, ..CacheOptions::default() };
        let now = SystemTime::now();
        let policy = CachePolicy::new_options(&request, &shown, now, options);
        let validates = [header::ETAG, header::LAST_MODIFIED].iter().any(|name| head.headers.contains_key(name));
        let useful = validates || policy.time_to_live(now) > Duration::ZERO;
        // A cookie is for one client, whatever else is said; `*` fits no second request.
        let is_ones = head.headers.contains_key(header::SET_COOKIE)
            || head.headers.get_all(header::VARY).iter().any(|value| value.as_bytes().contains(&b'*'));
        if !policy.is_storable() || !useful || is_ones {
            self.store.pass(&key, has_credentials);
            return Response::from_parts(head, body);
        }
        let coming = Coming {
            store: Arc::clone(&self.store),
            key,
            request,
            policy,
            by_ttl: by_ttl.is_some(),
            limit: self.keeping.max_entry,
            flight,
        };
        Response::from_parts(head, coming.keep(body))
    }
}

/// What names a resource: the host and the target that the client asked for.
fn key(invocation: &Invocation) -> Arc<str> {
    let target = invocation.request.uri().path_and_query().map_or("/", |target| target.as_str());
    format!("{}\n{target}", invocation.context.host().unwrap_or_default()).into()
}

/// The request as the rules see it. Where a policy of `auth` lets clients in, all have credentials, wherever they stand.
fn asked(invocation: &Invocation) -> Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.uri = invocation.request.uri().clone();
    head.headers = invocation.request.headers().clone();
    if invocation.context.authenticated {
        head.headers.entry(header::AUTHORIZATION).or_insert(HeaderValue::from_static("gateway"));
    }
    // What differs from request to request, and what the gateway adds, decides nothing.
    for name in ["x-request-id", "traceparent", "tracestate"] {
        head.headers.remove(name);
    }
    head
}

/// Whether the client would rather have nothing than wait for the function (RFC 9111 5.2.1.7).
fn asks_only_for_what_is_kept(request: &Parts) -> bool {
    let lines = request.headers.get_all(header::CACHE_CONTROL).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|directive| directive.trim().eq_ignore_ascii_case("only-if-cached"))
}

fn not_cached() -> Failure {
    Failure::Denied(Box::new(Denial::new(Code::NotCached, Code::NotCached.detail())))
}

/// Whether a request asks for a whole resource, and brings nothing along.
fn is_plain(invocation: &Invocation) -> bool {
    let headers = invocation.request.headers();
    let special = [header::RANGE, header::UPGRADE].iter().any(|name| headers.contains_key(name));
    !special && invocation.request.body().is_end_stream()
}

/// Whether a request may tell whose it is, by what [`asked`] leaves of it.
fn has_credentials(request: &Parts) -> bool {
    [header::AUTHORIZATION, header::COOKIE].iter().any(|name| request.headers.contains_key(name))
}

fn is_conditional(request: &Parts) -> bool {
    let conditions = [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_MATCH, header::IF_UNMODIFIED_SINCE];
    conditions.iter().any(|name| request.headers.contains_key(name))
}
