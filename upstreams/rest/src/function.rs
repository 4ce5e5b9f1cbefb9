//! A function of the service: all of it, or an operation.

use std::{future::Future, sync::Arc};

use callgate_core::{Invalid, Invocation, Late, Response, UpstreamError};
use callgate_openapi::Document;
use futures_util::future::Either;

use crate::{
    balance::Balancer,
    config::Config,
    contract::Shelf,
    error,
    operation::{Bound, server_url},
    service::Service,
    target::Target,
};

/// A function, bound as soon as it is known what it is.
#[derive(Debug)]
pub struct Function {
    target: Target,
    ready: Late<Ready, Document, Vec<Invalid>>,
}

/// A function with all that a call needs.
#[derive(Debug)]
pub(crate) struct Ready {
    balancer: Arc<Balancer>,
    pub(crate) operation: Option<Box<Bound>>,
}

impl Function {
    /// Binds a target, now or when the document has come.
    pub(crate) fn new(
        target: Target,
        config: &Config,
        service: &Service,
        shelf: Option<&Shelf>,
    ) -> Result<Self, Vec<Invalid>> {
        let document = shelf.and_then(Shelf::document);
        let document_matters = target.operation.is_some() || !config.has_address();
        if document_matters && shelf.is_some() && document.is_none() {
            return Ok(Self { target, ready: Late::default() });
        }
        let ready = bind(&target, config, service, document.as_ref())?;
        Ok(Self { target, ready: ready.into() })
    }

    /// The function, if the document that it needs is there.
    pub(crate) fn ready(
        &self,
        config: &Config,
        service: &Service,
        shelf: Option<&Shelf>,
    ) -> Result<&Ready, UpstreamError> {
        if let Some(ready) = self.ready.get() {
            return Ok(ready);
        }
        let Some((shelf, document)) = shelf.and_then(|shelf| Some((shelf, shelf.document()?))) else {
            return Err(error::no_document());
        };
        // By the next document the operation may be there.
        let bind = || bind(&self.target, config, service, Some(&document)).inspect_err(|_| shelf.wants_another());
        self.ready.of(&document, bind).map_err(|invalid| error::unbound(&invalid))
    }

    /// The operation that it names.
    pub(crate) fn operation(&self) -> Option<&str> {
        self.target.operation.as_deref()
    }
}

impl Ready {
    /// Calls the operation, or passes the request on.
    pub(crate) fn call(
        &self,
        service: &Service,
        invocation: Invocation,
    ) -> impl Future<Output = Result<Response, UpstreamError>> + Send {
        match &self.operation {
            None => Either::Left(service.send(&self.balancer, invocation.request, invocation.context)),
            // What it needs more than a request that is passed on is no part of every call's future.
            Some(operation) => Either::Right(Box::pin(self.operate(operation, service, invocation))),
        }
    }

    async fn operate(
        &self,
        operation: &Bound,
        service: &Service,
        invocation: Invocation,
    ) -> Result<Response, UpstreamError> {
        let context = Arc::clone(&invocation.context);
        let request = operation.request(invocation).await?;
        let reply = service.send(&self.balancer, request, Arc::clone(&context)).await?;
        operation.reply(reply, context.max_body()).await
    }
}

fn bind(
    target: &Target,
    config: &Config,
    service: &Service,
    document: Option<&Arc<Document>>,
) -> Result<Ready, Vec<Invalid>> {
    let operation = match (&target.operation, document) {
        (None, _) => None,
        (Some(name), Some(document)) => Some(Box::new(Bound::new(document, config, target, name)?)),
        (Some(_), None) => return Err(vec![no_contract()]),
    };
    let url = || match (&operation, document) {
        (Some(operation), _) => operation.url(config),
        (None, Some(document)) => server_url(document, &[], config),
        (None, None) => Err(error::Unusable::NoEndpoint),
    };
    let balancer = service.balancer(url).map_err(|error| vec![Invalid::from(error)])?;
    Ok(Ready { balancer, operation })
}

/// An operation is named, and nothing says what it is.
pub(crate) fn no_contract() -> Invalid {
    let message = "the upstream has no OpenAPI document that could have operations";
    Invalid::new(message)
        .at("operation")
        .hint("add `openapi: FILE` to the upstream, or write `to: UPSTREAM` to pass requests on")
}
