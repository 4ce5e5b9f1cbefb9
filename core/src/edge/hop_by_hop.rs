//! Headers that belong to one connection and are never passed on (RFC 9110 7.6.1), and those that are the gateway's own.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use smallvec::SmallVec;

use super::seen::{is_of_one_connection, is_own};

/// Whether the client asks to leave HTTP on this connection; an upgrade counts only if `connection` names it.
///
/// An upgrade to another version of HTTP (`h2c`, deprecated by RFC 9113 3.1) does not count: it would open a way to the
/// upstream past the routes.
pub(crate) fn wants_upgrade(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(header::UPGRADE).into_iter().peekable();
    protocols.peek().is_some() && protocols.all(|line| !offers_http(line)) && names(headers, "upgrade")
}

fn offers_http(line: &HeaderValue) -> bool {
    line.to_str().map_or(true, |line| {
        line.split(',').map(str::trim).any(|protocol| {
            let name = protocol.split('/').next().unwrap_or_default();
            ["h2c", "h2", "http"].iter().any(|http| name.eq_ignore_ascii_case(http))
        })
    })
}

/// Removes what belongs to the client's connection, and what only the gateway says; with `keep_upgrade` the two headers of
/// an upgrade are set anew. For requests in which [`Seen::own`](super::Seen::own) was found.
pub(crate) fn strip_request(headers: &mut HeaderMap, keep_upgrade: bool) {
    let found = found(headers, is_own);
    let trailers = headers.get(header::TE).is_some_and(|te| has_token(te, "trailers"));
    let upgrade = strip(headers, found);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if let Some(upgrade) = upgrade.filter(|_| keep_upgrade) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, upgrade);
    }
}

/// Removes what belongs to the upstream's connection; an accepted upgrade keeps its two headers.
pub(crate) fn strip_response(status: StatusCode, headers: &mut HeaderMap) {
    let found = found(headers, is_of_one_connection);
    if found.is_empty() {
        return;
    }
    let upgrade = strip(headers, found);
    if status == StatusCode::SWITCHING_PROTOCOLS
        && let Some(upgrade) = upgrade
    {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, upgrade);
    }
}

type Names = SmallVec<[HeaderName; 4]>;

/// One look through the names: most messages have none or one of these headers, and asking for each costs a hash.
fn found(headers: &HeaderMap, wanted: impl Fn(&HeaderName) -> bool) -> Names {
    headers.keys().filter(|name| wanted(name)).cloned().collect()
}

/// Removes what was found and what `connection` lists; answers with the protocol of an upgrade.
fn strip(headers: &mut HeaderMap, found: Names) -> Option<HeaderValue> {
    if found.contains(&header::CONNECTION) {
        for name in listed(headers) {
            headers.remove(name);
        }
    }
    let mut upgrade = None;
    for name in found {
        let removed = headers.remove(&name);
        if name == header::UPGRADE {
            upgrade = removed;
        }
    }
    upgrade
}

/// The headers that `connection` names beside its own options.
fn listed(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(header::CONNECTION).into_iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| {
            ![&b""[..], b"close", b"keep-alive", b"upgrade"].iter().any(|own| token.eq_ignore_ascii_case(own))
        })
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .collect()
}

fn names(headers: &HeaderMap, token: &str) -> bool {
    headers.get_all(header::CONNECTION).into_iter().any(|line| has_token(line, token))
}

fn has_token(line: &HeaderValue, token: &str) -> bool {
    line.as_bytes().split(|byte| *byte == b',').any(|member| {
        let member = member.split(|byte| *byte == b';').next().unwrap_or_default();
        member.trim_ascii().eq_ignore_ascii_case(token.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn removes_what_connection_lists_and_what_the_gateway_alone_says() {
        let mut headers = headers(&[
            ("connection", "close, x-secret"),
            ("x-other", "1"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip, trailers;q=0.5"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("callgate-reason", "forged"),
            ("accept", "*/*"),
        ]);
        headers.append("connection", HeaderValue::from_bytes(b"\xff, x-other").unwrap());
        strip_request(&mut headers, false);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "te"]);
        assert_eq!(headers["te"], "trailers");
    }

    #[test]
    fn an_upgrade_survives_only_where_it_is_wanted() {
        let asked = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert!(wants_upgrade(&asked));
        let mut kept = asked.clone();
        strip_request(&mut kept, true);
        assert_eq!(
            (&kept["connection"], &kept["upgrade"]),
            (&"upgrade".parse().unwrap(), &"websocket".parse().unwrap())
        );
        let mut dropped = asked;
        strip_request(&mut dropped, false);
        assert!(dropped.is_empty());
        assert!(!wants_upgrade(&headers(&[("upgrade", "websocket")])));
        for other_http in ["h2c", "websocket, h2c", "HTTP/2.0"] {
            assert!(!wants_upgrade(&headers(&[("connection", "upgrade"), ("upgrade", other_http)])), "{other_http}");
        }
    }

    #[test]
    fn a_reply_keeps_its_upgrade_with_101_alone() {
        let lines = [("connection", "upgrade"), ("upgrade", "websocket"), ("x-a", "1")];
        let mut switched = headers(&lines);
        strip_response(StatusCode::SWITCHING_PROTOCOLS, &mut switched);
        assert_eq!(switched.len(), 3);
        let mut plain = headers(&lines);
        strip_response(StatusCode::OK, &mut plain);
        assert_eq!(plain.len(), 1);
    }
}
