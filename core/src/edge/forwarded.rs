//! `x-forwarded-*`, `forwarded` (RFC 7239) and `via` (RFC 9110 7.6.3): what is believed, and what is told on.

use std::{
    net::{IpAddr, SocketAddr},
    time::SystemTime,
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{self, Entry},
    request::Parts,
    uri::Scheme,
};

use super::{Connection, Seen, seen::is_claim, well_formed::is_host};
use crate::invocation::Origin;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Tells where a request comes from: the peer itself, or what a trusted proxy says of its client.
pub(crate) fn origin(parts: &Parts, connection: &Connection) -> Origin {
    let mut origin = Origin {
        client: connection.peer,
        scheme: connection.scheme.clone(),
        host: requested_host(parts),
        method: parts.method.clone(),
        version: parts.version,
        received: SystemTime::now(),
        started: tokio::time::Instant::now().into_std(),
        certificate: connection.certificate.clone(),
    };
    if connection.trusted {
        believe(&mut origin, &parts.headers, connection);
    }
    origin
}

/// The host that the client names: `:authority` or an absolute target first, then `host` (RFC 9112 3.2.2).
fn requested_host(parts: &Parts) -> Option<HeaderValue> {
    match parts.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => parts.headers.get(header::HOST).cloned(),
    }
}

fn believe(origin: &mut Origin, headers: &HeaderMap, connection: &Connection) {
    let hops: Vec<_> = list(headers, &FOR).map(|hop| Some(hop.trim())).collect();
    let elements: Vec<_> = list(headers, &header::FORWARDED).collect();
    let nodes: Vec<_> = elements.iter().map(|element| parameter(element, "for")).collect();
    let (hop, element) = (client_of(&hops, connection), client_of(&nodes, connection));
    if let Some((_, client)) = hop.or(element) {
        origin.client = Some(client);
    }
    let protos: Vec<_> = list(headers, &PROTO).map(str::trim).collect();
    let proto = match hop {
        // Each proxy added its own: the one that met the client knows.
        Some((index, _)) if protos.len() == hops.len() => protos.get(index),
        _ => protos.last(),
    };
    let proto = proto.copied().or_else(|| {
        let element = element.map_or(elements.last(), |(index, _)| elements.get(index));
        element.and_then(|element| parameter(element, "proto"))
    });
    match proto {
        Some(proto) if proto.eq_ignore_ascii_case("https") => origin.scheme = Scheme::HTTPS,
        Some(proto) if proto.eq_ignore_ascii_case("http") => origin.scheme = Scheme::HTTP,
        _ => {}
    }
    let host = list(headers, &HOST).last().map(str::trim).filter(|host| is_host(host.as_bytes()));
    if let Some(host) = host.and_then(|host| HeaderValue::from_str(host).ok()) {
        origin.host = Some(host);
    }
}

/// The nearest address that is no trusted proxy's, walking back from the last hop, with its place; the farthest one if
/// all are.
fn client_of(hops: &[Option<&str>], connection: &Connection) -> Option<(usize, SocketAddr)> {
    let mut farthest = None;
    for (index, hop) in hops.iter().enumerate().rev() {
        // What stands before an unreadable hop, or one that does not say, could have been written by anyone.
        let Some(address) = hop.and_then(parse_node) else { break };
        farthest = Some((index, address));
        if !connection.trusted_proxies.iter().any(|range| range.contains(address.ip())) {
            break;
        }
    }
    farthest
}

/// Reads an address with or without a port, IPv6 with or without brackets.
fn parse_node(node: &str) -> Option<SocketAddr> {
    if let Ok(address) = node.parse::<IpAddr>() {
        return Some(SocketAddr::new(address.to_canonical(), 0));
    }
    if let Ok(address) = node.parse::<SocketAddr>() {
        return Some(SocketAddr::new(address.ip().to_canonical(), address.port()));
    }
    let bare: IpAddr = node.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
    Some(SocketAddr::new(bare.to_canonical(), 0))
}

/// The members of a header that is a comma-separated list, over all its lines.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> + use<'a> {
    headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','))
}

/// A parameter of one `forwarded` element, without its quotes.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// Sets the forwarding headers of the request to the function. What an untrusted sender wrote is dropped first.
pub(crate) fn announce(headers: &mut HeaderMap, origin: &Origin, connection: &Connection, seen: Seen) {
    let mut seen = seen;
    if seen.claims && !connection.trusted {
        drop_claims(headers);
        seen.claims = false;
    }
    if connection.trusted && !headers.contains_key(&FOR) && origin.client != connection.peer {
        // The proxy told its client in `forwarded` alone.
        let client = origin.client.and_then(|client| HeaderValue::try_from(client.ip().to_string()).ok());
        if let Some(client) = client {
            headers.insert(FOR, client);
        }
    }
    let added_to = |headers: &mut HeaderMap, there: bool, name, value| {
        if there {
            append(headers, name, value);
        } else {
            headers.insert(name, value);
        }
    };
    if let Some(peer) = &connection.peer_header {
        // What the proxy told in `forwarded` alone has been put there.
        added_to(headers, seen.claims, FOR, peer.clone());
    }
    let proto = if origin.scheme == Scheme::HTTPS { "https" } else { "http" };
    headers.insert(PROTO, HeaderValue::from_static(proto));
    if let Some(host) = &origin.host {
        headers.insert(HOST, host.clone());
    }
    if let Some(element) = element(origin, connection, proto) {
        added_to(headers, seen.claims, header::FORWARDED, element);
    }
    added_to(headers, seen.via, header::VIA, HeaderValue::from_static(via(origin.version)));
}

