//! Where an HTTP service is, read from its URL once, at load.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicU64, Ordering},
};

use http::{
    HeaderValue, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A service's scheme, host, port and base path.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Names the endpoint in the pools of connections; clones share it.
    pub(crate) id: u64,
    scheme: Scheme,
    host: Box<str>,
    port: u16,
    /// The address, where the host is one already.
    pub(crate) address: Option<SocketAddr>,
    authority: Authority,
    host_header: HeaderValue,
    base_path: Box<str>,
}

/// Why a text is not the URL of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// It has no scheme, or another one than HTTP's.
    #[error("`{0}` is no HTTP URL: it has to begin with http:// or https://")]
    Scheme(String),
    /// It has no host.
    #[error("`{0}` names no host")]
    Host(String),
    /// It has a user or password.
    #[error("the URL holds a user or password: credentials have options of their own and never stand in a URL")]
    Userinfo,
    /// It has a query.
    #[error("`{0}` has a query: requests bring their own; set fixed parameters by a `request` step")]
    Query(String),
    /// It has a fragment.
    #[error("`{0}` has a fragment (`#`), which is never sent to a server")]
    Fragment(String),
    /// It has port 0, or one above 65535.
    #[error("`{0}` has a port that is not between 1 and 65535")]
    Port(String),
    /// Some other part is malformed.
    #[error("`{url}` is no URL: {reason}")]
    Malformed {
        /// The text.
        url: String,
        /// What the reader says.
        reason: String,
    },
}

impl Endpoint {
    /// Reads `scheme://host[:port][/base/path]`.
    ///
    /// # Errors
    /// An [`EndpointError`] that says what is wrong; a password in the text is never repeated.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        let owned = || url.to_owned();
        let (scheme, rest) = url.split_once("://").ok_or_else(|| EndpointError::Scheme(owned()))?;
        let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        if rest[..authority_end].contains('@') {
            return Err(EndpointError::Userinfo);
        }
        let scheme = if scheme.eq_ignore_ascii_case("http") {
            Scheme::HTTP
        } else if scheme.eq_ignore_ascii_case("https") {
            Scheme::HTTPS
        } else {
            return Err(EndpointError::Scheme(owned()));
        };
        if url.contains('#') {
            return Err(EndpointError::Fragment(owned()));
        }
        if rest.contains('?') {
            return Err(EndpointError::Query(owned()));
        }
        if matches!(rest.as_bytes().first(), None | Some(b'/' | b':')) {
            return Err(EndpointError::Host(owned()));
        }
        let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| EndpointError::Malformed {
            url: owned(),
            reason: error.to_string(),
        })?;
        let authority = uri.authority().cloned().ok_or_else(|| EndpointError::Host(owned()))?;
        let default_port = if scheme == Scheme::HTTPS { 443 } else { 80 };
        let port = match authority.port() {
            None if authority.as_str().len() > authority.host().len() => {
                return Err(EndpointError::Port(owned()));
            }
            None => default_port,
            Some(port) => match port.as_u16() {
                0 => return Err(EndpointError::Port(owned())),
                port => port,
            },
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let address = host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port));
        // The default port is left out, as browsers and other clients do; some servers compare the whole value.
        let shown = if port == default_port { authority.host() } else { authority.as_str() };
        let host_header = HeaderValue::try_from(shown)
            .map_err(|error| EndpointError::Malformed { url: owned(), reason: error.to_string() })?;
        Ok(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            host: host.into(),
            port,
            address,
            host_header,
            base_path: uri.path().trim_end_matches('/').into(),
            scheme,
            authority,
        })
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The host's name or address, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own if the URL has none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as the URL has them.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What the `host` header says: the authority, without a port that is the scheme's own.
    pub fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// The path below which the service's own paths start: empty, or `/...` without a final slash.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// The URI below the base path. Without a base path this costs nothing.
    #[must_use]
    pub fn resolve(&self, uri: Uri) -> Uri {
        if self.base_path.is_empty() {
            return uri;
        }
        let below = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let mut path = String::with_capacity(self.base_path.len() + below.len());
        path.push_str(&self.base_path);
        if !below.starts_with('/') {
            path.push('/');
        }
        path.push_str(below);
        match PathAndQuery::from_maybe_shared(path.into_bytes()) {
            Ok(path) => Uri::from(path),
            Err(_) => uri,
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.base_path)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_read_is_written_as_it_was(
            tls: bool,
            host in "[a-z][a-z0-9-]{0,20}(\\.[a-z]{2,5})?|\\[::[0-9a-f]{1,4}\\]|127\\.0\\.0\\.[1-9]",
            port in proptest::option::of(1_u16..),
            path in "(/[a-zA-Z0-9._~%21-]{1,8}){0,3}",
        ) {
            let port = port.map_or(String::new(), |port| format!(":{port}"));
            let url = format!("{}://{host}{port}{path}", if tls { "https" } else { "http" });
            let endpoint = Endpoint::parse(&url).unwrap();
            prop_assert_eq!(endpoint.to_string(), url);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(https?://)?[\\PC]{0,40}") {
            if let Ok(endpoint) = Endpoint::parse(&text) {
                prop_assert!(endpoint.port() != 0 && !endpoint.host().is_empty());
                prop_assert!(!endpoint.host_header().as_bytes().contains(&b'@'));
            }
        }
    }

    #[test]
    fn reads_the_parts() {
        let endpoint = Endpoint::parse("https://Example.com:8443/api/v1/").unwrap();
        assert_eq!((endpoint.host(), endpoint.port(), endpoint.base_path()), ("Example.com", 8443, "/api/v1"));
        assert_eq!(endpoint.host_header(), "Example.com:8443");
        let address = Endpoint::parse("http://[::1]").unwrap();
        assert_eq!((address.host(), address.port(), address.base_path()), ("::1", 80, ""));
        assert_eq!(address.host_header(), "[::1]");
        assert_eq!(address.address, Some("[::1]:80".parse().unwrap()));
        assert_eq!(Endpoint::parse("http://a:80/").unwrap().host_header(), "a");
    }

    #[test]
    fn says_what_is_wrong() {
        for (url, part) in [
            ("example.com", "has to begin"),
            ("ftp://a", "has to begin"),
            ("http://", "names no host"),
            ("http:///a", "names no host"),
            ("http://:80", "names no host"),
            ("http://a?b", "query"),
            ("http://a/#b", "fragment"),
            ("http://a:0", "port"),
            ("http://a:", "port"),
            ("http://a b", "no URL"),
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(error.contains(part), "{url}: {error}");
        }
    }

    #[test]
    fn never_repeats_a_password() {
        let error = Endpoint::parse("http://user:hunter2@a/").unwrap_err();
        assert_eq!(error, EndpointError::Userinfo);
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn puts_the_base_path_before_a_path() {
        let endpoint = Endpoint::parse("http://a/base/").unwrap();
        let resolved = |uri: &'static str| endpoint.resolve(Uri::from_static(uri)).to_string();
        assert_eq!(resolved("/x?y=1"), "/base/x?y=1");
        assert_eq!(resolved("/"), "/base/");
        let bare = Endpoint::parse("http://a").unwrap();
        assert_eq!(bare.resolve(Uri::from_static("/x")), "/x");
    }
}
