//! Events made from what the core hands to a kind.

use bytes::Bytes;
use callgate_core::{CallContext, Invocation};
use http::request::Parts;

use crate::{
    event::{EventInput, encode},
    shape::Payload,
};

/// Writes the event for a call whose body is read. `account` is that of the function, where it is known.
pub fn encode_call(
    payload: Payload,
    head: &Parts,
    body: &Bytes,
    context: &CallContext,
    account: Option<&str>,
) -> Bytes {
    let facts = context.exchange().facts();
    let parameters: Vec<_> = facts.params.iter().collect();
    let origin = context.origin();
    encode(
        payload,
        &EventInput {
            method: &head.method,
            path: head.uri.path(),
            query: head.uri.query(),
            headers: &head.headers,
            body,
            route_path: &context.route().path,
            path_parameters: &parameters,
            host: context.host(),
            client_ip: origin.client.map(|client| client.ip()),
            version: origin.version,
            request_id: context.request_id().as_str(),
            time: origin.received,
            claims: facts.claims.as_deref(),
            account,
        },
    )
}

/// The event as `callgate explain` shows it: indented; a body that is not in memory yet is left out.
pub fn preview(payload: Payload, invocation: &Invocation, account: Option<&str>) -> String {
    let Invocation { request, context } = invocation;
    let body = request.body().as_bytes().map(Bytes::copy_from_slice).unwrap_or_default();
    let mut head = http::Request::new(()).into_parts().0;
    head.method = request.method().clone();
    head.uri = request.uri().clone();
    head.headers = request.headers().clone();
    let event = encode_call(payload, &head, &body, context, account);
    serde_json::from_slice::<serde_json::Value>(&event)
        .and_then(|event| serde_json::to_string_pretty(&event))
        .unwrap_or_else(|_| String::from_utf8_lossy(&event).into_owned())
}