/// Removes what a stranger says about who it is.
fn drop_claims(headers: &mut HeaderMap) {
    let found: Vec<_> = headers.keys().filter(|name| is_claim(name.as_str())).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

/// `via` names the protocol in which the message was received.
pub(crate) fn via(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 | Version::HTTP_09 => "1.0 callgate",
        Version::HTTP_2 => "2 callgate",
        Version::HTTP_3 => "3 callgate",
        _ => "1.1 callgate",
    }
}

/// This hop's element, which is made once for a connection whose requests ask for the same host.
fn element(origin: &Origin, connection: &Connection, proto: &str) -> Option<HeaderValue> {
    let Some(host) = origin.host.as_ref().filter(|_| origin.scheme == connection.scheme) else {
        return new_element(origin, connection, proto);
    };
    match connection.forwarded.get() {
        Some((known, element)) if known == host => Some(element.clone()),
        Some(_) => new_element(origin, connection, proto),
        None => {
            let element = new_element(origin, connection, proto)?;
            // Another request of the connection may have been first.
            connection.forwarded.set((host.clone(), element.clone())).ok();
            Some(element)
        }
    }
}

/// `for=192.0.2.1;host="example.com";proto=https`.
fn new_element(origin: &Origin, connection: &Connection, proto: &str) -> Option<HeaderValue> {
    let mut text = Vec::with_capacity(96);
    text.extend_from_slice(b"for=");
    match (&connection.peer, &connection.peer_header) {
        (Some(SocketAddr::V6(_)), Some(peer)) if peer.as_bytes().contains(&b':') => {
            text.extend_from_slice(b"\"[");
            text.extend_from_slice(peer.as_bytes());
            text.extend_from_slice(b"]\"");
        }
        (_, Some(peer)) => text.extend_from_slice(peer.as_bytes()),
        (_, None) => text.extend_from_slice(b"unknown"),
    }
    if let Some(host) = &origin.host
        && !host.as_bytes().iter().any(|byte| matches!(byte, b'"' | b'\\'))
    {
        text.extend_from_slice(b";host=\"");
        text.extend_from_slice(host.as_bytes());
        text.push(b'"');
    }
    text.extend_from_slice(b";proto=");
    text.extend_from_slice(proto.as_bytes());
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()
}

