#![doc = include_str!("../README.md")]

mod address;
mod chain;
mod client_context;
mod clock;
mod config;
mod error;
mod function;
mod keys;
mod listing;
mod name;
mod region;
mod reply;
mod request;
mod sign;
mod stream;
mod target;
mod templated;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use callgate_core::{
    Body, Context, Discovered, ErrorKind, Files, Invalid, Invocation, Response, Upstream, UpstreamError,
};
use callgate_http::{Endpoint, HttpClient};
use http::Request;

pub use config::{AssumeRole, Config, Credentials};
pub use function::Function;
pub use name::{FunctionName, NameError, Qualifier};
pub use target::{InvocationType, Name, Target};

use crate::{
    address::Service,
    chain::Chain,
    clock::Clock,
    error::{About, Refusal},
    keys::Keys,
    sign::{Signer, Timestamp},
};

/// The most that is read of an answer that refuses a call.
const MAX_REFUSAL: u64 = 256 << 10;

/// AWS Lambda: one region, with one set of credentials.
#[derive(Debug)]
pub struct Lambda {
    client: HttpClient,
    endpoint: Endpoint,
    service: Service,
    keys: Arc<Keys>,
    clock: Clock,
    region: String,
    account: Option<String>,
    /// The functions that routes name with an alias. Locked at load and by discovery, never by a call.
    aliased: Mutex<BTreeSet<String>>,
}

impl Upstream for Lambda {
    const KIND: &'static str = "lambda";
    const SUMMARY: &'static str = "AWS Lambda functions";
    const DISCOVERS: bool = true;
    type Config = Config;
    type Target = Target;
    type Function = Function;

    fn read_files(config: &mut Config, files: &Files) -> Vec<Invalid> {
        config.http().read_files(files)
    }

    async fn connect(config: Config, context: Context) -> Result<Self, UpstreamError> {
        let region = config.effective_region().ok_or_else(|| wrong("no AWS region is set"))?;
        let address = config.endpoint.clone().unwrap_or_else(|| region::endpoint(&region));
        let endpoint = Endpoint::parse(&address).map_err(|error| wrong("the endpoint is none").with_source(error))?;
        let client = HttpClient::new(config.http(), &context)
            .map_err(|error| wrong("no client can be set up").with_source(error))?;
        let chain = Chain::new(&config, &region)?;
        let keys = Arc::new(Keys::new(&region, chain.source()));
        match chain.fixed() {
            Some(credentials) => keys.set(credentials.clone())?,
            None => {
                let (keys, upstream) = (Arc::clone(&keys), context.name().to_owned());
                let gauge = context.token("AWS credentials");
                context.spawn(async move { keys.refresh(chain.provider().await, &upstream, &gauge).await });
            }
        }
        let service = Service::new(&endpoint);
        let account = config.account.map(callgate_core::document::Text::into_string);
        Ok(Self {
            client,
            endpoint,
            service,
            keys,
            clock: Clock::default(),
            region,
            account,
            aliased: Mutex::default(),
        })
    }

    fn bind(&self, target: Target) -> Result<Function, Invalid> {
        let function = Function::new(target, &self.service, &self.region, self.account.as_deref())?;
        if let Some((name, _)) = function.listed().and_then(|listed| listed.split_once(':')) {
            self.aliased.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        }
        Ok(function)
    }

    async fn call(&self, function: &Function, invocation: Invocation) -> Result<Response, UpstreamError> {
        let Invocation { request, context } = invocation;
        let (head, body) = request.into_parts();
        let body = body.collect(context.max_body()).await.map_err(UpstreamError::request_body)?;
        let event = function.event(&self.service, &head, &body, &context)?;
        let sign = |signer: &Signer, time: &Timestamp| function.request(&self.service, &event, signer, time);
        let (head, body) = self.exchange(About::Function(function.label()), sign).await?.into_parts();
        if function.streams() {
            return function.streamed(&head, body, &context).await;
        }
        let payload = body.collect(context.max_body()).await.map_err(error::reply_body)?;
        function.reply(&head, &payload, &context)
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        self.keys.wait().await?;
        Ok(self.client.probe(&self.endpoint).await?)
    }

    async fn discover(&self) -> Result<Vec<Discovered>, UpstreamError> {
        self.list().await
    }

    fn listed_as(&self, function: &Function) -> Option<String> {
        function.listed().map(str::to_owned)
    }

    fn preview(_: &Config, target: &Target, invocation: Invocation) -> Result<Option<String>, UpstreamError> {
        let account = target.name.fixed().and_then(FunctionName::account);
        Ok(Some(callgate_aws_event::preview(target.payload, &invocation, account)))
    }
}

impl Lambda {
    /// Sends a request, signed for each try, and answers with the service's reply unless that is a refusal; `about` says
    /// in the log what was asked.
    async fn exchange(
        &self,
        about: About<'_>,
        sign: impl Fn(&Signer, &Timestamp) -> Result<Request<Body>, UpstreamError>,
    ) -> Result<Response, UpstreamError> {
        let mut repeated = false;
        loop {
            let Some(request) = self.signed(&sign)? else {
                self.keys.wait().await?;
                continue;
            };
            let reply = self.client.send(&self.endpoint, request).await?;
            if reply.status().is_success() {
                return Ok(reply);
            }
            let (head, body) = reply.into_parts();
            let payload = body.collect(MAX_REFUSAL).await.map_err(error::reply_body)?;
            let refusal = Refusal::read(head.status, &head.headers, &payload);
            if refusal.is_clock_skew() && !repeated && self.clock.adjust(&head.headers) {
                tracing::warn!(%about, "The clock differs from AWS's; the call is signed again.");
                repeated = true;
                continue;
            }
            if refusal.is_expired_token() {
                self.keys.expired();
            }
            return Err(refusal.into_error(about));
        }
    }

    /// `None` while there are no credentials.
    fn signed(
        &self,
        sign: impl Fn(&Signer, &Timestamp) -> Result<Request<Body>, UpstreamError>,
    ) -> Result<Option<Request<Body>>, UpstreamError> {
        let signer = self.keys.current();
        let time = Timestamp::at(self.clock.now());
        signer.as_ref().map(|signer| sign(signer, &time)).transpose()
    }
}

/// Settings that the check has let pass but that can't be connected with.
fn wrong(message: &'static str) -> UpstreamError {
    UpstreamError::new(ErrorKind::Denied, message)
}
