//! A document that the service, or a server of documents, gives.

use std::{sync::Arc, time::Duration};

use callgate_core::{Body, ErrorKind, UpstreamError};
use callgate_http::{Endpoint, HttpClient};
use callgate_openapi::{Document, Reading};
use http::{Request, header};
use tokio::time::timeout;

use super::{LARGEST, LARGEST_SUM, Source};

/// How long one file may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Where services usually have their document, most usual first.
const USUAL: [&str; 12] = [
    "/openapi.json",
    "/openapi.yaml",
    "/swagger.json",
    "/swagger.yaml",
    "/v3/api-docs",
    "/v2/api-docs",
    "/swagger/v1/swagger.json",
    "/api-docs",
    "/openapi",
    "/api/openapi.json",
    "/docs/openapi.json",
    "/.well-known/openapi.json",
];

/// Gets a document over HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    client: HttpClient,
    /// The URLs that may be it.
    candidates: Arc<[String]>,
}

impl Fetcher {
    /// For a document at a URL, or at one of the usual paths below the endpoints.
    pub(crate) fn new(client: HttpClient, source: &Source, endpoints: &[String]) -> Option<Self> {
        let candidates = match source {
            Source::File(_) => return None,
            Source::Url(url) => vec![url.clone()],
            Source::Discover => {
                let below = |endpoint: &String| USUAL.map(|path| format!("{}{path}", endpoint.trim_end_matches('/')));
                endpoints.iter().flat_map(below).collect()
            }
        };
        Some(Self { client, candidates: candidates.into() })
    }

    /// The first candidate that is a document, with all files of its origin that it refers to.
    pub(crate) async fn fetch(&self) -> Result<Document, UpstreamError> {
        let mut reasons = Vec::new();
        for url in &*self.candidates {
            match self.document(url).await {
                Ok(document) => return Ok(document),
                Err(reason) => reasons.push(format!("{url}: {reason}")),
            }
        }
        let message = format!("the service's OpenAPI document can't be had: {}", reasons.join("; "));
        Err(UpstreamError::new(ErrorKind::Unavailable, message))
    }

    async fn document(&self, url: &str) -> Result<Document, String> {
        let mut room = LARGEST_SUM;
        let text = self.text(url, &mut room).await?;
        let mut reading = Reading::begin(url, &text).map_err(|error| error.to_string())?;
        loop {
            let missing = reading.missing();
            if missing.is_empty() {
                return reading.finish().map_err(|error| error.to_string());
            }
            for location in missing {
                let read = if same_origin(url, &location) {
                    self.text(&location, &mut room).await
                } else {
                    Err("it is of another origin than the document".to_owned())
                };
                reading.add(&location, read);
            }
        }
    }

    /// Fetches a file, for which there is so much room left.
    async fn text(&self, url: &str, room: &mut u64) -> Result<String, String> {
        let fetched = timeout(PATIENCE, self.bytes(url, LARGEST.min(*room))).await;
        let bytes = fetched.unwrap_or_else(|_| Err("it did not come in time".to_owned()))?;
        *room = room.saturating_sub(bytes.len() as u64);
        String::from_utf8(bytes.to_vec()).map_err(|_| "it is no UTF-8".to_owned())
    }

    async fn bytes(&self, url: &str, most: u64) -> Result<bytes::Bytes, String> {
        let (endpoint, path): (Endpoint, String) = Source::endpoint(url).map_err(|error| error.to_string())?;
        let uri = path.parse().map_err(|error| format!("its path is none: {error}"))?;
        let request = Request::get(endpoint.resolve(uri))
            .header(header::ACCEPT, "application/json, application/yaml;q=0.9, */*;q=0.8")
            .header(header::USER_AGENT, concat!("callgate/", env!("CARGO_PKG_VERSION")))
            .body(Body::empty())
            .map_err(|error| error.to_string())?;
        let reply = self.client.send(&endpoint, request).await;
        let reply = reply.map_err(|error| callgate_core::chain(&error))?;
        if !reply.status().is_success() {
            return Err(format!("the answer is {}", reply.status().as_u16()));
        }
        reply.into_body().collect(most).await.map_err(|error| callgate_core::chain(&error))
    }
}

fn same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| {
        let start = url.find("://")? + 3;
        let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
        Some(url[..end].to_ascii_lowercase())
    };
    origin(one).is_some() && origin(one) == origin(other)
}
