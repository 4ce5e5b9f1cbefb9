//! The service's OpenAPI document: where it is, and how it is had.

mod fetch;
mod local;
mod shelf;

use callgate_http::{Endpoint, EndpointError};

pub(crate) use fetch::Fetcher;
pub(crate) use local::read;
pub(crate) use shelf::Shelf;

/// The most bytes of one file of a document.
const LARGEST: u64 = 64 << 20;

/// The most bytes of all files of a document together.
const LARGEST_SUM: u64 = 128 << 20;

/// Where a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    File(String),
    Url(String),
    /// At one of the usual paths below the service's URL.
    Discover,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "discover" => Self::Discover,
            url if url.starts_with("http://") || url.starts_with("https://") => Self::Url(url.to_owned()),
            file => Self::File(file.to_owned()),
        }
    }

    /// The endpoint of a URL and the path there.
    pub(crate) fn endpoint(url: &str) -> Result<(Endpoint, String), EndpointError> {
        let start = url.find("://").map_or(0, |at| at + 3);
        let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
        let path = url[end..].split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok((Endpoint::parse(&url[..end])?, path))
    }
}
