#![doc = include_str!("../README.md")]

mod address;
mod config;
mod error;
mod function;
mod security;
mod shape;
mod source;
mod target;

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use callgate_core::{
    Body, Context, Description, Discovered, Files, Invalid, Invocation, Late, Response, Upstream, UpstreamError,
    upstream::has_idempotency_key, written,
};
use callgate_http::HttpClient;
use callgate_wsdl::{Contract, Reply, Uncallable, is_url};
use futures_util::FutureExt;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};

pub use callgate_wsdl::{NoVersion, Version};
pub use config::{Basic, Config, Credentials, UsernameToken};
pub use target::Target;

use crate::{
    address::{Address, Addresses},
    error::Unusable,
    function::{Bound, Setup},
    security::Token,
    source::{Awaited, Fetcher, NotFetched},
};

/// The kind `soap`: one SOAP service.
#[derive(Debug)]
pub struct Soap {
    client: HttpClient,
    setup: Setup,
    addresses: Arc<Addresses>,
    described: Described,
    /// Where the description comes from, if it has to be fetched.
    source: Option<(Fetcher, String)>,
}

/// What is known of a service.
#[derive(Debug)]
enum Described {
    /// Nothing: functions say by themselves what is sent.
    ByHand,
    ByWsdl(Arc<Contract>),
    /// The WSDL is still to be fetched.
    Later(Arc<Awaited>),
}

/// An operation of an upstream.
#[derive(Debug)]
pub struct Function {
    target: Target,
    /// What became of it when the description was there.
    bound: Late<Bound, Contract, Invalid>,
}

impl Upstream for Soap {
    const KIND: &'static str = "soap";
    const SUMMARY: &'static str = "SOAP services: operations of a WSDL, with JSON in and out";
    const DISCOVERS: bool = true;
    type Config = Config;
    type Target = Target;
    type Function = Function;

    fn read_files(config: &mut Config, files: &Files) -> Vec<Invalid> {
        let mut found = config.http().read_files(files);
        let Some(wsdl) = config.wsdl.as_ref().filter(|wsdl| !is_url(wsdl)) else { return found };
        match source::from_files(&files.file(wsdl), files) {
            Ok(contract) => config.contract = contract.map(Arc::new),
            Err(reason) => found.push(Invalid::new(format!("the WSDL `{wsdl}` cannot be used: {reason}")).at("wsdl")),
        }
        found
    }

    fn check_target(config: &Config, target: &Target) -> Vec<Invalid> {
        if config.wsdl.is_none() {
            return target.unfit(false);
        }
        let Some(contract) = &config.contract else { return target.unfit(true) };
        Bound::operation(contract, &Setup::without_credentials(config), target, parsed).err().into_iter().collect()
    }

    async fn connect(config: Config, context: Context) -> Result<Self, UpstreamError> {
        let client = HttpClient::new(config.http(), &context).map_err(Unusable::from)?;
        let addresses = Arc::new(Addresses::default());
        let authorization = config.credentials.as_ref().and_then(|credentials| credentials.basic.as_ref()).map(basic);
        let authorization = authorization.transpose().map_err(Unusable::from)?;
        let token = config.credentials.as_ref().and_then(|credentials| credentials.username_token.as_ref());
        let token = token.map(Token::new).transpose().map_err(Unusable::from)?;
        let url = config.url.as_deref().map(|url| addresses.of(url)).transpose();
        let url = url.map_err(|error| Unusable::Wsdl(error.to_string()))?;
        let fetcher = || Fetcher {
            client: client.clone(),
            addresses: Arc::clone(&addresses),
            authorization: authorization.clone(),
            context: context.clone(),
        };
        let source = match &config.wsdl {
            Some(wsdl) if config.contract.is_none() => {
                let file = || context.file(wsdl).to_string_lossy().into_owned();
                Some((fetcher(), if is_url(wsdl) { wsdl.clone() } else { file() }))
            }
            _ => None,
        };
        let described = match (config.contract, &source) {
            (Some(contract), _) => Described::ByWsdl(contract),
            (None, None) => Described::ByHand,
            (None, Some((fetcher, wsdl))) => match fetcher.contract(wsdl).await {
                Ok(contract) => Described::ByWsdl(Arc::new(contract)),
                Err(NotFetched::Wrong(reason)) => return Err(Unusable::Wsdl(reason).into()),
                Err(NotFetched::Absent(reason)) => {
                    tracing::warn!(
                        upstream = context.name(),
                        reason,
                        "The WSDL could not be fetched; it is tried again."
                    );
                    Described::Later(Awaited::start(fetcher.clone(), wsdl.clone(), reason))
                }
            },
        };
        if let Described::ByWsdl(contract) = &described {
            report(contract, context.name());
        }
        Ok(Self { client, setup: Setup { url, port: config.port, authorization, token }, addresses, described, source })
    }

    fn bind(&self, target: Target) -> Result<Function, Invalid> {
        let bound = match &self.described {
            Described::ByHand => Bound::by_hand(&self.setup, &target)?.into(),
            Described::ByWsdl(contract) => self.bound(contract, &target)?.into(),
            Described::Later(_) => match target.unfit(true).into_iter().next() {
                Some(unfit) => return Err(unfit),
                None => Late::default(),
            },
        };
        Ok(Function { target, bound })
    }

