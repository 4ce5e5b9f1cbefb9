//! One request as it is seen from outside.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{StatusCode, request::Parts};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tracing::{Level, enabled, info};

use super::{AccessLine, AccessSink, Observers, Streaming, Traced, cut, log_failure};
use crate::{
    body::{Body, BodyError},
    edge::Connection,
    failure::Failure,
    gateway::{Destination, Recorder, Route},
    invocation::{Origin, Response, RouteInfo, Who},
    metrics::{Meter, Metrics, Series},
    policy::{Asked, End},
    request_id::RequestId,
    respond::Code,
    snapshot::Snapshot,
};

/// The target of access lines; off unless the log's filter names it.
const ACCESS: &str = "callgate::access";

/// A request under way. Without an access log it holds no more than the id and references.
pub(crate) struct Observation<'s> {
    id: RequestId,
    metrics: &'s Metrics,
    snapshot: &'s Snapshot,
    route: Option<&'s Arc<RouteInfo>>,
    open: Open<'s>,
    error: Option<Code>,
    logged: Option<Box<Logged>>,
    /// Notes the calls, if an operator tries the request.
    pub(crate) recorder: Option<Arc<Recorder>>,
    /// What the route's policies do to the answer.
    pub(crate) asked: Option<Asked>,
}

/// What an access log says of a request whose client went away before there was an answer; nginx's word for it.
const CLIENT_GONE: u16 = 499;

impl Drop for Observation<'_> {
    /// Nobody waits for the answer any more: the line says so.
    fn drop(&mut self) {
        let Some(mut logged) = self.logged.take() else { return };
        let line = &mut logged.line;
        line.status = StatusCode::from_u16(CLIENT_GONE).unwrap_or(StatusCode::REQUEST_TIMEOUT);
        line.route_path = self.route.map(|route| Arc::clone(&route.path));
        line.labels = self.open.series.map(|series| series.labels().clone());
        line.duration = self.open.started.elapsed();
        logged.tell();
    }
}

/// A request that is counted as under way.
struct Open<'s> {
    started: Instant,
    series: Option<&'s Arc<Series>>,
}

impl Drop for Open<'_> {
    /// Nobody waits for the answer any more.
    fn drop(&mut self) {
        if let Some(series) = self.series {
            series.abandoned();
            series.ended(self.started.elapsed());
        }
    }
}

/// The line that is to be written, and where.
struct Logged {
    line: AccessLine,
    /// The process's log has it.
    traced: bool,
    sink: Option<Arc<dyn AccessSink>>,
    /// The request as a span.
    span: Option<Arc<Traced>>,
    who: Who,
}

/// Why a failure was answered that a response step has reshaped; it goes with the response.
#[derive(Debug, Clone)]
pub(crate) struct Reshaped {
    pub(crate) code: Code,
    /// For who decides whether it is tried again.
    pub(crate) end: End,
    pub(crate) reason: String,
}

impl<'s> Observation<'s> {
    pub(crate) fn start(
        parts: &Parts,
        origin: &Origin,
        id: RequestId,
        connection: &Connection,
        snapshot: &'s Snapshot,
    ) -> Self {
        let Observers { metrics, access, traces } = &snapshot.observers;
        let traced = enabled!(target: ACCESS, Level::INFO);
        let span = traces.as_ref().and_then(|sink| Traced::begin(sink, &parts.headers));
        let logged = (traced || access.is_some() || span.is_some()).then(|| {
            let line = AccessLine::begin(parts, origin, id, connection);
            Box::new(Logged { line, traced, sink: access.clone(), span, who: Who::default() })
        });
        let open = Open { started: origin.started, series: None };
        Self { id, metrics, snapshot, route: None, open, error: None, logged, recorder: None, asked: None }
    }

    pub(crate) fn matched(&mut self, route: &'s Route, destination: &'s Destination) {
        self.route = Some(&route.info);
        self.open.series = Some(&destination.series);
        destination.series.begins();
    }

    /// The request as a span, if it is recorded.
    pub(crate) fn span(&self) -> Option<Arc<Traced>> {
        self.logged.as_ref()?.span.clone()
    }

    /// What is to be told who came, if the request is logged.
    pub(crate) fn who(&self) -> Option<Who> {
        Some(Arc::clone(&self.logged.as_ref()?.who))
    }

