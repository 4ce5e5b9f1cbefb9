//! HTTP/2: one connection per thread and endpoint, shared by all requests, driven by a task of its own.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use callgate_core::{Body, Context};
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version, header, uri::Authority};
use hyper::{
    client::conn::http2::{Builder, SendRequest},
    rt::Executor,
};
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::{
    endpoint::Endpoint,
    error::{HttpError, Malformed},
    hpack::keep_unindexed,
    io::Stream,
    noted::noted,
    pool::Shared,
};

/// How often a connection with requests under way is probed, and how long the answer may take.
const PROBE: Duration = Duration::from_secs(20);

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Starts hyper's tasks as the upstream's own.
#[derive(Clone)]
struct Tasks(Context);

impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn_here(task);
    }
}

/// The way to an HTTP/2 connection, for any number of requests.
#[derive(Clone)]
pub(crate) struct Sender {
    requests: SendRequest<Body>,
    /// Tells the connections to one endpoint apart.
    number: u64,
}

impl Sender {
    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

/// An exchange without a reply.
pub(crate) struct Lost {
    pub(crate) error: HttpError,
    /// The request, if nothing of it was sent.
    pub(crate) unsent: Option<Request<Body>>,
}

/// Speaks HTTP/2 on a new connection.
pub(crate) async fn open(endpoint: &Endpoint, stream: Stream, shared: &Arc<Shared>) -> Result<Sender, HttpError> {
    let (requests, connection) = Builder::new(Tasks(shared.context.clone()))
        .timer(TokioTimer::new())
        .keep_alive_interval(PROBE)
        .keep_alive_timeout(PROBE)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| HttpError::exchange(endpoint.authority(), error, true))?;
    let open = shared.gauge.opens();
    shared.context.spawn_here(async move {
        let _open = open;
        if let Err(error) = connection.await {
            tracing::debug!(%error, "An HTTP/2 connection ended.");
        }
    });
    Ok(Sender { requests, number: NEXT.fetch_add(1, Ordering::Relaxed) })
}

/// Sends a request that was prepared for HTTP/1.1.
pub(crate) async fn send(
    endpoint: &Endpoint,
    sender: &mut Sender,
    mut request: Request<Body>,
) -> Result<Response<Body>, Lost> {
    if let Err(error) = convert(endpoint, &mut request) {
        return Err(Lost { error, unsent: None });
    }
    let (request, note) = {
        let (head, body) = request.into_parts();
        let (body, note) = noted(body);
        (Request::from_parts(head, body), note)
    };
    match sender.requests.try_send_request(request).await {
        Ok(reply) if reply.status() == StatusCode::SWITCHING_PROTOCOLS => {
            let host = endpoint.authority().to_string();
            Err(Lost { error: HttpError::Reply { host, source: Malformed::Upgrade.into() }, unsent: None })
        }
        Ok(mut reply) => {
            *reply.version_mut() = Version::HTTP_11;
            Ok(reply.map(Body::new))
        }
        Err(mut lost) => {
            let unsent = lost.take_message().map(revert);
            if let Some(error) = note.and_then(|note| note.take()) {
                return Err(Lost { error: HttpError::Body(error.into()), unsent: None });
            }
            let error = HttpError::exchange(endpoint.authority(), lost.into_error(), unsent.is_some());
            Err(Lost { error, unsent })
        }
    }
}

/// From the form of HTTP/1.1: the host becomes the authority, and what belongs to a connection goes.
fn convert(endpoint: &Endpoint, request: &mut Request<Body>) -> Result<(), HttpError> {
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    for name in [header::CONNECTION, header::UPGRADE, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    keep_unindexed(headers);
    let authority = match headers.remove(header::HOST) {
        None => endpoint.authority().clone(),
        Some(host) if host == *endpoint.host_header() => endpoint.authority().clone(),
        Some(host) => authority(&host)?,
    };
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(endpoint.scheme().clone());
    parts.authority = Some(authority);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| HttpError::Request("its URI has no path"))?;
    Ok(())
}

/// Back to the form of HTTP/1.1, for another attempt.
fn revert(mut request: Request<Body>) -> Request<Body> {
    *request.version_mut() = Version::HTTP_11;
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    let host = parts.authority.take().and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().insert(header::HOST, host);
    }
    if let Some(path) = parts.path_and_query {
        *request.uri_mut() = path.into();
    }
    request
}

fn authority(host: &HeaderValue) -> Result<Authority, HttpError> {
    Authority::try_from(host.as_bytes()).map_err(|_| HttpError::Request("`host` is no host name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_becomes_the_authority() {
        let endpoint = Endpoint::parse("https://a:8443").unwrap();
        let mut request = Request::get("/x?y").header("host", "b.example").body(Body::empty()).unwrap();
        convert(&endpoint, &mut request).unwrap();
        assert_eq!(request.uri(), "https://b.example/x?y");
        assert!(!request.headers().contains_key("host"));
        let request = revert(request);
        assert_eq!(
            (request.uri().to_string().as_str(), request.headers()["host"].to_str().unwrap()),
            ("/x?y", "b.example")
        );
    }
}
