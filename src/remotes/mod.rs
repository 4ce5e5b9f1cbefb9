//! The clients by which policies ask services beside the upstreams.

mod counters;
mod http;

use std::sync::Arc;

use callgate_core::{
    Context, Invalid, Secret,
    remote::{Counters, HttpService, Remotes},
};

use self::{counters::Redis, http::Service};

/// HTTP by the client that kinds share, counters in Redis.
#[derive(Debug)]
pub(crate) struct Clients;

impl Remotes for Clients {
    fn http(&self, url: &str, context: &Context) -> Result<Arc<dyn HttpService>, Invalid> {
        Ok(Arc::new(Service::new(url, context)?))
    }

    fn counters(&self, url: &Secret, context: &Context) -> Result<Arc<dyn Counters>, Invalid> {
        Ok(Arc::new(Redis::new(url, context)?))
    }
}
