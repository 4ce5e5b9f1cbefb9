//! One request as it is seen from outside.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::{StatusCode, request::Parts};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tracing::{Level, enabled, info};

use super::log_failure;
use crate::{
    body::{Body, BodyError},
    edge::Connection,
    failure::Failure,
    gateway::Route,
    invocation::{Origin, Response, RouteInfo},
    request_id::RequestId,
    respond::Code,
};

/// The target of access lines; off unless the log's filter names it.
const ACCESS: &str = "callgate::access";

/// A request under way. Without an access log it holds no more than the id and the route.
pub(crate) struct Observation {
    id: RequestId,
    route: Option<Arc<RouteInfo>>,
    line: Option<Box<Line>>,
}

/// What an access line says besides the route and the id.
struct Line {
    started: Instant,
    listener: Arc<str>,
    client: String,
    method: String,
    path: String,
    error: Option<&'static str>,
}

impl Observation {
    pub(crate) fn start(parts: &Parts, origin: &Origin, id: RequestId, connection: &Connection) -> Self {
        let line = enabled!(target: ACCESS, Level::INFO).then(|| {
            Box::new(Line {
                started: origin.started,
                listener: Arc::clone(&connection.listener),
                client: origin.client.map(|client| client.ip().to_string()).unwrap_or_default(),
                method: parts.method.to_string(),
                path: parts.uri.path().to_owned(),
                error: None,
            })
        });
        Self { id, route: None, line }
    }

    pub(crate) fn matched(&mut self, route: &Route) {
        self.route = Some(Arc::clone(&route.info));
    }

    pub(crate) fn failed(&mut self, failure: &Failure) {
        log_failure(failure, self.id, self.route.as_deref());
        if let Some(line) = &mut self.line {
            line.error = Some(Code::from(failure).as_str());
        }
    }

    /// The head is on its way; the access line is written when the body has ended too.
    pub(crate) fn finish(self, response: Response) -> Response {
        let Self { id, route, line: Some(mut line) } = self else { return response };
        // A failure that a response step reshaped is a failure still.
        if let Some(code) = response.extensions().get::<Code>() {
            line.error = Some(code.as_str());
        }
        let status = response.status();
        response.map(|body| Body::new(Watched { body, sent: 0, ended: false, broken: false, status, id, route, line }))
    }
}

/// A reply's body that tells when it ends, or is dropped before.
struct Watched {
    body: Body,
    sent: u64,
    ended: bool,
    broken: bool,
    status: StatusCode,
    id: RequestId,
    route: Option<Arc<RouteInfo>>,
    line: Box<Line>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.ended = true,
            Some(Ok(frame)) => self.sent += frame.data_ref().map_or(0, Bytes::len) as u64,
            Some(Err(_)) => self.broken = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let line = &self.line;
        #[allow(clippy::cast_possible_truncation, reason = "half a million years fit")]
        let duration_us = line.started.elapsed().as_micros() as u64;
        info!(
            target: ACCESS,
            listener = &*line.listener,
            client = line.client,
            method = line.method,
            path = line.path,
            status = self.status.as_u16(),
            route = self.route.as_ref().map_or("", |route| &route.name),
            error = line.error.unwrap_or(""),
            bytes = self.sent,
            complete = !self.broken && (self.ended || self.body.is_end_stream()),
            duration_us,
            request_id = %self.id,
            "A request was answered."
        );
    }
}
