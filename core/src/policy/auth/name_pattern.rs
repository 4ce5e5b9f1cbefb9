//! Names of certificates, with parts that may be anything.

use crate::{routing::WholeRegex, upstream::Invalid};

/// A name in which `*` stands for any characters within a part of it, and `**` for any characters at all.
#[derive(Debug, Clone)]
pub(super) struct NamePattern(WholeRegex);

impl NamePattern {
    /// Of a name without parts.
    pub(super) fn of_text(text: &str) -> Result<Self, Invalid> {
        Self::read(text, "(?s)", ".*")
    }

    /// Of a domain name, whose parts end with dots and whose case does not matter.
    pub(super) fn of_domain(text: &str) -> Result<Self, Invalid> {
        Self::read(text, "(?is)", r"[^.]*")
    }

    /// Of a URI, whose parts end with slashes.
    pub(super) fn of_uri(text: &str) -> Result<Self, Invalid> {
        Self::read(text, "(?s)", "[^/]*")
    }

    fn read(text: &str, flags: &str, within: &str) -> Result<Self, Invalid> {
        let wide = text.split("**").map(|part| part.split('*').map(regex::escape).collect::<Vec<_>>().join(within));
        let pattern = format!("{flags}{}", wide.collect::<Vec<_>>().join(".*"));
        WholeRegex::parse(&pattern).map(Self).map_err(|_| Invalid::new(format!("`{text}` is too long a pattern")))
    }

    pub(super) fn is_match(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_its_part() {
        let domain = |pattern: &str, name: &str| NamePattern::of_domain(pattern).unwrap().is_match(name);
        assert!(
            domain("*.a.test", "X.A.test") && !domain("*.a.test", "x.y.a.test") && domain("**.a.test", "x.y.a.test")
        );
        assert!(domain("a-*.test", "a-1.test") && !domain("a.test", "aXtest") && !domain("a.test", "xa.test"));
        let uri = |pattern: &str, name: &str| NamePattern::of_uri(pattern).unwrap().is_match(name);
        assert!(uri("spiffe://a/*/b", "spiffe://a/x.y/b") && !uri("spiffe://a/*", "spiffe://a/x/y"));
        assert!(NamePattern::of_text("CN=*").unwrap().is_match("CN=a, O=b"));
        assert!(!NamePattern::of_text("a").unwrap().is_match("a\n"));
    }
}
