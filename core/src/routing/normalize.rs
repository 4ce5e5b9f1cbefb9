//! Path normalisation before matching (RFC 3986, 5.2.4 and 6.2.2), in one scan.

use std::borrow::Cow;

/// A request path that no route may see; the answer is 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedPath {
    /// A `%` that two hexadecimal digits do not follow.
    #[error(
        "the path has an invalid escape at byte {at}: `%` must be followed by two hexadecimal digits, write `%25` for a percent sign"
    )]
    InvalidEscape {
        /// Byte offset of the `%` in the path.
        at: usize,
    },
    /// A NUL, raw or as `%00`.
    #[error("the path holds a NUL at byte {at}, which no path may")]
    Nul {
        /// Byte offset of the NUL or of its escape.
        at: usize,
    },
    /// The path is neither empty nor `*` and does not begin with a slash.
    #[error("the path must begin with `/`")]
    NotAbsolute,
}

/// Normalises the path of a request, without its query.
///
/// Dot segments are resolved and never climb above the root, escaped unreserved characters are decoded, the digits of
/// the remaining escapes are upper-cased and bytes that RFC 3986 does not allow in a path are escaped. Empty segments
/// and `%2F` stay. An empty path is `/`; the `*` of `OPTIONS *` stays and matches no route. A path that is already
/// normal is borrowed.
///
/// # Errors
///
/// An invalid escape, a NUL, or a path that does not begin with a slash.
pub fn normalize(path: &str) -> Result<Cow<'_, str>, MalformedPath> {
    match path.as_bytes() {
        [] => Ok(Cow::Borrowed("/")),
        b"*" => Ok(Cow::Borrowed(path)),
        [b'/', ..] => match first_change(path.as_bytes())? {
            None => Ok(Cow::Borrowed(path)),
            Some(at) => rewrite(path, at).map(Cow::Owned),
        },
        _ => Err(MalformedPath::NotAbsolute),
    }
}

/// Normalises the characters of a piece of a path; dot segments and slashes stay. `base` is added to error offsets.
pub(super) fn normalize_characters(text: &str, base: usize, out: &mut String) -> Result<(), MalformedPath> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match class(byte) {
            Class::Plain | Class::Dot => out.push(char::from(byte)),
            Class::Percent => {
                let value = escape_at(bytes, at).map_err(|error| error.shifted(base))?;
                if is_unreserved(value) {
                    out.push(char::from(value));
                } else {
                    push_escape(out, value);
                }
                at += 2;
            }
            Class::Escape if byte == 0 => return Err(MalformedPath::Nul { at: base + at }),
            Class::Escape => push_escape(out, byte),
        }
        at += 1;
    }
    Ok(())
}

impl MalformedPath {
    fn shifted(self, base: usize) -> Self {
        match self {
            Self::InvalidEscape { at } => Self::InvalidEscape { at: at + base },
            Self::Nul { at } => Self::Nul { at: at + base },
            Self::NotAbsolute => Self::NotAbsolute,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Dot,
    Percent,
    Escape,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Escape; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "the loop ends at 255")]
        let character = byte as u8;
        classes[byte] = match character {
            b'.' => Class::Dot,
            b'%' => Class::Percent,
            b'/' | b':' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => {
                Class::Plain
            }
            _ if is_unreserved(character) => Class::Plain,
            _ => Class::Escape,
        };
        byte += 1;
    }
    classes
};

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The offset of the first byte that is not normal already. Everything before it is checked.
fn first_change(path: &[u8]) -> Result<Option<usize>, MalformedPath> {
    let mut at = 0;
    while let Some(&byte) = path.get(at) {
        match class(byte) {
            Class::Plain => at += 1,
            Class::Dot => {
                if path[..at].last() == Some(&b'/') && starts_with_dot_segment(&path[at..]) {
                    return Ok(Some(at));
                }
                at += 1;
            }
            Class::Percent => {
                let value = escape_at(path, at)?;
                let lower_case = path[at + 1..at + 3].iter().any(u8::is_ascii_lowercase);
                if lower_case || is_unreserved(value) {
                    return Ok(Some(at));
                }
                at += 3;
            }
            Class::Escape => return Ok(Some(at)),
        }
    }
    Ok(None)
}

fn starts_with_dot_segment(rest: &[u8]) -> bool {
    matches!(rest, [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..])
}

/// Rewrites the path from the segment on that holds the first change.
fn rewrite(path: &str, change: usize) -> Result<String, MalformedPath> {
    let mut start = path.as_bytes()[..change].iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let mut out = String::with_capacity(path.len() + 16);
    out.push_str(&path[..start]);
    loop {
        let end =
            path.as_bytes()[start..].iter().position(|&byte| byte == b'/').map_or(path.len(), |length| start + length);
        let kept = out.len();
        normalize_characters(&path[start..end], start, &mut out)?;
        let dots = match &out[kept..] {
            "." => 1,
            ".." => 2,
            _ => 0,
        };
        if dots > 0 {
            out.truncate(kept);
        }
        if dots == 2 {
            let parent = out[..kept - 1].rfind('/').map_or(1, |slash| slash + 1);
            out.truncate(parent);
        }
        if end == path.len() {
            return Ok(out);
        }
        if dots == 0 {
            out.push('/');
        }
        start = end + 1;
    }
}

