//! The request's headers as the maps of an event.

use std::{borrow::Cow, iter};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{COOKIE, HOST},
};

use super::{EventInput, json::Json};

/// How the values of a name that came more than once are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeated {
    /// Joined by commas.
    Joined,
    /// The last one alone.
    Last,
    /// All, as a list.
    Listed,
}

/// Writes the object of headers. Names of HTTP headers are lower-case.
pub(super) fn write(json: &mut Json, input: &EventInput<'_>, repeated: Repeated, with_cookies: bool) {
    json.open();
    if !input.headers.contains_key(HOST)
        && let Some(host) = input.host
    {
        json.key("host");
        match repeated {
            Repeated::Listed => json.list([host]),
            Repeated::Joined | Repeated::Last => json.string(host),
        };
    }
    let mut all = input.headers.iter().peekable();
    while let Some((name, value)) = all.next() {
        // The values of a name come one after the other.
        let mut further = vec![];
        while let Some((_, value)) = all.next_if(|(next, _)| *next == name) {
            further.push(value);
        }
        if is_privileged(name) || (!with_cookies && *name == COOKIE) {
            continue;
        }
        json.field(name.as_str());
        write_values(json, name, value, &further, repeated);
    }
    json.close();
}

/// Writes the list of cookies, if there are any.
pub(super) fn write_cookies(json: &mut Json, headers: &HeaderMap) {
    if !headers.contains_key(COOKIE) {
        return;
    }
    let texts: Vec<_> = headers.get_all(COOKIE).iter().map(text).collect();
    let cookies = texts.iter().flat_map(|text| text.split(';')).map(str::trim).filter(|cookie| !cookie.is_empty());
    json.key("cookies").list(cookies);
}

/// Writes the first value of a name and its further ones.
fn write_values(json: &mut Json, name: &HeaderName, first: &HeaderValue, further: &[&HeaderValue], repeated: Repeated) {
    let values = iter::once(first).chain(further.iter().copied());
    match repeated {
        // HTTP/2 divides cookies; RFC 9113 8.2.3 asks to join them again.
        _ if *name == COOKIE => {
            let cookies = values.map(text).collect::<Vec<_>>().join("; ");
            match repeated {
                Repeated::Listed => json.list([cookies.as_str()]),
                Repeated::Joined | Repeated::Last => json.string(&cookies),
            };
        }
        Repeated::Last => {
            json.string(&text(further.last().copied().unwrap_or(first)));
        }
        Repeated::Joined => {
            json.quote();
            for (index, value) in values.enumerate() {
                json.part(if index > 0 { "," } else { "" }).part(&text(value));
            }
            json.quote();
        }
        Repeated::Listed => {
            let texts: Vec<_> = values.map(text).collect();
            json.list(texts.iter().map(|text| &**text));
        }
    }
}

/// Headers that only AWS itself may set: its request signing, and the identities that a load balancer vouches for.
fn is_privileged(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-amz-") || name.starts_with("x-amzn-oidc-")
}

/// A value as UTF-8, else read as Latin-1, so that no byte is lost.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.into(),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect::<String>().into(),
    }
}
