//! CloudEvents 1.0, made of requests or taken over from them.
//!
//! A kind compiles [`CloudEventSettings`] into [`CloudEvents`] at load. For a request that gives a [`CloudEvent`], which
//! the kind puts into its protocol: [`CloudEvents::apply`] is the binding of HTTP, and [`CloudEvent::attributes`],
//! [`CloudEvent::data`] and [`CloudEvent::structured`] are what other bindings need.
//!
//! Specifications: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md> and, beside it, the bindings of
//! HTTP and JSON.

mod attributes;
mod incoming;
mod settings;
mod structured;

use std::time::SystemTime;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    request::Parts,
};

use crate::{
    coding,
    error::{Side, TransformError},
    exchange::Exchange,
    flaw::Flaw,
    payload::Payload,
    position::Position,
};

pub use settings::CloudEventSettings;

use attributes::Attributes;
use incoming::Incoming;
use settings::Templates;

/// The media type of one event in JSON.
const STRUCTURED: &str = "application/cloudevents+json";

/// How requests become events, compiled.
#[derive(Clone, Debug)]
pub struct CloudEvents {
    templates: Templates,
    structured: bool,
}

/// An event: what it says of itself, and what it carries.
#[derive(Clone, Debug)]
pub struct CloudEvent {
    attributes: Attributes,
    content_type: Option<HeaderValue>,
    data: Option<Bytes>,
}

impl CloudEvents {
    /// Compiles the templates; `structured` events are one JSON document each, others have their attributes beside
    /// their data.
    ///
    /// # Errors
    /// Every template that is wrong.
    pub fn new(settings: &CloudEventSettings, structured: bool) -> Result<Self, Vec<Flaw>> {
        Templates::compile(settings).map(|templates| Self { templates, structured })
    }

    /// Whether the body of a request with these headers has to be read whole. Otherwise it may stream.
    #[must_use]
    pub fn reads_body(&self, headers: &HeaderMap) -> bool {
        match Incoming::of(headers) {
            Incoming::None => self.structured || self.templates.reads_body(),
            Incoming::Binary => self.structured,
            Incoming::Structured => !self.structured,
        }
    }

    /// The event of a request: the one that it brings, else one that is made of it. `received` is the time of one that
    /// is made.
    ///
    /// # Errors
    /// An event that the request brings is malformed, or a template does not fit the request.
    pub fn event(
        &self,
        parts: &Parts,
        payload: &Payload,
        exchange: &Exchange,
        received: SystemTime,
    ) -> Result<CloudEvent, TransformError> {
        match Incoming::of(&parts.headers) {
            Incoming::Structured => {
                let content = payload.content().ok_or_else(|| refused("the event's body was not read"))?;
                structured::read(content.bytes())
            }
            incoming => {
                let attributes = match incoming {
                    Incoming::Binary => incoming::attributes(&parts.headers)?,
                    _ => self.templates.attributes(parts, payload, exchange, received)?,
                };
                let content_type = parts.headers.get(CONTENT_TYPE).cloned();
                let data = match payload.content() {
                    Some(content) if self.structured => Some(decoded(parts, content)?),
                    Some(content) => Some(content.bytes().clone()),
                    None => None,
                };
                Ok(CloudEvent { attributes, content_type, data })
            }
        }
    }

    /// Turns a request into its event by the HTTP binding: sets the headers, and answers the body where it is another
    /// one than the request's own.
    ///
    /// # Errors
    /// As [`Self::event`].
    pub fn apply(
        &self,
        parts: &mut Parts,
        payload: &Payload,
        exchange: &Exchange,
        received: SystemTime,
    ) -> Result<Option<Bytes>, TransformError> {
        let document = Incoming::of(&parts.headers) == Incoming::Structured;
        if self.structured && document {
            remove_attributes(&mut parts.headers);
            return Ok(None);
        }
        let event = self.event(parts, payload, exchange, received)?;
        remove_attributes(&mut parts.headers);
        if self.structured {
            parts.headers.remove(CONTENT_ENCODING);
            parts.headers.remove(CONTENT_LENGTH);
            let kind = HeaderValue::from_static(CloudEvent::DOCUMENT);
            parts.headers.insert(CONTENT_TYPE, kind);
            return Ok(Some(event.structured().into()));
        }
        for (name, value) in event.attributes() {
            let name = HeaderName::try_from(format!("ce-{name}"));
            let value = HeaderValue::try_from(attributes::encode(value));
            if let (Ok(name), Ok(value)) = (name, value) {
                parts.headers.insert(name, value);
            }
        }
        if !document {
            return Ok(None);
        }
        parts.headers.remove(CONTENT_LENGTH);
        match event.content_type {
            Some(content_type) => drop(parts.headers.insert(CONTENT_TYPE, content_type)),
            None => drop(parts.headers.remove(CONTENT_TYPE)),
        }
        Ok(event.data)
    }
}

impl CloudEvent {
    /// The content type of [`Self::structured`].
    pub const DOCUMENT: &'static str = "application/cloudevents+json; charset=utf-8";

    /// An attribute's value as headers of HTTP and NATS hold it: visible ASCII, the rest escaped by `%`.
    #[must_use]
    pub fn header_value(value: &str) -> String {
        attributes::encode(value)
    }

    /// The value of an attribute that a header of HTTP or NATS holds; `None` when it is no UTF-8.
    #[must_use]
    pub fn from_header_value(value: &[u8]) -> Option<String> {
        attributes::decode(value)
    }

    /// The attribute `id`, which with `source` tells a repetition.
    #[must_use]
    pub fn id(&self) -> &str {
        self.attributes.get("id").unwrap_or_default()
    }

    /// Sets the attribute `id`; an empty one, or one with control characters, changes nothing.
    pub fn set_id(&mut self, id: String) {
        self.attributes.set_id(id);
    }

    /// Names and values as text, `specversion` first; what is not set is absent.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter()
    }

    /// The media type of the data: the attribute `datacontenttype`.
    #[must_use]
    pub const fn content_type(&self) -> Option<&HeaderValue> {
        self.content_type.as_ref()
    }

    /// The data; `None` when it is the request's body, which was not read.
    #[must_use]
    pub const fn data(&self) -> Option<&Bytes> {
        self.data.as_ref()
    }

    /// The whole event as one JSON document (`application/cloudevents+json`).
    #[must_use]
    pub fn structured(&self) -> Vec<u8> {
        structured::write(self)
    }
}

/// A client's attributes go with its event or not at all.
fn remove_attributes(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with("ce-")).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// The body without its content coding, which a document has no place for.
fn decoded(parts: &Parts, content: &crate::payload::Content) -> Result<Bytes, TransformError> {
    let codings = parts.headers.get_all(CONTENT_ENCODING);
    let codings: Vec<&str> = codings.iter().filter_map(|value| value.to_str().ok()).collect();
    let codings = codings.join(",");
    if coding::is_identity(&codings) {
        return Ok(content.bytes().clone());
    }
    let decoded = content.decoded(&codings).map(|decoded| decoded.bytes().clone());
    decoded.map_err(|problem| {
        let mut error = refused(format!("the body cannot be decoded: {problem}"));
        error.over_limit = content.over_limit();
        error
    })
}

/// The request is at fault, not a template.
fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> TransformError {
    TransformError::new(Side::Request, Position::default(), message)
}

#[cfg(test)]
mod tests;
