//! Traces: a request and its calls as spans, in the terms of W3C Trace Context.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, StatusCode};

use super::AccessLine;
use crate::{
    edge::{self, TRACEPARENT},
    metrics::Series,
    request_id::RequestId,
    respond::Code,
};

/// Where spans go.
pub trait TraceSink: Send + Sync {
    /// Whether a trace is recorded that begins here. One that a caller began is recorded where the caller says so.
    fn samples(&self, trace: u128) -> bool;

    /// Takes a span that has ended. Workers call it: it must not wait.
    fn take(&self, span: Span);

    /// How many spans it could not take or send so far.
    fn lost(&self) -> u64;
}

/// A hop of a request that has ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Span {
    /// The trace.
    pub trace: u128,
    /// The span's own id.
    pub id: u64,
    /// The span that it is part of.
    pub parent: Option<u64>,
    /// Whether it is a request or a message that came, or a call that went out.
    pub side: SpanSide,
    /// What it is called: `GET /orders/{id}`, or the upstream's name.
    pub name: String,
    /// When it began.
    pub began: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// What is known of it, by the names of OpenTelemetry's conventions where there are any.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// The code of its failure.
    pub error: Option<Cow<'static, str>>,
}

/// The side of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanSide {
    /// A client's request.
    Server,
    /// A call of an upstream.
    Client,
    /// A message of a trigger.
    Consumer,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

/// A request that is recorded.
pub(crate) struct Traced {
    sink: Arc<dyn TraceSink>,
    trace: u128,
    id: u64,
    parent: Option<u64>,
}

impl Traced {
    /// A request with these headers, if it is to be recorded.
    pub(crate) fn begin(sink: &Arc<dyn TraceSink>, headers: &HeaderMap) -> Option<Arc<Self>> {
        let (trace, parent) = match edge::trace_of(headers) {
            Some(given) if given.sampled => (given.trace, Some(given.parent)),
            Some(_) => return None,
            None => {
                let trace = fastrand::u128(1..);
                (sink.samples(trace).then_some(trace)?, None)
            }
        };
        Some(Arc::new(Self { sink: Arc::clone(sink), trace, id: fastrand::u64(1..), parent }))
    }

    /// Names this request as the parent of what the headers go to.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        mark(headers, self.trace, self.id);
    }

    /// A call with these headers begins.
    pub(crate) fn call(self: &Arc<Self>, headers: &mut HeaderMap) -> TracedCall {
        let id = fastrand::u64(1..);
        mark(headers, self.trace, id);
        TracedCall { request: Arc::clone(self), id, began: SystemTime::now() }
    }

    /// The message that this is the span of was processed, or failed to be.
    pub(crate) fn processed(&self, of: &Processed<'_>) {
        let mut attributes = vec![
            ("messaging.system", text(of.source)),
            ("messaging.destination.name", text(of.subject)),
            ("messaging.operation.type", text("process")),
            ("callgate.trigger", text(of.trigger)),
            ("callgate.attempt", Attribute::Number(of.attempt.into())),
            ("callgate.request_id", text(of.request_id.as_str())),
        ];
        attributes.extend(of.message.map(|id| ("messaging.message.id", text(id))));
        let error = of.error.map(|code| Cow::from(code.as_str()));
        self.sink.take(Span {
            trace: self.trace,
            id: self.id,
            parent: self.parent,
            side: SpanSide::Consumer,
            name: format!("process {}", of.trigger),
            began: of.began,
            took: of.took,
            attributes: failed(attributes, error.as_deref()),
            error,
        });
    }

    /// The request has ended.
    pub(super) fn end(&self, line: &AccessLine) {
        let method = line.method.as_str();
        let name = line.route_path.as_ref().map_or_else(|| method.to_owned(), |path| format!("{method} {path}"));
        let mut attributes = vec![
            ("http.request.method", text(method)),
            ("url.path", text(&line.path)),
            ("http.response.status_code", Attribute::Number(line.status.as_u16().into())),
            ("http.response.body.size", Attribute::Number(i64::try_from(line.bytes).unwrap_or(i64::MAX))),
            ("callgate.request_id", text(line.request_id.as_str())),
        ];
        if let Some(client) = line.client {
            attributes.push(("client.address", Attribute::Text(client.to_string())));
        }
        if let Some(path) = &line.route_path {
            attributes.push(("http.route", text(path)));
        }
        if let Some(labels) = &line.labels {
            attributes.push(("callgate.route", text(&labels.route)));
            attributes.push(("callgate.upstream", text(&labels.upstream)));
        }
        let own = line.status.is_server_error().then(|| Cow::from(line.status.as_str().to_owned()));
        let error = if line.error.is_empty() { own } else { Some(Cow::from(line.error)) };
        self.sink.take(Span {
            trace: self.trace,
            id: self.id,
            parent: self.parent,
            side: SpanSide::Server,
            name,
            began: line.received,
            took: line.duration,
            attributes: failed(attributes, error.as_deref()),
            error,
        });
    }
}

/// A try to process a message of a trigger, which has ended.
pub(crate) struct Processed<'a> {
    pub(crate) trigger: &'a str,
    /// The kind of source.
    pub(crate) source: &'static str,
    pub(crate) subject: &'a str,
    pub(crate) message: Option<&'a str>,
    pub(crate) attempt: u32,
    pub(crate) request_id: RequestId,
    pub(crate) began: SystemTime,
    pub(crate) took: Duration,
    pub(crate) error: Option<Code>,
}

/// A call that is recorded.
pub(crate) struct TracedCall {
    request: Arc<Traced>,
    id: u64,
    began: SystemTime,
}

/// What came of a call.
pub(crate) enum Called {
    Replied(StatusCode),
    Failed(Code),
    GivenUp,
}

impl TracedCall {
    /// The reply's head has come, or there is none.
    pub(crate) fn end(self, series: &Series, took: Duration, called: &Called) {
        let labels = series.labels();
        let mut attributes = vec![("callgate.upstream", text(&labels.upstream)), ("callgate.kind", text(labels.kind))];
        let error = match called {
            Called::Replied(status) => {
                attributes.push(("http.response.status_code", Attribute::Number(status.as_u16().into())));
                status.is_server_error().then(|| Cow::from(status.as_str().to_owned()))
            }
            Called::Failed(code) => Some(code.as_str().into()),
            Called::GivenUp => Some("given_up".into()),
        };
        let name = if labels.upstream.is_empty() { labels.kind } else { &labels.upstream };
        self.request.sink.take(Span {
            trace: self.request.trace,
            id: self.id,
            parent: Some(self.request.id),
            side: SpanSide::Client,
            name: name.to_owned(),
            began: self.began,
            took,
            attributes: failed(attributes, error.as_deref()),
            error,
        });
    }
}

fn mark(headers: &mut HeaderMap, trace: u128, id: u64) {
    if let Ok(value) = HeaderValue::try_from(format!("00-{trace:032x}-{id:016x}-01")) {
        headers.insert(TRACEPARENT, value);
    }
}

fn text(text: &str) -> Attribute {
    Attribute::Text(text.to_owned())
}

fn failed(mut attributes: Vec<(&'static str, Attribute)>, error: Option<&str>) -> Vec<(&'static str, Attribute)> {
    attributes.extend(error.map(|error| ("error.type", text(error))));
    attributes
}

impl std::fmt::Debug for Traced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Traced({:032x})", self.trace)
    }
}
