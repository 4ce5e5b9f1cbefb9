//! What most lookups name, written as text without making a value of it.

use std::{borrow::Cow, fmt::Write as _, net::IpAddr};

use http::HeaderName;

use crate::scope::Context;

/// A lookup of a text that every message has at hand.
#[derive(Clone, Debug)]
pub(crate) enum Plain {
    /// A header, and the one that is meant if it has a `_` for each `-`.
    Header(HeaderName, Option<HeaderName>),
    Param(Box<str>),
    Method,
    Path,
    ClientIp,
    Route,
    RequestId,
}

impl Plain {
    /// The lookup of a name in reach, and of a key if there is one.
    pub(crate) fn of(root: &str, key: Option<&str>) -> Option<Self> {
        Some(match (root, key) {
            ("headers", Some(name)) => {
                let dashed = name.contains('_').then(|| name.replace('_', "-"));
                let dashed = dashed.map(HeaderName::try_from).transpose().ok()?;
                Self::Header(HeaderName::try_from(name).ok()?, dashed)
            }
            ("params", Some(name)) => Self::Param(name.into()),
            ("client", Some("ip")) => Self::ClientIp,
            ("method", None) => Self::Method,
            ("path", None) => Self::Path,
            ("route", None) => Self::Route,
            ("request_id", None) => Self::RequestId,
            _ => return None,
        })
    }

    /// Writes the text, if there is one.
    pub(crate) fn write(&self, context: &Context, out: &mut String) -> bool {
        let facts = &context.known.facts;
        let text = match self {
            Self::Header(name, dashed) => {
                let headers = &context.message.headers;
                let value = headers.get(name).or_else(|| headers.get(dashed.as_ref()?));
                value.map(|value| String::from_utf8_lossy(value.as_bytes()))
            }
            Self::Param(name) => facts.params.get(name).map(Cow::Borrowed),
            Self::Method => context.asked().map(|request| Cow::Borrowed(request.method.as_str())),
            Self::Path => context.asked().map(|request| Cow::Borrowed(request.uri.path())),
            Self::ClientIp => return facts.client_ip.is_some_and(|ip| write_ip(ip, out)),
            Self::Route => Some(Cow::Borrowed(&*facts.route)),
            Self::RequestId => Some(Cow::Borrowed(facts.request_id())),
        };
        text.map(|text| out.push_str(&text)).is_some()
    }
}

/// Writes an address. The formatter's machinery costs more than all the rest of a header.
fn write_ip(ip: IpAddr, out: &mut String) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            for (at, octet) in ip.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push('.');
                }
                out.push_str(itoa::Buffer::new().format(octet));
            }
            true
        }
        IpAddr::V6(ip) => write!(out, "{ip}").is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_usual() {
        for ip in ["127.0.0.1", "10.200.3.44", "255.255.255.255", "0.0.0.0", "2001:db8::1", "::"] {
            let mut out = "at ".to_owned();
            assert!(write_ip(ip.parse().unwrap(), &mut out));
            assert_eq!(out, format!("at {ip}"));
        }
    }
}
