//! The gateway: a request in, a response out, whatever happens.

mod route;
mod service;
#[cfg(test)]
mod tests;
mod trial;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use http::{HeaderName, HeaderValue, Method, Version, header, request::Parts};

pub(crate) use route::{Destination, Route, context};
pub(crate) use trial::Recorder;
pub use trial::{Trial, TrialCall, TrialMessage};

use crate::{
    body::Body,
    edge::{self, Connection, Seen},
    failure::Failure,
    invocation::{Invocation, Origin, Response},
    metrics::spending,
    observe::Observation,
    policy,
    request_id::{RequestId, Told},
    respond::{self, Speech},
    routing::{self, Found, MalformedCapture, RequestLine},
    snapshot::Snapshot,
    upstream::BoxFuture,
};

/// How many headers a request gets on its way, as a rule.
const ADDED: usize = 9;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The gateway as a value: clones share one configuration, which a reload replaces for all of them.
///
/// It is a [`tower::Service`] of any `http::Request` whose body is [`Body`]; the server calls [`handle`](Self::handle)
/// with the connection that the request came on.
#[derive(Clone)]
pub struct Gateway {
    snapshot: Arc<ArcSwap<Snapshot>>,
}

impl Gateway {
    /// A gateway that serves this snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        Self { snapshot: Arc::new(ArcSwap::from_pointee(snapshot)) }
    }

    /// Serves this snapshot from now on; gives the former one. Requests that run stay on theirs.
    pub(crate) fn replace(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        self.snapshot.swap(snapshot)
    }

    /// What is served at the moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Answers a request; every failure becomes an answer too.
    pub fn handle(
        &self,
        request: http::Request<Body>,
        connection: &Arc<Connection>,
    ) -> impl Future<Output = Response> + Send + 'static {
        self.run(request, connection, None)
    }

    fn run(
        &self,
        request: http::Request<Body>,
        connection: &Arc<Connection>,
        recorder: Option<Arc<Recorder>>,
    ) -> impl Future<Output = Response> + Send + 'static {
        let snapshot = self.snapshot.load_full();
        let connection = Arc::clone(connection);
        async move {
            let (parts, body) = request.into_parts();
            let seen = Seen::of(&parts.headers);
            let origin = edge::origin(&parts, &connection);
            let id = request_id(&parts, &connection);
            let speech = if seen.content_type { Speech::of(&parts.headers) } else { Speech::Plain };
            let head_only = parts.method == Method::HEAD;
            let mut observation = Observation::start(&parts, &origin, id, &connection, &snapshot);
            observation.recorder = recorder;
            let mark = id.to_header();
            let known = Known { origin, id, mark: &mark, seen };
            let (served, spent) = match serve(&snapshot, parts, body, known, &connection, &mut observation) {
                Ok(Served::Called(reply)) => spending(reply).await,
                Ok(Served::Answered(response)) => (Ok(response), Duration::ZERO),
                Err(failure) => (Err(failure), Duration::ZERO),
            };
            let answered = match served {
                Ok(response) => response,
                Err(failure) => {
                    observation.failed(&failure);
                    respond::respond(&failure, id, speech)
                }
            };
            let mut response = answered;
            conclude(&mut response, mark);
            if let Some(asked) = observation.asked.take() {
                response = asked.answer(response, head_only);
            }
            if head_only {
                drop_body(&mut response);
            }
            let streaming = observation.streaming(&response, &snapshot);
            let mut response = observation.finish(response, spent);
            if let Some(streaming) = streaming {
                response.body_mut().answer(streaming);
            }
            response
        }
    }
}

/// A trusted proxy's id goes on, so that one id names the request everywhere; anyone else's is replaced.
fn request_id(parts: &Parts, connection: &Connection) -> RequestId {
    let given = if connection.trusted { parts.headers.get(&REQUEST_ID) } else { None };
    given.and_then(RequestId::from_header).unwrap_or_else(RequestId::random)
}

/// What was done with a request.
enum Served {
    /// It was handed to its route's stack.
    Called(BoxFuture<'static, Result<Response, Failure>>),
    /// The gateway answers it itself.
    Answered(Response),
}

/// What the edge knows of a request.
struct Known<'r> {
    origin: Origin,
    id: RequestId,
    /// The id as a header's value.
    mark: &'r HeaderValue,
    seen: Seen,
}

