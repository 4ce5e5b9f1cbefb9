//! A function, bound: everything about it that doesn't change from call to call is ready.

use bytes::Bytes;
use callgate_aws_event::{Shape as EventShape, decode, encode_call, xray};
use callgate_core::{Body, CallContext, ErrorKind, Invalid, Response, UpstreamError};
use callgate_transform::{Payload, Scope, Shape};
use http::{HeaderName, Request, request, response};

use crate::{
    address::{Address, Operation, Service, resolve},
    client_context, error,
    name::{FunctionName, Qualifier},
    reply,
    request::{Event, Options, build},
    sign::{Signer, Timestamp},
    stream,
    target::{InvocationType, Name, Target},
    templated::Templated,
};

const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");

/// A function of an upstream, with its address ready to be sent and signed.
#[derive(Debug)]
pub struct Function {
    /// The name as it was configured, for the log.
    label: String,
    /// As ListFunctions and ListAliases name it, where that can be said.
    listed: Option<String>,
    route: Route,
    options: Options,
    client_context: Option<Shape>,
    invocation: InvocationType,
    operation: Operation,
    shape: EventShape,
    region: String,
    account: Option<String>,
}

/// Where invocations go.
#[derive(Debug)]
enum Route {
    Fixed(Address),
    Templated(Templated, Option<Qualifier>),
}

impl Function {
    pub(crate) fn new(target: Target, service: &Service, region: &str, account: Option<&str>) -> Result<Self, Invalid> {
        let shape = target.shape();
        let fixed = target.name.fixed();
        if let Some(other) = fixed.and_then(FunctionName::region).filter(|other| *other != region) {
            let message = format!("the function is in the region `{other}`, the upstream in `{region}`");
            return Err(Invalid::new(message).at("name").hint("functions of another region need an upstream there"));
        }
        let listed = target.listed_name().filter(|_| account.is_none());
        let owner = fixed.and_then(FunctionName::account).or(account).map(str::to_owned);
        let operation = if target.stream { Operation::InvokeWithResponseStream } else { Operation::Invoke };
        let route = match &target.name {
            Name::Fixed(name) => {
                let (name, qualifier) = resolve(name, target.qualifier.as_ref(), region, account);
                let unfit = |error| Invalid::new(format!("the name makes no path: {error}")).at("name");
                Route::Fixed(service.function(operation, &name, qualifier).map_err(unfit)?)
            }
            Name::Template(source) => Route::Templated(Templated::compile(source, &target.allow)?, target.qualifier),
        };
        Ok(Self {
            label: target.name.into(),
            listed,
            route,
            options: Options { invocation: target.invocation.header(), log_tail: target.log_tail },
            client_context: target.client_context.as_ref().map(client_context::compile).transpose()?,
            invocation: target.invocation,
            operation,
            shape,
            region: region.to_owned(),
            account: owner,
        })
    }

    /// The function's name for the log.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// What is sent for a request.
    pub(crate) fn event(
        &self,
        service: &Service,
        head: &request::Parts,
        body: &Bytes,
        context: &CallContext,
    ) -> Result<Event, UpstreamError> {
        let payload = encode_call(self.shape.payload, head, body, context, self.account.as_deref());
        let limit = self.invocation.limit();
        if payload.len() > limit {
            return Err(error::payload_too_large(&self.label, payload.len(), limit));
        }
        let mut event = Event { payload, address: None, client_context: None, trace: xray(&head.headers) };
        if self.client_context.is_some() || matches!(self.route, Route::Templated(..)) {
            let scope = Scope::of_request(head, &Payload::from(body.clone()), context.exchange());
            self.render(service, &scope, &mut event)?;
        }
        Ok(event)
    }

    /// Fills in what depends on the request's values.
    fn render(&self, service: &Service, scope: &Scope, event: &mut Event) -> Result<(), UpstreamError> {
        if let Some(shape) = &self.client_context {
            event.client_context = Some(client_context::header(shape, scope)?);
        }
        if let Route::Templated(template, qualifier) = &self.route {
            let name = template.render(scope)?;
            tracing::debug!(function = %name, template = self.label, "The function's name was rendered.");
            let unfit = |error: http::uri::InvalidUri| {
                UpstreamError::new(ErrorKind::BadInput, "the function's name makes no path").with_source(error)
            };
            let (name, qualifier) = resolve(&name, qualifier.as_ref(), &self.region, self.account.as_deref());
            event.address = Some(service.function(self.operation, &name, qualifier).map_err(unfit)?);
        }
        Ok(())
    }

    /// The signed request for an event.
    pub(crate) fn request(
        &self,
        service: &Service,
        event: &Event,
        signer: &Signer,
        time: &Timestamp,
    ) -> Result<Request<Body>, UpstreamError> {
        let address = match (&event.address, &self.route) {
            (Some(address), _) | (None, Route::Fixed(address)) => address,
            (None, Route::Templated(..)) => {
                return Err(UpstreamError::new(ErrorKind::BadInput, "the function's name was not rendered"));
            }
        };
        build(service, address, &self.options, event, signer, time)
    }

    /// The name under which discovery lists the function: `name`, or `name:alias`.
    pub(crate) fn listed(&self) -> Option<&str> {
        self.listed.as_deref()
    }

    /// Whether the reply is sent on while the function writes it.
    pub(crate) fn streams(&self) -> bool {
        self.operation == Operation::InvokeWithResponseStream
    }

    /// The response for the stream of a reply, as soon as its head is known.
    pub(crate) async fn streamed(
        &self,
        head: &response::Parts,
        body: Body,
        context: &CallContext,
    ) -> Result<Response, UpstreamError> {
        reply::log(&self.label, &head.headers);
        let aws_request_id = error::aws_request_id(&head.headers);
        let origin = stream::Origin { function: self.label.clone(), aws_request_id };
        stream::open(body, self.shape, context.max_body(), origin).await
    }

    /// The response for a reply of the service that is no refusal.
    pub(crate) fn reply(
        &self,
        head: &response::Parts,
        payload: &Bytes,
        context: &CallContext,
    ) -> Result<Response, UpstreamError> {
        reply::log(&self.label, &head.headers);
        if let Some(how) = head.headers.get(FUNCTION_ERROR) {
            let how = String::from_utf8_lossy(how.as_bytes());
            let aws_request_id = error::aws_request_id(&head.headers);
            return Err(error::function_error(&self.label, &how, &aws_request_id, payload));
        }
        match self.invocation {
            InvocationType::RequestResponse => decode(self.shape, payload).map_err(|error| {
                let message = format!("the reply of the function {} is outside its contract: {error}", self.label);
                UpstreamError::new(ErrorKind::BadReply, message).with_source(error)
            }),
            InvocationType::Event => Ok(reply::accepted(context)),
            InvocationType::DryRun => Ok(reply::permitted()),
        }
    }
}
