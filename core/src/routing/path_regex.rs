//! `path_regex`: a regular expression over the whole normalised path.

use std::{fmt, str::FromStr, sync::Arc};

use super::{
    captures::{Captures, MalformedCapture},
    whole_regex::{RegexError, WholeRegex},
};

/// A regular expression that must match a whole path. Its named groups become captures.
///
/// It sees the path as [`normalize`](super::normalize) leaves it: characters beyond ASCII and reserved ones are still escaped.
#[derive(Debug, Clone)]
pub struct PathRegex {
    whole: WholeRegex,
    names: Box<[(usize, Arc<str>)]>,
}

impl PathRegex {
    /// Compiles an expression; it is anchored at both ends.
    ///
    /// # Errors
    ///
    /// See [`WholeRegex::parse`].
    pub fn parse(pattern: &str) -> Result<Self, RegexError> {
        let whole = WholeRegex::parse(pattern)?;
        let groups = whole.regex().capture_names().enumerate();
        let names = groups.filter_map(|(index, name)| name.map(|name| (index, Arc::from(name)))).collect();
        Ok(Self { whole, names })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.whole.as_str()
    }

    /// Whether the whole path matches.
    #[must_use]
    pub fn is_match(&self, path: &str) -> bool {
        self.whole.is_match(path)
    }

    /// The names of the captures, from the left.
    pub fn capture_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(_, name)| &**name)
    }

    pub(super) fn capture(&self, path: &str) -> Result<Captures, MalformedCapture> {
        if self.names.is_empty() {
            return Ok(Captures::default());
        }
        let mut captures = Captures::with_capacity(self.names.len());
        if let Some(groups) = self.whole.regex().captures(path) {
            for (index, name) in &self.names {
                if let Some(group) = groups.get(*index) {
                    captures.push(name, group.as_str())?;
                }
            }
        }
        Ok(captures)
    }
}

impl PartialEq for PathRegex {
    fn eq(&self, other: &Self) -> bool {
        self.whole == other.whole
    }
}

impl Eq for PathRegex {}

impl FromStr for PathRegex {
    type Err = RegexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for PathRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_groups_become_captures_and_optional_ones_may_be_missing() {
        let regex = PathRegex::parse("/v(?<version>[12])/(?<name>[^/]+)(?:/(?<more>.*))?").unwrap();
        assert_eq!(regex.capture_names().collect::<Vec<_>>(), ["version", "name", "more"]);
        let captures = regex.capture("/v1/a%20b").unwrap();
        assert_eq!(captures.iter().collect::<Vec<_>>(), [("version", "1"), ("name", "a b")]);
    }

    #[test]
    fn unnamed_groups_capture_nothing() {
        assert!(PathRegex::parse("/v([12])").unwrap().capture("/v1").unwrap().is_empty());
    }
}