/// The way of a request: normalise, find the route, prepare the invocation, hand it to the route's stack.
///
/// Nothing is awaited here, so that what lies on the way is no part of the future that the server moves about.
fn serve<'s>(
    snapshot: &'s Snapshot,
    mut parts: Parts,
    body: Body,
    known: Known<'_>,
    connection: &Connection,
    observation: &mut Observation<'s>,
) -> Result<Served, Failure> {
    let Known { origin, id, mark, seen } = known;
    edge::check(&parts, seen)?;
    normalize(&mut parts)?;
    let host = origin.host.as_ref().and_then(|host| host.to_str().ok());
    let preflights = policy::is_preflight(&parts);
    if preflights && let Some(answer) = preflight(snapshot, host, &parts) {
        return Ok(Served::Answered(answer));
    }
    let (route, captures) = match snapshot.table.find(&line(host, &parts.method, &parts)) {
        Ok(Found::Route { value, captures }) => (snapshot.route(*value)?, captures),
        unmatched => return Err(self::unmatched(unmatched)),
    };
    let destination = route.destination().ok_or(Failure::NoRoute)?;
    observation.matched(route, destination);
    if prepare(&mut parts, &origin, mark, seen, connection) {
        parts.extensions.insert(snapshot.in_use.clone());
    }
    if let Some(answering) = &destination.policies.answering {
        observation.asked = Some(answering.ask(&mut parts.headers, preflights));
    }
    let mut context = destination.context(&route.info, origin, Told { id, header: mark.clone() }, &parts.uri, captures);
    context.recorder = observation.recorder.take();
    context.who = observation.who();
    if let Some(span) = observation.span() {
        span.mark(&mut parts.headers);
        context.span = Some(span);
    }
    let body = policy::limited(body, context.max_body);
    let request = http::Request::from_parts(parts, body);
    Ok(Served::Called(destination.call(Invocation { request, context: Arc::new(context) })))
}

fn line<'a>(host: Option<&'a str>, method: &'a Method, parts: &'a Parts) -> RequestLine<'a> {
    let (path, query) = (parts.uri.path(), parts.uri.query());
    RequestLine { host, method, path, query, headers: &parts.headers }
}

/// Answers a preflight request in the name of the route that it asks for, if that one lets other origins in. What another
/// route lets in, one that takes OPTIONS, says nothing about it.
fn preflight(snapshot: &Snapshot, host: Option<&str>, parts: &Parts) -> Option<Response> {
    let wanted = parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let method = Method::from_bytes(wanted.as_bytes()).ok()?;
    let Ok(Found::Route { value, .. }) = snapshot.table.find(&line(host, &method, parts)) else { return None };
    snapshot.route(*value).ok()?.destination()?.policies.answering.as_ref()?.preflight(parts)
}

/// Why no route serves a request.
pub(crate) fn unmatched(found: Result<Found<'_, usize>, MalformedCapture>) -> Failure {
    match found {
        Err(malformed) => Failure::BadRequest(malformed.to_string().into()),
        Ok(found) => found.allow().map_or(Failure::NoRoute, |allow| Failure::MethodNotAllowed { allow }),
    }
}

/// Puts the target in origin form, its path normalised: what was matched is what the upstream receives.
pub(crate) fn normalize(parts: &mut Parts) -> Result<(), Failure> {
    let malformed = |error: &dyn fmt::Display| Failure::BadRequest(error.to_string().into());
    let path = routing::normalize(parts.uri.path()).map_err(|error| malformed(&error))?;
    let changed = match &path {
        std::borrow::Cow::Borrowed(_) => None,
        std::borrow::Cow::Owned(path) => Some(match parts.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.clone(),
        }),
    };
    if let Some(target) = changed {
        parts.uri = target.parse().map_err(|error: http::uri::InvalidUri| malformed(&error))?;
    } else if parts.uri.authority().is_some() {
        let mut whole = std::mem::take(&mut parts.uri).into_parts();
        (whole.scheme, whole.authority) = (None, None);
        parts.uri = http::Uri::from_parts(whole).map_err(|error| malformed(&error))?;
    }
    Ok(())
}

/// Turns the client's headers into the invocation's: hop-by-hop headers off, forwarding headers, trace and id on. Says
/// whether the client asks for an upgrade.
pub(crate) fn prepare(
    parts: &mut Parts,
    origin: &Origin,
    mark: &HeaderValue,
    seen: Seen,
    connection: &Connection,
) -> bool {
    // HTTP/1.0 has no upgrades, HTTP/2 none in this form (RFC 9110 7.8).
    let upgrade = seen.upgrade && parts.version == Version::HTTP_11 && edge::wants_upgrade(&parts.headers);
    let headers = &mut parts.headers;
    if seen.own {
        edge::strip_request(headers, upgrade);
    }
    headers.remove(http::header::HOST);
    // Room for what is set below and by the upstream's client, at once.
    headers.reserve(ADDED);
    edge::announce(headers, origin, connection, seen);
    edge::continue_trace(headers, seen);
    headers.insert(REQUEST_ID, mark.clone());
    upgrade
}

/// Turns an answer into what the client gets: the headers of the upstream's connection off, the request's id on.
pub(crate) fn conclude(response: &mut Response, mark: HeaderValue) {
    edge::strip_response(response.status(), response.headers_mut());
    response.headers_mut().insert(REQUEST_ID, mark);
}

/// Answers HEAD by the head alone. What a GET would have sent is still told by `content-length`, where it is known.
fn drop_body(response: &mut Response) {
    let body = std::mem::take(response.body_mut());
    if let Some(length) = body.known_length().filter(|length| *length > 0) {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(length.into());
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}
