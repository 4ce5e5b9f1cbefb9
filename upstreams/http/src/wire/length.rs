//! What is said of the length of a body (RFC 9110, 8.6).

use http::{HeaderMap, HeaderValue, header};

/// What the headers say of the body's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stated {
    /// Nothing.
    Nothing,
    /// A length in bytes.
    Once(u64),
    /// Several times, or not as a number.
    Otherwise,
}

impl Stated {
    /// Takes in one more `content-length`.
    #[must_use]
    pub fn and(self, value: &HeaderValue) -> Self {
        match (self, parse_length(value.as_bytes())) {
            (Self::Nothing, Some(length)) => Self::Once(length),
            _ => Self::Otherwise,
        }
    }
}

/// What the headers say of the body's length.
pub fn stated_length(headers: &HeaderMap) -> Stated {
    headers.get_all(header::CONTENT_LENGTH).iter().fold(Stated::Nothing, Stated::and)
}

/// Digits alone: a sign or a blank between them is no length.
pub fn parse_length(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |length, byte| match byte {
        b'0'..=b'9' => length.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}
