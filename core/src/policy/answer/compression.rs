//! `compression`: answers are compressed for clients that take it.

use std::{borrow::Cow, fmt};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Body as _;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    accepted::{Coding, best},
    encoder, vary,
};
use crate::{body::Body, document::Size, invocation::Response, policy::settings::Inherit};

const DEFAULT_CODINGS: [Coding; 3] = [Coding::Zstd, Coding::Br, Coding::Gzip];
const DEFAULT_MIN_SIZE: u64 = 1 << 10;
const DEFAULT_TYPES: [&str; 8] = [
    "text/*",
    "application/json",
    "application/*+json",
    "application/xml",
    "application/*+xml",
    "application/javascript",
    "application/x-ndjson",
    "image/svg+xml",
];
/// Events are small and reach a page one by one; little is gained, and what stands between may hold them back.
const EVENTS: &str = "text/event-stream";
/// The largest body that is compressed at once, so that its length can be told.
const AT_ONCE: usize = 64 << 10;

/// `true`, `false`, or how answers are compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CompressionSettings {
    Off,
    On(Fields),
}

/// How answers are compressed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Fields {
    /// The codings, the first that a client takes as well as others is used. Default: `[zstd, br, gzip]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    codings: Option<Vec<Coding>>,
    /// Smaller bodies are left as they are. Default: 1KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    min_size: Option<Size>,
    /// The media types; `*` stands for any part of one. Default: texts, JSON, XML, JavaScript and SVG.
    #[serde(skip_serializing_if = "Option::is_none")]
    types: Option<Vec<String>>,
}

impl Inherit for CompressionSettings {
    fn inherit(self, outer: &Self) -> Self {
        match (self, outer) {
            (Self::On(own), Self::On(outer)) => Self::On(Fields {
                codings: own.codings.or_else(|| outer.codings.clone()),
                min_size: own.min_size.or(outer.min_size),
                types: own.types.or_else(|| outer.types.clone()),
            }),
            (own, _) => own,
        }
    }
}

impl CompressionSettings {
    pub(super) fn resolve(&self) -> Option<Compression> {
        let Self::On(fields) = self else { return None };
        let types = || DEFAULT_TYPES.iter().map(|text| (*text).to_owned()).collect();
        Some(Compression {
            codings: fields.codings.clone().unwrap_or_else(|| DEFAULT_CODINGS.to_vec()),
            min_size: fields.min_size.map_or(DEFAULT_MIN_SIZE, Size::bytes),
            events: fields.types.as_ref().is_some_and(|types| types.iter().any(|own| own == EVENTS)),
            types: fields.types.clone().unwrap_or_else(types),
        })
    }
}

/// `compression` of a route, ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compression {
    codings: Vec<Coding>,
    min_size: u64,
    types: Vec<String>,
    events: bool,
}

impl Compression {
    pub(super) fn apply(&self, response: Response, accepts: Option<&HeaderValue>, head_only: bool) -> Response {
        if !self.suits(&response) {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        // A cache has to know that the next client may get something else.
        vary(&mut parts.headers, "accept-encoding");
        let coding = best(accepts, &self.codings).filter(|_| !head_only);
        let Some(coding) = coding else { return Response::from_parts(parts, body) };
        let small = body.as_bytes().filter(|bytes| bytes.len() <= AT_ONCE).map(|bytes| encoder::whole(coding, bytes));
        let encoded = match small {
            Some(whole) => whole.map(Body::from),
            None => encoder::stream(coding, body),
        };
        match encoded {
            Ok(body) => {
                mark(&mut parts.headers, coding);
                Response::from_parts(parts, body)
            }
            // Only memory can be lacking, and the body is gone with it.
            Err(error) => {
                let cut = crate::body::BodyError::Cut(error.into());
                let frames = futures_util::stream::iter([Err::<http_body::Frame<bytes::Bytes>, _>(cut)]);
                Response::from_parts(parts, Body::new(http_body_util::StreamBody::new(frames)))
            }
        }
    }

    /// Whether the answer is one that is compressed at all.
    fn suits(&self, response: &Response) -> bool {
        let headers = response.headers();
        let status = response.status();
        let has_body = !status.is_informational()
            && !matches!(status, StatusCode::NO_CONTENT | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
        let as_it_is = headers.contains_key(header::CONTENT_ENCODING) || headers.contains_key(header::CONTENT_RANGE);
        has_body && !as_it_is && !forbids(headers) && self.is_large(response) && self.is_of_type(headers)
    }

    fn is_large(&self, response: &Response) -> bool {
        response.body().size_hint().exact().is_none_or(|length| length >= self.min_size.max(1))
    }

    fn is_of_type(&self, headers: &HeaderMap) -> bool {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case(EVENTS) && !self.events {
            return false;
        }
        self.types.iter().any(|pattern| fits(pattern, kind))
    }
}

/// Whether the function says that nothing may be changed on the way (RFC 9111 5.2.2.6).
fn forbids(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CACHE_CONTROL).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|word| word.trim().eq_ignore_ascii_case("no-transform"))
}

