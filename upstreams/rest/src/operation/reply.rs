//! Replies that are held against the document.

use callgate_core::{Body, Response, UpstreamError};
use callgate_openapi::ReplyValidation;
use http::{StatusCode, header};

use super::Bound;
use crate::error;

/// Holds replies against the document.
#[derive(Debug)]
pub(crate) struct Checked(ReplyValidation);

impl Checked {
    pub(crate) fn new(validation: ReplyValidation) -> Self {
        Self(validation)
    }
}

impl Bound {
    /// Passes a reply on, if it is as the document says.
    pub(crate) async fn reply(&self, reply: Response, limit: u64) -> Result<Response, UpstreamError> {
        let Some(Checked(checks)) = &self.replies else { return Ok(reply) };
        if reply.status() == StatusCode::SWITCHING_PROTOCOLS || reply.headers().contains_key(header::CONTENT_ENCODING) {
            return Ok(reply);
        }
        let (head, body) = reply.into_parts();
        let bytes = body.collect(limit).await.map_err(|error| error::reply_body(&error))?;
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let violations = checks.violations(head.status, content_type, &bytes);
        if violations.is_empty() {
            Ok(Response::from_parts(head, Body::from(bytes)))
        } else {
            Err(error::invalid_reply(self.name(), &violations))
        }
    }
}
