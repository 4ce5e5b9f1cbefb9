//! Regular expressions that must match a whole value, with bounded size.

use std::{fmt, str::FromStr};

use regex::{Regex, RegexBuilder};

/// Bytes that one compiled expression may take.
const SIZE_LIMIT: usize = 2 << 20;

/// A linear-time regular expression that matches only a whole value.
#[derive(Debug, Clone)]
pub struct WholeRegex {
    source: Box<str>,
    regex: Regex,
}

/// Why a text is no usable regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegexError {
    /// The syntax is wrong; the reason shows the place.
    #[error("`{pattern}` is no valid regular expression: {reason}")]
    Syntax {
        /// The expression.
        pattern: String,
        /// The parser's explanation, with the place.
        reason: String,
    },
    /// The compiled expression would be too large.
    #[error(
        "the regular expression `{pattern}` is larger than {limit} bytes when compiled: use smaller repetitions, or `(?-u)` where ASCII is enough"
    )]
    TooLarge {
        /// The expression.
        pattern: String,
        /// The limit in bytes.
        limit: usize,
    },
}

impl WholeRegex {
    /// Compiles an expression; `^` and `$` around it are implied.
    ///
    /// # Errors
    ///
    /// A syntax that the `regex` crate does not know (look-around and back-references are not linear-time), or an
    /// expression of more than 2 MiB when compiled.
    pub fn parse(pattern: &str) -> Result<Self, RegexError> {
        // Alone first: `a)(b` must not become valid by the group that anchors it, and an error must show what was written.
        if pattern.contains(')') {
            compile(pattern, pattern)?;
        }
        let regex = compile(&Self::anchored(pattern), pattern)
            .map_err(|anchored| compile(pattern, pattern).err().unwrap_or(anchored))?;
        Ok(Self { source: pattern.into(), regex })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether the whole value matches.
    #[must_use]
    pub fn is_match(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }

    pub(super) fn regex(&self) -> &Regex {
        &self.regex
    }

    /// The expression with its anchors, on which no flag inside has an effect.
    pub(super) fn anchored(pattern: &str) -> String {
        format!(r"\A(?:{pattern})\z")
    }
}

fn compile(pattern: &str, shown: &str) -> Result<Regex, RegexError> {
    RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => RegexError::TooLarge { pattern: shown.to_owned(), limit },
        other => RegexError::Syntax { pattern: shown.to_owned(), reason: other.to_string() },
    })
}

impl PartialEq for WholeRegex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for WholeRegex {}

impl FromStr for WholeRegex {
    type Err = RegexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for WholeRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_value_must_match() {
        let regex = WholeRegex::parse("a|b+").unwrap();
        assert!(regex.is_match("a") && regex.is_match("bbb"));
        assert!(!regex.is_match("ab") && !regex.is_match("xa") && !regex.is_match("a\n"));
        let multi_line = WholeRegex::parse("(?m)^a$").unwrap();
        assert!(!multi_line.is_match("a\nb"));
    }

    #[test]
    fn bad_and_oversized_expressions_are_errors() {
        assert!(matches!(WholeRegex::parse("a)(b"), Err(RegexError::Syntax { .. })));
        assert!(matches!(WholeRegex::parse("(?=a)b"), Err(RegexError::Syntax { .. })));
        let error = WholeRegex::parse(r"(\w{1000}){1000}").unwrap_err();
        assert!(matches!(error, RegexError::TooLarge { .. }));
        assert!(error.to_string().contains("larger than 2097152 bytes"), "{error}");
    }

    #[test]
    fn display_is_the_source() {
        assert_eq!(WholeRegex::parse("/v[12]/.*").unwrap().to_string(), "/v[12]/.*");
    }
}
