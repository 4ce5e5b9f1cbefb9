//! What an access log says of a request, and where it goes.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderValue, Method, StatusCode, Version, header, request::Parts};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{edge::Connection, invocation::Origin, metrics::Labels, request_id::RequestId};

/// Where access lines go.
pub trait AccessSink: Send + Sync {
    /// Takes the line of a request that has ended. Workers call it: it must not wait.
    fn take(&self, line: AccessLine);

    /// How many lines it could not take so far.
    fn lost(&self) -> u64;
}

/// A request as an access log has it: no header but `host` and `user-agent`, no query, no body.
#[derive(Debug, Clone)]
pub struct AccessLine {
    pub(super) received: SystemTime,
    pub(super) listener: Arc<str>,
    pub(super) client: Option<IpAddr>,
    pub(super) method: Method,
    pub(super) host: Option<HeaderValue>,
    pub(super) path: String,
    pub(super) version: Version,
    pub(super) user_agent: Option<HeaderValue>,
    pub(super) request_id: RequestId,
    pub(super) labels: Option<Labels>,
    /// The path of the route's match.
    pub(super) route_path: Option<Arc<str>>,
    /// Who came, where `auth` found out.
    pub(super) principal: Option<Arc<str>>,
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) bytes: u64,
    pub(super) complete: bool,
    pub(super) duration: Duration,
    pub(super) upstream: Duration,
}

/// The line as templates see it, and as JSON has it.
#[derive(Debug, Serialize)]
struct Record<'l> {
    time: String,
    listener: &'l str,
    client: String,
    method: &'l str,
    host: &'l str,
    path: &'l str,
    protocol: &'static str,
    status: u16,
    error: &'static str,
    route: &'l str,
    upstream: &'l str,
    kind: &'l str,
    principal: &'l str,
    bytes: u64,
    complete: bool,
    duration_ms: f64,
    upstream_ms: f64,
    user_agent: &'l str,
    request_id: &'l str,
}

impl AccessLine {
    /// The names of its values.
    pub(crate) const NAMES: [&str; 19] = [
        "time",
        "listener",
        "client",
        "method",
        "host",
        "path",
        "protocol",
        "status",
        "error",
        "route",
        "upstream",
        "kind",
        "principal",
        "bytes",
        "complete",
        "duration_ms",
        "upstream_ms",
        "user_agent",
        "request_id",
    ];

    /// What is known when the request comes.
    pub(super) fn begin(parts: &Parts, origin: &Origin, id: RequestId, connection: &Connection) -> Self {
        Self {
            received: origin.received,
            listener: Arc::clone(&connection.listener),
            client: origin.client.map(|client| client.ip()),
            method: parts.method.clone(),
            host: origin.host.clone(),
            path: parts.uri.path().to_owned(),
            version: parts.version,
            user_agent: parts.headers.get(header::USER_AGENT).cloned(),
            request_id: id,
            labels: None,
            route_path: None,
            principal: None,
            status: StatusCode::OK,
            error: "",
            bytes: 0,
            complete: false,
            duration: Duration::ZERO,
            upstream: Duration::ZERO,
        }
    }

    /// The line's values, for a template or as JSON. What is not known is empty.
    pub(crate) fn record(&self) -> impl Serialize {
        let time = OffsetDateTime::from(self.received);
        // Whole microseconds: more digits say nothing.
        let time = time.replace_nanosecond(time.nanosecond() / 1000 * 1000).unwrap_or(time);
        let millis = |duration: Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
        let labels = self.labels.as_ref();
        Record {
            time: time.format(&Rfc3339).unwrap_or_default(),
            listener: &self.listener,
            client: self.client.map(|client| client.to_string()).unwrap_or_default(),
            method: self.method.as_str(),
            host: text(self.host.as_ref()),
            path: &self.path,
            protocol: protocol(self.version),
            status: self.status.as_u16(),
            error: self.error,
            route: labels.map_or("", |labels| &labels.route),
            upstream: labels.map_or("", |labels| &labels.upstream),
            kind: labels.map_or("", |labels| labels.kind),
            principal: self.principal.as_deref().unwrap_or_default(),
            bytes: self.bytes,
            complete: self.complete,
            duration_ms: millis(self.duration),
            upstream_ms: millis(self.upstream),
            user_agent: text(self.user_agent.as_ref()),
            request_id: self.request_id.as_str(),
        }
    }
}

fn text(value: Option<&HeaderValue>) -> &str {
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "",
    }
}
