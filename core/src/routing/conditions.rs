//! Conditions on headers and on the query.

use std::fmt;

use http::{HeaderMap, HeaderName};

use super::{query, whole_regex::WholeRegex};

/// What a named value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueTest {
    /// One of the values is this text, byte for byte.
    Equals(Box<str>),
    /// There is a value, even an empty one.
    Present,
    /// There is no value.
    Absent,
    /// One of the values matches as a whole.
    Regex(WholeRegex),
}

/// A condition on a header. Of a repeated header any value may fulfil it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderCondition {
    name: HeaderName,
    test: ValueTest,
}

/// A condition on a query parameter, by its decoded name and value (`application/x-www-form-urlencoded`).
/// Of a repeated parameter any value may fulfil it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryCondition {
    name: Box<str>,
    test: ValueTest,
}

/// Why a condition's name cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// The text is no header name.
    #[error("`{given}` is no header name: letters, digits and `-`, such as `x-tier`")]
    HeaderName {
        /// The text.
        given: String,
    },
    /// HTTP/2 pseudo-headers have their own keys.
    #[error(
        "`{given}` is a pseudo-header: match `:method` by `methods`, `:path` by `path` and `:authority` by `hosts`"
    )]
    PseudoHeader {
        /// The text.
        given: String,
    },
}

impl ValueTest {
    /// Whether a value that passes `other` always passes this.
    pub(super) fn is_implied_by(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Present, Self::Equals(_) | Self::Regex(_)) => true,
            (Self::Regex(regex), Self::Equals(text)) => regex.is_match(text),
            _ => self == other,
        }
    }

    fn passes<'a, V: TestedValue<'a>>(&self, mut values: impl Iterator<Item = V>) -> bool {
        match self {
            Self::Present => values.next().is_some(),
            Self::Absent => values.next().is_none(),
            Self::Equals(text) => values.any(|value| value.equals(text)),
            Self::Regex(regex) => values.any(|value| value.is_match(regex)),
        }
    }
}

trait TestedValue<'a> {
    fn equals(&self, text: &str) -> bool;
    fn is_match(&self, regex: &WholeRegex) -> bool;
}

impl<'a> TestedValue<'a> for &'a http::HeaderValue {
    fn equals(&self, text: &str) -> bool {
        self.as_bytes() == text.as_bytes()
    }

    fn is_match(&self, regex: &WholeRegex) -> bool {
        std::str::from_utf8(self.as_bytes()).is_ok_and(|text| regex.is_match(text))
    }
}

impl<'a> TestedValue<'a> for query::Encoded<'a> {
    fn equals(&self, text: &str) -> bool {
        self.decodes_to(text)
    }

    fn is_match(&self, regex: &WholeRegex) -> bool {
        self.decode().is_some_and(|text| regex.is_match(&text))
    }
}

impl HeaderCondition {
    /// Makes a condition; the name's case does not matter.
    ///
    /// # Errors
    ///
    /// A text that is no header name.
    pub fn new(name: &str, test: ValueTest) -> Result<Self, ConditionError> {
        if name.starts_with(':') {
            return Err(ConditionError::PseudoHeader { given: name.to_owned() });
        }
        let name = HeaderName::try_from(name).map_err(|_| ConditionError::HeaderName { given: name.to_owned() })?;
        Ok(Self { name, test })
    }

    /// The header.
    #[must_use]
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// What its value must be.
    #[must_use]
    pub fn test(&self) -> &ValueTest {
        &self.test
    }

    /// Whether the headers fulfil the condition.
    #[must_use]
    pub fn holds(&self, headers: &HeaderMap) -> bool {
        self.test.passes(headers.get_all(&self.name).iter())
    }
}

impl QueryCondition {
    /// Makes a condition; the name is compared as it is, after decoding.
    pub fn new(name: impl Into<Box<str>>, test: ValueTest) -> Self {
        Self { name: name.into(), test }
    }

    /// The parameter.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its value must be.
    #[must_use]
    pub fn test(&self) -> &ValueTest {
        &self.test
    }

    /// Whether the query (without `?`) fulfils the condition. No query is an empty one.
    #[must_use]
    pub fn holds(&self, query: Option<&str>) -> bool {
        let pairs = query::pairs(query.unwrap_or_default());
        self.test.passes(pairs.filter(|(name, _)| name.decodes_to(&self.name)).map(|(_, value)| value))
    }
}

impl fmt::Display for ValueTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(text) => f.write_str(text),
            Self::Present => f.write_str("{present: true}"),
            Self::Absent => f.write_str("{absent: true}"),
            Self::Regex(regex) => write!(f, "{{regex: '{}'}}", regex.as_str().replace('\'', "''")),
        }
    }
}

impl fmt::Display for HeaderCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.test)
    }
}

impl fmt::Display for QueryCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.test)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn equals(text: &str) -> ValueTest {
        ValueTest::Equals(text.into())
    }

    fn regex(text: &str) -> ValueTest {
        ValueTest::Regex(WholeRegex::parse(text).unwrap())
    }

    fn header(test: ValueTest, values: &[&[u8]]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-tier", HeaderValue::from_bytes(value).unwrap());
        }
        HeaderCondition::new("X-Tier", test).unwrap().holds(&headers)
    }

    fn query(test: ValueTest, query: &str) -> bool {
        QueryCondition::new("a b", test).holds(Some(query))
    }

    #[test]
    fn any_value_of_a_repeated_header_may_match() {
        assert!(header(equals("gold"), &[b"iron", b"gold"]));
        assert!(!header(equals("gold"), &[b"Gold", b"golden"]));
        assert!(header(regex("g.*"), &[b"iron", b"gold"]));
        assert!(!header(regex("g"), &[b"gold"]));
        assert!(!header(regex(".*"), &[b"\xff"]));
    }

    #[test]
    fn present_and_absent_look_at_existence_only() {
        assert!(header(ValueTest::Present, &[b""]) && !header(ValueTest::Present, &[]));
        assert!(header(ValueTest::Absent, &[]) && !header(ValueTest::Absent, &[b""]));
        assert!(query(ValueTest::Present, "x&a+b") && !query(ValueTest::Present, "a"));
        assert!(query(ValueTest::Absent, "x=1") && !query(ValueTest::Absent, "a%20b="));
        assert!(QueryCondition::new("q", ValueTest::Absent).holds(None));
    }

    #[test]
    fn query_names_and_values_are_form_decoded() {
        assert!(query(equals("c d+é"), "a%20b=c+d%2B%c3%a9"));
        assert!(query(equals("2"), "a+b=1&a+b=2"));
        assert!(!query(equals("1"), "A+b=1"));
        assert!(query(regex("[0-9]+ x"), "a+b=12%20x"));
    }

    #[test]
    fn implication_follows_from_the_tests_alone() {
        assert!(ValueTest::Present.is_implied_by(&equals("x")));
        assert!(regex("g.*").is_implied_by(&equals("gold")));
        assert!(!regex("g.*").is_implied_by(&equals("iron")));
        assert!(!equals("x").is_implied_by(&ValueTest::Present));
        assert!(ValueTest::Absent.is_implied_by(&ValueTest::Absent));
    }

    #[test]
    fn wrong_header_names_are_explained() {
        let error = HeaderCondition::new("x tier", ValueTest::Present).unwrap_err();
        assert_eq!(error.to_string(), "`x tier` is no header name: letters, digits and `-`, such as `x-tier`");
        assert!(matches!(HeaderCondition::new(":path", ValueTest::Present), Err(ConditionError::PseudoHeader { .. })));
    }
}
