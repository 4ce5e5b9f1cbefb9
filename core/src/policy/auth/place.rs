//! Where credentials are in a request, and how they are taken out of it.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, request::Parts, uri::PathAndQuery};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::rate_limit::Name;

/// Where an API key is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyPlace {
    /// In the header of this name.
    Header(Name),
    /// In the query, under this name.
    Query(String),
}

/// Where a token is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenPlace {
    /// In the header of this name; in `authorization` behind `Bearer`.
    Header(Name),
    /// In the cookie of this name.
    Cookie(String),
    /// In the query, under this name.
    Query(String),
}

/// Where credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Header(HeaderName),
    Cookie(Box<str>),
    Query(Box<str>),
}

impl From<KeyPlace> for Place {
    fn from(place: KeyPlace) -> Self {
        match place {
            KeyPlace::Header(name) => Self::Header(name.0),
            KeyPlace::Query(name) => Self::Query(name.into()),
        }
    }
}

impl From<TokenPlace> for Place {
    fn from(place: TokenPlace) -> Self {
        match place {
            TokenPlace::Header(name) => Self::Header(name.0),
            TokenPlace::Cookie(name) => Self::Cookie(name.into()),
            TokenPlace::Query(name) => Self::Query(name.into()),
        }
    }
}

/// What is at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Nothing,
    One(Cow<'a, str>),
    /// There are several, or what is there is no text: nobody can say which one is meant.
    Unclear,
}

impl Place {
    pub(super) fn find<'a>(&self, parts: &'a Parts) -> Found<'a> {
        match self {
            Self::Header(name) => {
                let mut values = parts.headers.get_all(name).iter();
                match (values.next(), values.next()) {
                    (None, _) => Found::Nothing,
                    (Some(value), None) => value.to_str().map_or(Found::Unclear, |text| Found::One(text.trim().into())),
                    (Some(_), Some(_)) => Found::Unclear,
                }
            }
            Self::Cookie(name) => {
                one(cookies(&parts.headers).filter(|(key, _)| *key == &**name).map(|(_, value)| value.into()))
            }
            Self::Query(name) => {
                let named = pairs(parts.uri.query()).filter(|pair| is_named(pair, name));
                one(named.map(|pair| decoded(pair.split_once('=').map_or("", |(_, value)| value))))
            }
        }
    }

    /// Takes the credentials out, so that the function does not see them.
    pub(super) fn remove(&self, parts: &mut Parts) {
        match self {
            Self::Header(name) => drop(parts.headers.remove(name)),
            Self::Cookie(name) => remove_cookie(&mut parts.headers, name),
            Self::Query(name) => {
                if pairs(parts.uri.query()).any(|pair| is_named(pair, name)) {
                    let rest: Vec<_> = pairs(parts.uri.query()).filter(|pair| !is_named(pair, name)).collect();
                    let separator = if rest.is_empty() { "" } else { "?" };
                    let target = format!("{}{separator}{}", parts.uri.path(), rest.join("&"));
                    // A part of a valid query is valid.
                    if let Ok(target) = PathAndQuery::try_from(target) {
                        parts.uri = Uri::from(target);
                    }
                }
            }
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(name) => write!(f, "in the header `{name}`"),
            Self::Cookie(name) => write!(f, "in the cookie `{name}`"),
            Self::Query(name) => write!(f, "in the query as `{name}`"),
        }
    }
}

fn one<'a>(mut values: impl Iterator<Item = Cow<'a, str>>) -> Found<'a> {
    match (values.next(), values.next()) {
        (None, _) => Found::Nothing,
        (Some(value), None) => Found::One(value),
        (Some(_), Some(_)) => Found::Unclear,
    }
}

fn pairs(query: Option<&str>) -> impl Iterator<Item = &str> {
    query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty())
}

fn is_named(pair: &str, name: &str) -> bool {
    decoded(pair.split_once('=').map_or(pair, |(key, _)| key)) == name
}

fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return percent_decode_str(&spaced).decode_utf8_lossy().into_owned().into();
    }
    percent_decode_str(text).decode_utf8_lossy()
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let cookies = lines.flat_map(|line| line.split(';'));
    cookies.filter_map(|cookie| cookie.split_once('=')).map(|(name, value)| (name.trim(), value.trim()))
}

fn remove_cookie(headers: &mut HeaderMap, name: &str) {
    if !cookies(headers).any(|(key, _)| key == name) {
        return;
    }
    let rest: Vec<_> =
        cookies(headers).filter(|(key, _)| *key != name).map(|(key, value)| format!("{key}={value}")).collect();
    headers.remove(header::COOKIE);
    if let Some(value) = (!rest.is_empty()).then(|| HeaderValue::try_from(rest.join("; ")).ok()).flatten() {
        headers.insert(header::COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, headers: &[(&'static str, &'static str)]) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn credentials_are_found_and_taken_out() {
        let place = Place::Query("key".into());
        let mut request = parts("/a?x=1&k%65y=a%2Bb&y=2", &[]);
        assert_eq!(place.find(&request), Found::One("a+b".into()));
        place.remove(&mut request);
        assert_eq!(request.uri, "/a?x=1&y=2");
        let mut request = parts("/a?key=b", &[]);
        place.remove(&mut request);
        assert_eq!(request.uri, "/a");

        let place = Place::Cookie("session".into());
        let mut request = parts("/a", &[("cookie", "a=1; session=tok=en; b=2")]);
        assert_eq!(place.find(&request), Found::One("tok=en".into()));
        place.remove(&mut request);
        assert_eq!(request.headers["cookie"], "a=1; b=2");

        let place = Place::Header(HeaderName::from_static("x-api-key"));
        let mut request = parts("/a", &[("x-api-key", "k")]);
        assert_eq!(place.find(&request), Found::One("k".into()));
        place.remove(&mut request);
        assert_eq!(place.find(&request), Found::Nothing);
    }

    #[test]
    fn of_two_nobody_can_say_which_is_meant() {
        for (place, request) in [
            (Place::Query("key".into()), parts("/a?key=1&key=2", &[])),
            (Place::Cookie("s".into()), parts("/a", &[("cookie", "s=1"), ("cookie", "s=2")])),
            (Place::Header(HeaderName::from_static("x-k")), parts("/a", &[("x-k", "1"), ("x-k", "2")])),
        ] {
            assert_eq!(place.find(&request), Found::Unclear, "{place}");
        }
    }
}
