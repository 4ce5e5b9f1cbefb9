//! What a destination gets of an invocation, offline: its steps run, nothing is called.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request};
use serde_json::{Map, Value, json};

use super::{Action, DestinationPlan, Plan, RoutePlan};
use crate::{
    body::Body,
    builtin::{self, OpenapiSettings, Published, Respond, compose},
    failure::Failure,
    invocation::{Invocation, Response},
    respond::{self, Code},
    routing::HostPattern,
    upstream::Function,
};

/// What an upstream would be sent.
#[derive(Debug)]
pub(super) struct Sent {
    /// The upstream, its kind, and its share of the requests.
    upstream: String,
    target: Value,
    pub(super) request: Request<Bytes>,
    /// The kind's own shaping.
    preview: Option<String>,
}

/// What comes of an invocation.
#[derive(Debug)]
pub(super) enum Dispatched {
    /// It goes to an upstream.
    Sent(Box<Sent>),
    /// The gateway answers by itself.
    Answered(Result<Response, Failure>),
}

impl Plan {
    /// Runs the request's steps of a destination. The invocation's context is kept for the steps of the response.
    pub(super) fn dispatch(
        &self,
        route: &RoutePlan,
        destination: &DestinationPlan,
        invocation: &mut Invocation,
    ) -> Result<Dispatched, Failure> {
        destination.pipelines.shape_request_at_once(invocation)?;
        let request = std::mem::take(&mut invocation.request);
        let (parts, body) = request.into_parts();
        let body = collected(body, destination.policies.max_body).map_err(Failure::request_body)?;
        let whole = || Request::from_parts(parts.clone(), Body::from(body.clone()));
        let shaped = Invocation { request: whole(), context: invocation.context.clone() };
        let call = match &destination.action {
            Action::Call(call) => call,
            Action::Respond => return Ok(Dispatched::Answered(called(Respond, shaped))),
            Action::Openapi(openapi) => return Ok(Dispatched::Answered(Ok(self.published(openapi)))),
            Action::Redirect(redirect) => return Ok(Dispatched::Answered(called(redirect.clone(), shaped))),
        };
        let upstream = self.upstreams.get(&call.upstream).ok_or(Failure::NoRoute)?;
        let sum: u32 = route.destinations.iter().map(|destination| destination.weight).sum();
        let share = if route.destinations.len() > 1 {
            format!(" ({} of {sum} requests)", destination.weight)
        } else {
            String::new()
        };
        let preview = match upstream.kind.preview(&upstream.config, &call.target, shaped) {
            Ok(preview) => preview,
            Err(error) => return Ok(Dispatched::Answered(Err(error.into()))),
        };
        Ok(Dispatched::Sent(Box::new(Sent {
            upstream: format!("{} of kind {}{share}", call.upstream, upstream.kind.name()),
            target: call.target.effective().clone(),
            preview,
            request: Request::from_parts(parts, body),
        })))
    }

    /// The document of the routes, as far as it can be told without asking their functions.
    fn published(&self, (settings, host): &(OpenapiSettings, Option<HostPattern>)) -> Response {
        let routes: Vec<_> = self.routes.iter().filter(|route| route.host.is_none() || route.host == *host).collect();
        let routes: Vec<_> = routes.into_iter().filter_map(Published::of).collect();
        let document = compose(settings, routes.iter().map(|route| (route, None)));
        builtin::response(format!("{document:#}").into())
    }

    /// How the gateway answers a failure, in a sentence; a template's names its place.
    pub(super) fn answered(failure: &Failure) -> String {
        let code = Code::from(failure);
        let mut text =
            format!("the gateway answers {} with the error {}: ", respond::status(failure).as_u16(), code.as_str());
        match failure {
            Failure::Template { error, place } => {
                text.push_str(&error.message);
                if error.at.is_known() {
                    text.push_str(&format!(" ({place})"));
                }
            }
            failure => text.push_str(&crate::error::chain(failure)),
        }
        text
    }
}

/// Calls what the gateway has in itself, which is ready at once.
fn called(function: impl Function, invocation: Invocation) -> Result<Response, Failure> {
    Arc::new(function)
        .call(invocation)
        .now_or_never()
        .map_or(Err(Failure::TimedOut), |reply| reply.map_err(Failure::from))
}

/// A body that is in memory.
pub(super) fn collected(body: Body, limit: u64) -> Result<Bytes, crate::body::BodyError> {
    body.collect(limit).now_or_never().unwrap_or(Err(crate::body::BodyError::TimedOut))
}

/// A message for programs: `headers` as pairs, `body` as text, null where it is none, and its `length` in bytes.
pub(super) fn message_to_json(headers: &HeaderMap, body: &Bytes) -> Map<String, Value> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let pairs: Vec<_> = headers.iter().map(|(name, value)| [name.to_string(), text(value)]).collect();
    let parts =
        [("headers", json!(pairs)), ("body", std::str::from_utf8(body).ok().into()), ("length", body.len().into())];
    parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Sent {
    /// For programs: the upstream as it is shown, its target, the request, and as what the kind sends it.
    pub(super) fn to_json(&self) -> Value {
        let mut request = message_to_json(self.request.headers(), self.request.body());
        request.insert("method".to_owned(), self.request.method().as_str().into());
        request.insert("uri".to_owned(), self.request.uri().to_string().into());
        json!({"upstream": self.upstream, "target": self.target, "request": request, "sent_as": self.preview})
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "upstream {}", self.upstream)?;
        writeln!(f, "  target {}", self.target)?;
        writeln!(f, "  {} {}", self.request.method(), self.request.uri())?;
        message(f, self.request.headers(), self.request.body())?;
        match &self.preview {
            Some(preview) => {
                writeln!(f, "  sent as")?;
                preview.lines().try_for_each(|line| writeln!(f, "  {line}"))
            }
            None => Ok(()),
        }
    }
}

/// Headers and body, indented.
pub(super) fn message(f: &mut fmt::Formatter<'_>, headers: &HeaderMap, body: &Bytes) -> fmt::Result {
    for (name, value) in headers {
        writeln!(f, "  {name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
    }
    if body.is_empty() {
        return Ok(());
    }
    writeln!(f)?;
    match std::str::from_utf8(body) {
        Ok(text) => text.lines().try_for_each(|line| writeln!(f, "  {line}")),
        Err(_) => writeln!(f, "  ({} bytes that are not text)", body.len()),
    }
}