/// Appends to a comma-separated list, in one line.
fn append(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    match headers.entry(name) {
        Entry::Vacant(place) => {
            place.insert(value);
        }
        Entry::Occupied(mut former) => {
            let mut line = Vec::new();
            for former in former.iter() {
                line.extend_from_slice(former.as_bytes());
                line.extend_from_slice(b", ");
            }
            line.extend_from_slice(value.as_bytes());
            if let Ok(joined) = HeaderValue::from_maybe_shared(bytes::Bytes::from(line)) {
                former.insert(joined);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn connection(peer: &str, trusted: &[&str]) -> Connection {
        let trusted: Arc<[_]> = trusted.iter().map(|range| range.parse().unwrap()).collect();
        Connection::new("public".into(), Some(peer.parse().unwrap()), false, trusted)
    }

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn headers_sent(mut parts: Parts, connection: &Connection) -> (Origin, HeaderMap) {
        let origin = origin(&parts, connection);
        let seen = Seen::of(&parts.headers);
        announce(&mut parts.headers, &origin, connection, seen);
        (origin, parts.headers)
    }

    #[test]
    fn what_a_stranger_says_of_itself_is_dropped() {
        let parts = parts(&[
            ("host", "a.example"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil"),
            ("forwarded", "for=1.1.1.1"),
            ("x-forwarded-user", "root"),
            ("x_forwarded_for", "1.1.1.1"),
            ("x-real-ip", "1.1.1.1"),
            ("x-forwards", "kept"),
        ]);
        let (origin, headers) = headers_sent(parts, &connection("192.0.2.7:5000", &[]));
        assert_eq!(origin.client.unwrap().ip().to_string(), "192.0.2.7");
        assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "a.example");
        assert_eq!(headers["forwarded"], "for=192.0.2.7;host=\"a.example\";proto=http");
        assert_eq!(headers["via"], "1.1 callgate");
        for name in ["x-forwarded-user", "x_forwarded_for", "x-real-ip"] {
            assert!(!headers.contains_key(name), "{name}");
        }
        assert_eq!(headers["x-forwards"], "kept");
    }

    #[test]
    fn a_trusted_proxy_is_believed_as_far_as_the_trust_goes() {
        let parts = parts(&[
            ("host", "inner"),
            ("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.2"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
            ("via", "1.1 lb"),
        ]);
        let (origin, headers) = headers_sent(parts, &connection("10.0.0.1:80", &["10.0.0.0/8"]));
        assert_eq!(origin.client.unwrap().ip().to_string(), "203.0.113.9");
        assert_eq!(origin.scheme, Scheme::HTTPS);
        assert_eq!(headers["x-forwarded-for"], "6.6.6.6, 203.0.113.9, 10.0.0.2, 10.0.0.1");
        assert_eq!(headers["x-forwarded-host"], "shop.example");
        assert_eq!(headers["via"], "1.1 lb, 1.1 callgate");
    }

    #[test]
    fn the_standard_header_serves_where_the_other_is_missing() {
        let parts = parts(&[("forwarded", "for=\"[2001:db8::1]:4711\";proto=https, for=10.0.0.2")]);
        let (origin, headers) = headers_sent(parts, &connection("10.0.0.1:80", &["10.0.0.0/8"]));
        assert_eq!(origin.client.unwrap().ip().to_string(), "2001:db8::1");
        assert_eq!(headers["x-forwarded-for"], "2001:db8::1, 10.0.0.1");
        assert_eq!(origin.scheme, Scheme::HTTPS, "as the proxy says that met the client");
    }

    #[test]
    fn a_connection_may_ask_for_several_hosts() {
        let connection = connection("192.0.2.7:5000", &[]);
        for host in ["a.example", "b.example", "a.example"] {
            let (_, headers) = headers_sent(parts(&[("host", host)]), &connection);
            assert_eq!(headers["forwarded"], format!("for=192.0.2.7;host=\"{host}\";proto=http"));
        }
        let (_, headers) = headers_sent(parts(&[]), &connection);
        assert_eq!(headers["forwarded"], "for=192.0.2.7;proto=http");
    }

    #[test]
    fn hops_are_counted_whatever_their_addresses_look_like() {
        for (hops, client) in [
            ("6.6.6.6, 203.0.113.9:4711, 10.0.0.3, 10.0.0.2:80", "203.0.113.9"),
            ("6.6.6.6, [2001:db8::9]:4711, [fd00::2]:80", "2001:db8::9"),
            ("6.6.6.6, 2001:db8::9, fd00::2", "2001:db8::9"),
            ("6.6.6.6, [2001:db8::9], ::ffff:10.0.0.2", "2001:db8::9"),
            ("6.6.6.6, [::ffff:203.0.113.9]:1, 10.0.0.2", "203.0.113.9"),
            ("10.0.0.4, 10.0.0.3", "10.0.0.4"),
        ] {
            let parts = parts(&[("x-forwarded-for", hops)]);
            let origin = origin(&parts, &connection("10.0.0.1:80", &["10.0.0.0/8", "fd00::/8"]));
            assert_eq!(origin.client.unwrap().ip().to_string(), client, "{hops}");
        }
    }

    #[test]
    fn the_scheme_is_that_of_the_proxy_which_met_the_client() {
        let scheme = |lines: &[(&str, &str)]| {
            let origin = origin(&parts(lines), &connection("10.0.0.1:80", &["10.0.0.0/8"]));
            origin.scheme
        };
        let hops = ("x-forwarded-for", "203.0.113.9, 10.0.0.2");
        assert_eq!(scheme(&[hops, ("x-forwarded-proto", "https, http")]), Scheme::HTTPS);
        assert_eq!(scheme(&[hops, ("x-forwarded-proto", "https")]), Scheme::HTTPS);
        let forged = ("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.2");
        assert_eq!(scheme(&[forged, ("x-forwarded-proto", "https, http, http")]), Scheme::HTTP);
    }

    #[test]
    fn an_element_that_does_not_say_for_whom_is_a_hop_too() {
        let parts = parts(&[("forwarded", "for=6.6.6.6, proto=https, for=10.0.0.2")]);
        let origin = origin(&parts, &connection("10.0.0.1:80", &["10.0.0.0/8"]));
        assert_eq!(origin.client.unwrap().ip().to_string(), "10.0.0.2");
    }

    #[test]
    fn nothing_before_an_unreadable_hop_is_believed() {
        let parts = parts(&[("x-forwarded-for", "9.9.9.9, unknown, 10.0.0.2")]);
        let origin = origin(&parts, &connection("10.0.0.1:80", &["10.0.0.0/8"]));
        assert_eq!(origin.client.unwrap().ip().to_string(), "10.0.0.2");
    }
}
