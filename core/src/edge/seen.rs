//! Which headers a message has of those that the edge looks for.

use http::{HeaderMap, HeaderName, header};

/// What one look through the names of a request's headers tells. Most requests have few of what is looked for, and to ask
/// for each costs a hash.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// What belongs to one connection, or what only the gateway says.
    pub(crate) own: bool,
    pub(crate) upgrade: bool,
    pub(crate) content_type: bool,
    pub(crate) transfer_encoding: bool,
    /// Who the client is, as somebody on the way tells it: what a stranger must not.
    pub(crate) claims: bool,
    pub(crate) via: bool,
    /// The trace that it is part of.
    pub(crate) trace: bool,
}

/// What the names of the headers begin with by which the gateway tells functions of itself, as of why a message was given
/// up: a client that could send them would be believed. CGI-like servers take an underscore for the hyphen.
fn is_ours(name: &str) -> bool {
    name.strip_prefix("callgate").is_some_and(|rest| rest.starts_with(['-', '_']))
}

/// What frames a message under a name that CGI-like servers take for it: they would read another message than the gateway
/// sends.
fn is_framing_in_disguise(name: &str) -> bool {
    matches!(name, "content_length" | "transfer_encoding")
}

impl Seen {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for name in headers.keys() {
            match *name {
                header::TRANSFER_ENCODING => (seen.own, seen.transfer_encoding) = (true, true),
                header::UPGRADE => (seen.own, seen.upgrade) = (true, true),
                // `expect` is answered here: the server sends 100 when the body is first read.
                header::TE | header::EXPECT => seen.own = true,
                header::CONTENT_TYPE => seen.content_type = true,
                header::VIA => seen.via = true,
                header::FORWARDED => seen.claims = true,
                _ => {
                    let name = name.as_str();
                    match name.as_bytes() {
                        [b'x', ..] => seen.claims |= is_claim(name),
                        [b't', ..] => {
                            seen.trace |= is_trace(name);
                            seen.own |= is_framing_in_disguise(name);
                        }
                        [b'c' | b'k' | b'p', ..] => {
                            seen.own |= is_of_connection(name) || is_ours(name) || is_framing_in_disguise(name);
                        }
                        _ => {}
                    }
                }
            }
        }
        seen
    }
}

/// Whether a request's header is taken off by [`Seen::own`].
pub(super) fn is_own(name: &HeaderName) -> bool {
    matches!(*name, header::TE | header::EXPECT)
        || is_of_one_connection(name)
        || is_ours(name.as_str())
        || is_framing_in_disguise(name.as_str())
}

/// Whether a header always belongs to one connection (RFC 9110, 7.6.1).
pub(super) fn is_of_one_connection(name: &HeaderName) -> bool {
    match *name {
        header::CONNECTION
        | header::PROXY_AUTHENTICATE
        | header::PROXY_AUTHORIZATION
        | header::TRANSFER_ENCODING
        | header::UPGRADE => true,
        _ => match name.as_str().as_bytes() {
            [b'k' | b'p', ..] => is_of_connection(name.as_str()),
            _ => false,
        },
    }
}

fn is_of_connection(name: &str) -> bool {
    matches!(name, "connection" | "keep-alive" | "proxy-connection" | "proxy-authenticate" | "proxy-authorization")
}

/// What a stranger may not say of who it is: `forwarded`, `x-real-ip`, `x-request-id` and every `x-forwarded-*`, also where
/// it is spelled with underscores, which CGI-like servers take for the same name.
pub(super) fn is_claim(name: &str) -> bool {
    let begins = |text: &str| {
        name.get(..text.len())
            .is_some_and(|part| part.bytes().zip(text.bytes()).all(|(a, b)| a == b || (a == b'_' && b == b'-')))
    };
    match name.as_bytes().first() {
        Some(b'x') => {
            let is = |text: &str| name.len() == text.len() && begins(text);
            begins("x-forwarded-") || is("x-real-ip") || is("x-request-id")
        }
        Some(b'f') => name == "forwarded",
        _ => false,
    }
}

/// Whether a name is none of a trailer: what frames a message, belongs to one connection, or is only the edge's to say.
pub(crate) fn is_no_trailer(name: &HeaderName) -> bool {
    match *name {
        header::CONTENT_LENGTH | header::HOST | header::TRAILER | header::VIA | header::FORWARDED => true,
        _ => is_own(name) || is_claim(name.as_str()) || is_trace(name.as_str()),
    }
}

fn is_trace(name: &str) -> bool {
    matches!(name, "traceparent" | "tracestate")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str) -> Seen {
        Seen::of(&HeaderMap::from_iter([(name.parse::<HeaderName>().unwrap(), "a".parse().unwrap())]))
    }

    #[test]
    fn what_is_looked_for_is_seen_under_each_of_its_names() {
        for name in [
            "connection",
            "keep-alive",
            "proxy-connection",
            "proxy-authenticate",
            "proxy-authorization",
            "transfer-encoding",
            "upgrade",
            "te",
            "expect",
            "callgate-reason",
            "callgate_reason",
            "content_length",
            "transfer_encoding",
        ] {
            assert!(seen(name).own && is_own(&name.parse().unwrap()), "{name}");
        }
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x_forwarded_proto",
            "x-forwarded-",
            "x-real-ip",
            "x_real-ip",
            "x_request_id",
        ] {
            assert!(seen(name).claims && is_claim(name), "{name}");
        }
        assert!(seen("traceparent").trace && seen("tracestate").trace && seen("via").via);
        assert!(
            seen("content-type").content_type && seen("upgrade").upgrade && seen("transfer-encoding").transfer_encoding
        );
    }

    #[test]
    fn what_is_nobodys_business_is_not_seen() {
        for name in [
            "host",
            "x-real-ips",
            "x-forward",
            "callgate",
            "tracer",
            "proxy-x",
            "cookie",
            "keep",
            "x-a",
            "content-length",
        ] {
            let Seen { own, upgrade, content_type, transfer_encoding, claims, via, trace } = seen(name);
            assert!(!(own || upgrade || content_type || transfer_encoding || claims || via || trace), "{name}");
            assert!(!is_own(&name.parse().unwrap()) && !is_claim(name), "{name}");
        }
    }
}
