//! Where a trigger's messages go in: functions of its own, or a route with all its policies and steps.

use std::sync::Arc;

use http::{Method, Uri};

use super::{
    call::{Try, failed},
    outcome::Outcome,
};
use crate::{
    failure::Failure,
    gateway::{self, Route},
    invocation::{Invocation, RouteInfo},
    policy::Pipelines,
    routing::{Captures, Found, RequestLine, RouteTable},
};

/// Where a trigger's messages go in.
pub(crate) enum Entry {
    /// To functions; the trigger's steps are among theirs.
    Functions(Route),
    /// To a route.
    Named(Box<Named>),
}

/// A route by its name.
pub(crate) struct Named {
    /// The trigger, as its steps know it.
    pub(crate) info: Arc<RouteInfo>,
    pub(crate) route: Arc<Route>,
    /// The trigger's steps, which run before the route's own.
    pub(crate) steps: Pipelines,
    /// The route's path alone, to find its captures.
    pub(crate) path: RouteTable<()>,
    /// The request before the steps.
    pub(crate) method: Method,
    pub(crate) target: Uri,
}

impl Entry {
    /// Tries to process a message.
    pub(super) async fn process(&self, attempt: Try<'_>, trigger: &str) -> Outcome {
        match self {
            Self::Functions(route) => {
                let head = attempt.head(Method::POST, Uri::from_static("/"), trigger);
                let body = attempt.body();
                attempt.send(route, head, body, Captures::default()).await
            }
            Self::Named(named) => named.process(attempt, trigger).await,
        }
    }
}

impl Named {
    async fn process(&self, attempt: Try<'_>, trigger: &str) -> Outcome {
        let id = attempt.id;
        match self.enter(&attempt, trigger) {
            Ok((invocation, captures)) => {
                let (head, body) = invocation.request.into_parts();
                attempt.send(&self.route, head, body, captures).await
            }
            Err(failure) => failed(&failure, id),
        }
    }

    /// Runs the trigger's steps, and finds the captures in the path that they leave.
    fn enter(&self, attempt: &Try<'_>, trigger: &str) -> Result<(Invocation, Captures), Failure> {
        let head = attempt.head(self.method.clone(), self.target.clone(), trigger);
        let policies = &self.route.destination().ok_or(Failure::NoRoute)?.policies;
        let origin = attempt.origin.clone();
        let context = gateway::context(&self.info, policies, origin, attempt.id.into(), &head.uri, Captures::default());
        let request = http::Request::from_parts(head, attempt.body());
        let mut invocation = Invocation { request, context: Arc::new(context) };
        self.steps.shape_request_at_once(&mut invocation)?;
        let (mut head, body) = invocation.request.into_parts();
        gateway::normalize(&mut head)?;
        let line = RequestLine {
            host: None,
            method: &head.method,
            path: head.uri.path(),
            query: head.uri.query(),
            headers: &head.headers,
        };
        let captures = match self.path.find(&line) {
            Ok(Found::Route { captures, .. }) => captures,
            Ok(_) => {
                let (path, route) = (head.uri.path(), &self.route.info);
                return Err(Failure::BadRequest(
                    format!(
                        "The trigger made the path `{path}`, and the route `{}` takes `{}`.",
                        route.name, route.path
                    )
                    .into(),
                ));
            }
            Err(malformed) => return Err(Failure::BadRequest(malformed.to_string().into())),
        };
        invocation.request = http::Request::from_parts(head, body);
        Ok((invocation, captures))
    }
}
