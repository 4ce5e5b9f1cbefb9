//! Replies: what a function answered, as an HTTP response.

mod error;
mod failure;
mod head;
mod opening;
mod prelude;
mod value;

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use callgate_core::Body;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;

use crate::shape::{Payload, Reply, Shape};
pub use error::ReplyError;
pub use failure::StreamFailure;
pub use head::Head;
pub use opening::Opening;
pub use prelude::{HTTP_INTEGRATION, Prelude};
use value::{Cookies, Flag, Pairs, Scalar, Status, Text};

/// Reads the reply of a function.
///
/// # Errors
/// A reply outside the contract of its shape; [`ReplyError`] says what is wrong with it.
pub fn decode(shape: Shape, reply: &Bytes) -> Result<Response<Body>, ReplyError> {
    match (shape.reply, shape.payload) {
        (Reply::Raw, _) => Ok(json(reply.clone())),
        (Reply::Http, Payload::ApiGatewayV2) => decode_v2(reply),
        (Reply::Http, Payload::ApiGatewayV1 | Payload::Alb | Payload::Raw) => {
            read(reply)?.response(reply, || Err(ReplyError::NoStatus))
        }
    }
}

/// The fields of a reply; unknown ones (`statusDescription`) are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpReply<'a> {
    #[serde(default)]
    status_code: Status,
    #[serde(borrow, default)]
    headers: Pairs<'a, Scalar<'a>>,
    #[serde(borrow, default)]
    multi_value_headers: Pairs<'a, Vec<Scalar<'a>>>,
    #[serde(borrow, default)]
    cookies: Cookies<'a>,
    #[serde(borrow, default)]
    body: Option<Text<'a>>,
    #[serde(default)]
    is_base64_encoded: Flag,
}

/// Alone what decides whether a reply is an HTTP response.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peek {
    #[serde(default)]
    status_code: Status,
}

fn read(reply: &Bytes) -> Result<HttpReply<'_>, ReplyError> {
    if reply.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(ReplyError::NoObject);
    }
    serde_json::from_slice(reply).map_err(ReplyError::Json)
}

/// Format 2.0: JSON without a status is itself the body, a bare string its text.
fn decode_v2(reply: &Bytes) -> Result<Response<Body>, ReplyError> {
    match reply.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => {}
        Some(b'"') => {
            let text: Text<'_> = serde_json::from_slice(reply).map_err(ReplyError::Json)?;
            return Ok(json(slice(reply, text.0)));
        }
        _ => {
            serde_json::from_slice::<serde::de::IgnoredAny>(reply).map_err(ReplyError::Json)?;
            return Ok(json(reply.clone()));
        }
    }
    match read(reply) {
        Ok(fields) => fields.response(reply, || Ok(json(reply.clone()))),
        // A field of the wrong type is a mistake only in a reply that has a status.
        Err(error) => match serde_json::from_slice(reply) {
            Ok(Peek { status_code: Status::Absent }) => Ok(json(reply.clone())),
            _ => Err(error),
        },
    }
}

impl HttpReply<'_> {
    fn response(
        self,
        reply: &Bytes,
        without_status: impl FnOnce() -> Result<Response<Body>, ReplyError>,
    ) -> Result<Response<Body>, ReplyError> {
        let status = match self.status_code {
            Status::Code(status) => status,
            Status::Absent => return without_status(),
            Status::Wrong(found) => return Err(ReplyError::Status(found)),
        };
        let headers = head::merge(&self.headers, &self.multi_value_headers, &self.cookies)?;
        let body = match self.body {
            Some(Text(text)) if self.is_base64_encoded.0 => {
                Bytes::from(STANDARD.decode(text.as_bytes()).map_err(ReplyError::Base64)?)
            }
            Some(Text(text)) => slice(reply, text),
            None => Bytes::new(),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

fn json(body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Text that was borrowed from the reply stays in its buffer.
fn slice(reply: &Bytes, text: Cow<'_, str>) -> Bytes {
    match text {
        Cow::Borrowed(text) => reply.slice_ref(text.as_bytes()),
        Cow::Owned(text) => text.into(),
    }
}

#[cfg(test)]
mod tests;
