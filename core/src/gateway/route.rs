//! A route as requests meet it: its destinations, each with the stack of layers that leads to it.

use std::{fmt, sync::Arc};

use callgate_transform::{Exchange, Facts, Params};
use http::Uri;

use crate::{
    failure::Failure,
    invocation::{CallContext, Invocation, Origin, Response, RouteInfo, Tail},
    metrics::Series,
    policy::{Policies, Stack},
    request_id::Told,
    routing::Captures,
    upstream::BoxFuture,
};

/// A route, built once at load.
pub(crate) struct Route {
    pub(crate) info: Arc<RouteInfo>,
    /// Never empty; the weights are cumulative, the last one is the sum.
    pub(crate) destinations: Vec<(u32, Destination)>,
}

impl Route {
    /// One of the destinations, as often as its weight says.
    pub(crate) fn destination(&self) -> Option<&Destination> {
        let (sum, last) = self.destinations.last()?;
        if self.destinations.len() == 1 {
            return Some(last);
        }
        let drawn = fastrand::u32(0..*sum);
        let hit = self.destinations.iter().find(|(upto, _)| drawn < *upto);
        Some(hit.map_or(last, |(_, destination)| destination))
    }
}

/// A function behind the layers of its route: transformation, policies, dispatch.
pub(crate) struct Destination {
    pub(crate) policies: Policies,
    /// What counts its requests.
    pub(crate) series: Arc<Series>,
    pub(crate) stack: Box<dyn Stack>,
}

impl Destination {
    pub(crate) fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Response, Failure>> {
        self.stack.call(invocation)
    }

    /// What the gateway knows of a request that goes here.
    pub(crate) fn context(
        &self,
        route: &Arc<RouteInfo>,
        origin: Origin,
        id: Told,
        matched: &Uri,
        params: Captures,
    ) -> CallContext {
        context(route, &self.policies, origin, id, matched, params)
    }
}

/// What the gateway knows of a request beside its message.
pub(crate) fn context(
    route: &Arc<RouteInfo>,
    policies: &Policies,
    origin: Origin,
    Told { id, header }: Told,
    matched: &Uri,
    params: Captures,
) -> CallContext {
    let tail = params.tail().zip(matched.path_and_query());
    let facts = Facts {
        route: Arc::clone(&route.name),
        request_id: header,
        client_ip: origin.client.map(|client| client.ip()),
        params: Params::new(params.into(), route.tail.clone()),
        claims: None,
    };
    let mut exchange = Exchange::new(facts);
    if let Some(certificate) = &origin.certificate {
        exchange = exchange.with_client_certificate(certificate.value());
    }
    CallContext {
        deadline: Some(origin.started + policies.timeout.head),
        stream_deadline: policies.timeout.total.map(|total| origin.started + total),
        max_body: policies.max_body,
        tail: tail.map(|(start, matched)| Tail { matched: matched.clone(), start }),
        route: Arc::clone(route),
        request_id: id,
        exchange,
        carries_all_headers: false,
        tried: None,
        client: None,
        recorder: None,
        span: None,
        trusted: false,
        principal: None,
        who: None,
        authenticated: false,
        origin,
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("info", &self.info).finish_non_exhaustive()
    }
}
