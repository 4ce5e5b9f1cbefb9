#![doc = include_str!("../README.md")]

mod address;
mod config;
mod error;
mod function;
mod refusal;
mod shape;
mod target;
mod token;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use callgate_core::{Context, ErrorKind, Files, Invalid, Invocation, Response, Upstream, UpstreamError};
use callgate_http::{Endpoint, EndpointError, HttpClient};
use futures_util::future::select_ok;

pub use config::{Config, CredentialFile, Credentials, NamedCredentials, TokenHeader};
pub use function::Function;
pub use target::{PathMode, Payload, Target};

use crate::{
    address::{Address, Base},
    error::Unusable,
    token::Tokens,
};

/// Google Cloud Functions and Cloud Run services, called with one set of credentials.
#[derive(Debug)]
pub struct Gcf {
    client: HttpClient,
    base: Base,
    audience: Option<String>,
    header: TokenHeader,
    /// `None` for functions that anyone may call.
    tokens: Option<Tokens>,
    /// Functions of one host share its connections.
    endpoints: Mutex<HashMap<String, Endpoint>>,
}

impl Upstream for Gcf {
    const KIND: &'static str = "gcf";
    const SUMMARY: &'static str = "Google Cloud Functions and Cloud Run";
    type Config = Config;
    type Target = Target;
    type Function = Function;

    fn read_files(config: &mut Config, files: &Files) -> Vec<Invalid> {
        let mut found = config.http().read_files(files);
        if let Credentials::File(named) = &config.credentials {
            found.extend(token::flaw_of(&files.file(&named.file)).map(|flaw| flaw.at("credentials.file")));
        }
        found
    }

    async fn connect(config: Config, context: Context) -> Result<Self, UpstreamError> {
        let base = Base::of(&config).map_err(Unusable::Url)?;
        let client = HttpClient::new(config.http(), &context).map_err(Unusable::Client)?;
        let tokens = Tokens::load(&config.credentials, &context).await?;
        Ok(Self {
            client,
            base,
            audience: config.audience,
            header: config.token_header,
            tokens,
            endpoints: Mutex::default(),
        })
    }

    fn bind(&self, target: Target) -> Result<Function, Invalid> {
        let address = self.base.find(&target)?;
        let unfit = |error: EndpointError| Invalid::new(error.to_string()).at("url");
        let endpoint = self.endpoint(&address).map_err(unfit)?;
        let audience = || self.audience.clone().unwrap_or_else(|| address.url());
        let token = self.tokens.as_ref().map(|tokens| tokens.for_audience(&audience()));
        Function::new(&target, &address, endpoint, token, self.header)
    }

    fn check_target(config: &Config, target: &Target) -> Vec<Invalid> {
        // What is wrong with the settings by themselves is told at their own place.
        let base = Base::of(config).ok();
        base.and_then(|base| base.find(target).err()).into_iter().collect()
    }

    async fn call(&self, function: &Function, invocation: Invocation) -> Result<Response, UpstreamError> {
        let Invocation { request, context } = invocation;
        let token = match function.token() {
            Some(token) => Some(token.header().await?),
            None => None,
        };
        let request = function.request(request, &context, token).await?;
        let credentials = function.credentials(request.headers());
        let reply = self.client.send(function.endpoint(), request).await?;
        let reply = refusal::examine(reply, credentials, function.label()).await;
        if let (Err(refused), Some(token)) = (&reply, function.token())
            && refused.kind() == ErrorKind::Denied
        {
            token.refused();
        }
        reply
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        if let Some(tokens) = &self.tokens {
            let all = tokens.all();
            if !all.is_empty() {
                select_ok(all.iter().map(|token| Box::pin(token.header()))).await?;
            }
        }
        let endpoints: Vec<_> = self.lock().values().cloned().collect();
        if endpoints.is_empty() {
            return Ok(());
        }
        let probes = endpoints.iter().map(|endpoint| Box::pin(self.client.probe(endpoint)));
        select_ok(probes).await.map(drop).map_err(UpstreamError::from)
    }

    fn preview(_: &Config, target: &Target, invocation: Invocation) -> Result<Option<String>, UpstreamError> {
        function::preview(target, invocation)
    }
}

impl Gcf {
    fn endpoint(&self, address: &Address) -> Result<Endpoint, EndpointError> {
        let mut endpoints = self.lock();
        if let Some(known) = endpoints.get(address.origin()) {
            return Ok(known.clone());
        }
        let endpoint = Endpoint::parse(address.origin())?;
        endpoints.insert(address.origin().to_owned(), endpoint.clone());
        Ok(endpoint)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Endpoint>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
