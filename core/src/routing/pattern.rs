//! Path templates: `/orders/{id}/{*rest}`.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use super::{
    capture_plan::{Capture, CapturePlan},
    normalize::{MalformedPath, normalize_characters},
};

/// A path template, parsed and normalised like the paths it is compared with.
///
/// `{name}` captures one segment that is not empty, `{*name}` at the end all that remains, which may be nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPattern {
    segments: Box<[Segment]>,
    plan: CapturePlan,
}

/// One segment of a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    Literal(Box<str>),
    Capture,
}

/// Why a text is no path template: what is wrong, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// The template does not begin with a slash.
    #[error("the path `{pattern}` must begin with `/`: write `/{pattern}`")]
    NoLeadingSlash {
        /// The whole template.
        pattern: String,
    },
    /// A capture shares its segment with other text.
    #[error(
        "the segment `{segment}` of the path `{pattern}` (at byte {at}) mixes a capture with text: a capture is a whole segment such as `{{id}}`; use `path_regex` for parts of a segment"
    )]
    PartialCapture {
        /// The whole template.
        pattern: String,
        /// The segment.
        segment: String,
        /// Byte offset of the segment.
        at: usize,
    },
    /// Something follows the tail capture.
    #[error(
        "`{segment}` in the path `{pattern}` (at byte {at}) takes all that remains and must be the last segment; `{{name}}` captures one segment"
    )]
    TailNotLast {
        /// The whole template.
        pattern: String,
        /// The tail capture.
        segment: String,
        /// Byte offset of the segment.
        at: usize,
    },
    /// A capture without a name.
    #[error(
        "the capture `{segment}` of the path `{pattern}` (at byte {at}) has no name: write `{{id}}` for one segment, `{{*rest}}` for the remaining ones"
    )]
    EmptyName {
        /// The whole template.
        pattern: String,
        /// The segment.
        segment: String,
        /// Byte offset of the segment.
        at: usize,
    },
    /// A capture whose name has other characters than letters, digits, `_`, `-` and `.`, or does not begin with a letter or `_`.
    #[error(
        "`{name}` in the path `{pattern}` (at byte {at}) is no name of a capture: begin with a letter or `_`, then letters, digits, `_`, `-` and `.`"
    )]
    InvalidName {
        /// The whole template.
        pattern: String,
        /// The name.
        name: String,
        /// Byte offset of the segment.
        at: usize,
    },
    /// Two captures of the same name.
    #[error("the path `{pattern}` captures `{name}` twice (again at byte {at}): give each capture its own name")]
    DuplicateName {
        /// The whole template.
        pattern: String,
        /// The name.
        name: String,
        /// Byte offset of the second capture.
        at: usize,
    },
    /// A brace without its other half.
    #[error(
        "the segment `{segment}` of the path `{pattern}` (at byte {at}) has a stray brace: a capture is `{{name}}`, a literal brace is `%7B` or `%7D`"
    )]
    StrayBrace {
        /// The whole template.
        pattern: String,
        /// The segment.
        segment: String,
        /// Byte offset of the segment.
        at: usize,
    },
    /// A `%` without two hexadecimal digits.
    #[error(
        "the path `{pattern}` has an invalid escape at byte {at}: `%` must be followed by two hexadecimal digits, write `%25` for a percent sign"
    )]
    InvalidEscape {
        /// The whole template.
        pattern: String,
        /// Byte offset of the `%`.
        at: usize,
    },
    /// A NUL, which no request path may hold.
    #[error(
        "the path `{pattern}` has a NUL at byte {at}; a request with one is answered with 400, so it can never match"
    )]
    Nul {
        /// The whole template.
        pattern: String,
        /// Byte offset of the NUL.
        at: usize,
    },
    /// A `.` or `..` segment, which no normalised path has.
    #[error(
        "the path `{pattern}` has the dot segment `{segment}` at byte {at}: the dot segments of requests are resolved before matching, so write the resolved path"
    )]
    DotSegment {
        /// The whole template.
        pattern: String,
        /// The segment.
        segment: String,
        /// Byte offset of the segment.
        at: usize,
    },
    /// A character that ends a path or cannot stand in one.
    #[error("the path `{pattern}` has {character:?} at byte {at}: {remedy}")]
    ForbiddenCharacter {
        /// The whole template.
        pattern: String,
        /// The character.
        character: char,
        /// Byte offset of the character.
        at: usize,
        /// What to write instead.
        remedy: &'static str,
    },
}

