//! Events: a request as a function of AWS Lambda gets it.

mod alb;
mod authorizer;
mod body;
mod headers;
mod json;
mod query;
mod time;
mod v1;
mod v2;

use std::{net::IpAddr, time::SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Version, header};
use serde_json::Value;

use crate::shape::Payload;
use json::Json;

/// The largest event in bytes that Lambda takes in a synchronous call (6 MB).
pub const SYNC_LIMIT: usize = 6 * 1024 * 1024;

/// The largest event in bytes that Lambda takes in an asynchronous call (1 MB).
pub const ASYNC_LIMIT: usize = 1024 * 1024;

/// The stage of an API that has no stages.
const STAGE: &str = "$default";
/// What stands for the id of the API.
const API: &str = "callgate";
/// The account of a gateway that has none, as function URLs name it.
const NO_ACCOUNT: &str = "anonymous";

/// What an event is made from.
#[derive(Debug, Clone, Copy)]
pub struct EventInput<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, normalised and still percent-encoded.
    pub path: &'a str,
    /// The query without its question mark, as it was sent.
    pub query: Option<&'a str>,
    /// The headers; `host` may be among them, else [`EventInput::host`] is taken.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a Bytes,
    /// The path of the route's match: `/orders/{id}`.
    pub route_path: &'a str,
    /// The captures of the path, decoded.
    pub path_parameters: &'a [(&'a str, &'a str)],
    /// The host that the client asked for, with its port if it named one.
    pub host: Option<&'a str>,
    /// The client's address.
    pub client_ip: Option<IpAddr>,
    /// The protocol that the client spoke.
    pub version: Version,
    /// The request's id.
    pub request_id: &'a str,
    /// When the request was received.
    pub time: SystemTime,
    /// The verified claims of the client's token.
    pub claims: Option<&'a Value>,
    /// The account of the function.
    pub account: Option<&'a str>,
}

/// Writes the event for a request.
pub fn encode(payload: Payload, input: &EventInput<'_>) -> Bytes {
    let write = match payload {
        Payload::ApiGatewayV2 => v2::write,
        Payload::ApiGatewayV1 => v1::write,
        Payload::Alb => alb::write,
        Payload::Raw if input.body.is_empty() => return Bytes::from_static(b"{}"),
        Payload::Raw => return input.body.clone(),
    };
    let headers: usize = input.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 16).sum();
    let query = 3 * input.query.map_or(0, str::len);
    let mut json = Json::with_capacity(1024 + 2 * headers + query + input.body.len() * 3 / 2);
    write(&mut json, input);
    json.finish()
}

impl<'a> EventInput<'a> {
    /// The host with its port, where a header sets it or the client named it.
    fn host_header(&self) -> Option<&'a str> {
        match self.headers.get(header::HOST) {
            Some(host) => host.to_str().ok(),
            None => self.host,
        }
    }

    /// The host without its port.
    fn domain(&self) -> &'a str {
        let host = self.host_header().unwrap_or_default();
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        }
    }

    fn account(&self) -> &'a str {
        self.account.unwrap_or(NO_ACCOUNT)
    }

    fn user_agent(&self) -> Option<&'a str> {
        self.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok())
    }

    fn protocol(&self) -> &'static str {
        match self.version {
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2.0",
            Version::HTTP_3 => "HTTP/3.0",
            _ => "HTTP/1.1",
        }
    }
}

/// The first label of a domain; an address is its own prefix.
fn domain_prefix(domain: &str) -> &str {
    let is_address = domain.ends_with(']') || domain.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_address { domain } else { domain.split('.').next().unwrap_or(domain) }
}

/// Writes `"path": "/orders/{id}"` in AWS's form, where a tail capture is `{rest+}`.
fn write_route_path(json: &mut Json, path: &str) {
    let mut rest = path;
    while let Some((before, capture)) = rest.split_once('{') {
        json.part(before).part("{");
        rest = capture;
        if let Some((name, after)) = capture.strip_prefix('*').and_then(|tail| tail.split_once('}')) {
            json.part(name).part("+}");
            rest = after;
        }
    }
    json.part(rest);
}

/// Writes the path's captures as an object.
fn write_path_parameters(json: &mut Json, input: &EventInput<'_>) {
    json.open();
    for (name, value) in input.path_parameters {
        json.field(name).string(value);
    }
    json.close();
}
