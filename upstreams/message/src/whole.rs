//! A request that was read whole.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use callgate_core::{Body, CallContext, ErrorKind, Invocation, UpstreamError};
use callgate_transform::{Content, Payload, Scope, Template};
use http::{Request, request::Parts};

/// A request that was read whole: what messages and a kind's own templates are made of.
#[derive(Debug)]
pub struct Whole {
    head: Parts,
    body: Bytes,
    context: Arc<CallContext>,
    /// Made when it is first asked for: most messages need none of it.
    seen: OnceLock<Box<Seen>>,
}

/// The request as templates and events see it.
#[derive(Debug)]
struct Seen {
    payload: Payload,
    scope: OnceLock<Scope>,
}

impl Whole {
    /// Reads the request's body, up to `limits.max_body`.
    ///
    /// # Errors
    /// The body is too large or was cut off.
    pub async fn read(invocation: Invocation) -> Result<Self, UpstreamError> {
        let (mut whole, body) = Self::head_of(invocation);
        whole.read_body(body).await?;
        Ok(whole)
    }

    /// The request without its body, which is to be [read](Self::read_body). For those who hold it where it is read: a request
    /// is large, and each move of it costs.
    #[must_use]
    pub fn head_of(invocation: Invocation) -> (Self, Body) {
        let Invocation { request, context } = invocation;
        let (head, body) = request.into_parts();
        (Self::new(head, Bytes::new(), context), body)
    }

    /// Reads the request's body, up to `limits.max_body`.
    ///
    /// # Errors
    /// The body is too large or was cut off.
    pub async fn read_body(&mut self, body: Body) -> Result<(), UpstreamError> {
        self.body = body.collect(self.context.max_body()).await.map_err(UpstreamError::request_body)?;
        Ok(())
    }

    /// The request of an invocation as it stands, for a preview; a body that was not read is empty.
    #[must_use]
    pub fn of(invocation: &Invocation) -> Self {
        let mut head = Request::new(()).into_parts().0;
        head.method = invocation.request.method().clone();
        head.uri = invocation.request.uri().clone();
        head.headers = invocation.request.headers().clone();
        let body = invocation.request.body().as_bytes().map(Bytes::copy_from_slice).unwrap_or_default();
        Self::new(head, body, Arc::clone(&invocation.context))
    }

    const fn new(head: Parts, body: Bytes, context: Arc<CallContext>) -> Self {
        Self { head, body, context, seen: OnceLock::new() }
    }

    /// The request without its body.
    #[must_use]
    pub const fn head(&self) -> &Parts {
        &self.head
    }

    /// The body as it came.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// What the gateway knows beside the request.
    #[must_use]
    pub fn context(&self) -> &CallContext {
        &self.context
    }

    /// What templates see; made when it is first asked for.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        let Seen { payload, scope } = self.seen();
        scope.get_or_init(|| Scope::of_request(&self.head, payload, self.context.exchange()))
    }

    /// The key by which a client marks a request that it may repeat (`idempotency-key`).
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&str> {
        let key = self.head.headers.get("idempotency-key")?.to_str().ok()?;
        (!key.is_empty()).then_some(key)
    }

    /// Renders a template of which the text is one line; `what` names it for the log: `the message's id`.
    ///
    /// # Errors
    /// A value that the template needs is missing, or brings a control character along: the client's error.
    pub fn line(&self, template: &Template, what: &str) -> Result<String, UpstreamError> {
        let text = template
            .render(self.scope())
            .map_err(|error| UpstreamError::unrendered(format!("{what} could not be rendered"), error))?;
        if text.chars().any(|char| char.is_control() && char != '\t') {
            let told = format!("{what} was rendered with a line break or another control character");
            let detail = "A value of the request has a character that does not fit into the message's headers.";
            return Err(UpstreamError::new(ErrorKind::BadInput, told).with_detail(detail));
        }
        Ok(text)
    }

    /// What the gateway knows beside the request; the request itself is given up.
    #[must_use]
    pub fn into_context(self) -> Arc<CallContext> {
        self.context
    }

    pub(crate) fn payload(&self) -> &Payload {
        &self.seen().payload
    }

    fn seen(&self) -> &Seen {
        self.seen.get_or_init(|| {
            let payload = Payload::Buffered(Content::new(self.body.clone(), self.context.max_body()));
            Box::new(Seen { payload, scope: OnceLock::new() })
        })
    }
}
