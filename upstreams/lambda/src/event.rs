//! The event of an invocation, made from what the core hands over.

use bytes::Bytes;
use callgate_aws_event::{EventInput, Payload};
use callgate_core::{CallContext, Invocation};
use http::request::Parts;

use crate::{name::FunctionName, target::Target};

/// Writes the event for a request.
pub(crate) fn encode(
    payload: Payload,
    head: &Parts,
    body: &Bytes,
    context: &CallContext,
    account: Option<&str>,
) -> Bytes {
    let facts = context.exchange().facts();
    let parameters: Vec<_> = facts.params.iter().collect();
    callgate_aws_event::encode(
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
            client_ip: context.origin().client.map(|client| client.ip()),
            version: context.origin().version,
            request_id: context.request_id().as_str(),
            time: context.origin().received,
            claims: facts.claims.as_deref(),
            account,
        },
    )
}

/// The event as `callgate explain` shows it: indented, and with what is in memory of the body.
pub(crate) fn preview(target: &Target, invocation: &Invocation) -> Option<String> {
    let Invocation { request, context } = invocation;
    let body = Bytes::copy_from_slice(request.body().as_bytes()?);
    let mut head = http::Request::new(()).into_parts().0;
    head.method = request.method().clone();
    head.uri = request.uri().clone();
    head.headers = request.headers().clone();
    let event = encode(target.payload, &head, &body, context, target.name.fixed().and_then(FunctionName::account));
    let value: serde_json::Value = match serde_json::from_slice(&event) {
        Ok(value) => value,
        Err(_) => return Some(String::from_utf8_lossy(&event).into_owned()),
    };
    serde_json::to_string_pretty(&value).ok()
}
