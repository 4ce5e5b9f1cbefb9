//! Host patterns and the choice of the most specific one.

use std::{collections::HashMap, fmt, str::FromStr};

use foldhash::fast::FixedState;

/// A key of `hosts`: a host name, a wildcard below a suffix, or any host. Ordered by precedence.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// One host, in lower case.
    Exact(Box<str>),
    /// `*.suffix`: every host with one or more labels before the suffix.
    Suffix(Box<str>),
    /// `*`: every host, and requests without one.
    Any,
}

/// Why a text is no host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// An empty text.
    #[error("a host is missing: write `api.example.com`, `*.example.com` or `*`")]
    Empty,
    /// A port, which is ignored in requests.
    #[error(
        "the host `{given}` has a port, and ports are ignored: write `{host}`, and give another port its own listener"
    )]
    Port {
        /// The text.
        given: String,
        /// The text without its port.
        host: String,
    },
    /// A wildcard that is not the whole first label.
    #[error("the host `{given}` has `*` where it cannot stand: only `*` alone or `*.` at the beginning")]
    Wildcard {
        /// The text.
        given: String,
    },
    /// A URL.
    #[error("the host `{given}` is a URL: write the host name alone, such as `api.example.com`")]
    Url {
        /// The text.
        given: String,
    },
    /// A name beyond ASCII.
    #[error("the host `{given}` is not ASCII, but requests name hosts in ASCII: write its `xn--` form")]
    NotAscii {
        /// The text.
        given: String,
    },
    /// A character or an empty label that no host name has.
    #[error(
        "`{given}` is no host name: labels of letters, digits, `-` and `_` with dots between them, 253 bytes at most"
    )]
    Invalid {
        /// The text.
        given: String,
    },
}

/// Longest host name (RFC 1035).
const MAX_HOST: usize = 253;

impl HostPattern {
    /// Parses `api.example.com`, `*.example.com`, `*`, `192.0.2.1` or `[2001:db8::1]`. Case and a final dot do not matter.
    ///
    /// # Errors
    ///
    /// [`HostError`] says what would be right.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let given = || text.to_owned();
        match text {
            "" => return Err(HostError::Empty),
            "*" => return Ok(Self::Any),
            _ => {}
        }
        if text.contains('/') {
            return Err(HostError::Url { given: given() });
        }
        if !text.is_ascii() {
            return Err(HostError::NotAscii { given: given() });
        }
        let lower = text.to_ascii_lowercase();
        let host = strip_port(&lower);
        if host.len() != lower.len() {
            return Err(HostError::Port { given: given(), host: host.to_owned() });
        }
        if let Some(inner) = host.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<std::net::Ipv6Addr>().ok());
            return match address {
                Some(address) => Ok(Self::Exact(format!("[{address}]").into())),
                None => Err(HostError::Invalid { given: given() }),
            };
        }
        let host = host.strip_suffix('.').unwrap_or(host);
        let (name, wildcard) = host.strip_prefix("*.").map_or((host, false), |suffix| (suffix, true));
        if name.contains('*') {
            return Err(HostError::Wildcard { given: given() });
        }
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if name.len() > MAX_HOST || !name.split('.').all(label) {
            return Err(HostError::Invalid { given: given() });
        }
        Ok(if wildcard { Self::Suffix(name.into()) } else { Self::Exact(name.into()) })
    }
}

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Suffix(suffix) => write!(f, "*.{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// Exact hosts first, then wildcards with the longest suffix first, then any.
impl Ord for HostPattern {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |pattern: &Self| match pattern {
            Self::Exact(_) => (0, 0),
            Self::Suffix(suffix) => (1, usize::MAX - suffix.len()),
            Self::Any => (2, 0),
        };
        key(self).cmp(&key(other)).then_with(|| match (self, other) {
            (Self::Exact(one), Self::Exact(two)) | (Self::Suffix(one), Self::Suffix(two)) => one.cmp(two),
            _ => std::cmp::Ordering::Equal,
        })
    }
}

impl PartialOrd for HostPattern {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Values by host pattern.
#[derive(Debug)]
pub(super) struct HostIndex<V> {
    exact: HashMap<Box<str>, V, FixedState>,
    suffix: HashMap<Box<str>, V, FixedState>,
    any: Option<V>,
}

impl<V> HostIndex<V> {
    pub(super) fn new() -> Self {
        Self { exact: HashMap::default(), suffix: HashMap::default(), any: None }
    }

    pub(super) fn insert(&mut self, pattern: HostPattern, value: V) {
        match pattern {
            HostPattern::Exact(host) => drop(self.exact.insert(host, value)),
            HostPattern::Suffix(suffix) => drop(self.suffix.insert(suffix, value)),
            HostPattern::Any => self.any = Some(value),
        }
    }

