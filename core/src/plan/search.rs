//! The way of a request to its route, offline: what `explain`, `render` and `test` have in common.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use http::{Request, request::Parts};

use super::{DestinationPlan, Passed, Plan, RoutePlan};
use crate::{
    body::Body,
    edge::{self, Connection},
    failure::Failure,
    gateway,
    invocation::{Invocation, Origin},
    request_id::{RequestId, Told},
    respond::Speech,
    routing::{Captures, Explanation, Found, RequestLine, RouteTable, Rule, Verdict},
};

/// A request as it arrives, its path normalised.
pub(super) struct Arrival {
    parts: Parts,
    body: Bytes,
    origin: Origin,
    connection: Connection,
    pub(super) id: RequestId,
    /// Whether the client wants a gRPC status instead of a problem document.
    pub(super) speech: Speech,
}

/// What became of the search for a route.
pub(super) struct Search<'p> {
    /// The routes whose host and path match, in the order in which they are tried.
    pub(super) candidates: Vec<Passed>,
    pub(super) found: Result<(&'p RoutePlan, Captures), Failure>,
}

/// A request that is refused before the search.
pub(super) struct Malformed {
    pub(super) id: RequestId,
    pub(super) speech: Speech,
    pub(super) failure: Failure,
}

/// Why a request is none of a certain route's.
pub(super) struct Mismatched(pub(super) String);

impl Arrival {
    /// Takes a request, unless it is malformed.
    pub(super) fn new(request: Request<Bytes>, client: Option<IpAddr>) -> Result<Self, Box<Malformed>> {
        let (mut parts, body) = request.into_parts();
        let peer = client.map(|client| SocketAddr::new(client, 0));
        let connection = Connection::new("offline".into(), peer, false, Arc::from([]));
        let origin = edge::origin(&parts, &connection);
        let speech = Speech::of(&parts.headers);
        // An id that is given names the request, so that what is made of it can be foretold.
        let given = parts.headers.get("x-request-id").and_then(RequestId::from_header);
        let id = given.unwrap_or_else(RequestId::random);
        match gateway::normalize(&mut parts) {
            Ok(()) => Ok(Self { parts, body, origin, connection, id, speech }),
            Err(failure) => Err(Box::new(Malformed { id, speech, failure })),
        }
    }

    fn line(&self) -> RequestLine<'_> {
        RequestLine {
            host: self.host(),
            method: &self.parts.method,
            path: self.parts.uri.path(),
            query: self.parts.uri.query(),
            headers: &self.parts.headers,
        }
    }

    fn host(&self) -> Option<&str> {
        self.origin.host.as_ref().and_then(|host| host.to_str().ok())
    }

    /// Searches the route as the gateway does.
    pub(super) fn search<'p>(&self, plan: &'p Plan) -> Search<'p> {
        let search = plan.table.explain(&self.line());
        let candidates = passed(plan, &search);
        let found = match search.outcome {
            Ok(Found::Route { value, captures }) => {
                plan.routes.get(*value).map(|route| (route, captures)).ok_or(Failure::NoRoute)
            }
            outcome => Err(gateway::unmatched(outcome)),
        };
        Search { candidates, found }
    }

    /// Matches one route alone. Its host counts only if the request names one.
    pub(super) fn captures_of(&self, route: &RoutePlan) -> Result<Captures, Mismatched> {
        let mut rule = route.rule(0);
        let hosted = self.host().zip(rule.host.take());
        if let Some((given, pattern)) = hosted {
            let of_host = Rule { host: Some(pattern.clone()), ..rule.clone() };
            let elsewhere = |rule| RouteTable::build(vec![rule]).explain(&self.line()).candidates.is_empty();
            if elsewhere(of_host) && !elsewhere(rule.clone()) {
                return Err(Mismatched(format!("its host is `{given}`, and the route is one of `{pattern}`")));
            }
        }
        let table = RouteTable::build(vec![rule]);
        let search = table.explain(&self.line());
        match search.outcome {
            Ok(Found::Route { captures, .. }) => Ok(captures),
            Err(malformed) => Err(Mismatched(malformed.to_string())),
            Ok(Found::MethodNotAllowed { .. } | Found::None) => {
                Err(Mismatched(match search.candidates.first().map(|candidate| &candidate.verdict) {
                    Some(Verdict::PassedOver(reasons)) => {
                        reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
                    }
                    Some(verdict @ (Verdict::Chosen | Verdict::LessSpecific)) => verdict.to_string(),
                    None => {
                        format!("its path is `{}`, and the route takes `{}`", self.parts.uri.path(), route.info.path)
                    }
                }))
            }
        }
    }

    /// The invocation of a destination, before its steps.
    pub(super) fn enter(&self, route: &RoutePlan, destination: &DestinationPlan, captures: Captures) -> Invocation {
        let mut parts = self.parts.clone();
        let seen = edge::Seen::of(&parts.headers);
        let id = Told::from(self.id);
        let _asks_for_an_upgrade = gateway::prepare(&mut parts, &self.origin, &id.header, seen, &self.connection);
        let origin = self.origin.clone();
        let context = gateway::context(&route.info, &destination.policies, origin, id, &parts.uri, captures);
        let request = Request::from_parts(parts, Body::from(self.body.clone()));
        Invocation { request, context: Arc::new(context) }
    }
}

/// The candidates of a search with the names of their routes.
fn passed(plan: &Plan, search: &Explanation<'_, usize>) -> Vec<Passed> {
    let candidates = search.candidates.iter().map(|candidate| Passed {
        route: plan.routes.get(candidate.rule.value).map(|route| route.info.name.to_string()).unwrap_or_default(),
        verdict: candidate.verdict.to_string(),
    });
    candidates.collect()
}
