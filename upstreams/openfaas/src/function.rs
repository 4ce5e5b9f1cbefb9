//! A function, bound: everything about it that doesn't change from call to call is ready.

use std::sync::Arc;

use callgate_core::{Body, CallContext, ErrorKind, Invalid, UpstreamError};
use callgate_transform::{Confined, Payload, Scope};
use http::{HeaderValue, Request, request::Parts};

use crate::{
    below::below,
    callback::Callback,
    error,
    name::FunctionName,
    roster::Roster,
    shape::{self, Call},
    target::{Mode, Name, Target},
};

/// A function of an upstream.
#[derive(Debug)]
pub struct Function {
    named: Named,
    /// The namespace that is sent; `None` for the gateway's own.
    namespace: Option<String>,
    mode: Mode,
    callback: Option<Callback>,
    roster: Arc<Roster>,
}

#[derive(Debug)]
enum Named {
    Fixed(Arc<str>),
    Template(Confined),
}

impl Function {
    pub(crate) fn new(target: &Target, namespace: Option<String>, roster: Arc<Roster>) -> Result<Self, Invalid> {
        let callback = target.callback().transpose()?;
        let named = match (target.template().transpose()?, &target.name) {
            (Some(template), _) => Named::Template(template),
            (None, Name::Fixed(name)) => Named::Fixed(name.name().into()),
            (None, Name::Template(_)) => return Err(Invalid::new("the name is no template").at("name")),
        };
        Ok(Self { named, namespace, mode: target.mode, callback, roster })
    }

    /// What the gateway lists of the function's namespace.
    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The name in a listing of this namespace.
    pub(crate) fn listed_as(&self, namespace: Option<&str>) -> Option<String> {
        match &self.named {
            Named::Fixed(name) if self.namespace.as_deref() == namespace => Some(name.to_string()),
            Named::Fixed(_) | Named::Template(_) => None,
        }
    }

    /// What is sent for an invocation. Its body streams unless a template reads it.
    pub(crate) async fn request(&self, request: Request<Body>, context: &CallContext) -> Result<Call, UpstreamError> {
        let (mut head, mut body) = request.into_parts();
        let mut payload = Payload::Streaming;
        if self.reads_body() {
            let bytes = body.collect(context.max_body()).await.map_err(UpstreamError::request_body)?;
            payload = Payload::from(bytes.clone());
            body = Body::from(bytes);
        }
        let (name, callback) = self.rendered(&head, &payload, context)?;
        let route = context.route();
        let rest = below(head.uri.path(), &route.path, &context.exchange().facts().params);
        let uri = shape::target(self.mode, &name, self.namespace.as_deref(), rest, head.uri.query());
        head.uri = uri.map_err(|cause| {
            UpstreamError::new(ErrorKind::BadInput, "the function's path is none").with_source(cause)
        })?;
        shape::head(&mut head, self.mode, callback, || context.request_id().to_header());
        Ok(Call { name, mode: self.mode, request: Request::from_parts(head, body) })
    }

    fn reads_body(&self) -> bool {
        let name = matches!(&self.named, Named::Template(template) if template.reads_body());
        name || self.callback.as_ref().is_some_and(Callback::reads_body)
    }

    /// The name, without its namespace, and the callback's URL.
    fn rendered(
        &self,
        head: &Parts,
        payload: &Payload,
        context: &CallContext,
    ) -> Result<(Arc<str>, Option<HeaderValue>), UpstreamError> {
        if let (Named::Fixed(name), None) = (&self.named, &self.callback) {
            return Ok((Arc::clone(name), None));
        }
        let scope = Scope::of_request(head, payload, context.exchange());
        let name = match &self.named {
            Named::Fixed(name) => Arc::clone(name),
            Named::Template(template) => {
                let what = "the function's name could not be rendered";
                let text = template.render(&scope).map_err(|cause| UpstreamError::unrendered(what, cause))?;
                let name: FunctionName = text.parse().map_err(error::no_name)?;
                name.name().into()
            }
        };
        let callback = self.callback.as_ref().map(|callback| callback.render(&scope)).transpose()?;
        Ok((name, callback))
    }
}