impl PathPattern {
    /// Parses a template such as `/orders/{id}/{*rest}`.
    ///
    /// # Errors
    ///
    /// [`PatternError`] names the place and what would be right.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        let owned = || pattern.to_owned();
        check_characters(pattern)?;
        let Some(body) = pattern.strip_prefix('/') else {
            return Err(PatternError::NoLeadingSlash { pattern: owned() });
        };
        let mut segments = Vec::new();
        let mut captures = Vec::<Capture>::new();
        let mut tail = None;
        let mut at = 1;
        for text in body.split('/') {
            if let Some((at, segment)) = tail.take() {
                return Err(PatternError::TailNotLast { pattern: owned(), segment, at });
            }
            let parsed = parse_segment(pattern, text, at)?;
            if let Parsed::Capture(name) | Parsed::Tail(name) = &parsed {
                if captures.iter().any(|capture| capture.name == *name) {
                    return Err(PatternError::DuplicateName { pattern: owned(), name: name.to_string(), at });
                }
                captures.push(Capture { segment: segments.len(), name: Arc::clone(name) });
            }
            match parsed {
                Parsed::Literal(literal) => segments.push(Segment::Literal(literal)),
                Parsed::Capture(_) => segments.push(Segment::Capture),
                Parsed::Tail(_) => tail = Some((at, text.to_owned())),
            }
            at += text.len() + 1;
        }
        Ok(Self { segments: segments.into(), plan: CapturePlan::new(captures, tail.is_some()) })
    }

    /// The template that matches every path: `/{*rest}`.
    #[must_use]
    pub fn any() -> Self {
        let rest = Capture { segment: 0, name: Arc::from("rest") };
        Self { segments: Box::default(), plan: CapturePlan::new(vec![rest], true) }
    }

    /// Whether the template captures nothing, so that one path alone matches.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.plan.is_empty()
    }

    /// The name of the tail capture, if there is one.
    #[must_use]
    pub fn tail(&self) -> Option<&str> {
        self.plan.tail()
    }

    /// The names of all captures, from the left.
    pub fn capture_names(&self) -> impl Iterator<Item = &str> {
        self.plan.names()
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(super) fn plan(&self) -> &CapturePlan {
        &self.plan
    }
}

/// Compares two lists of segments in precedence order: from the left, a literal before a capture, whatever its name.
pub(super) fn compare_segments(left: &[Segment], right: &[Segment]) -> Ordering {
    let pairs = left.iter().zip(right).map(|pair| match pair {
        (Segment::Literal(one), Segment::Literal(other)) => one.cmp(other),
        (Segment::Literal(_), Segment::Capture) => Ordering::Less,
        (Segment::Capture, Segment::Literal(_)) => Ordering::Greater,
        (Segment::Capture, Segment::Capture) => Ordering::Equal,
    });
    pairs.fold(Ordering::Equal, Ordering::then).then_with(|| left.len().cmp(&right.len()))
}

enum Parsed {
    Literal(Box<str>),
    Capture(Arc<str>),
    Tail(Arc<str>),
}

fn parse_segment(pattern: &str, text: &str, at: usize) -> Result<Parsed, PatternError> {
    let place = || (pattern.to_owned(), text.to_owned());
    if !text.contains(['{', '}']) {
        return literal(pattern, text, at).map(Parsed::Literal);
    }
    if !balanced(text) {
        let (pattern, segment) = place();
        return Err(PatternError::StrayBrace { pattern, segment, at });
    }
    let inner =
        text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).filter(|inner| !inner.contains(['{', '}']));
    let Some(inner) = inner else {
        let (pattern, segment) = place();
        return Err(PatternError::PartialCapture { pattern, segment, at });
    };
    let (name, is_tail) = inner.strip_prefix('*').map_or((inner, false), |name| (name, true));
    if name.is_empty() {
        let (pattern, segment) = place();
        return Err(PatternError::EmptyName { pattern, segment, at });
    }
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if !begins_well || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')) {
        return Err(PatternError::InvalidName { pattern: pattern.to_owned(), name: name.to_owned(), at });
    }
    let name = Arc::from(name);
    Ok(if is_tail { Parsed::Tail(name) } else { Parsed::Capture(name) })
}

fn literal(pattern: &str, text: &str, at: usize) -> Result<Box<str>, PatternError> {
    let mut normal = String::with_capacity(text.len());
    normalize_characters(text, at, &mut normal).map_err(|error| match error {
        MalformedPath::Nul { at } => PatternError::Nul { pattern: pattern.to_owned(), at },
        MalformedPath::InvalidEscape { at } => PatternError::InvalidEscape { pattern: pattern.to_owned(), at },
        MalformedPath::NotAbsolute => PatternError::NoLeadingSlash { pattern: pattern.to_owned() },
    })?;
    if normal == "." || normal == ".." {
        return Err(PatternError::DotSegment { pattern: pattern.to_owned(), segment: text.to_owned(), at });
    }
    Ok(normal.into())
}

fn balanced(text: &str) -> bool {
    let mut open = false;
    for byte in text.bytes() {
        match byte {
            b'{' if open => return false,
            b'}' if !open => return false,
            b'{' | b'}' => open = !open,
            _ => {}
        }
    }
    !open
}

fn check_characters(pattern: &str) -> Result<(), PatternError> {
    for (at, character) in pattern.char_indices() {
        let remedy = match character {
            '?' => "a query is matched by `query: {name: value}`, a literal question mark is `%3F`",
            '#' => "a request has no fragment, a literal `#` is `%23`",
            '\0' => return Err(PatternError::Nul { pattern: pattern.to_owned(), at }),
            _ if character.is_whitespace() => "a literal space is `%20`",
            _ if character.is_control() => "write control characters as escapes",
            _ => continue,
        };
        return Err(PatternError::ForbiddenCharacter { pattern: pattern.to_owned(), character, at, remedy });
    }
    Ok(())
}

