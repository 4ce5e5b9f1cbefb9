//! What a route's template took out of the path.

use std::{fmt, sync::Arc};

use percent_encoding::percent_decode_str;
use smallvec::SmallVec;

/// The decoded captures of a matched path, in the order of the template. Without any, nothing is allocated.
///
/// Names are copied rather than shared: a count of references that all workers write would cost more than their bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Captures {
    /// Name, value, name, value, ...
    text: String,
    ends: SmallVec<[Ends; 4]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    name: usize,
    value: usize,
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
        self.ends.iter().enumerate().map(|(index, ends)| {
            let start = index.checked_sub(1).map_or(0, |before| self.ends[before].value);
            (&self.text[start..ends.name], &self.text[ends.name..ends.value])
        })
    }

    /// How many captures there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the route captures nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Room for captures whose names and values are this long together.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ends: SmallVec::new() }
    }

    /// Decodes and adds a capture.
    pub(super) fn push(&mut self, name: &Arc<str>, encoded: &str) -> Result<(), MalformedCapture> {
        self.text.push_str(name);
        let end = self.text.len();
        if encoded.as_bytes().contains(&b'%') {
            let decoded = percent_decode_str(encoded).decode_utf8();
            self.text.push_str(&decoded.map_err(|_| MalformedCapture { name: Arc::clone(name) })?);
        } else {
            self.text.push_str(encoded);
        }
        self.ends.push(Ends { name: end, value: self.text.len() });
        Ok(())
    }
}

impl fmt::Debug for Captures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl IntoIterator for Captures {
    type Item = (String, String);
    type IntoIter = std::vec::IntoIter<(String, String)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>().into_iter()
    }
}
