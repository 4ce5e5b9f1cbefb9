//! A request that an operator tries: it goes the way of all others, and every step of it is noted.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use serde::Serialize;
use tokio::time::timeout;

use super::{Gateway, normalize};
use crate::{
    body::Body,
    document::Masks,
    edge::{self, Connection},
    error::{UpstreamError, chain},
    invocation::{Invocation, Response},
    metrics::Series,
    routing::{Found, RequestLine},
    snapshot::Snapshot,
    upstream::{BoxFuture, Function},
};

/// How much of a body is shown.
const SHOWN: usize = 64 * 1024;

/// How long a reply's body may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of a request that was tried. Values that references of the document gave are masked.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Trial {
    /// The routes whose host and path match, in the order in which they are tried, each with what became of it.
    pub candidates: Vec<[String; 2]>,
    /// The name of the route that serves the request.
    pub route: Option<String>,
    /// What it captured of the path, by name.
    pub captures: Vec<[String; 2]>,
    /// The calls that were made.
    pub calls: Vec<TrialCall>,
    /// What the client gets.
    pub response: TrialMessage,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
}

/// A call of an upstream, or of what the gateway answers by itself.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct TrialCall {
    /// The upstream's name; empty where the gateway answers by itself.
    pub upstream: String,
    /// Its kind, or how the gateway answers.
    pub kind: &'static str,
    /// The request after all steps, as the kind got it.
    pub sent: TrialMessage,
    /// The reply before any step; nothing when there was none in time.
    pub reply: Option<TrialMessage>,
    /// Why there was no reply.
    pub failure: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: Option<f64>,
}

/// A message, to be shown.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct TrialMessage {
    /// `POST /path` or `200 OK`.
    pub line: String,
    /// Names and values.
    pub headers: Vec<[String; 2]>,
    /// The body, or its beginning; nothing where it is no text.
    pub text: Option<String>,
    /// How many bytes the body has; nothing where it was not read to its end.
    pub length: Option<usize>,
}

/// Notes the calls of one request.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<TrialCall>>);

impl Recorder {
    /// Calls the function and notes what goes and comes. Bodies are held for it, as they never are otherwise.
    pub(crate) fn call(
        self: Arc<Self>,
        function: Arc<dyn Function>,
        series: &Series,
        mut invocation: Invocation,
    ) -> BoxFuture<'static, Result<Response, UpstreamError>> {
        let (upstream, kind) = (series.labels().upstream.to_string(), series.labels().kind);
        Box::pin(async move {
            let limit = invocation.context.max_body;
            let body = std::mem::take(invocation.request.body_mut()).collect(limit).await;
            let body = body.map_err(UpstreamError::request_body)?;
            *invocation.request.body_mut() = Body::from(body.clone());
            let line = format!("{} {}", invocation.request.method(), invocation.request.uri());
            let sent = TrialMessage::new(line, invocation.request.headers(), Some(&body));
            let place = self.begin(TrialCall { upstream, kind, sent, reply: None, failure: None, took_ms: None });
            let began = Instant::now();
            let called = function.call(invocation).await;
            let whole = match called {
                Ok(response) => Ok(held(response, limit).await),
                Err(error) => Err(error),
            };
            self.end(place, |call| {
                call.took_ms = Some(millis(began));
                match &whole {
                    Ok((response, body)) => {
                        let line = response.status().to_string();
                        call.reply = Some(TrialMessage::new(line, response.headers(), body.as_ref()));
                    }
                    Err(error) => call.failure = Some(chain(error)),
                }
            });
            whole.map(|(response, _)| response)
        })
    }

    fn begin(&self, call: TrialCall) -> usize {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(call);
        calls.len() - 1
    }

    fn end(&self, place: usize, note: impl FnOnce(&mut TrialCall)) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = calls.get_mut(place) {
            note(call);
        }
    }

    fn calls(&self) -> Vec<TrialCall> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A reply with its body in memory, and the body if it is whole.
async fn held(response: Response, limit: u64) -> (Response, Option<Bytes>) {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    match timeout(PATIENCE, body.collect(limit)).await {
        Ok(Ok(body)) => (Response::from_parts(parts, Body::from(body.clone())), Some(body)),
        Ok(Err(_)) | Err(_) => (Response::from_parts(parts, Body::empty()), None),
    }
}