/// Whether a media type fits a pattern with at most one `*`.
fn fits(pattern: &str, kind: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(kind),
        Some((begin, end)) => {
            let begins = kind.get(..begin.len()).is_some_and(|text| text.eq_ignore_ascii_case(begin));
            let ends = kind.len().checked_sub(end.len()).and_then(|at| kind.get(at..));
            begins && kind.len() >= begin.len() + end.len() && ends.is_some_and(|text| text.eq_ignore_ascii_case(end))
        }
    }
}

/// Says how the body is written now.
fn mark(headers: &mut HeaderMap, coding: Coding) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::ACCEPT_RANGES);
    // The bytes are others than those that the tag was made for (RFC 9110 8.8.1).
    if let Some(tag) = headers.get(header::ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/")) {
        let weak = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat());
        weak.into_iter().for_each(|weak| drop(headers.insert(header::ETAG, weak)));
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = CompressionSettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`true`, `false`, or a mapping with `codings`, `min_size` and `types`")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<CompressionSettings, E> {
        Ok(if on { CompressionSettings::On(Fields::default()) } else { CompressionSettings::Off })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CompressionSettings, A::Error> {
        Fields::deserialize(MapAccessDeserializer::new(map)).map(CompressionSettings::On)
    }
}

impl<'de> Deserialize<'de> for CompressionSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

impl Serialize for CompressionSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::On(fields) if *fields == Fields::default() => serializer.serialize_bool(true),
            Self::On(fields) => fields.serialize(serializer),
        }
    }
}

impl JsonSchema for CompressionSettings {
    fn schema_name() -> Cow<'static, str> {
        "Compression".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "boolean"}, generator.subschema_for::<Fields>()]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn compressed(
        settings: Value,
        accepts: &'static str,
        headers: &[(&'static str, &'static str)],
        body: Body,
    ) -> Response {
        let mut response = Response::new(body);
        for (name, value) in headers {
            response.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        let compression = from_value::<CompressionSettings>(settings).unwrap().resolve().unwrap();
        compression.apply(response, Some(&HeaderValue::from_static(accepts)), false)
    }

    fn text(length: usize) -> Body {
        Body::from("x".repeat(length))
    }

    #[test]
    fn a_text_is_compressed_and_told_so() {
        let headers =
            [("content-type", "application/json; charset=utf-8"), ("etag", "\"1\""), ("content-length", "4096")];
        let response = compressed(json!(true), "gzip, br", &headers, text(4096));
        let headers = response.headers();
        assert_eq!(headers["content-encoding"], "br");
        assert_eq!(
            (&headers["etag"], &headers["vary"]),
            (&"W/\"1\"".parse().unwrap(), &"accept-encoding".parse().unwrap())
        );
        assert!(!headers.contains_key("content-length"));
        assert!(response.body().known_length().is_some_and(|length| length < 100));
    }

    #[test]
    fn what_gains_nothing_or_must_not_change_is_left_alone() {
        let json = ("content-type", "application/json");
        for (headers, length) in [
            (vec![("content-type", "image/png")], 4096),
            (vec![("content-type", "text/event-stream")], 4096),
            (vec![json], 100),
            (vec![json, ("content-encoding", "gzip")], 4096),
            (vec![json, ("cache-control", "public, no-transform")], 4096),
            (vec![], 4096),
        ] {
            let response = compressed(json!(true), "gzip", &headers, text(length));
            assert_eq!(response.headers().len(), headers.len(), "{headers:?}");
            assert_eq!(response.body().known_length(), Some(length as u64));
        }
    }

    #[test]
    fn a_client_that_takes_none_changes_the_answer_for_caches_only() {
        let response = compressed(json!({"codings": ["zstd"]}), "gzip", &[("content-type", "text/html")], text(4096));
        assert_eq!(response.headers()["vary"], "accept-encoding");
        assert!(!response.headers().contains_key("content-encoding"));
    }

    #[test]
    fn types_are_patterns() {
        for (pattern, kind, fitting) in [
            ("text/*", "text/html", true),
            ("application/*+json", "application/problem+json", true),
            ("application/*+json", "application/json", false),
            ("application/json", "Application/JSON", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(fits(pattern, kind), fitting, "{pattern} {kind}");
        }
        let events =
            compressed(json!({"types": ["text/event-stream"]}), "gzip", &[("content-type", EVENTS)], text(4096));
        assert_eq!(events.headers()["content-encoding"], "gzip");
    }

    #[test]
    fn a_level_within_can_lift_it() {
        let outer: CompressionSettings = from_value(json!({"min_size": "4KiB", "codings": ["gzip"]})).unwrap();
        let merge = |own: Value| from_value::<CompressionSettings>(own).unwrap().inherit(&outer);
        assert!(merge(json!(false)).resolve().is_none());
        let merged = merge(json!({"codings": ["br"]})).resolve().unwrap();
        assert_eq!((merged.min_size, merged.codings), (4096, vec![Coding::Br]));
        assert!(from_value::<CompressionSettings>(json!({"codings": ["deflate"]})).is_err());
    }
}