    /// The value of the most specific pattern that matches a `Host` header or an authority.
    pub(super) fn find(&self, host: Option<&str>) -> Option<&V> {
        if self.exact.is_empty() && self.suffix.is_empty() {
            return self.any.as_ref();
        }
        host.and_then(|host| self.find_named(host)).or(self.any.as_ref())
    }

    fn find_named(&self, host: &str) -> Option<&V> {
        let host = strip_port(host);
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.len() > MAX_HOST {
            return None;
        }
        if !host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.find_lower(host);
        }
        let mut buffer = [0; MAX_HOST];
        let lower = &mut buffer[..host.len()];
        lower.copy_from_slice(host.as_bytes());
        lower.make_ascii_lowercase();
        self.find_lower(std::str::from_utf8(lower).ok()?)
    }

    fn find_lower(&self, host: &str) -> Option<&V> {
        if let Some(value) = self.exact.get(host) {
            return Some(value);
        }
        if self.suffix.is_empty() {
            return None;
        }
        // The leftmost dot leaves the longest suffix; a label must stand before it.
        host.match_indices('.').filter(|(at, _)| *at > 0).find_map(|(at, _)| self.suffix.get(&host[at + 1..]))
    }
}

fn strip_port(authority: &str) -> &str {
    let bytes = authority.as_bytes();
    let name_end = match bytes.first() {
        Some(b'[') => bytes.iter().position(|&byte| byte == b']').map_or(0, |at| at + 1),
        _ => 0,
    };
    match bytes[name_end..].iter().position(|&byte| byte == b':') {
        Some(colon) => &authority[..name_end + colon],
        None => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(patterns: &[&'a str], host: &str) -> Option<&'a str> {
        let mut index = HostIndex::new();
        for pattern in patterns {
            index.insert(HostPattern::parse(pattern).unwrap(), *pattern);
        }
        index.find(Some(host)).copied()
    }

    #[test]
    fn exact_beats_the_longest_suffix_beats_any() {
        let patterns = ["*", "*.example.com", "*.eu.example.com", "api.eu.example.com"];
        assert_eq!(find(&patterns, "api.eu.example.com"), Some("api.eu.example.com"));
        assert_eq!(find(&patterns, "x.eu.example.com"), Some("*.eu.example.com"));
        assert_eq!(find(&patterns, "a.b.eu.example.com"), Some("*.eu.example.com"));
        assert_eq!(find(&patterns, "eu.example.com"), Some("*.example.com"));
        assert_eq!(find(&patterns, "example.com"), Some("*"));
        assert_eq!(find(&["*.example.com"], ".example.com"), None);
        assert_eq!(find(&["*.example.com"], "badexample.com"), None);
    }

    #[test]
    fn case_port_and_final_dot_do_not_matter() {
        for host in ["API.Example.com", "api.example.com:8443", "api.example.com.", "api.example.com.:80"] {
            assert_eq!(find(&["Api.example.COM"], host), Some("Api.example.COM"), "{host}");
        }
        assert_eq!(find(&["[2001:db8::1]"], "[2001:DB8::1]:80"), Some("[2001:db8::1]"));
        assert_eq!(find(&["x"], &"x".repeat(300)), None);
    }

    #[test]
    fn a_request_without_a_host_matches_any_only() {
        let mut index = HostIndex::new();
        index.insert(HostPattern::Exact("a".into()), 1);
        assert_eq!(index.find(None), None);
        index.insert(HostPattern::Any, 2);
        assert_eq!(index.find(None), Some(&2));
    }

    #[test]
    fn mistakes_are_explained() {
        for (text, expected) in [
            ("", "a host is missing: write `api.example.com`, `*.example.com` or `*`"),
            (
                "a.b:80",
                "the host `a.b:80` has a port, and ports are ignored: write `a.b`, and give another port its own listener",
            ),
            ("a.*.b", "the host `a.*.b` has `*` where it cannot stand: only `*` alone or `*.` at the beginning"),
            ("https://a.b", "the host `https://a.b` is a URL: write the host name alone, such as `api.example.com`"),
            ("bücher.de", "the host `bücher.de` is not ASCII, but requests name hosts in ASCII: write its `xn--` form"),
            (
                "a..b",
                "`a..b` is no host name: labels of letters, digits, `-` and `_` with dots between them, 253 bytes at most",
            ),
        ] {
            assert_eq!(HostPattern::parse(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn display_parses_back_and_the_order_is_the_precedence() {
        let mut patterns = ["*", "*.b.c", "b", "*.a.b.c", "a", "[::1]"].map(|text| HostPattern::parse(text).unwrap());
        patterns.sort();
        assert_eq!(patterns.each_ref().map(ToString::to_string), ["[::1]", "a", "b", "*.a.b.c", "*.b.c", "*"]);
        for pattern in patterns {
            assert_eq!(HostPattern::parse(&pattern.to_string()), Ok(pattern));
        }
    }
}
