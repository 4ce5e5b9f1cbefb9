#![doc = include_str!("../README.md")]

mod config;
mod credentials;
mod environment;
mod error;
mod function;
mod identity;
mod route;
mod shape;
mod target;
mod token;

use std::sync::Arc;

use callgate_core::{Context, Files, Invalid, Invocation, Renewed, Response, Upstream, UpstreamError};
use callgate_http::{Endpoint, HttpClient};
use http::{HeaderValue, header::AUTHORIZATION};

pub use config::Config;
pub use credentials::{AuthLevel, Credentials};
pub use function::Function;
pub use identity::{Assigned, ClientSecret, Entra, Federated, ManagedIdentity, WorkloadIdentity};
pub use target::{Path, Target};

use crate::{error::Unusable, token::Source};

/// Azure Functions: one function app.
#[derive(Debug)]
pub struct Azure {
    client: HttpClient,
    endpoint: Endpoint,
    /// What stands before the routes of all functions.
    base: String,
    config: Config,
    /// The `authorization` of an identity.
    token: Option<Arc<Renewed<HeaderValue>>>,
}

impl Upstream for Azure {
    const KIND: &'static str = "azure";
    const SUMMARY: &'static str = "Azure Functions";
    type Config = Config;
    type Target = Target;
    type Function = Function;

    fn read_files(config: &mut Config, files: &Files) -> Vec<Invalid> {
        let mut found = config.http().read_files(files);
        found.extend(config.credentials.entra.iter().flat_map(|entra| entra.read_files(files)));
        found
    }

    async fn connect(config: Config, context: Context) -> Result<Self, UpstreamError> {
        let endpoint = config.endpoint().map_err(Unusable::Endpoint)?;
        if config.credentials.are_shown() && !identity::is_safe(&endpoint) {
            tracing::warn!(upstream = context.name(), %endpoint, "Keys and tokens go to the app over plain HTTP.");
        }
        let client = HttpClient::new(config.http(), &context).map_err(Unusable::Client)?;
        let token = match &config.credentials.entra {
            Some(entra) => {
                let source = Source::new(entra, environment::variable, &context)?;
                let what = format!("token for {} from {}", entra.resource(), source.place());
                let gauge = context.token(&what);
                let token = Arc::new(Renewed::new(what).counted(gauge));
                let (kept, upstream) = (Arc::clone(&token), context.name().to_owned());
                context.spawn(async move { kept.keep(&upstream, || source.ask()).await });
                Some(token)
            }
            None => None,
        };
        let base = config.base(&endpoint);
        Ok(Self { client, endpoint, base, config, token })
    }

    fn bind(&self, target: Target) -> Result<Function, Invalid> {
        Function::new(&self.config, &self.base, target)
    }

    fn check_target(config: &Config, target: &Target) -> Vec<Invalid> {
        let key = config.credentials.key(&target.name, function::level(config, target));
        key.err().map(|missing| function::no_key(&missing, target)).into_iter().collect()
    }

    async fn call(&self, function: &Function, invocation: Invocation) -> Result<Response, UpstreamError> {
        let Invocation { request, context } = invocation;
        let mut request = function.request(request, &context).await?;
        if let Some(token) = &self.token {
            let token = token.get().await?;
            request.headers_mut().insert(AUTHORIZATION, HeaderValue::clone(&token));
        }
        let reply = self.client.send(&self.endpoint, request).await?;
        if let Some(token) = self.token.as_ref().filter(|_| shape::wants_another_token(reply.status(), reply.headers()))
        {
            token.refused();
        }
        match shape::refusal(function.name(), reply.status(), reply.headers()) {
            Some(error) => Err(error),
            None => Ok(reply),
        }
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        if let Some(token) = &self.token {
            token.get().await?;
        }
        Ok(self.client.probe(&self.endpoint).await?)
    }
}