fn millis(began: Instant) -> f64 {
    (began.elapsed().as_secs_f64() * 1e6).round() / 1e3
}

impl TrialMessage {
    fn new(line: String, headers: &HeaderMap, body: Option<&Bytes>) -> Self {
        let headers = headers
            .iter()
            .map(|(name, value)| [name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()]);
        let shown = body.map(|body| &body[..body.len().min(SHOWN)]);
        // A character that is cut in two makes no text of it otherwise.
        let text = shown.and_then(|shown| match std::str::from_utf8(shown) {
            Ok(text) => Some(text.to_owned()),
            Err(error) if error.error_len().is_none() => {
                std::str::from_utf8(&shown[..error.valid_up_to()]).ok().map(ToOwned::to_owned)
            }
            Err(_) => None,
        });
        Self { line, headers: headers.collect(), text, length: body.map(Bytes::len) }
    }

    fn mask(&mut self, masks: &Masks) {
        let pairs = self.headers.iter_mut().map(|[_, value]| value);
        for text in [&mut self.line].into_iter().chain(pairs).chain(&mut self.text) {
            mask(text, masks);
        }
    }
}

fn mask(text: &mut String, masks: &Masks) {
    if let Some(masked) = masks.text(text) {
        *text = masked;
    }
}

impl Gateway {
    /// Sends a request through the gateway as a client of this address would, and tells each step of it. It is a request
    /// like any other: functions run, and it is counted.
    pub async fn try_out(&self, mut request: Request<Bytes>, client: Option<IpAddr>) -> Trial {
        let began = Instant::now();
        let peer = client.map(|client| SocketAddr::new(client, 0));
        let connection = Arc::new(Connection::new("admin".into(), peer, false, Arc::from([])));
        if request.uri().authority().is_none() {
            request.headers_mut().entry(header::HOST).or_insert(HeaderValue::from_static("localhost"));
        }
        let snapshot = self.snapshot();
        let (candidates, route, captures) = snapshot.look_at(&request, &connection);
        let recorder = Arc::new(Recorder::default());
        let response = self.run(request.map(Body::from), &connection, Some(Arc::clone(&recorder))).await;
        let (response, body) = held(response, u64::MAX).await;
        let line = response.status().to_string();
        let mut response = TrialMessage::new(line, response.headers(), body.as_ref());
        let mut calls = recorder.calls();
        response.mask(&snapshot.masks);
        for call in &mut calls {
            call.sent.mask(&snapshot.masks);
            call.reply.iter_mut().for_each(|reply| reply.mask(&snapshot.masks));
            call.failure.iter_mut().for_each(|failure| mask(failure, &snapshot.masks));
        }
        Trial { candidates, route, captures, calls, response, took_ms: millis(began) }
    }
}

/// Candidates with their verdicts, the route's name, and its captures.
type Looked = (Vec<[String; 2]>, Option<String>, Vec<[String; 2]>);

impl Snapshot {
    /// Searches the route of a request and keeps the reasons.
    fn look_at(&self, request: &Request<Bytes>, connection: &Connection) -> Looked {
        let mut found = Looked::default();
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = request.method().clone();
        parts.uri = request.uri().clone();
        parts.headers = request.headers().clone();
        let origin = edge::origin(&parts, connection);
        if normalize(&mut parts).is_err() {
            return found;
        }
        let explained = self.table.explain(&RequestLine {
            host: origin.host.as_ref().and_then(|host| host.to_str().ok()),
            method: &parts.method,
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: &parts.headers,
        });
        let name = |index: usize| self.routes.get(index).map(|route| route.info.name.to_string()).unwrap_or_default();
        let candidates = explained.candidates.iter();
        found.0 = candidates.map(|candidate| [name(candidate.rule.value), candidate.verdict.to_string()]).collect();
        if let Ok(Found::Route { value, captures }) = &explained.outcome {
            found.1 = Some(name(**value));
            found.2 = captures.iter().map(|(name, value)| [name.to_owned(), value.to_owned()]).collect();
        }
        found
    }
}
