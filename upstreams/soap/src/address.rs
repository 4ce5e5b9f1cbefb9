//! Where a service is: an endpoint, and the path with its query that messages go to.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use callgate_http::{Endpoint, EndpointError};
use http::uri::PathAndQuery;

/// The place of a port.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) endpoint: Endpoint,
    pub(crate) target: PathAndQuery,
}

impl Address {
    /// Reads a URL, with its query if it has one.
    pub(crate) fn parse(url: &str) -> Result<Self, EndpointError> {
        let (base, target) = split(url);
        let endpoint = Endpoint::parse(base)?;
        let target = PathAndQuery::try_from(target)
            .map_err(|error| EndpointError::Malformed { url: base.to_owned(), reason: error.to_string() })?;
        Ok(Self { endpoint, target })
    }
}

/// Scheme and authority of a URL, and the rest.
fn split(url: &str) -> (&str, &str) {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let after = url.find("://").map_or(0, |at| at + 3);
    let authority = url.get(after..).and_then(|rest| rest.find(['/', '?'])).map_or(url.len(), |at| after + at);
    let (base, target) = url.split_at_checked(authority).unwrap_or((url, ""));
    (base, if target.is_empty() { "/" } else { target })
}

/// Addresses of one upstream, which share the connections of an endpoint.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Mutex<HashMap<String, Endpoint>>);

impl Addresses {
    /// The address of a URL.
    pub(crate) fn of(&self, url: &str) -> Result<Address, EndpointError> {
        let mut address = Address::parse(url)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = address.endpoint.to_string();
        address.endpoint = known.entry(name).or_insert(address.endpoint).clone();
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_an_endpoint_and_what_is_asked_of_it() {
        for (url, endpoint, target) in [
            ("http://a", "http://a", "/"),
            ("http://a:8080/b/c?d=e#f", "http://a:8080", "/b/c?d=e"),
            ("https://[::1]:1/x", "https://[::1]:1", "/x"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.endpoint.to_string(), address.target.as_str()), (endpoint.to_owned(), target));
        }
        assert_eq!(split("http://a?wsdl"), ("http://a", "?wsdl"));
        for wrong in ["a/b", "ftp://a", "http:///x", "http://a b/"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
        assert!(!Address::parse("http://u:hunter2@a/").unwrap_err().to_string().contains("hunter2"));
    }
}
