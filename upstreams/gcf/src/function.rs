//! A function, bound: everything about it that doesn't change from call to call is ready.

use callgate_core::{Body, CallContext, Invalid, Invocation, UpstreamError};
use callgate_http::Endpoint;
use callgate_transform::{CloudEvents, Payload as Content};
use http::{HeaderMap, HeaderValue, Method, Request, request};

use crate::{
    address::Address,
    config::TokenHeader,
    error,
    shape::{self, Carried},
    target::{PathMode, Target},
    token::IdToken,
};

/// A function of an upstream, with its address, its events and its token.
#[derive(Debug)]
pub struct Function {
    /// The name as it was configured, for the log.
    label: String,
    endpoint: Endpoint,
    path: String,
    mode: PathMode,
    events: Option<CloudEvents>,
    token: Option<IdToken>,
    header: TokenHeader,
}

impl Function {
    pub(crate) fn new(
        target: &Target,
        address: &Address,
        endpoint: Endpoint,
        token: Option<IdToken>,
        header: TokenHeader,
    ) -> Result<Self, Invalid> {
        Ok(Self {
            events: target.events()?,
            label: target.label().map_or_else(|| address.url(), str::to_owned),
            endpoint,
            path: address.path().to_owned(),
            mode: target.path,
            token,
            header,
        })
    }

    /// The function's name for the log.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn token(&self) -> Option<&IdToken> {
        self.token.as_ref()
    }

    /// Whose credentials a request to this function carries.
    pub(crate) fn credentials(&self, headers: &HeaderMap) -> Carried {
        Carried::of(headers, self.token.is_some(), self.header)
    }

    /// What is sent for a request.
    pub(crate) async fn request(
        &self,
        request: Request<Body>,
        context: &CallContext,
        token: Option<HeaderValue>,
    ) -> Result<Request<Body>, UpstreamError> {
        let (mut parts, mut body) = request.into_parts();
        if let Some(events) = &self.events {
            body = event(events, &mut parts, body, context).await?;
        }
        parts.uri =
            shape::target(&self.path, self.mode, context.tail(), parts.uri.query()).map_err(error::no_target)?;
        shape::authorize(&mut parts.headers, token, self.header);
        Ok(Request::from_parts(parts, body))
    }
}

/// Turns a request into its event; the body streams unless it has to be read.
async fn event(
    events: &CloudEvents,
    parts: &mut request::Parts,
    body: Body,
    context: &CallContext,
) -> Result<Body, UpstreamError> {
    let reads = events.reads_body(&parts.headers);
    let (content, body) = if reads {
        let bytes = body.collect(context.max_body()).await.map_err(UpstreamError::request_body)?;
        let content = callgate_transform::Content::new(bytes.clone(), context.max_body());
        (Content::Buffered(content), Body::from(bytes))
    } else {
        (Content::Streaming, body)
    };
    let received = context.origin().received;
    let other = events.apply(parts, &content, context.exchange(), received).map_err(error::no_event)?;
    // Events are delivered by POST, whatever made them (HTTP binding of webhooks, 2.1).
    parts.method = Method::POST;
    Ok(other.map_or(body, Body::from))
}

/// The event that a function would be sent; `None` for HTTP functions, which get the request as it is.
pub(crate) fn preview(target: &Target, invocation: Invocation) -> Result<Option<String>, UpstreamError> {
    let Ok(Some(events)) = target.events() else { return Ok(None) };
    let (mut parts, body) = invocation.request.into_parts();
    let content = match body.as_bytes() {
        Some(bytes) => Content::from(bytes::Bytes::copy_from_slice(bytes)),
        None => Content::Streaming,
    };
    let (exchange, received) = (invocation.context.exchange(), invocation.context.origin().received);
    let body = events.apply(&mut parts, &content, exchange, received).map_err(error::no_event)?;
    let attributes = parts.headers.iter().filter(|(name, _)| name.as_str().starts_with("ce-"));
    let mut text: String =
        attributes.map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))).collect();
    text.push_str(&String::from_utf8_lossy(&body.unwrap_or_default()));
    Ok(Some(text))
}
