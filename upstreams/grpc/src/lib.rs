#![doc = include_str!("../README.md")]

mod call;
mod config;
mod contract;
mod describe;
mod details;
mod error;
mod frame;
mod function;
mod input;
mod json;
mod reply;
mod rule;
mod service;
mod shape;
mod status;
mod target;
mod timeout;

use std::{path::PathBuf, sync::Arc};

use callgate_core::{
    Context, Description, Discovered, ErrorKind, Files, Invalid, Invocation, Lease, Renewed, Response, Upstream,
    UpstreamError, upstream::has_idempotency_key,
};
use callgate_http::{Endpoint, HttpClient};

pub use config::{Config, Json};
pub use function::Function;
pub use target::Target;

use crate::{
    call::Client,
    contract::{Contract, Reflection},
    error::Unusable,
    function::Bound,
    service::Service,
};

/// The kind `grpc`: one gRPC service.
#[derive(Debug)]
pub struct Grpc {
    service: Service,
    json: Json,
    described: Described,
}

/// What is known of a service.
#[derive(Debug)]
enum Described {
    /// Nothing: clients of gRPC know what they send.
    Nothing,
    ByFiles(Arc<Contract>),
    /// What the service said of itself, if it did yet.
    ByItself(Reflection, Arc<Renewed<Contract>>),
}

impl Upstream for Grpc {
    const KIND: &'static str = "grpc";
    const SUMMARY: &'static str = "gRPC services: methods with JSON in and out, and gRPC and gRPC-Web passed through";
    const DISCOVERS: bool = true;
    type Config = Config;
    type Target = Target;
    type Function = Function;

    fn read_files(config: &mut Config, below: &Files) -> Vec<Invalid> {
        let mut found = config.http().read_files(below);
        if config.descriptors.is_empty() {
            return found;
        }
        let files = |files: &callgate_transform::OneOrMany<PathBuf>| files.iter().cloned().collect::<Vec<_>>();
        match contract::read_files(&files(&config.descriptors), &files(&config.include), below) {
            Ok(contract) => config.contract = Some(Arc::new(contract)),
            Err(invalid) => found.extend(invalid),
        }
        found
    }

    fn check_target(config: &Config, target: &Target) -> Vec<Invalid> {
        match &config.contract {
            Some(contract) => Bound::new(target, contract, config.json).err().into_iter().collect(),
            None if config.is_described() => Vec::new(),
            None => target.unfit(),
        }
    }

    async fn connect(config: Config, context: Context) -> Result<Self, UpstreamError> {
        let client = HttpClient::new(config.http(), &context).map_err(Unusable::from)?;
        let endpoint = Endpoint::parse(&config.url).map_err(Unusable::from)?;
        let service = Service { client, endpoint };
        if config.is_described() {
            // It takes a moment at its first use, which is no time for that on a worker.
            contract::error_details();
        }
        let described = match config.contract {
            Some(contract) => {
                report(&contract, context.name());
                Described::ByFiles(contract)
            }
            None if config.reflection => ask(Reflection(service.clone()), &context).await?,
            None => Described::Nothing,
        };
        Ok(Self { service, json: config.json, described })
    }

    fn bind(&self, target: Target) -> Result<Function, Invalid> {
        let bound = match (&self.described, self.contract()) {
            (Described::Nothing, _) => match target.unfit().into_iter().next() {
                Some(unfit) => return Err(unfit),
                None => Some(Bound::OnlyGrpc),
            },
            (_, Some(contract)) => Some(Bound::new(&target, &contract, self.json)?),
            (_, None) => None,
        };
        Function::new(target, bound)
    }

    async fn call(&self, function: &Function, invocation: Invocation) -> Result<Response, UpstreamError> {
        let Invocation { request, context } = invocation;
        let web = match Client::of(request.headers()) {
            Client::Grpc => None,
            Client::Web { is_text } => Some(is_text),
            Client::Other => {
                let contract = self.contract();
                let bound = self.bound_of(function, contract.as_ref()).await?;
                let json = call::json(&self.service, bound, contract.as_deref(), self.json, request, &context);
                return Box::pin(json).await;
            }
        };
        call::pass(&self.service, function.path.as_ref(), web, request, &context).await
    }

