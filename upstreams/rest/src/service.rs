//! The service's instances, and the way of a request to one of them.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use callgate_core::{Body, CallContext, EndpointState, Response, UpstreamError};
use callgate_http::{Endpoint, HttpClient, WhileUpgraded};
use futures_util::future::{Either, TryFutureExt as _, select_ok};
use http::{Request, header};

use crate::{
    balance::{Balancer, Member},
    config::Balance,
    error::{self, Unusable},
    in_flight,
    standing::Ejection,
};

/// The client, and the endpoints that requests go to.
#[derive(Debug)]
pub(crate) struct Service {
    client: HttpClient,
    /// Of the settings; without one the document says where the service is.
    address: Option<Arc<Balancer>>,
    /// Servers that the document names, by URL.
    servers: Mutex<HashMap<String, Arc<Balancer>>>,
}

impl Service {
    pub(crate) fn new(client: HttpClient, address: Option<Balancer>) -> Self {
        Self { client, address: address.map(Arc::new), servers: Mutex::default() }
    }

    /// The endpoints of the settings, or else of this URL of a document.
    pub(crate) fn balancer(&self, url: impl FnOnce() -> Result<String, Unusable>) -> Result<Arc<Balancer>, Unusable> {
        if let Some(address) = &self.address {
            return Ok(Arc::clone(address));
        }
        let url = url()?;
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = servers.get(&url) {
            return Ok(Arc::clone(known));
        }
        let endpoint = Endpoint::parse(&url).map_err(|source| Unusable::Server { url: url.clone(), source })?;
        let balancer = Arc::new(Balancer::new(vec![(endpoint, 1)], Balance::RoundRobin, Ejection::default()));
        servers.insert(url, Arc::clone(&balancer));
        Ok(balancer)
    }

    /// Sends a request to one of the endpoints; to the next one where one takes no connection, and to another one than
    /// those that its former attempts used.
    pub(crate) fn send(
        &self,
        balancer: &Balancer,
        mut request: Request<Body>,
        context: Arc<CallContext>,
    ) -> impl Future<Output = Result<Response, UpstreamError>> + Send {
        let Some(only) = balancer.only() else {
            return Either::Right(Box::pin(self.send_to_one_of(balancer, request, context)));
        };
        let wanted = std::mem::take(request.uri_mut());
        *request.uri_mut() = only.endpoint.resolve(wanted);
        Either::Left(self.client.send(&only.endpoint, request).map_err(UpstreamError::from))
    }

    async fn send_to_one_of(
        &self,
        balancer: &Balancer,
        mut request: Request<Body>,
        context: Arc<CallContext>,
    ) -> Result<Response, UpstreamError> {
        // Another endpoint may have another base path.
        let uri = request.uri().clone();
        let former = context.tried();
        let mut tries = balancer.choose();
        let mut member = balancer.member(&mut tries, former).ok_or_else(error::unhealthy)?;
        loop {
            *request.uri_mut() = member.endpoint.resolve(uri.clone());
            let call = balancer.begin(member).map(Arc::new);
            if let Some(call) = &call
                && request.headers().contains_key(header::UPGRADE)
            {
                request.extensions_mut().insert(WhileUpgraded::new(call.clone()));
            }
            let mut answer = Answer { balancer, member, context: &context, awaited: true };
            let sent = self.client.try_send(&member.endpoint, request).await;
            answer.awaited = false;
            let failure = match sent {
                Ok(reply) => {
                    balancer.answered(member, reply.status());
                    return Ok(match call {
                        Some(call) => reply.map(|body| in_flight::until_the_end_of(body, call)),
                        None => reply,
                    });
                }
                Err(failure) => failure,
            };
            balancer.failed(member, &failure.error);
            let Some(unsent) = failure.unsent else { return Err(failure.error.into()) };
            let Some(next) = balancer.member(&mut tries, former) else { return Err(failure.error.into()) };
            tracing::debug!(endpoint = %member.endpoint, error = %failure.error, "The next endpoint is tried.");
            (request, member) = (*unsent, next);
        }
    }

    /// What is known of the endpoints.
    pub(crate) fn endpoints(&self) -> Vec<EndpointState> {
        self.address.iter().flat_map(|address| address.states()).collect()
    }

    /// The endpoints of the settings.
    pub(crate) fn address(&self) -> Option<&Arc<Balancer>> {
        self.address.as_ref()
    }

    /// Whether one endpoint takes a connection.
    pub(crate) async fn ready(&self) -> Result<(), UpstreamError> {
        let named: Vec<_> = self.servers.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let balancers: Vec<_> = self.address.iter().chain(&named).collect();
        if balancers.is_empty() {
            return Err(error::no_document());
        }
        if !balancers.iter().any(|balancer| balancer.has_healthy()) {
            return Err(error::unhealthy());
        }
        let members = balancers.into_iter().flat_map(|balancer| balancer.members());
        let probes = members.map(|member| Box::pin(self.client.probe(&member.endpoint)));
        select_ok(probes).await.map(drop).map_err(UpstreamError::from)
    }
}

/// An answer that is waited for. That the time is over when nobody waits any more speaks against the endpoint; a client
/// that leaves does not, nor does one whose body is not there yet.
struct Answer<'a> {
    balancer: &'a Balancer,
    member: &'a Member,
    context: &'a CallContext,
    awaited: bool,
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        let is_late = || self.context.deadline().is_some_and(|deadline| deadline <= Instant::now());
        if self.awaited && is_late() && !self.context.waits_for_client() {
            self.balancer.fail(self.member);
        }
    }
}