impl FromStr for PathPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.capture_names();
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Capture => write!(f, "/{{{}}}", names.next().unwrap_or_default())?,
            }
        }
        match names.next() {
            Some(tail) => write!(f, "/{{*{tail}}}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> PathPattern {
        PathPattern::parse(text).unwrap()
    }

    #[test]
    fn templates_round_trip_in_normal_form() {
        for (text, shown) in [
            ("/", "/"),
            ("/orders/{id}/{*rest}", "/orders/{id}/{*rest}"),
            ("/{*all}", "/{*all}"),
            ("/a//b/", "/a//b/"),
            ("/caf%c3%a9/%7Ex", "/caf%C3%A9/~x"),
            ("/café", "/caf%C3%A9"),
            ("/%7bid%7d", "/%7Bid%7D"),
        ] {
            assert_eq!(parse(text).to_string(), shown);
            assert_eq!(parse(shown), parse(text));
        }
    }

    #[test]
    fn names_and_kinds_are_known() {
        let pattern = parse("/a/{id}/{*rest}");
        assert_eq!(pattern.capture_names().collect::<Vec<_>>(), ["id", "rest"]);
        assert_eq!(pattern.tail(), Some("rest"));
        assert!(!pattern.is_exact());
        assert!(parse("/a/b").is_exact());
    }

    #[test]
    fn every_mistake_has_its_message() {
        for (text, expected) in [
            ("orders", "the path `orders` must begin with `/`: write `/orders`"),
            (
                "/a/x-{id}",
                "the segment `x-{id}` of the path `/a/x-{id}` (at byte 3) mixes a capture with text: a capture is a whole segment such as `{id}`; use `path_regex` for parts of a segment",
            ),
            (
                "/{*rest}/b",
                "`{*rest}` in the path `/{*rest}/b` (at byte 1) takes all that remains and must be the last segment; `{name}` captures one segment",
            ),
            (
                "/a/{}",
                "the capture `{}` of the path `/a/{}` (at byte 3) has no name: write `{id}` for one segment, `{*rest}` for the remaining ones",
            ),
            (
                "/{*}",
                "the capture `{*}` of the path `/{*}` (at byte 1) has no name: write `{id}` for one segment, `{*rest}` for the remaining ones",
            ),
            ("/{a b}", "the path `/{a b}` has ' ' at byte 3: a literal space is `%20`"),
            (
                "/{1a}",
                "`1a` in the path `/{1a}` (at byte 1) is no name of a capture: begin with a letter or `_`, then letters, digits, `_`, `-` and `.`",
            ),
            (
                "/{id}/{id}",
                "the path `/{id}/{id}` captures `id` twice (again at byte 6): give each capture its own name",
            ),
            (
                "/{id}/{*id}",
                "the path `/{id}/{*id}` captures `id` twice (again at byte 6): give each capture its own name",
            ),
            (
                "/a/{id",
                "the segment `{id` of the path `/a/{id` (at byte 3) has a stray brace: a capture is `{name}`, a literal brace is `%7B` or `%7D`",
            ),
            (
                "/a/%4",
                "the path `/a/%4` has an invalid escape at byte 3: `%` must be followed by two hexadecimal digits, write `%25` for a percent sign",
            ),
            (
                "/a/../b",
                "the path `/a/../b` has the dot segment `..` at byte 3: the dot segments of requests are resolved before matching, so write the resolved path",
            ),
            (
                "/a?b=c",
                "the path `/a?b=c` has '?' at byte 2: a query is matched by `query: {name: value}`, a literal question mark is `%3F`",
            ),
        ] {
            assert_eq!(PathPattern::parse(text).unwrap_err().to_string(), expected);
        }
        assert!(matches!(PathPattern::parse("/%00"), Err(PatternError::Nul { at: 1, .. })));
        assert!(matches!(PathPattern::parse("/}a{"), Err(PatternError::StrayBrace { .. })));
    }

    #[test]
    fn captures_are_decoded_and_the_tail_keeps_its_slashes() {
        let pattern = parse("/a/{id}/{*rest}");
        let captures = pattern.plan().capture("/a/x%2Fy%20z/b//c%2Fd/").unwrap();
        assert_eq!(captures.iter().collect::<Vec<_>>(), [("id", "x/y z"), ("rest", "b//c/d/")]);
        assert_eq!(pattern.plan().capture("/a/x").unwrap().get("rest"), Some(""));
        assert_eq!(&*pattern.plan().capture("/a/%FF/b").unwrap_err().name, "id");
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_display_parses_back(text in prop_oneof![any::<String>(), "/[a-c{}*%/0-9.é]{0,16}"]) {
            if let Ok(pattern) = PathPattern::parse(&text) {
                prop_assert_eq!(PathPattern::parse(&pattern.to_string()), Ok(pattern));
            }
        }
    }
}
