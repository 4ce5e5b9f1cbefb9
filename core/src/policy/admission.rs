//! `auth` and `rate_limit` as one layer: who may come in, and how often. A route without them has no such layer.

use std::sync::Arc;

use http::request::Parts;

use super::{
    auth::{Auth, Identity},
    denial::Denial,
    rate_limit::{RateLimit, Told, Turn, Visitor},
    stack::Stack,
    transformation::Pipelines,
};
use crate::{
    failure::Failure,
    invocation::{CallContext, Invocation, Response},
    respond::{Code, Speech},
    upstream::BoxFuture,
};

/// What lets requests in.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(super) auth: Option<Arc<Auth>>,
    pub(super) rate_limit: Option<RateLimit>,
}

/// Lets requests in to the layers within; what it refuses is reshaped by the route's response steps, as their failures
/// are.
pub(super) struct Admitted {
    pub(super) inner: Arc<dyn Stack>,
    pub(super) admission: Arc<Admission>,
    pub(super) pipelines: Arc<Pipelines>,
}

impl Stack for Admitted {
    fn call(&self, mut invocation: Invocation) -> BoxFuture<'static, Result<Response, Failure>> {
        let inner = Arc::clone(&self.inner);
        if invocation.context.trusted {
            return inner.call(invocation);
        }
        let (admission, pipelines) = (Arc::clone(&self.admission), Arc::clone(&self.pipelines));
        Box::pin(async move {
            let speech = Speech::of(invocation.request.headers());
            match admission.admit(&mut invocation).await {
                Ok(told) => {
                    let mut reply = inner.call(invocation).await?;
                    told.write(reply.headers_mut());
                    Ok(reply)
                }
                Err(refusal) => pipelines.refused(Failure::Denied(Box::new(refusal)), invocation, speech).await,
            }
        })
    }
}

impl Admission {
    /// Counts by the client's address first, so that guessing costs; then says who comes; then counts the rest, so that
    /// nobody uses up what others have.
    async fn admit(&self, invocation: &mut Invocation) -> Result<Told, Denial> {
        let deadline = invocation.context.deadline;
        let deciding = self.decide(invocation);
        match deadline {
            None => deciding.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), deciding).await.unwrap_or_else(|_| {
                let detail = "It could not be decided in time whether this request may come in.";
                Err(Denial::new(Code::UpstreamUnavailable, detail))
            }),
        }
    }

    async fn decide(&self, invocation: &mut Invocation) -> Result<Told, Denial> {
        // The body is not looked at, and would have to be shared for it.
        let (mut parts, body) = std::mem::take(&mut invocation.request).into_parts();
        let decided = self.decide_by(&mut parts, &mut invocation.context).await;
        invocation.request = http::Request::from_parts(parts, body);
        decided
    }

    async fn decide_by(&self, parts: &mut Parts, context: &mut Arc<CallContext>) -> Result<Told, Denial> {
        let mut told = Told::default();
        let Some(auth) = &self.auth else {
            self.count(Turn::Whole, parts, context, None, &mut told).await?;
            return Ok(told);
        };
        self.count(Turn::BeforeAuth, parts, context, None, &mut told).await?;
        let identity = auth.admit(parts, context).await?;
        if let (Some(who), Some(principal)) = (&context.who, identity.shared_principal()) {
            who.get_or_init(|| Arc::clone(principal));
        }
        self.count(Turn::AfterAuth, parts, context, Some(&identity), &mut told).await?;
        let context = Arc::make_mut(context);
        context.authenticated = true;
        if let Some(claims) = identity.shared_claims() {
            context.exchange.set_claims(Arc::clone(claims));
        }
        context.principal = identity.shared_principal().cloned();
        Ok(told)
    }

    async fn count(
        &self,
        turn: Turn,
        parts: &Parts,
        context: &CallContext,
        identity: Option<&Identity>,
        told: &mut Told,
    ) -> Result<(), Denial> {
        let Some(limit) = &self.rate_limit else { return Ok(()) };
        let visitor = Visitor {
            client: context.origin.client.map(|client| client.ip()),
            headers: &parts.headers,
            identity,
            route: &context.route.name,
        };
        limit.take(turn, &visitor, told).await
    }
}
