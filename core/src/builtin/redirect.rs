//! The function of a route that sends clients elsewhere.

use std::{future::ready, sync::Arc};

use callgate_transform::{Payload, Scope, Template};
use http::{HeaderValue, StatusCode, header};

use crate::{
    error::{ErrorKind, UpstreamError},
    invocation::{Invocation, Response},
    upstream::{BoxFuture, Function},
};

/// Answers with a `location` that a template makes.
#[derive(Debug, Clone)]
pub(crate) struct Redirect {
    pub(crate) status: StatusCode,
    pub(crate) location: Template,
}

impl Redirect {
    fn answer(&self, invocation: Invocation) -> Result<Response, UpstreamError> {
        let (parts, _) = invocation.request.into_parts();
        let scope = Scope::of_request(&parts, &Payload::Streaming, invocation.context.exchange());
        let bad_input =
            || UpstreamError::new(ErrorKind::BadInput, "the location of a redirect could not be made of the request");
        let location = self.location.render(&scope).map_err(|error| bad_input().with_source(error))?;
        let location = HeaderValue::try_from(location).map_err(|error| bad_input().with_source(error))?;
        let mut response = Response::default();
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::LOCATION, location);
        Ok(response)
    }
}

impl Function for Redirect {
    fn call(self: Arc<Self>, invocation: Invocation) -> BoxFuture<'static, Result<Response, UpstreamError>> {
        Box::pin(ready(self.answer(invocation)))
    }
}
