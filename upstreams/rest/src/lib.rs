#![doc = include_str!("../README.md")]

mod balance;
mod config;
mod error;
mod in_flight;

use std::sync::Arc;

use callgate_core::{Context, Invalid, Invocation, Response, Upstream, UpstreamError};
use callgate_http::{HttpClient, WhileUpgraded};
use futures_util::future::select_ok;
use http::header;

pub use config::{Balance, Config, Endpoint, Target};

use balance::Balancer;
use error::Unusable;

/// The kind `rest`: HTTP services.
#[derive(Debug)]
pub struct Rest {
    client: HttpClient,
    balancer: Balancer,
}

impl Upstream for Rest {
    const KIND: &'static str = "rest";
    const SUMMARY: &'static str = "HTTP services: a streaming reverse proxy";

    type Config = Config;
    type Target = Target;
    type Function = ();

    async fn connect(config: Config, context: Context) -> Result<Self, UpstreamError> {
        let endpoints = config.parsed()?;
        if endpoints.is_empty() {
            return Err(Unusable::NoEndpoint.into());
        }
        let client = HttpClient::new(config.http(), &context).map_err(Unusable::from)?;
        Ok(Self { client, balancer: Balancer::new(endpoints, config.balance) })
    }

    fn bind(&self, _target: Target) -> Result<(), Invalid> {
        Ok(())
    }

    async fn call(&self, _function: &(), invocation: Invocation) -> Result<Response, UpstreamError> {
        let mut request = invocation.request;
        // Another endpoint may have another base path.
        let uri = self.balancer.has_several().then(|| request.uri().clone());
        let mut tries = self.balancer.choose();
        loop {
            let member = self.balancer.member(&mut tries);
            let wanted = uri.clone().unwrap_or_else(|| std::mem::take(request.uri_mut()));
            *request.uri_mut() = member.endpoint.resolve(wanted);
            let call = self.balancer.begin(member).map(Arc::new);
            if let Some(call) = &call
                && request.headers().contains_key(header::UPGRADE)
            {
                request.extensions_mut().insert(WhileUpgraded::new(call.clone()));
            }
            match self.client.try_send(&member.endpoint, request).await {
                Ok(reply) => {
                    member.recover();
                    return Ok(match call {
                        Some(call) => reply.map(|body| in_flight::until_the_end_of(body, call)),
                        None => reply,
                    });
                }
                Err(failure) => {
                    if failure.error.is_before_sent() {
                        self.balancer.leave_out(member);
                    }
                    match failure.unsent {
                        Some(unsent) if self.balancer.has_another(&tries) => {
                            tracing::debug!(endpoint = %member.endpoint, error = %failure.error, "The next endpoint is tried.");
                            request = *unsent;
                        }
                        _ => return Err(failure.error.into()),
                    }
                }
            }
        }
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        let probes = self.balancer.members().map(|member| Box::pin(self.client.probe(&member.endpoint)));
        select_ok(probes).await.map(drop).map_err(UpstreamError::from)
    }
}
