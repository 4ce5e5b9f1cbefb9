//! A JSON writer with one buffer.

use std::fmt::{self, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;

/// Appends JSON; the caller keeps the order of `field` and value.
pub(super) struct Json {
    text: String,
    /// Whether the next field is the first of its object.
    first: bool,
}

impl Json {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { text: String::with_capacity(capacity), first: true }
    }

    pub(super) fn finish(self) -> Bytes {
        self.text.into()
    }

    pub(super) fn open(&mut self) -> &mut Self {
        self.text.push('{');
        self.first = true;
        self
    }

    pub(super) fn close(&mut self) -> &mut Self {
        self.text.push('}');
        self.first = false;
        self
    }

    /// A name of the event's own, which needs no escaping.
    pub(super) fn key(&mut self, name: &'static str) -> &mut Self {
        self.comma();
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
        self
    }

    /// A name that comes from the request.
    pub(super) fn field(&mut self, name: &str) -> &mut Self {
        self.comma();
        self.string(name);
        self.text.push(':');
        self
    }

    pub(super) fn string(&mut self, text: &str) -> &mut Self {
        self.quote().part(text).quote()
    }

    pub(super) fn string_or_null(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.string(text),
            None => self.null(),
        }
    }

    /// The start or the end of a string that is written in parts.
    pub(super) fn quote(&mut self) -> &mut Self {
        self.text.push('"');
        self
    }

    /// A part of a string, escaped.
    pub(super) fn part(&mut self, text: &str) -> &mut Self {
        let mut start = 0;
        let plain = plain(text.as_bytes());
        for (at, byte) in text.bytes().enumerate().skip(plain) {
            let escape = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                0..0x20 => {
                    self.text.push_str(&text[start..at]);
                    self.control(byte);
                    start = at + 1;
                    continue;
                }
                _ => continue,
            };
            self.text.push_str(&text[start..at]);
            self.text.push_str(escape);
            start = at + 1;
        }
        self.text.push_str(&text[start..]);
        self
    }

    pub(super) fn display(&mut self, value: impl fmt::Display) -> &mut Self {
        write!(self.text, "{value}").ok();
        self
    }

    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        let mut digits = [b'0'; 20];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.text.push_str(str::from_utf8(&digits[at..]).unwrap_or_default());
        self
    }

    /// Two digits of a number below 100.
    pub(super) fn two_digits(&mut self, number: u8) -> &mut Self {
        self.text.push(char::from(b'0' + number / 10));
        self.text.push(char::from(b'0' + number % 10));
        self
    }

    pub(super) fn base64(&mut self, bytes: &[u8]) -> &mut Self {
        self.text.push('"');
        STANDARD.encode_string(bytes, &mut self.text);
        self.text.push('"');
        self
    }

    pub(super) fn bool(&mut self, value: bool) -> &mut Self {
        self.text.push_str(if value { "true" } else { "false" });
        self
    }

    pub(super) fn null(&mut self) -> &mut Self {
        self.text.push_str("null");
        self
    }

    /// Strings in brackets.
    pub(super) fn list<'a>(&mut self, items: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.text.push('[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.string(item);
        }
        self.text.push(']');
        self
    }

    fn comma(&mut self) {
        if !self.first {
            self.text.push(',');
        }
        self.first = false;
    }

    fn control(&mut self, byte: u8) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.text.push_str("\\u00");
        self.text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        self.text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// How many bytes at the front certainly need no escape, eight at a time: most texts have none to escape.
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    // Not zero if a byte is below `least`, which is 0x80 at most.
    let below = |bytes: u64, least: u64| bytes.wrapping_sub(ONES * least) & !bytes & TOPS;
    let is = |bytes: u64, byte: u8| below(bytes ^ (ONES * u64::from(byte)), 1);
    let chunks = text.as_chunks::<8>().0.iter().map(|chunk| u64::from_ne_bytes(*chunk));
    8 * chunks.take_while(|bytes| below(*bytes, 0x20) | is(*bytes, b'"') | is(*bytes, b'\\') == 0).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_reads_back(text in any::<String>(), number in any::<u64>()) {
            let mut json = Json::with_capacity(0);
            json.open().field(&text).string(&text).key("number").number(number).close();
            let value: serde_json::Value = serde_json::from_slice(&json.finish()).unwrap();
            prop_assert_eq!(value.get("number").unwrap().as_u64(), Some(number));
            if text != "number" {
                prop_assert_eq!(value.get(&text).unwrap().as_str(), Some(text.as_str()));
            }
        }
    }

    #[test]
    fn what_needs_an_escape_is_found_wherever_it_stands() {
        for (at, byte) in (0..20).flat_map(|at| (0..0x80).map(move |byte| (at, byte))) {
            let mut text = "\u{e9}xxxxxxxxxxxxxxxxxxx".to_owned();
            text.insert(at + 2, char::from(byte));
            let mut json = Json::with_capacity(0);
            json.string(&text);
            assert_eq!(serde_json::from_slice::<String>(&json.finish()).unwrap(), text);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        let mut json = Json::with_capacity(0);
        json.string("a\u{0}\u{1f}\"\\\n");
        assert_eq!(json.finish(), r#""a\u0000\u001f\"\\\n""#);
    }
}
