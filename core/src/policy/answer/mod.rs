//! What is done to every answer of a route, to the gateway's own failures too: `headers`, `cors`, `compression`.

mod accepted;
mod compression;
mod cors;
mod encoder;
mod headers;
mod origin;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use serde_json::{Map, Value};

pub(crate) use compression::CompressionSettings;
pub(crate) use cors::{CorsSettings, is_preflight};
pub(crate) use headers::HeaderSettings;

use self::{compression::Compression, cors::Cors, headers::HeaderEdits};
use crate::invocation::Response;

/// What the answers of a route get, built at load. A route without any of it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answering {
    headers: Option<HeaderEdits>,
    cors: Option<Cors>,
    compression: Option<Compression>,
    /// The settings, for `callgate config`.
    effective: Map<String, Value>,
}

/// What of a request decides about its answer.
#[derive(Debug)]
pub(crate) struct Asked {
    answering: Arc<Answering>,
    /// Nothing is said of origins in an answer to a preflight that is the function's own.
    marks: bool,
    origin: Option<HeaderValue>,
    accepts: Option<HeaderValue>,
}

impl Answering {
    /// `None` where the settings have none of it.
    pub(crate) fn new(
        headers: Option<&HeaderSettings>,
        cors: Option<&CorsSettings>,
        compression: Option<&CompressionSettings>,
    ) -> Option<Arc<Self>> {
        let mut effective = Map::new();
        let mut show =
            |name: &str, value: Option<Value>| value.and_then(|value| effective.insert(name.to_owned(), value));
        show("headers", headers.and_then(|settings| serde_json::to_value(settings).ok()));
        show("cors", cors.and_then(|settings| serde_json::to_value(settings).ok()));
        show("compression", compression.and_then(|settings| serde_json::to_value(settings).ok()));
        let headers = headers.map(HeaderSettings::resolve).filter(|edits| !edits.is_empty());
        let cors = cors.map(CorsSettings::resolve);
        let compression = compression.and_then(CompressionSettings::resolve);
        let any = headers.is_some() || cors.is_some() || compression.is_some();
        any.then(|| Arc::new(Self { headers, cors, compression, effective }))
    }

    /// The settings that are in force, by policy.
    pub(crate) const fn effective(&self) -> &Map<String, Value> {
        &self.effective
    }

    /// The answer to a preflight request, where the route lets other origins in (Fetch standard, CORS-preflight).
    pub(crate) fn preflight(&self, request: &Parts) -> Option<Response> {
        self.cors.as_ref().and_then(|cors| cors.preflight(request))
    }

    /// Changes the request's headers, and keeps of them what the answer needs.
    pub(crate) fn ask(self: &Arc<Self>, request: &mut HeaderMap, preflights: bool) -> Asked {
        let of = |name: HeaderName, wanted: bool, from: &HeaderMap| from.get(name).filter(|_| wanted).cloned();
        let asked = Asked {
            answering: Arc::clone(self),
            marks: !preflights,
            origin: of(header::ORIGIN, self.cors.is_some(), request),
            accepts: of(header::ACCEPT_ENCODING, self.compression.is_some(), request),
        };
        if let Some(edits) = &self.headers {
            edits.request(request);
        }
        asked
    }
}

impl Asked {
    /// Does to an answer what the policies say.
    pub(crate) fn answer(self, mut response: Response, head_only: bool) -> Response {
        let Answering { headers, cors, compression, .. } = &*self.answering;
        if let Some(edits) = headers {
            edits.response(response.headers_mut());
        }
        if let Some(cors) = cors.as_ref().filter(|_| self.marks) {
            cors.mark(self.origin.as_ref(), response.headers_mut());
        }
        match compression {
            Some(compression) => compression.apply(response, self.accepts.as_ref(), head_only),
            None => response,
        }
    }
}

/// Adds to `vary` what is not there yet.
fn vary(headers: &mut HeaderMap, names: &'static str) {
    let there = |name: &str| {
        let lines = headers.get_all(header::VARY).into_iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).any(|word| word.trim() == "*" || word.trim().eq_ignore_ascii_case(name))
    };
    if !names.split(',').all(|name| there(name.trim())) {
        headers.append(header::VARY, HeaderValue::from_static(names));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vary_names_a_header_once() {
        let mut headers = HeaderMap::new();
        for _ in 0..2 {
            vary(&mut headers, "origin");
        }
        vary(&mut headers, "accept-encoding");
        let lines: Vec<_> = headers.get_all(header::VARY).iter().collect();
        assert_eq!(lines, ["origin", "accept-encoding"]);
        headers.insert(header::VARY, HeaderValue::from_static("*"));
        vary(&mut headers, "origin");
        assert_eq!(headers.get_all(header::VARY).iter().count(), 1);
    }
}