    /// What the service does is not said by the client's method, and every call is a POST.
    fn is_idempotent(&self, function: &Function, invocation: &Invocation) -> bool {
        let request = &invocation.request;
        has_idempotency_key(invocation)
            || match (Client::of(request.headers()), self.contract()) {
                (Client::Other, contract) => {
                    let bound = function.bound.get();
                    bound.is_some_and(|bound| call::is_idempotent(bound, contract.as_deref(), request))
                }
                (Client::Grpc | Client::Web { .. }, Some(contract)) => {
                    let path = function.path.as_ref().map_or(request.uri().path(), |path| path.path());
                    contract.at(path).is_some_and(|method| method.is_idempotent)
                }
                (Client::Grpc | Client::Web { .. }, None) => false,
            }
    }

    fn preview(config: &Config, target: &Target, invocation: Invocation) -> Result<Option<String>, UpstreamError> {
        let Invocation { request, context } = invocation;
        let (Some(contract), Client::Other) = (&config.contract, Client::of(request.headers())) else {
            return Ok(None);
        };
        let Ok(bound) = Bound::new(target, contract, config.json) else { return Ok(None) };
        call::preview(&bound, contract, config.json, request, &context)
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        if let Described::ByItself(_, contract) = &self.described {
            contract.get().await?;
        }
        Ok(self.service.client.probe(&self.service.endpoint).await?)
    }

    async fn discover(&self) -> Result<Vec<Discovered>, UpstreamError> {
        // The service may have changed since.
        let contract = match &self.described {
            Described::ByItself(reflection, _) => Arc::new(reflection.contract().await?),
            Described::ByFiles(contract) => Arc::clone(contract),
            Described::Nothing => {
                let message = "nothing describes the service: the upstream has neither `descriptors` nor `reflection`";
                return Err(UpstreamError::new(ErrorKind::Unavailable, message));
            }
        };
        Ok(contract
            .methods()
            .filter(|method| !method.streams_requests)
            .map(|method| describe::listed(method))
            .collect())
    }

    fn listed_as(&self, function: &Function) -> Option<String> {
        // A method that takes a stream is not listed, as its name alone can't be bound.
        if function.target.takes_json() { function.target.method.clone() } else { None }
    }

    async fn describe(&self, function: &Function) -> Result<Option<Description>, UpstreamError> {
        if matches!(self.described, Described::Nothing) {
            return Ok(None);
        }
        Ok(match self.bound_of(function, self.contract().as_ref()).await? {
            Bound::Method(method, _) => Some(describe::description(method, self.json)),
            Bound::Service(_) | Bound::OnlyGrpc => None,
        })
    }
}

impl Grpc {
    /// What is known of the service at the moment.
    fn contract(&self) -> Option<Arc<Contract>> {
        match &self.described {
            Described::Nothing => None,
            Described::ByFiles(contract) => Some(Arc::clone(contract)),
            Described::ByItself(_, contract) => contract.current(),
        }
    }

    /// A function that is bound, if only now.
    async fn bound_of<'f>(
        &self,
        function: &'f Function,
        contract: Option<&Arc<Contract>>,
    ) -> Result<&'f Bound, UpstreamError> {
        let bound = match (function.bound.get(), contract, &self.described) {
            (Some(bound), _, _) => Ok(bound),
            (None, contract, Described::ByItself(_, asked)) => {
                let contract = match contract {
                    Some(contract) => Arc::clone(contract),
                    None => asked.get().await?,
                };
                // It is asked again before its time: by then the method may be there.
                function.bind(&contract, self.json).inspect_err(|_| asked.refused())
            }
            (None, Some(contract), _) => function.bind(contract, self.json),
            (None, None, _) => Ok(&Bound::OnlyGrpc),
        };
        bound.map_err(|invalid| error::unbound(&invalid))
    }
}

/// Asks a service to describe itself, and goes on asking beside the calls.
async fn ask(reflection: Reflection, context: &Context) -> Result<Described, UpstreamError> {
    let contract = Arc::new(Renewed::new("description of the service"));
    let (kept, asked, name) = (Arc::clone(&contract), reflection.clone(), context.name().to_owned());
    context.spawn(async move {
        let ask = || async {
            let contract = asked.contract().await?;
            report(&contract, &name);
            Ok(Lease { value: contract, life: None })
        };
        kept.keep(&name, ask).await;
    });
    match contract.get().await {
        Err(error) if error.kind() == ErrorKind::Denied => Err(Unusable::NoReflection.into()),
        // A service that is not there yet is asked again.
        Ok(_) | Err(_) => Ok(Described::ByItself(reflection, contract)),
    }
}

/// Tells in the log what of a description can't be used.
fn report(contract: &Contract, upstream: &str) {
    for problem in &contract.problems {
        tracing::warn!(upstream, problem, "A part of the service's description can't be used.");
    }
}
