//! How a value becomes text, and how it is kept inside its segment of a path.

use std::borrow::Cow;

use minijinja::{AutoEscape, Error, ErrorKind, Output, State, Value, value::ValueKind};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::{json::JsonOf, scope, xml};

/// What may not stand in a path as it is (RFC 3986, `pchar` and `/`). A `%` is looked at on its own.
const NOT_IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What may not stand in one segment as it is.
const NOT_IN_SEGMENT: &AsciiSet = &NOT_IN_PATH.add(b'/').add(b'%');

/// What may not stand in a tail capture, which is segments and the slashes between them.
const NOT_IN_TAIL: &AsciiSet = &NOT_IN_PATH.add(b'%');

pub(super) fn format(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text = text_of(value)?;
    if matches!(state.auto_escape(), AutoEscape::Custom(name) if name == super::XML) {
        if value.is_safe() {
            return Ok(out.write_str(&text)?);
        }
        return xml::escape(out, &text, xml::Place::Attribute)
            .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()));
    }
    if let AutoEscape::Custom(name) = state.auto_escape() {
        if name == super::PATH && !value.is_safe() && text.contains('/') {
            let message = "a value has a `/`, which would name another path";
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
        let set = match (value.is_safe(), is_tail(state, &text)) {
            (true, true) => NOT_IN_TAIL,
            (true, false) => return Ok(out.write_str(&text)?),
            (false, _) => NOT_IN_SEGMENT,
        };
        for piece in utf8_percent_encode(&text, set) {
            out.write_str(piece)?;
        }
        return Ok(());
    }
    Ok(out.write_str(&text)?)
}

/// A path's scope hands the tail capture out as a safe string, and nothing else of the same text does harm.
fn is_tail(state: &State<'_, '_>, text: &str) -> bool {
    let params = state.lookup("params");
    let tail = params.and_then(|params| params.get_attr(scope::TAIL).ok());
    tail.is_some_and(|tail| tail.as_str() == Some(text))
}

/// The text of a value: scalars as they are, lists and mappings as JSON.
pub(crate) fn text_of(value: &Value) -> Result<Cow<'_, str>, Error> {
    match value.kind() {
        _ if scope::is_missing(value) => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::String => Ok(Cow::Borrowed(value.as_str().unwrap_or(""))),
        ValueKind::Invalid => Err(unreadable(value)),
        ValueKind::None => Ok(Cow::Borrowed("null")),
        ValueKind::Bool => Ok(Cow::Borrowed(if value.is_true() { "true" } else { "false" })),
        ValueKind::Bytes => match std::str::from_utf8(value.as_bytes().unwrap_or(&[])) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) => Err(Error::new(ErrorKind::InvalidOperation, "these bytes are not UTF-8 text")),
        },
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => {
            let json = serde_json::to_string(&JsonOf(value));
            json.map(Cow::Owned).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
        }
        _ => Ok(Cow::Owned(value.to_string())),
    }
}

/// Why an invalid value is one. The engine tells it only of the items of a list.
pub(crate) fn unreadable(value: &Value) -> Error {
    let list = Value::from(vec![value.clone()]);
    let reason = list.try_iter().and_then(|items| items.checked().collect::<Result<Vec<_>, _>>()).err();
    reason.unwrap_or_else(|| Error::new(ErrorKind::InvalidOperation, "the value cannot be read"))
}

/// A path of which the characters that may not stand in one are escaped; `/` and valid escapes are kept.
pub(crate) fn encode_path_literal(path: &str) -> String {
    let bytes = path.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut encoded = String::with_capacity(path.len());
    for (at, part) in path.split('%').scan(0, |at, part| {
        let here = *at;
        *at += part.len() + 1;
        Some((here, part))
    }) {
        if at > 0 {
            encoded.push_str(if digit(at) && digit(at + 1) { "%" } else { "%25" });
        }
        encoded.extend(utf8_percent_encode(part, NOT_IN_PATH));
    }
    encoded
}

/// Whether a path has a segment that a server would resolve: `.` or `..`, also escaped, and also behind an escaped slash
/// or backslash, which some servers take for a separator.
pub(crate) fn has_dot_segment(path: &str) -> bool {
    let dotted = |segment: &str| {
        let dots = segment.replace("%2e", ".").replace("%2E", ".");
        dots == "." || dots == ".."
    };
    path.split('/').any(|segment| {
        dotted(segment)
            || (segment.contains('%') && {
                let parted = ["%2F", "%2f", "%5C", "%5c"]
                    .iter()
                    .fold(segment.to_owned(), |path, escape| path.replace(escape, "/"));
                parted.contains('/') && parted.split('/').any(dotted)
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_path_keeps_slashes_and_valid_escapes() {
        assert_eq!(encode_path_literal("/a b/%2F/é/%zz%/x?y#z"), "/a%20b/%2F/%C3%A9/%25zz%25/x%3Fy%23z");
    }

    #[test]
    fn dot_segments_are_found_in_any_disguise() {
        for path in ["/a/../b", "/.", "/%2e%2E/x", "/.%2e", "/a%2F..%2fb", "/a%5c%2E."] {
            assert!(has_dot_segment(path), "{path}");
        }
        for path in ["/a.b/..c", "/...", "/", "/a%2Fb", "/%2F"] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }
}
