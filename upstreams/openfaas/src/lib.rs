#![doc = include_str!("../README.md")]

mod below;
mod callback;
mod config;
mod credentials;
mod error;
mod function;
mod name;
mod peek;
mod reply;
mod roster;
mod shape;
mod target;

use std::time::{Duration, Instant};

use callgate_core::{Body, Context, Discovered, Files, Invalid, Invocation, Response, Upstream, UpstreamError};
use callgate_http::{Endpoint, HttpClient};
use http::Request;

pub use config::{Basic, Config, Credentials};
pub use function::Function;
pub use name::{FunctionName, NameError};
pub use target::{Mode, Name, Target};

use crate::{credentials::Login, error::Unusable, reply::Reply, roster::Rosters, shape::Call};

/// The kind `openfaas`: one gateway of OpenFaaS, with the functions of one namespace.
#[derive(Debug)]
pub struct OpenFaas {
    client: HttpClient,
    endpoint: Endpoint,
    namespace: Option<String>,
    /// How long the gateway itself waits for a function.
    gateway_timeout: Duration,
    rosters: Rosters,
}

impl Upstream for OpenFaas {
    const KIND: &'static str = "openfaas";
    const SUMMARY: &'static str = "OpenFaaS functions, synchronous and asynchronous";
    const DISCOVERS: bool = true;
    type Config = Config;
    type Target = Target;
    type Function = Function;

    fn read_files(config: &mut Config, files: &Files) -> Vec<Invalid> {
        let mut found = config.http().read_files(files);
        let basic = config.credentials.as_ref().map(|credentials| &credentials.basic);
        found.extend(basic.and_then(|basic| credentials::flaw_of_file(basic, files)));
        found
    }

    async fn connect(config: Config, context: Context) -> Result<Self, UpstreamError> {
        let endpoint = Endpoint::parse(&config.url).map_err(Unusable::from)?;
        let client = HttpClient::new(config.http(), &context).map_err(Unusable::from)?;
        let login = config.credentials.map(|credentials| Login::new(credentials.basic, &context));
        if let Some(login) = &login {
            login.header().await.map_err(Unusable::from)?;
        }
        let rosters = Rosters::new(client.clone(), endpoint.clone(), login);
        Ok(Self {
            client,
            endpoint,
            namespace: config.namespace,
            gateway_timeout: config.gateway_timeout.into(),
            rosters,
        })
    }

    fn bind(&self, target: Target) -> Result<Function, Invalid> {
        let namespace = target.namespace()?.map(str::to_owned).or_else(|| self.namespace.clone());
        let roster = self.rosters.of(namespace.as_deref());
        Function::new(&target, namespace, roster)
    }

    async fn call(&self, function: &Function, invocation: Invocation) -> Result<Response, UpstreamError> {
        let Invocation { request, context } = invocation;
        let Call { name, mode, request } = function.request(request, &context).await?;
        if mode == Mode::Async {
            self.queue(function, &name, request).await
        } else {
            self.relay(function, &name, request).await
        }
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        Ok(self.client.probe(&self.endpoint).await?)
    }

    async fn discover(&self) -> Result<Vec<Discovered>, UpstreamError> {
        self.rosters.of(self.namespace.as_deref()).list().await
    }

    fn listed_as(&self, function: &Function) -> Option<String> {
        function.listed_as(self.namespace.as_deref())
    }
}

impl OpenFaas {
    /// Calls the function and passes its reply on.
    async fn relay(&self, function: &Function, name: &str, request: Request<Body>) -> Result<Response, UpstreamError> {
        let started = Instant::now();
        let reply = self.send(request).await?;
        let late = started.elapsed() >= self.gateway_timeout;
        match reply::judge(name, reply, late).await? {
            Reply::Functions(response) => Ok(response),
            Reply::Doubtful(response) => match function.roster().has(name).await {
                Some(false) => Err(error::unknown(name)),
                Some(true) | None => Ok(shape::response(response)),
            },
        }
    }

    /// Has the function called later. The gateway queues calls of functions that are not there as well.
    async fn queue(&self, function: &Function, name: &str, request: Request<Body>) -> Result<Response, UpstreamError> {
        if function.roster().has(name).await == Some(false) {
            return Err(error::unknown(name));
        }
        let call_id = request.headers().get(shape::CALL_ID).cloned();
        let reply = self.send(request).await?;
        reply::accepted(name, reply, call_id).await
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Response, UpstreamError> {
        *request.uri_mut() = self.endpoint.resolve(std::mem::take(request.uri_mut()));
        Ok(self.client.send(&self.endpoint, request).await?)
    }
}
