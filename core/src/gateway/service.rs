//! The gateway as a [`tower::Service`], to be mounted in a server of one's own.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
};

use tower::Service;

use super::Gateway;
use crate::{body::Body, edge::Connection, invocation::Response};

/// Where a request comes from when the server that the gateway is mounted in does not say.
static UNKNOWN: LazyLock<Arc<Connection>> =
    LazyLock::new(|| Arc::new(Connection::new("embedded".into(), None, false, Arc::from([]))));

/// A request may carry an `Arc<Connection>` in its extensions; without one its origin is unknown and untrusted.
impl Service<http::Request<Body>> for Gateway {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let connection = request.extensions_mut().remove::<Arc<Connection>>();
        let answer = self.handle(request, connection.as_ref().unwrap_or(&UNKNOWN));
        Box::pin(async move { Ok(answer.await) })
    }
}
