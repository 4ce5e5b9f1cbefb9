#![doc = include_str!("../README.md")]

mod balance;
mod config;
mod contract;
mod credentials;
mod error;
mod function;
mod health;
mod in_flight;
mod operation;
mod service;
mod standing;
mod target;

use std::{
    future::{self, Future},
    sync::Arc,
};

use callgate_core::{
    Context, Description, Discovered, EndpointState, Files, Invalid, Invocation, Response, Upstream, UpstreamError,
    document::nearest,
    upstream::{has_idempotency_key, is_idempotent},
    written,
};
use callgate_http::HttpClient;
use futures_util::{FutureExt, future::Either};

pub use config::{Balance, Config, Endpoint, Weighted};
pub use credentials::{Credential, Parts};
pub use function::Function;
pub use health::Health;
pub use standing::Ejection;
pub use target::{Slashes, Target, Validate};

use balance::Balancer;
use contract::{Fetcher, Shelf, Source};
use error::Unusable;
use operation::Bound;
use service::Service;

/// The kind `rest`: HTTP services, and their operations.
#[derive(Debug)]
pub struct Rest {
    config: Config,
    service: Service,
    shelf: Option<Shelf>,
}

impl Upstream for Rest {
    const KIND: &'static str = "rest";
    const SUMMARY: &'static str = "HTTP services: a streaming reverse proxy, and operations of OpenAPI documents";
    const DISCOVERS: bool = true;

    type Config = Config;
    type Target = Target;
    type Function = Function;

    fn read_files(config: &mut Config, files: &Files) -> Vec<Invalid> {
        let mut found = config.http().read_files(files);
        let Some(Source::File(file)) = config.source() else { return found };
        match contract::read(files, &file) {
            Ok(document) => {
                config.document = Some(Arc::new(document));
                found.extend(check_document(config));
            }
            Err(error) => found.push(Invalid::new(format!("the document can't be used: {error}")).at("openapi")),
        }
        found
    }

    async fn connect(config: Config, context: Context) -> Result<Self, UpstreamError> {
        let endpoints = config.parsed()?;
        let client = HttpClient::new(config.http(), &context).map_err(Unusable::from)?;
        let shelf = match (&config.document, config.source()) {
            (Some(document), _) => {
                warn_of_problems(&context, document);
                Some(Shelf::of(Arc::clone(document)))
            }
            (None, Some(source)) => {
                let urls: Vec<_> = config.urls().map(ToOwned::to_owned).collect();
                match Fetcher::new(client.clone(), &source, &urls) {
                    Some(fetcher) => Some(Shelf::fetched(fetcher, &context).await),
                    None => None,
                }
            }
            (None, None) => None,
        };
        if endpoints.is_empty() && shelf.is_none() {
            return Err(Unusable::NoEndpoint.into());
        }
        let balancer = (!endpoints.is_empty())
            .then(|| Balancer::new(endpoints, config.balance, config.ejection.unwrap_or_default()));
        let service = Service::new(client.clone(), balancer);
        if let (Some(health), Some(address)) = (&config.health, service.address()) {
            let name = context.name().to_owned();
            context.spawn(health::watch(client, Arc::clone(address), health.clone(), name));
        }
        Ok(Self { service, shelf, config })
    }

    fn bind(&self, target: Target) -> Result<Function, Invalid> {
        let bound = Function::new(target, &self.config, &self.service, self.shelf.as_ref());
        bound.map_err(|invalid| invalid.into_iter().next().unwrap_or_else(|| Invalid::new("it can't be bound")))
    }

    fn check_target(config: &Config, target: &Target) -> Vec<Invalid> {
        let Some(name) = &target.operation else { return Vec::new() };
        match (&config.document, &config.openapi) {
            (Some(document), _) => match Bound::new(document, config, target, name) {
                Ok(_) if config.has_address() => Vec::new(),
                Ok(bound) => bound.url(config).err().map(Invalid::from).into_iter().collect(),
                Err(invalid) => invalid,
            },
            // It is seen when the document is fetched.
            (None, Some(_)) => Vec::new(),
            (None, None) => vec![function::no_contract()],
        }
    }

