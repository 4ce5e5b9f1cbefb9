//! Writing JSON.

use std::fmt::Write;

/// A text in quotes.
pub(super) fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escaped = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[written..at]);
        out.push_str(escaped);
        if escaped.is_empty() {
            // Writing to a string never fails.
            write!(out, "\\u{byte:04x}").ok();
        }
        written = at + 1;
    }
    out.push_str(&text[written..]);
    out.push('"');
}

/// An object whose members are being written.
pub(super) struct Object {
    empty: bool,
}

impl Object {
    pub(super) fn begin(out: &mut String) -> Self {
        out.push('{');
        Self { empty: true }
    }

    /// Begins a member.
    pub(super) fn key(&mut self, out: &mut String, key: &str) {
        if !std::mem::take(&mut self.empty) {
            out.push(',');
        }
        string(out, key);
        out.push(':');
    }

    pub(super) fn end(self, out: &mut String) {
        out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn texts_are_json(text: String) {
            let mut out = String::new();
            string(&mut out, &text);
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
