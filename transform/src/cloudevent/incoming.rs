//! Events that a request brings.

use http::{HeaderMap, header::CONTENT_TYPE};

use super::{
    STRUCTURED,
    attributes::{self, Attributes},
    refused,
};
use crate::error::TransformError;

/// Whether a request is an event already, and in which mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    None,
    /// The attributes are headers, the data is the body.
    Binary,
    /// The body is a JSON document that holds both.
    Structured,
}

impl Incoming {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.and_then(|value| value.split(';').next()).map(str::trim);
        if media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case(STRUCTURED)) {
            Self::Structured
        } else if headers.contains_key("ce-specversion") {
            Self::Binary
        } else {
            Self::None
        }
    }
}

/// The attributes of a binary event.
pub(super) fn attributes(headers: &HeaderMap) -> Result<Attributes, TransformError> {
    let mut attributes = Attributes::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix("ce-") else { continue };
        // The media type of the data is the content type, and stands nowhere else (HTTP binding 3.1.1).
        if name == "datacontenttype" {
            continue;
        }
        let text = attributes::decode(value.as_bytes());
        let text = text.ok_or_else(|| refused(format!("the header `ce-{name}` is not UTF-8")))?;
        attributes.add(name.to_owned(), text)?;
    }
    attributes.complete()
}
