//! Credentials behind a scheme, as `authorization` has them (RFC 9110 11.4).

use http::{HeaderName, request::Parts};

/// A scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Basic,
    Bearer,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Bearer => "bearer",
        }
    }

    fn of(self, value: &str) -> Option<&str> {
        let (scheme, credentials) = value.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case(self.name()).then(|| credentials.trim_start())
    }
}

/// What a request shows of a scheme.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown<'a> {
    Credentials(&'a str),
    /// Nothing, or credentials of another scheme.
    Nothing,
    /// The header is there twice, or is no text.
    Unclear,
}

/// The credentials of a scheme in a header.
pub(super) fn credentials<'a>(parts: &'a Parts, name: &HeaderName, scheme: Scheme) -> Shown<'a> {
    let mut values = parts.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Shown::Nothing,
        (Some(value), None) => match value.to_str() {
            Ok(text) => scheme.of(text).map_or(Shown::Nothing, Shown::Credentials),
            Err(_) => Shown::Unclear,
        },
        (Some(_), Some(_)) => Shown::Unclear,
    }
}

/// Whether a header shows anything of a scheme.
pub(super) fn is(parts: &Parts, name: &HeaderName, scheme: Scheme) -> bool {
    let mut values = parts.headers.get_all(name).iter();
    values.any(|value| value.to_str().is_ok_and(|text| scheme.of(text).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_told_from_others() {
        let parts =
            |value: &str| http::Request::builder().header("authorization", value).body(()).unwrap().into_parts().0;
        let name = http::header::AUTHORIZATION;
        for (value, shown) in [
            ("Bearer abc", Shown::Credentials("abc")),
            ("bEaReR  abc ", Shown::Credentials("abc")),
            ("Basic abc", Shown::Nothing),
            ("Bearer", Shown::Nothing),
            ("abc", Shown::Nothing),
        ] {
            assert_eq!(credentials(&parts(value), &name, Scheme::Bearer), shown, "{value}");
        }
    }
}
