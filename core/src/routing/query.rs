//! Reading a raw query pair by pair without decoding what nobody asks for.

use std::borrow::Cow;

use super::normalize::hex_value;

/// A name or value of a query as it stands there, form-encoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoded<'a>(&'a str);

/// The pairs of a query; a name without `=` has an empty value, empty pairs are skipped.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (Encoded<'_>, Encoded<'_>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (Encoded(name), Encoded(value))
    })
}

impl<'a> Encoded<'a> {
    /// Whether the decoded text is this one. An invalid escape stands for itself.
    pub(super) fn decodes_to(self, text: &str) -> bool {
        if self.is_plain() { self.0 == text } else { self.bytes().eq(text.bytes()) }
    }

    /// The decoded text, if it is UTF-8.
    pub(super) fn decode(self) -> Option<Cow<'a, str>> {
        if self.is_plain() {
            return Some(Cow::Borrowed(self.0));
        }
        String::from_utf8(self.bytes().collect()).ok().map(Cow::Owned)
    }

    fn is_plain(self) -> bool {
        !self.0.bytes().any(|byte| matches!(byte, b'%' | b'+'))
    }

    fn bytes(self) -> impl Iterator<Item = u8> {
        let mut rest = self.0.as_bytes();
        std::iter::from_fn(move || {
            let (byte, following) = match *rest {
                [] => return None,
                [b'+', ref following @ ..] => (b' ', following),
                [b'%', high, low, ref following @ ..] => match (hex_value(high), hex_value(low)) {
                    (Some(high), Some(low)) => (high << 4 | low, following),
                    _ => (b'%', &rest[1..]),
                },
                [byte, ref following @ ..] => (byte, following),
            };
            rest = following;
            Some(byte)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(query: &str) -> Vec<(String, String)> {
        pairs(query)
            .map(|(name, value)| (name.decode().unwrap().into_owned(), value.decode().unwrap().into_owned()))
            .collect()
    }

    #[test]
    fn pairs_are_split_and_form_decoded() {
        let expected = [("a", "1 2"), ("b", ""), ("c", "x=y"), ("é", "&")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(decoded("a=1+2&&b&c=x=y&%C3%a9=%26"), expected);
        assert_eq!(decoded(""), []);
    }

    #[test]
    fn an_invalid_escape_stands_for_itself() {
        assert_eq!(
            decoded("a=%&b=%4&c=%zz%41"),
            [("a", "%"), ("b", "%4"), ("c", "%zzA")].map(|(n, v)| (n.to_owned(), v.to_owned()))
        );
    }

    #[test]
    fn bytes_that_are_not_utf8_decode_to_nothing() {
        let (_, value) = pairs("a=%FF").next().unwrap();
        assert!(value.decode().is_none() && !value.decodes_to("\u{fffd}"));
    }
}
