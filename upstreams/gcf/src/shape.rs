//! Where requests go and what they carry, without any I/O.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri::InvalidUri};

use crate::{config::TokenHeader, target::PathMode};

/// The token that Google's front end prefers; a client's own never passes.
pub(crate) const SERVERLESS_AUTHORIZATION: HeaderName = HeaderName::from_static("x-serverless-authorization");

/// The target of a request: the function's path, the tail where it is appended, the query as it is.
pub(crate) fn target(path: &str, mode: PathMode, tail: Option<&str>, query: Option<&str>) -> Result<Uri, InvalidUri> {
    let tail = tail.filter(|tail| mode == PathMode::Append && !tail.is_empty());
    let mut target = String::with_capacity(path.len() + tail.map_or(1, str::len) + query.map_or(0, str::len) + 2);
    target.push_str(path);
    if let Some(tail) = tail {
        target.push('/');
        target.push_str(tail);
    } else if path.is_empty() {
        target.push('/');
    }
    if let Some(query) = query {
        target.push('?');
        target.push_str(query);
    }
    target.try_into()
}

/// Puts the gateway's token on, and what only the gateway may say off.
pub(crate) fn authorize(headers: &mut HeaderMap, token: Option<HeaderValue>, header: TokenHeader) {
    headers.remove(SERVERLESS_AUTHORIZATION);
    if let Some(token) = token {
        headers.insert(header.name(), token);
    }
}

/// Whose credentials a request carries towards the platform and the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Nobody's.
    Nothing,
    /// The client's own `authorization` alone.
    Clients,
    /// The gateway's token alone.
    Token,
    /// The gateway's token for the platform, and the client's own `authorization` for the function.
    TokenAndClients,
}

impl Carried {
    /// `token` when the gateway has put one on.
    pub(crate) fn of(headers: &HeaderMap, token: bool, header: TokenHeader) -> Self {
        let both = token && header == TokenHeader::XServerlessAuthorization;
        match (token, headers.contains_key(header::AUTHORIZATION)) {
            (false, false) => Self::Nothing,
            (false, true) => Self::Clients,
            (true, true) if both => Self::TokenAndClients,
            (true, _) => Self::Token,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_follows_the_functions_path_and_the_query_stays() {
        let of = |path, mode, tail, query| target(path, mode, tail, query).unwrap().to_string();
        assert_eq!(of("/hello", PathMode::Append, Some("a/b%2Fc"), Some("x=1&x=2&y")), "/hello/a/b%2Fc?x=1&x=2&y");
        assert_eq!(of("/hello", PathMode::Append, None, None), "/hello");
        assert_eq!(of("/hello", PathMode::Append, Some(""), Some("")), "/hello?");
        assert_eq!(of("/hello", PathMode::Fixed, Some("a"), Some("x")), "/hello?x");
        assert_eq!(of("", PathMode::Append, Some("a"), None), "/a");
        assert_eq!(of("", PathMode::Fixed, Some("a"), None), "/");
    }

    fn headers(names: &[&'static str]) -> HeaderMap {
        names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("client"))).collect()
    }

    #[test]
    fn a_client_cannot_bring_what_the_gateway_says() {
        let token = || Some(HeaderValue::from_static("Bearer ours"));
        let mut both = headers(&["authorization", "x-serverless-authorization"]);
        authorize(&mut both, token(), TokenHeader::Authorization);
        assert_eq!((both.len(), &both["authorization"]), (1, &token().unwrap()));
        let mut both = headers(&["authorization", "x-serverless-authorization"]);
        authorize(&mut both, token(), TokenHeader::XServerlessAuthorization);
        assert_eq!(
            (&both["authorization"], &both["x-serverless-authorization"]),
            (&HeaderValue::from_static("client"), &token().unwrap())
        );
        let mut both = headers(&["authorization", "x-serverless-authorization"]);
        authorize(&mut both, None, TokenHeader::Authorization);
        assert_eq!((both.len(), &both["authorization"]), (1, &HeaderValue::from_static("client")));
    }

    #[test]
    fn whose_credentials_are_carried_is_known() {
        let clients = headers(&["authorization"]);
        assert_eq!(Carried::of(&HeaderMap::new(), false, TokenHeader::Authorization), Carried::Nothing);
        assert_eq!(Carried::of(&clients, false, TokenHeader::Authorization), Carried::Clients);
        assert_eq!(Carried::of(&clients, true, TokenHeader::Authorization), Carried::Token);
        let other = TokenHeader::XServerlessAuthorization;
        assert_eq!(Carried::of(&clients, true, other), Carried::TokenAndClients);
        assert_eq!(Carried::of(&HeaderMap::new(), true, other), Carried::Token);
    }
}
