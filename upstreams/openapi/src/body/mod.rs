//! JSON as the body that an operation takes.

mod form;
mod multipart;

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use crate::{
    error::Unfit,
    operation::{Body, Media},
    style,
};

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const MULTIPART: &str = "multipart/form-data";

/// A body, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The value of `content-type`.
    pub content_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

impl Body {
    /// The media type of the document that a request's body already has: the most specific one.
    pub fn matching(&self, content_type: &str) -> Option<&Media> {
        let given = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let rank = |media: &&Media| match media.range.as_str() {
            range if range == given => Some(2),
            "*/*" | "*" => Some(0),
            range => {
                let start = range.strip_suffix('*').filter(|start| start.ends_with('/'))?;
                given.starts_with(start).then_some(1)
            }
        };
        self.media
            .iter()
            .filter_map(|media| Some((rank(&media)?, media)))
            .max_by_key(|(rank, _)| *rank)
            .map(|(_, media)| media)
    }

    /// The media type that a JSON value is best sent as.
    ///
    /// # Errors
    /// The operation takes none that JSON can be made into.
    pub fn for_json(&self) -> Result<&Media, Unfit> {
        let find = |wanted: &dyn Fn(&str) -> bool| self.media.iter().find(|media| wanted(&media.range));
        find(&is_json)
            .or_else(|| find(&|range| range == FORM))
            .or_else(|| find(&|range| range == MULTIPART))
            .or_else(|| find(&|range| matches!(range, "*/*" | "*" | "application/*")))
            .or_else(|| find(&|range| range.starts_with("text/") && range != "text/xml"))
            .or_else(|| find(&|range| range == "application/octet-stream"))
            .ok_or_else(|| self.refused())
    }

    /// The error of a body that is of none of the media types.
    pub fn refused(&self) -> Unfit {
        let taken: Vec<_> = self.media.iter().map(|media| media.range.as_str()).collect();
        let taken = if taken.is_empty() { "no body of any media type".to_owned() } else { taken.join(", ") };
        Unfit::Media { taken }
    }
}

impl Media {
    /// The media type, in lower case and without parameters.
    pub fn range(&self) -> &str {
        &self.range
    }

    /// Whether bodies of it are JSON.
    pub fn is_json(&self) -> bool {
        is_json(&self.range) || self.is_any()
    }

    fn is_any(&self) -> bool {
        matches!(self.range.as_str(), "*/*" | "*" | "application/*")
    }

    /// Makes a value into a body of this media type.
    ///
    /// # Errors
    /// The value can't be one.
    pub fn encode(&self, value: &Value) -> Result<Encoded, Unfit> {
        let content_type = || self.written.clone();
        let json = |content_type| Encoded { content_type, bytes: value.to_string().into() };
        Ok(match self.range.as_str() {
            FORM => Encoded { content_type: content_type(), bytes: form::encode(self, value)?.into() },
            MULTIPART => multipart::encode(self, value)?,
            _ if self.is_any() => json("application/json".to_owned()),
            range if is_json(range) => json(content_type()),
            range => {
                let content_type = match self.written.contains('*') {
                    true if range.starts_with("text/") => "text/plain; charset=utf-8".to_owned(),
                    true => "application/octet-stream".to_owned(),
                    false => content_type(),
                };
                let text = match style::text(value) {
                    Cow::Borrowed(text) => Bytes::copy_from_slice(text.as_bytes()),
                    Cow::Owned(text) => text.into(),
                };
                Encoded { content_type, bytes: text }
            }
        })
    }
}

/// Whether a media type, without parameters, is JSON.
pub(crate) fn is_json(range: &str) -> bool {
    range == "application/json" || range == "text/json" || (range.ends_with("+json") && range.contains('/'))
}
