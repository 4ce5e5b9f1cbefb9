//! The id that follows a request through logs, headers, events and problem documents.

use std::{fmt, str};

use bytes::Bytes;
use http::HeaderValue;

/// An id of up to 64 visible ASCII characters: 32 random hex digits, or what a trusted proxy already gave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    text: [u8; Self::MAX],
    length: u8,
}

impl RequestId {
    const MAX: usize = 64;

    /// A new random id. It is unique, not secret.
    pub fn random() -> Self {
        let mut text = [0; Self::MAX];
        write_hex(fastrand::u128(..).to_be_bytes(), &mut text);
        Self { text, length: 32 }
    }

    /// Takes over an id from a trusted sender; `None` when it is empty, too long, or has other than visible characters.
    pub fn from_header(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let fits = (1..=Self::MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        fits.then(|| {
            let mut text = [0; Self::MAX];
            text[..bytes.len()].copy_from_slice(bytes);
            #[allow(clippy::cast_possible_truncation, reason = "the length is at most 64")]
            let length = bytes.len() as u8;
            Self { text, length }
        })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// The id as a header's value. Its copies share its memory.
    pub fn to_header(self) -> HeaderValue {
        HeaderValue::from_maybe_shared(Bytes::from_owner(self)).unwrap_or(HeaderValue::from_static(""))
    }

    fn bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.length)]
    }
}

/// An id with its header's value, which is shared by all that tell it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) id: RequestId,
    pub(crate) header: HeaderValue,
}

impl From<RequestId> for Told {
    fn from(id: RequestId) -> Self {
        Self { id, header: id.to_header() }
    }
}

impl AsRef<[u8]> for RequestId {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

/// The two lower-case hex digits of every byte.
const HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

/// Writes bytes as lower-case hex digits to the front of `to`.
pub(crate) fn write_hex<const BYTES: usize>(bytes: [u8; BYTES], to: &mut [u8]) {
    for (pair, byte) in to.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = HEX[usize::from(byte)];
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_are_32_hex_digits_and_differ() {
        let (a, b) = (RequestId::random(), RequestId::random());
        assert_ne!(a, b);
        assert_eq!(a.as_str().len(), 32);
        assert!(a.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(a.to_header(), a.as_str());
    }

    #[test]
    fn only_short_visible_ids_are_taken_over() {
        let id = |text: &str| RequestId::from_header(&HeaderValue::from_str(text).unwrap());
        assert_eq!(id("abc-1").unwrap().as_str(), "abc-1");
        assert_eq!(id(""), None);
        assert_eq!(id("a b"), None);
        assert_eq!(id(&"x".repeat(65)), None);
    }
}
