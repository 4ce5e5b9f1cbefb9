//! A message as a request.

use std::{sync::Arc, time::SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header, request::Parts, uri::Scheme};

use super::{
    Message,
    outcome::{self, Outcome},
};
use crate::{
    body::Body,
    edge,
    failure::Failure,
    gateway::{REQUEST_ID, Route},
    invocation::{Invocation, Origin},
    observe::Traced,
    request_id::RequestId,
    routing::Captures,
};

pub(super) const TRIGGER: HeaderName = HeaderName::from_static("callgate-trigger");
const SUBJECT: HeaderName = HeaderName::from_static("callgate-subject");
const ATTEMPT: HeaderName = HeaderName::from_static("callgate-attempt");

/// One try to process a message.
pub(super) struct Try<'m> {
    pub(super) message: &'m Message,
    pub(super) id: RequestId,
    pub(super) origin: Origin,
    /// Whether all headers of the message are meant for the function.
    pub(super) carries_all_headers: bool,
    /// Whether the message is not to be refused for its size, whatever `limits` say.
    pub(super) any_size: bool,
    /// The try as a span, if it is recorded.
    pub(super) span: Option<Arc<Traced>>,
}

impl<'m> Try<'m> {
    /// The id is the request's whose message it is, where that is told, or the message's own.
    pub(super) fn new(message: &'m Message) -> Self {
        let own = || message.id.as_deref().and_then(|id| HeaderValue::from_str(id).ok());
        let id = message.headers.get(REQUEST_ID).cloned().or_else(own);
        let id = id.as_ref().and_then(RequestId::from_header).unwrap_or_else(RequestId::random);
        let origin = Origin {
            client: None,
            scheme: Scheme::HTTP,
            host: None,
            method: Method::POST,
            version: Version::HTTP_11,
            received: SystemTime::now(),
            started: tokio::time::Instant::now().into_std(),
            certificate: None,
        };
        Self { message, id, origin, carries_all_headers: false, any_size: false, span: None }
    }

    /// The request's head: the message's headers, and what the gateway knows of the message.
    pub(super) fn head(&self, method: Method, target: Uri, trigger: &str) -> Parts {
        let (mut head, ()) = Request::new(()).into_parts();
        (head.method, head.uri) = (method, target);
        let mut headers = self.message.headers.clone();
        let seen = edge::Seen::of(&headers);
        edge::strip_request(&mut headers, false);
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        edge::continue_trace(&mut headers, seen);
        if let Some(span) = &self.span {
            span.mark(&mut headers);
        }
        headers.insert(REQUEST_ID, self.id.to_header());
        set(&mut headers, TRIGGER, trigger);
        set(&mut headers, SUBJECT, &self.message.subject);
        headers.insert(ATTEMPT, self.message.attempt.into());
        head.headers = headers;
        head
    }

    /// The request's body.
    pub(super) fn body(&self) -> Body {
        self.message.payload.clone().into()
    }

    /// Sends a request to one of the destinations, and judges what comes of it.
    pub(super) async fn send(self, route: &Route, head: Parts, body: Body, captures: Captures) -> Outcome {
        let Self { message, id, origin, carries_all_headers, any_size, span } = self;
        let Some(destination) = route.destination() else {
            return failed(&Failure::NoRoute, id);
        };
        let mut context = destination.context(&route.info, origin, id.into(), &head.uri, captures);
        context.carries_all_headers = carries_all_headers;
        context.trusted = true;
        context.span = span;
        if any_size {
            // Steps may make it larger.
            context.max_body = context.max_body.max((message.payload.len() as u64).saturating_mul(2));
        }
        let context = Arc::new(context);
        let reply = destination.call(Invocation { request: Request::from_parts(head, body), context }).await;
        outcome::judge(reply, id, &destination.policies, message.wants_reply).await
    }
}

/// A message that gets no further.
pub(super) fn failed(failure: &Failure, id: RequestId) -> Outcome {
    Outcome::Failed(Box::new(outcome::Failed::gateways(failure, id)))
}

/// Sets a header to what of a text fits into one.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    /// What readers of headers can be expected to bear.
    const LONGEST: usize = 512;
    let visible = |char: char| if char.is_ascii_graphic() || char == ' ' { char } else { '?' };
    let text: String = text.chars().take(LONGEST).map(visible).collect();
    if let Ok(value) = HeaderValue::from_str(text.trim()) {
        headers.insert(name, value);
    }
}
