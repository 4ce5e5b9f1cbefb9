//! The body of a message, as far as the steps are concerned.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use minijinja::Value;

use crate::{
    coding::{self, Undecodable},
    xml,
};

/// The body of a message under transformation.
#[derive(Clone, Debug, Default)]
pub enum Payload {
    /// Not read, because no step reads it; it goes on as a stream unless a step writes another.
    #[default]
    Streaming,
    /// Read whole.
    Buffered(Content),
}

impl Payload {
    /// The body, when it was read whole or written by a step.
    #[must_use]
    pub const fn content(&self) -> Option<&Content> {
        match self {
            Self::Streaming => None,
            Self::Buffered(content) => Some(content),
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Buffered(bytes.into())
    }
}

/// Bytes that a content-encoded body may decode to unless it is said otherwise: the default of `limits.max_body`.
const DECODED: u64 = 10 << 20;

/// A whole body, and what it was parsed into so far.
#[derive(Clone, Debug)]
pub struct Content {
    bytes: Bytes,
    limit: u64,
    /// The body without its content codings.
    decoded: OnceLock<Result<Box<Self>, Undecodable>>,
    /// What templates see as `body`.
    pub(crate) value: OnceLock<Result<Value, Arc<str>>>,
    /// What templates see as `text`.
    pub(crate) text: OnceLock<Result<Value, Arc<str>>>,
    /// What JSONPath searches and `merge` patches.
    pub(crate) json: OnceLock<Result<Arc<serde_json::Value>, Arc<str>>>,
    /// What element paths search.
    xml: OnceLock<Result<Value, Arc<str>>>,
}

impl Content {
    /// A whole body that decodes to no more bytes than a limit, where it is content-encoded and a step reads it.
    #[must_use]
    pub const fn new(bytes: Bytes, limit: u64) -> Self {
        Self {
            bytes,
            limit,
            decoded: OnceLock::new(),
            value: OnceLock::new(),
            text: OnceLock::new(),
            json: OnceLock::new(),
            xml: OnceLock::new(),
        }
    }

    /// The bytes as they are.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes as they are.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Forgets what the body was parsed into: it is another media type now.
    pub(crate) fn forget_parsed(&mut self) {
        *self = Self::new(std::mem::take(&mut self.bytes), self.limit);
    }

    /// The body without the content codings that its header names; decoded when first asked for.
    pub(crate) fn decoded(&self, codings: &str) -> Result<&Self, Arc<str>> {
        let decode = || {
            let bytes = coding::decode(&self.bytes, codings, self.limit)?;
            Ok(Box::new(Self::new(bytes.into(), self.limit)))
        };
        let decoded = self.decoded.get_or_init(decode).as_ref();
        decoded.map(|content| &**content).map_err(|error| error.to_string().into())
    }

    /// The limit that the decoded body is over, if a step wanted it decoded and it is.
    pub(crate) fn over_limit(&self) -> Option<u64> {
        match self.decoded.get()? {
            Err(Undecodable::TooLarge { limit }) => Some(*limit),
            _ => None,
        }
    }

    /// The body as XML, whatever its media type says.
    pub(crate) fn xml(&self) -> Result<Value, Arc<str>> {
        self.xml.get_or_init(|| xml::parse(&self.bytes)).clone()
    }

    /// The body as JSON, whatever its media type says.
    pub(crate) fn json(&self) -> Result<&Arc<serde_json::Value>, Arc<str>> {
        let parse = || match serde_json::from_slice(&self.bytes) {
            Ok(json) => Ok(Arc::new(json)),
            Err(error) => Err(not_json(&error)),
        };
        self.json.get_or_init(parse).as_ref().map_err(Arc::clone)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> Result<Value, Arc<str>> {
        let decode = || match std::str::from_utf8(&self.bytes) {
            Ok(text) => Ok(Value::from(text)),
            Err(_) => Err("the body is not UTF-8 text".into()),
        };
        self.text.get_or_init(decode).clone()
    }
}

/// Whether a body with these headers can be read as JSON without more ado: it has no content coding, and its media type is
/// one of JSON, or none is named.
#[must_use]
pub fn is_plain_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_json = kind.is_none_or(|kind| {
        let end = kind.iter().position(|byte| *byte == b';').unwrap_or(kind.len());
        kind.get(..end).is_some_and(|kind| kind.trim_ascii().to_ascii_lowercase().ends_with(b"json"))
    });
    is_json && !headers.contains_key(CONTENT_ENCODING)
}

/// Says where JSON is broken without quoting it.
pub(crate) fn not_json(error: &serde_json::Error) -> Arc<str> {
    format!("the body is not JSON (line {}, column {})", error.line(), error.column()).into()
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::new(bytes, DECODED)
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_json_is_known_by_its_headers() {
        let is = |headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            is_plain_json(&HeaderMap::<HeaderValue>::from_iter(headers))
        };
        assert!(is(&[]) && is(&[("content-type", "application/JSON; charset=utf-8")]));
        assert!(is(&[("content-type", "application/vnd.api+json")]));
        assert!(!is(&[("content-type", "text/xml")]) && !is(&[("content-encoding", "gzip")]));
    }
}
