//! Origins as `cors` names them.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// An origin (RFC 6454), a domain's subdomains, or any origin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum OriginPattern {
    Any,
    Exact(String),
    /// Begins and ends so, with at least one label between: `https://` and `.example.com`.
    Below(String, String),
}

/// The text is no origin.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not an origin: {reason}; write it like https://app.example.com, https://*.example.com, or `*`")]
pub(crate) struct InvalidOrigin {
    text: String,
    reason: &'static str,
}

impl OriginPattern {
    /// Whether it is the origin that a browser sent.
    pub(crate) fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(own) => own.eq_ignore_ascii_case(origin),
            Self::Below(begin, end) => {
                let inner = strip_prefix(origin, begin).and_then(|rest| strip_suffix(rest, end));
                inner.is_some_and(|label| !label.is_empty() && !label.starts_with('.') && !label.contains(['/', ':']))
            }
        }
    }
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (begin, rest) = text.split_at_checked(prefix.len())?;
    begin.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn strip_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (rest, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(rest)
}

impl FromStr for OriginPattern {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let wrong = |reason| InvalidOrigin { text: text.to_owned(), reason };
        match text {
            "*" => return Ok(Self::Any),
            "null" => return Err(wrong("`null` is every sandboxed page")),
            _ => {}
        }
        let (scheme, host) = text.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
            return Err(wrong("it has no scheme"));
        }
        if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
            return Err(wrong("it is a scheme, a host and a port, without a path"));
        }
        match host.strip_prefix("*.") {
            Some(domain) if !domain.is_empty() && !domain.contains('*') => {
                Ok(Self::Below(format!("{scheme}://"), format!(".{domain}")))
            }
            None if !host.contains('*') => Ok(Self::Exact(text.to_owned())),
            _ => Err(wrong("`*` stands for the first labels of a host")),
        }
    }
}

impl TryFrom<String> for OriginPattern {
    type Error = InvalidOrigin;

    fn try_from(text: String) -> Result<Self, InvalidOrigin> {
        text.parse()
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(origin) => f.write_str(origin),
            Self::Below(begin, end) => write!(f, "{begin}*{end}"),
        }
    }
}

impl Serialize for OriginPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for OriginPattern {
    fn schema_name() -> Cow<'static, str> {
        "Origin".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An origin, `*` in the place of its first labels, or `*` for any",
            "examples": ["https://app.example.com", "https://*.example.com", "*"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_compared_whole() {
        let matches = |pattern: &str, origin: &str| pattern.parse::<OriginPattern>().unwrap().matches(origin);
        assert!(matches("*", "https://anything"));
        assert!(matches("https://App.example.com", "https://app.example.com"));
        assert!(!matches("https://app.example.com", "https://app.example.com:8443"));
        assert!(!matches("https://app.example.com", "http://app.example.com"));
        for (origin, inside) in [
            ("https://a.example.com", true),
            ("https://a.b.example.com", true),
            ("https://example.com", false),
            ("https://.example.com", false),
            ("https://evil.com/.example.com", false),
            ("https://evil.com:1.example.com", false),
            ("https://aexample.com", false),
            ("http://a.example.com", false),
        ] {
            assert_eq!(matches("https://*.example.com", origin), inside, "{origin}");
        }
    }

    #[test]
    fn what_is_no_origin_is_told() {
        for text in
            ["", "app.example.com", "https://", "https://a/", "https://a.*.com", "https://*", "null", "https://u@a"]
        {
            assert!(text.parse::<OriginPattern>().is_err(), "{text}");
        }
    }
}
