//! Clients that speak gRPC themselves: frames go through as they are, in both directions, and the trailers with them.

use callgate_core::{Body, CallContext, Response, UpstreamError};
use http::{Request, header, uri::PathAndQuery};

use super::{left, web};
use crate::{service::Service, shape};

/// Passes a call on. `path` is the method's, or else the request's own is taken; `web` says that the client speaks
/// gRPC-Web, and whether in base64.
pub(crate) async fn pass(
    service: &Service,
    path: Option<&PathAndQuery>,
    web: Option<bool>,
    request: Request<Body>,
    context: &CallContext,
) -> Result<Response, UpstreamError> {
    let (mut parts, mut body) = request.into_parts();
    let own = || PathAndQuery::try_from(parts.uri.path()).unwrap_or(PathAndQuery::from_static("/"));
    let path = path.map_or_else(own, Clone::clone);
    let headers = &mut parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    if let Some(is_text) = web {
        web::request(headers);
        if is_text {
            body = web::decoded(body);
        }
    }
    shape::bound(headers, context.stream_deadline().map(left));
    let reply = service.call(path, parts.headers, body).await?;
    Ok(match web {
        Some(is_text) => web::reply(reply, is_text),
        None => reply,
    })
}
