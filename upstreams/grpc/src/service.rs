//! The way to a service: HTTP/2 alone, on the connections of the shared client.

use callgate_core::{Body, Response, UpstreamError};
use callgate_http::{Endpoint, HttpClient};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header, uri::PathAndQuery};

/// A service's address, and the client that speaks to it.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) client: HttpClient,
    pub(crate) endpoint: Endpoint,
}

impl Service {
    /// Calls a method with these headers, which get what every call of gRPC has unless they have it.
    pub(crate) async fn call(
        &self,
        path: PathAndQuery,
        mut headers: HeaderMap,
        body: Body,
    ) -> Result<Response, UpstreamError> {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/grpc+proto"));
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.resolve(Uri::from(path));
        *request.headers_mut() = headers;
        Ok(self.client.send(&self.endpoint, request).await?)
    }
}