    fn preview(config: &Config, target: &Target, invocation: Invocation) -> Result<Option<String>, UpstreamError> {
        let setup = Setup::without_credentials(config);
        let bound = match (&config.contract, &config.wsdl) {
            (Some(contract), _) => Bound::operation(contract, &setup, target, parsed),
            (None, None) => Bound::by_hand(&setup, target),
            (None, Some(_)) => return Ok(None),
        };
        let Ok(bound) = bound else { return Ok(None) };
        let Invocation { request, context } = invocation;
        // The body is in memory, so nothing is waited for.
        let request = bound.request(&setup, request, &context).now_or_never();
        request.transpose().map(|request| request.as_ref().map(written))
    }

    async fn call(&self, function: &Function, invocation: Invocation) -> Result<Response, UpstreamError> {
        let Invocation { request, context } = invocation;
        let bound = self.bound_of(function)?;
        let request = bound.request(&self.setup, request, &context).await?;
        let reply = self.client.send(bound.endpoint(), request).await?;
        let (mut parts, body) = reply.into_parts();
        let bytes = body.collect(context.max_body()).await.map_err(|error| error::reply_body(&error))?;
        let reply = bound.read(parts.status, &parts.headers, &bytes);
        let reply = reply.map_err(|refused| error::refused(&refused, parts.status, &parts.headers))?;
        shape::without_body(&mut parts.headers);
        let body = match reply {
            Reply::Fault(fault) => return Err(error::fault(&fault)),
            Reply::Taken => {
                parts.status = StatusCode::ACCEPTED;
                Body::empty()
            }
            Reply::Message(json) => {
                parts.status = StatusCode::OK;
                parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Body::from(json)
            }
        };
        Ok(Response::from_parts(parts, body))
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        let endpoint = match (&self.setup.url, self.contract()?) {
            (Some(url), _) => Some(url.endpoint.clone()),
            (None, Some(contract)) => {
                contract.address().and_then(|url| self.addresses.of(url).ok()).map(|url| url.endpoint)
            }
            (None, None) => None,
        };
        match endpoint {
            Some(endpoint) => Ok(self.client.probe(&endpoint).await?),
            None => Ok(()),
        }
    }

    async fn discover(&self) -> Result<Vec<Discovered>, UpstreamError> {
        // The service may have changed since.
        let contract = match &self.source {
            Some((fetcher, wsdl)) => {
                Arc::new(fetcher.contract(wsdl).await.map_err(|failed| error::not_fetched(&failed))?)
            }
            None => match self.contract()? {
                Some(contract) => contract,
                None => return Ok(Vec::new()),
            },
        };
        Ok(contract
            .operations()
            .map(|(name, operation)| {
                let discovered = Discovered::new(name).with_option("input", operation.stub());
                match operation.note() {
                    Some(note) => discovered.with_note(note.to_owned()),
                    None => discovered,
                }
            })
            .collect())
    }

    /// Every call is a POST, and no description says what it does.
    fn is_idempotent(&self, _: &Function, invocation: &Invocation) -> bool {
        has_idempotency_key(invocation)
    }

    async fn describe(&self, function: &Function) -> Result<Option<Description>, UpstreamError> {
        Ok(self.bound_of(function)?.description())
    }

    fn listed_as(&self, function: &Function) -> Option<String> {
        let port = function.target.port.as_deref().or(self.setup.port.as_deref());
        self.contract().ok()??.listed_as(&function.target.operation, port)
    }
}

fn parsed(url: &str) -> Result<Address, String> {
    Address::parse(url).map_err(|error| error.to_string())
}

impl Soap {
    /// What is known of the service; nothing where nothing has to be.
    fn contract(&self) -> Result<Option<Arc<Contract>>, UpstreamError> {
        match &self.described {
            Described::ByHand => Ok(None),
            Described::ByWsdl(contract) => Ok(Some(Arc::clone(contract))),
            Described::Later(awaited) => awaited.get().map(Some).map_err(|reason| error::no_contract(&reason)),
        }
    }

    fn bound(&self, contract: &Contract, target: &Target) -> Result<Bound, Invalid> {
        let address = |url: &str| self.addresses.of(url).map_err(|error| error.to_string());
        Bound::operation(contract, &self.setup, target, address)
    }

    /// A function that is bound, if only now.
    fn bound_of<'f>(&self, function: &'f Function) -> Result<&'f Bound, UpstreamError> {
        if let Some(bound) = function.bound.get() {
            return Ok(bound);
        }
        let Some(contract) = self.contract()? else { return Err(error::no_contract("there is none")) };
        let bind = || {
            self.bound(&contract, &function.target).inspect_err(|_| {
                // By the next description the operation may be there.
                if let Described::Later(awaited) = &self.described {
                    awaited.wants_another();
                }
            })
        };
        function.bound.of(&contract, bind).map_err(|invalid| error::unbound(&invalid))
    }
}

fn basic(basic: &Basic) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let encoded = STANDARD.encode(format!("{}:{}", basic.user, basic.password.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {encoded}"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Tells in the log which operations can't be called.
fn report(contract: &Contract, upstream: &str) {
    for Uncallable { operation, port, reason } in contract.uncallable() {
        tracing::info!(upstream, operation, port, reason, "An operation of the WSDL cannot be called.");
    }
}