    fn preview(config: &Config, target: &Target, invocation: Invocation) -> Result<Option<String>, UpstreamError> {
        let (Some(document), Some(name)) = (&config.document, &target.operation) else { return Ok(None) };
        let Ok(bound) = Bound::new(document, config, target, name).map(Bound::without_secrets) else { return Ok(None) };
        // The body is in memory, so nothing is waited for.
        let request = bound.request(invocation).now_or_never();
        request.transpose().map(|request| request.as_ref().map(written))
    }

    fn call(
        &self,
        function: &Function,
        invocation: Invocation,
    ) -> impl Future<Output = Result<Response, UpstreamError>> + Send {
        match function.ready(&self.config, &self.service, self.shelf.as_ref()) {
            Ok(ready) => Either::Left(ready.call(&self.service, invocation)),
            Err(error) => Either::Right(future::ready(Err(error))),
        }
    }

    fn is_idempotent(&self, function: &Function, invocation: &Invocation) -> bool {
        let ready = function.ready(&self.config, &self.service, self.shelf.as_ref()).ok();
        match ready.and_then(|ready| ready.operation.as_ref()) {
            Some(operation) => operation.is_idempotent() || has_idempotency_key(invocation),
            None => is_idempotent(invocation),
        }
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        self.service.ready().await
    }

    fn endpoints(&self) -> Vec<EndpointState> {
        self.service.endpoints()
    }

    async fn discover(&self) -> Result<Vec<Discovered>, UpstreamError> {
        let Some(shelf) = &self.shelf else { return Err(error::no_contract()) };
        let document = shelf.latest().await?;
        let stub = |found: callgate_openapi::Found<'_>| Some(operation::stub(&found, &found.read().ok()?));
        Ok(document.operations().filter_map(stub).collect())
    }

    fn check_discovery(config: &Config) -> Option<Invalid> {
        let invalid = Invalid::new("a `rest` upstream without an OpenAPI document can't list its functions");
        let invalid = invalid.hint("add `openapi` (a file, a URL, or `discover`) to `rest`, or leave `discover` out");
        config.openapi.is_none().then_some(invalid)
    }

    fn listed_as(&self, function: &Function) -> Option<String> {
        let ready = function.ready(&self.config, &self.service, self.shelf.as_ref()).ok();
        match ready.and_then(|ready| ready.operation.as_ref()) {
            Some(operation) => Some(operation.name().to_owned()),
            None => function.operation().map(ToOwned::to_owned),
        }
    }

    async fn describe(&self, function: &Function) -> Result<Option<Description>, UpstreamError> {
        if function.operation().is_none() {
            return Ok(None);
        }
        let ready = function.ready(&self.config, &self.service, self.shelf.as_ref())?;
        ready.operation.as_ref().map(|operation| operation.describe()).transpose()
    }
}

/// What of the settings does not go with the document as a whole.
fn check_document(config: &Config) -> Vec<Invalid> {
    let Some(document) = &config.document else { return Vec::new() };
    let mut invalid = Vec::new();
    let schemes = document.schemes();
    for name in config.credentials.keys() {
        if schemes.iter().any(|(known, _)| known == name) {
            continue;
        }
        let wrong =
            Invalid::new(format!("the document has no security scheme `{name}`")).at(format!("credentials.{name}"));
        let known: Vec<_> = schemes.iter().map(|(known, _)| known.as_str()).collect();
        invalid.push(match nearest(name, known.iter().copied()) {
            Some(near) => wrong.hint(format!("did you mean `{near}`?")),
            None if known.is_empty() => wrong.hint("it has none"),
            None => wrong.hint(format!("it has {}", known.join(", "))),
        });
    }
    if config.has_address() {
        return invalid;
    }
    let servers = document.servers();
    for name in config.server_variables.keys() {
        if let Some(server) = servers.first().filter(|server| !server.has(name)) {
            let wrong = Invalid::new(format!("the document's server has no variable `{name}`"));
            let wrong = wrong.at(format!("server_variables.{name}"));
            invalid.push(match server.nearest(name) {
                Some(near) => wrong.hint(format!("did you mean `{near}`?")),
                None => wrong,
            });
        }
    }
    if let Err(error) = operation::server_url(document, &[], config) {
        invalid.push(Invalid::from(error));
    }
    invalid
}

/// Tells which operations can't be used as the document has them; the others can.
fn warn_of_problems(context: &Context, document: &callgate_openapi::Document) {
    for problem in document.problems() {
        tracing::warn!(upstream = context.name(), %problem, "An operation can't be used as the document has it.");
    }
}
