//! The short form of a match: `POST /orders`.

use std::{fmt, str::FromStr};

use super::{
    methods::{MethodError, Methods},
    pattern::{PathPattern, PatternError},
    rule::{Match, PathMatch},
};

/// `match` as one text: `POST /orders`, `GET,HEAD /x`, or `/x` for any method.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shorthand {
    /// The methods; empty for any.
    pub methods: Methods,
    /// The path template.
    pub path: PathPattern,
}

/// Why a text is no short form of a match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShorthandError {
    /// There is no path.
    #[error("`{given}` has no path: write `POST /orders`, or `/orders` for any method")]
    NoPath {
        /// The text.
        given: String,
    },
    /// The path does not begin with a slash, or no space stands before it.
    #[error(
        "`{given}` has text right before the first `/`: a path begins with `/`, and a space parts it from the methods, as in `POST /orders`"
    )]
    NoLeadingSlash {
        /// The text.
        given: String,
    },
    /// Methods with spaces between them.
    #[error("`{given}` has spaces between its methods: part them by commas, as in `GET,POST /orders`")]
    Separator {
        /// The text.
        given: String,
    },
    /// A method is wrong.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// The path is wrong.
    #[error(transparent)]
    Path(#[from] PatternError),
}

impl Shorthand {
    /// Parses the short form.
    ///
    /// # Errors
    ///
    /// [`ShorthandError`] says what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, ShorthandError> {
        let text = text.trim();
        let given = || text.to_owned();
        let Some(slash) = text.find('/') else {
            return Err(ShorthandError::NoPath { given: given() });
        };
        let (before, path) = text.split_at(slash);
        if before.is_empty() {
            return Ok(Self { methods: Methods::any(), path: PathPattern::parse(path)? });
        }
        if !before.ends_with(char::is_whitespace) {
            return Err(ShorthandError::NoLeadingSlash { given: given() });
        }
        let names = || before.split(',').map(str::trim);
        if names().any(|name| name.contains(char::is_whitespace)) {
            return Err(ShorthandError::Separator { given: given() });
        }
        Ok(Self { methods: Methods::parse(names())?, path: PathPattern::parse(path)? })
    }
}

impl FromStr for Shorthand {
    type Err = ShorthandError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl From<Shorthand> for Match {
    fn from(short: Shorthand) -> Self {
        Self { methods: short.methods, ..Self::path(PathMatch::Pattern(short.path)) }
    }
}

impl fmt::Display for Shorthand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.methods.is_any() {
            write!(f, "{} ", self.methods)?;
        }
        self.path.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_parse_and_print() {
        for (text, shown) in [
            ("POST /orders", "POST /orders"),
            ("GET,HEAD /x", "GET,HEAD /x"),
            (" GET, HEAD  /x/{id} ", "GET,HEAD /x/{id}"),
            ("/x", "/x"),
            ("PURGE /{*rest}", "PURGE /{*rest}"),
        ] {
            let short = Shorthand::parse(text).unwrap();
            assert_eq!(short.to_string(), shown);
            assert_eq!(Shorthand::parse(shown), Ok(short));
        }
    }

    #[test]
    fn mistakes_are_explained() {
        for (text, expected) in [
            ("POST", "`POST` has no path: write `POST /orders`, or `/orders` for any method"),
            ("", "`` has no path: write `POST /orders`, or `/orders` for any method"),
            (
                "POST orders/x",
                "`POST orders/x` has text right before the first `/`: a path begins with `/`, and a space parts it from the methods, as in `POST /orders`",
            ),
            (
                "GET POST /x",
                "`GET POST /x` has spaces between its methods: part them by commas, as in `GET,POST /orders`",
            ),
            ("post /x", "`post` is no request method, methods are upper case: write `POST`"),
            ("GET, /x", "a method is missing: write `GET` or `GET,HEAD`, or leave the methods out to take any"),
            (
                "GET /{a}/{a}",
                "the path `/{a}/{a}` captures `a` twice (again at byte 5): give each capture its own name",
            ),
        ] {
            assert_eq!(Shorthand::parse(text).unwrap_err().to_string(), expected);
        }
    }
}
