//! Which route serves a request, why, and what its function would get: `callgate explain`.

use std::{fmt, sync::Arc};

use callgate_transform::Payload;
use http::{HeaderMap, Request};

use super::{Action, DestinationPlan, Plan, RoutePlan};
use crate::{
    body::Body,
    edge::{self, Connection},
    failure::Failure,
    gateway,
    invocation::Invocation,
    request_id::RequestId,
    respond::Code,
    routing::{Found, RequestLine},
};

/// The answer of [`Plan::explain`]; displays as a text for people.
#[derive(Debug)]
pub struct Explanation {
    /// The routes whose host and path match, in the order in which they are tried.
    pub candidates: Vec<Passed>,
    /// The route's name and captures, if one serves the request.
    pub chosen: Option<(String, Vec<(String, String)>)>,
    /// What every destination of the route would get; or how the gateway itself answers.
    pub results: Vec<String>,
}

/// A route that was looked at, and what became of it.
#[derive(Debug)]
pub struct Passed {
    /// The route's name.
    pub route: String,
    /// Why it was chosen or passed over.
    pub verdict: String,
}

impl Plan {
    /// Explains what would become of a request, without calling anything.
    pub fn explain(&self, request: Request<Body>) -> Explanation {
        let connection = Connection::new("explain".into(), None, false, Arc::from([]));
        let (mut parts, _) = request.into_parts();
        let origin = edge::origin(&parts, &connection);
        if let Err(failure) = gateway::normalize(&mut parts) {
            return Explanation { candidates: Vec::new(), chosen: None, results: vec![answered(&failure)] };
        }
        let line = RequestLine {
            host: origin.host.as_ref().and_then(|host| host.to_str().ok()),
            method: &parts.method,
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: &parts.headers,
        };
        let search = self.table.explain(&line);
        let candidates = search.candidates.iter().map(|candidate| Passed {
            route: self.routes.get(candidate.rule.value).map(|route| route.info.name.to_string()).unwrap_or_default(),
            verdict: candidate.verdict.to_string(),
        });
        let candidates = candidates.collect();
        let (route, captures) = match search.outcome {
            Ok(Found::Route { value, captures }) => match self.routes.get(*value) {
                Some(route) => (route, captures),
                None => return Explanation { candidates, chosen: None, results: Vec::new() },
            },
            outcome => {
                let failure = gateway::unmatched(outcome);
                return Explanation { candidates, chosen: None, results: vec![answered(&failure)] };
            }
        };
        let named = captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let id = RequestId::random();
        gateway::prepare(&mut parts, &origin, id, &connection);
        let results = route.destinations.iter().map(|destination| {
            let context = gateway::context(&route.info, &destination.policies, origin.clone(), id, captures.clone());
            let request = Request::from_parts(parts.clone(), Body::empty());
            self.shown(route, destination, Invocation { request, context: Arc::new(context) })
        });
        Explanation { candidates, chosen: Some((route.info.name.to_string(), named)), results: results.collect() }
    }

    /// What a destination would get of this invocation.
    fn shown(&self, route: &RoutePlan, destination: &DestinationPlan, invocation: Invocation) -> String {
        let Action::Call(call) = &destination.action else {
            return "the gateway answers by itself".to_owned();
        };
        let Invocation { request, mut context } = invocation;
        let (mut parts, _) = request.into_parts();
        let mut payload = if destination.pipelines.request.reads_body() {
            Payload::Buffered(Default::default())
        } else {
            Payload::Streaming
        };
        let exchange = &mut Arc::make_mut(&mut context).exchange;
        if let Err(error) = destination.pipelines.request.apply(&mut parts, &mut payload, exchange) {
            return answered(&Failure::from(error));
        }
        let Some(upstream) = self.upstreams.get(&call.upstream) else { return String::new() };
        let sum: u32 = route.destinations.iter().map(|destination| destination.weight).sum();
        let share = if route.destinations.len() > 1 {
            format!(" ({} of {sum} requests)", destination.weight)
        } else {
            String::new()
        };
        let mut text = format!("upstream {} of kind {}{share}\n", call.upstream, upstream.kind.name());
        text.push_str(&format!("  target {}\n", call.target.effective()));
        text.push_str(&head(&parts.method, &parts.uri, &parts.headers));
        let body = match payload {
            Payload::Streaming => Body::empty(),
            Payload::Buffered(content) => Body::from(content.into_bytes()),
        };
        if let Some(bytes) = body.as_bytes().filter(|bytes| !bytes.is_empty()) {
            text.push_str(&format!("\n  {}\n", String::from_utf8_lossy(bytes)));
        }
        let invocation = Invocation { request: Request::from_parts(parts, body), context };
        if let Some(preview) = upstream.kind.preview(&call.target, &invocation) {
            text.push_str(&format!("  sent as\n  {preview}\n"));
        }
        text
    }
}

fn head(method: &http::Method, uri: &http::Uri, headers: &HeaderMap) -> String {
    let mut text = format!("  {method} {uri}\n");
    for (name, value) in headers {
        text.push_str(&format!("  {name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    text
}

fn answered(failure: &Failure) -> String {
    let code = Code::from(failure);
    format!("the gateway answers {} with the error {}: {failure}", code.status().as_u16(), code.as_str())
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.chosen {
            Some((route, captures)) => {
                writeln!(f, "route {route}")?;
                for (name, value) in captures {
                    writeln!(f, "  {name} = {value:?}")?;
                }
            }
            None => writeln!(f, "no route")?,
        }
        if !self.candidates.is_empty() {
            writeln!(f, "looked at")?;
        }
        for passed in &self.candidates {
            writeln!(f, "  {}: {}", passed.route, passed.verdict)?;
        }
        for result in &self.results {
            writeln!(f, "{}", result.trim_end())?;
        }
        Ok(())
    }
}