fn escape_at(bytes: &[u8], at: usize) -> Result<u8, MalformedPath> {
    let digit = |offset: usize| bytes.get(at + offset).and_then(|&byte| hex_value(byte));
    match (digit(1), digit(2)) {
        (Some(0), Some(0)) => Err(MalformedPath::Nul { at }),
        (Some(high), Some(low)) => Ok(high << 4 | low),
        _ => Err(MalformedPath::InvalidEscape { at }),
    }
}

/// The value of a hexadecimal digit.
pub(super) fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn push_escape(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normal(path: &str) -> String {
        normalize(path).unwrap().into_owned()
    }

    #[test]
    fn a_normal_path_is_borrowed() {
        for path in ["/", "/a/b", "/a//b/", "/a%2Fb", "/a%20b/.well-known/..x/...", "*"] {
            assert!(matches!(normalize(path), Ok(Cow::Borrowed(same)) if same == path), "{path}");
        }
    }

    #[test]
    fn dot_segments_are_resolved_and_never_leave_the_root() {
        for (path, expected) in [
            ("/a/b/c/./../../g", "/a/g"),
            ("/./a", "/a"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("/a//../b", "/a/b"),
            ("/%2e%2e/a/%2E/b", "/a/b"),
            ("/a/.%2e/b", "/b"),
            ("/a/%2e./b", "/b"),
        ] {
            assert_eq!(normal(path), expected, "{path}");
        }
    }

    #[test]
    fn unreserved_escapes_are_decoded_and_others_upper_cased() {
        assert_eq!(normal("/%7euser/%41%2d%5f"), "/~user/A-_");
        assert_eq!(normal("/caf%c3%a9"), "/caf%C3%A9");
        assert_eq!(normal("/a%2fb/%3a"), "/a%2Fb/%3A");
        assert_eq!(normal("/a%2f..%2fb"), "/a%2F..%2Fb");
        assert_eq!(normal("/%2541"), "/%2541");
    }

    #[test]
    fn characters_that_no_path_may_hold_are_escaped() {
        assert_eq!(normal("/café"), "/caf%C3%A9");
        assert_eq!(normal("/a\\b{c}\"|"), "/a%5Cb%7Bc%7D%22%7C");
    }

    #[test]
    fn empty_segments_are_kept() {
        assert_eq!(normal("//a///b//"), "//a///b//");
        assert_eq!(normal(""), "/");
    }

    #[test]
    fn invalid_escapes_and_nul_are_errors_with_their_place() {
        assert_eq!(normalize("/a%"), Err(MalformedPath::InvalidEscape { at: 2 }));
        assert_eq!(normalize("/a%4"), Err(MalformedPath::InvalidEscape { at: 2 }));
        assert_eq!(normalize("/./%zz"), Err(MalformedPath::InvalidEscape { at: 3 }));
        assert_eq!(normalize("/a%00"), Err(MalformedPath::Nul { at: 2 }));
        assert_eq!(normalize("/%41%00"), Err(MalformedPath::Nul { at: 4 }));
        assert_eq!(normalize("/a\0"), Err(MalformedPath::Nul { at: 2 }));
        assert_eq!(normalize("a/b"), Err(MalformedPath::NotAbsolute));
    }

    fn path() -> impl Strategy<Value = String> {
        prop_oneof![
            "/[ -~é]{0,24}",
            prop::collection::vec(
                prop_oneof![
                    Just("."),
                    Just(".."),
                    Just("/"),
                    Just("%2e"),
                    Just("%2E"),
                    Just("%2f"),
                    Just("%41"),
                    Just("a"),
                    Just("%c3%a9"),
                    Just("é"),
                    Just("%25")
                ],
                0..14
            )
            .prop_map(|parts| format!("/{}", parts.concat())),
        ]
    }

    proptest! {
        #[test]
        fn it_never_panics(path in any::<String>()) {
            drop(normalize(&path));
        }

        #[test]
        fn it_is_idempotent_and_leaves_no_dot_segment(path in path()) {
            if let Ok(once) = normalize(&path) {
                prop_assert!(once.starts_with('/'));
                prop_assert!(once.split('/').all(|segment| segment != "." && segment != ".."));
                prop_assert!(once.is_ascii());
                let twice = normalize(&once).unwrap();
                prop_assert!(matches!(&twice, Cow::Borrowed(_)));
                prop_assert_eq!(&once, &twice);
            }
        }
    }
}
