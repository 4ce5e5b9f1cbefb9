//! Where tokens are asked for.

use callgate_http::{Endpoint, EndpointError};

/// A URL with its path and query as they are written.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) endpoint: Endpoint,
    pub(crate) target: String,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, EndpointError> {
        let authority = url.find("://").map_or(0, |at| at + 3);
        let end = url[authority..].find(['/', '?']).map_or(url.len(), |at| authority + at);
        let (origin, target) = url.split_at(end);
        let endpoint = Endpoint::parse(origin)?;
        if let Err(error) = target.parse::<http::uri::PathAndQuery>()
            && !target.is_empty()
        {
            return Err(EndpointError::Malformed { url: url.to_owned(), reason: error.to_string() });
        }
        let target = match target.as_bytes().first() {
            None => "/".to_owned(),
            Some(b'?') => format!("/{target}"),
            Some(_) => target.to_owned(),
        };
        Ok(Self { endpoint, target })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_kept_as_it_is_written() {
        let of = |url| Address::parse(url).map(|address| (address.endpoint.to_string(), address.target));
        let pair = |origin: &str, target: &str| Ok((origin.to_owned(), target.to_owned()));
        assert_eq!(of("https://a/v1/x:generateIdToken"), pair("https://a", "/v1/x:generateIdToken"));
        assert_eq!(of("http://a:80?b=c"), pair("http://a:80", "/?b=c"));
        assert_eq!(of("https://a/token?x=1"), pair("https://a", "/token?x=1"));
        assert_eq!(of("https://a"), pair("https://a", "/"));
        for url in ["a/b", "ftp://a/b", "https://u:p@a/b", "https://a/b c", "/token"] {
            of(url).unwrap_err();
        }
    }
}