    pub(crate) fn failed(&mut self, failure: &Failure) {
        let reason = self.snapshot.reason(failure);
        log_failure(failure, &reason, self.id, self.route.map(|route| &**route));
        let code = Code::from(failure);
        self.error = Some(code);
        if !matches!(failure, Failure::NoRoute | Failure::MethodNotAllowed { .. }) {
            self.keep(code, reason);
        }
    }

    /// What is to be told of the reply if it breaks off, where it streams.
    pub(crate) fn streaming(&self, response: &Response, snapshot: &Arc<Snapshot>) -> Option<Box<Streaming>> {
        response.body().as_bytes().is_none().then(|| {
            let series = self.open.series.unwrap_or_else(|| self.metrics.unmatched());
            Box::new(Streaming { snapshot: Arc::clone(snapshot), id: self.id, series: Arc::clone(series) })
        })
    }

    /// What is kept outlives the configuration, which alone knows what must not be shown of it.
    fn keep(&self, code: Code, reason: String) {
        self.metrics.failed(self.id, self.open.series.map(|series| series.labels().clone()), code, reason);
    }

    /// The head is on its way, and calls took so much of the time. The access line is written when the body has ended
    /// too.
    pub(crate) fn finish(mut self, mut response: Response, spent: Duration) -> Response {
        // A failure that a response step reshaped is a failure still.
        if let Some(Reshaped { code, reason, .. }) = response.extensions_mut().remove() {
            self.error = Some(code);
            self.keep(code, self.snapshot.masked(reason));
        }
        let logged = self.logged.take().map(|mut logged| {
            let line = &mut logged.line;
            line.status = response.status();
            line.error = self.error.map_or("", Code::as_str);
            line.route_path = self.route.map(|route| Arc::clone(&route.path));
            line.labels = self.open.series.map(|series| series.labels().clone());
            line.upstream = spent;
            (logged, self.open.started)
        });
        self.count(&mut response, spent);
        let Some((logged, started)) = logged else { return response };
        response.map(|body| Body::new(Watched { body, sent: 0, ended: false, broken: false, started, logged }))
    }

    fn count(&mut self, response: &mut Response, spent: Duration) {
        let started = self.open.started;
        let series = self.open.series.take().unwrap_or_else(|| {
            let series = self.metrics.unmatched();
            series.begins();
            series
        });
        let took = started.elapsed();
        series.answered(response.status(), self.error, took.saturating_sub(spent));
        match response.body_mut().meter() {
            Some(Some(meter)) => meter.goes_to_client(started),
            Some(none) => *none = Some(Meter::of_request(series, started)),
            None => series.ended(took),
        }
    }
}
/// A reply's body that tells when it ends, or is dropped before.
struct Watched {
    body: Body,
    sent: u64,
    ended: bool,
    broken: bool,
    started: Instant,
    logged: Box<Logged>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.ended = true,
            Some(Ok(frame)) => self.sent += frame.data_ref().map_or(0, Bytes::len) as u64,
            Some(Err(error)) => {
                self.broken = true;
                self.logged.line.error = cut::code(error).as_str();
            }
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
        let line = &mut self.logged.line;
        line.bytes = self.sent;
        line.complete = !self.broken && (self.ended || self.body.is_end_stream());
        line.duration = self.started.elapsed();
        self.logged.tell();
    }
}

impl Logged {
    /// The request is over, and all is known that will be.
    fn tell(&mut self) {
        self.line.principal = self.who.get().cloned();
        if self.traced {
            trace(&self.line);
        }
        if let Some(span) = &self.span {
            span.end(&self.line);
        }
        if let Some(sink) = self.sink.take() {
            sink.take(self.line.clone());
        }
    }
}

fn trace(line: &AccessLine) {
    #[allow(clippy::cast_possible_truncation, reason = "half a million years fit")]
    let duration_us = line.duration.as_micros() as u64;
    let client = line.client.map(|client| client.to_string()).unwrap_or_default();
    info!(
        target: ACCESS,
        listener = &*line.listener,
        client,
        method = line.method.as_str(),
        path = line.path,
        status = line.status.as_u16(),
        route = line.labels.as_ref().map_or("", |labels| &labels.route),
        principal = line.principal.as_deref().unwrap_or_default(),
        error = line.error,
        bytes = line.bytes,
        complete = line.complete,
        duration_us,
        request_id = %line.request_id,
        "A request was answered."
    );
}
