//! A service behind a URL.

use std::{future::Future, pin::Pin};

use callgate_core::{Body, Context, Invalid, UpstreamError, chain, remote::HttpService};
use callgate_http::{Endpoint, HttpClient, HttpSettings};
use http::{Request, Response, Uri, uri::PathAndQuery};

/// A service behind a URL.
#[derive(Debug)]
pub(super) struct Service {
    client: HttpClient,
    endpoint: Endpoint,
    target: PathAndQuery,
}

impl Service {
    pub(super) fn new(url: &str, context: &Context) -> Result<Self, Invalid> {
        let wrong = |reason: String| Invalid::new(format!("the URL can't be used: {reason}"));
        let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
        let target = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        // The endpoint is the service's address alone: a URL of a document may have a query.
        let address = url.split('?').next().unwrap_or(url);
        let base = address.strip_suffix(target.path()).unwrap_or(address);
        let endpoint = Endpoint::parse(base).map_err(|error| wrong(error.to_string()))?;
        let client = HttpClient::new(HttpSettings::default(), context).map_err(|error| wrong(chain(&error)))?;
        Ok(Self { client, endpoint, target })
    }
}

impl HttpService for Service {
    fn call(
        &self,
        mut request: Request<Body>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Body>, UpstreamError>> + Send + '_>> {
        *request.uri_mut() = Uri::from(self.target.clone());
        Box::pin(async move { Ok(self.client.send(&self.endpoint, request).await?) })
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;

    use super::*;

    #[tokio::test]
    async fn a_url_is_taken_apart() {
        let context = Context::new("test", ".".as_ref(), Handle::current());
        for (url, endpoint, target) in [
            ("http://a:81/keys?p=1", "http://a:81", "/keys?p=1"),
            ("https://a/x/y", "https://a", "/x/y"),
            ("http://a", "http://a", "/"),
            ("http://a/", "http://a", "/"),
        ] {
            let service = Service::new(url, &context).unwrap();
            assert_eq!((&*service.endpoint.to_string(), service.target.as_str()), (endpoint, target), "{url}");
        }
        assert!(Service::new("ftp://a", &context).is_err());
    }
}
