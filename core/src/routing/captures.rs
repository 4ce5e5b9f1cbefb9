//! What a route's template took out of the path.

use std::sync::Arc;

use callgate_transform::Captured;
use percent_encoding::percent_decode_str;
use smol_str::SmolStr;

/// The decoded captures of a matched path, in the order of the template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captures {
    values: Captured,
    tail: Option<usize>,
}

/// A capture that is not UTF-8 once its escapes are decoded; the answer is 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path parameter `{name}` is not UTF-8 after percent-decoding")]
pub struct MalformedCapture {
    /// The name of the capture.
    pub name: Arc<str>,
}

impl Captures {
    /// The value of a capture.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Names and values in the order of the template.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (&**name, value.as_str()))
    }

    /// How many captures there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether the route captures nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn with_capacity(count: usize) -> Self {
        Self { values: Captured::with_capacity(count), tail: None }
    }

    /// Where in the path the tail capture begins, in bytes, if the template has one.
    pub(crate) fn tail(&self) -> Option<usize> {
        self.tail
    }

    pub(super) fn set_tail(&mut self, start: usize) {
        self.tail = Some(start);
    }

    /// Decodes and adds a capture.
    pub(super) fn push(&mut self, name: &Arc<str>, encoded: &str) -> Result<(), MalformedCapture> {
        let value = if encoded.as_bytes().contains(&b'%') {
            let decoded = percent_decode_str(encoded).decode_utf8();
            SmolStr::new(decoded.map_err(|_| MalformedCapture { name: Arc::clone(name) })?)
        } else {
            SmolStr::new(encoded)
        };
        self.values.push((Arc::clone(name), value));
        Ok(())
    }
}

impl From<Captures> for Captured {
    fn from(captures: Captures) -> Self {
        captures.values
    }
}
