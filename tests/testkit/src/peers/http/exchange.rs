use std::io;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body, Incoming};
use serde_json::{Value, json};

pub(super) type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;
pub(super) type Reply = Response<ReplyBody>;

/// Describes the whole request as JSON, as the client is meant to compare it.
pub(super) async fn describe(request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return reply(StatusCode::BAD_REQUEST, "the request's body broke");
    };
    let trailers = body.trailers().map_or_else(|| json!([]), pairs);
    let bytes = body.to_bytes();
    let description = json!({
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query(),
        "authority": head.uri.authority().map(http::uri::Authority::as_str),
        "version": format!("{:?}", head.version),
        "headers": pairs(&head.headers),
        "trailers": trailers,
        "body": {"base64": STANDARD.encode(&bytes), "length": bytes.len()},
    });
    let mut response = reply(StatusCode::OK, description.to_string());
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

/// A response with a body that is known at once.
pub(super) fn reply(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    stream(status, Full::new(body.into()).map_err(|never| match never {}))
}

/// A response with a body of its own.
pub(super) fn stream(status: StatusCode, body: impl Body<Data = Bytes, Error = io::Error> + Send + 'static) -> Reply {
    let mut response = Response::new(UnsyncBoxBody::new(body));
    *response.status_mut() = status;
    response
}

/// Header fields in their order, one pair for each value; values that are not UTF-8 get replacement characters.
fn pairs(headers: &HeaderMap) -> Value {
    headers.iter().map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())])).collect()
}
