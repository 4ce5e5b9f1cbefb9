//! What the server serves: anything that turns a request into a response.

use std::sync::Arc;

use callgate_core::{Body, Connection, Gateway};
use http::{Request, Response};

/// Answers requests. [`Gateway`] is the one that matters; tests have smaller ones.
pub trait Answer: Clone + Send + Sync + 'static {
    /// Answers a request that came over this connection. Dropping the future abandons the request.
    fn answer(
        &self,
        request: Request<Body>,
        connection: &Arc<Connection>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static;
}

impl Answer for Gateway {
    fn answer(
        &self,
        request: Request<Body>,
        connection: &Arc<Connection>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        self.handle(request, connection)
    }
}
