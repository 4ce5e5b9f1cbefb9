//! What an upstream receives of a request and what a client gets of its reply, offline: `callgate render`.

use std::{fmt, net::IpAddr};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{
    Outcome, Passed, Plan, RoutePlan,
    explain::captures_to_json,
    search::Arrival,
    sent::{self, Dispatched, Sent},
};
use crate::{
    document::nearest,
    failure::Failure,
    gateway,
    request_id::RequestId,
    respond::{self, Speech},
    routing::Captures,
};

/// How a request is tried.
#[derive(Debug, Clone, Default)]
pub struct Attempt<'a> {
    /// The name of the route that the request is meant for. Default: the one that the gateway finds.
    pub route: Option<&'a str>,
    /// Which destination of a weighted route, counted from 0.
    pub destination: usize,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// What the function does; without it there is no response to show.
    pub outcome: Option<&'a Outcome>,
}

/// The answer of [`Plan::render`]; displays as a text for people.
#[derive(Debug, Default)]
pub struct Rendered {
    /// The route's name and captures, if one serves the request.
    pub(super) route: Option<(String, Vec<(String, String)>)>,
    pub(super) candidates: Vec<Passed>,
    /// What is odd about the attempt.
    note: Option<String>,
    pub(super) sent: Option<Box<Sent>>,
    /// Why the gateway itself answers.
    pub(super) failure: Option<String>,
    pub(super) response: Option<Response<Bytes>>,
}

/// Why a request can't be tried as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// No route has the name.
    #[error("no route is named `{name}`{}", hint.as_ref().map(|near| format!(": did you mean `{near}`?")).unwrap_or_default())]
    UnknownRoute {
        /// The name that was given.
        name: String,
        /// The nearest name.
        hint: Option<String>,
    },
    /// The request is not one of the named route.
    #[error("the request does not match the route `{route}`: {reason}")]
    Mismatched {
        /// The route's name.
        route: String,
        /// What does not match.
        reason: String,
    },
    /// The route has fewer destinations.
    #[error("the route `{route}` has {count} destination{}", if *count == 1 { "" } else { "s" })]
    NoDestination {
        /// The route's name.
        route: String,
        /// How many there are.
        count: usize,
    },
}

impl Plan {
    /// Shows what becomes of a request and of a function's reply, without calling anything.
    ///
    /// # Errors
    /// When the request is not one of the named route, or the route or the destination is not there.
    pub fn render(&self, request: Request<Bytes>, attempt: &Attempt<'_>) -> Result<Rendered, AttemptError> {
        let arrival = match Arrival::new(request, attempt.client) {
            Ok(arrival) => arrival,
            Err(malformed) => {
                let mut rendered = Rendered::default();
                self.refuse(&mut rendered, &malformed.failure, malformed.id, malformed.speech);
                return Ok(rendered);
            }
        };
        let search = arrival.search(self);
        let mut rendered = Rendered { candidates: search.candidates, ..Rendered::default() };
        let found = match attempt.route {
            Some(name) => {
                let route = self.named(name)?;
                let captures = arrival
                    .captures_of(route)
                    .map_err(|mismatched| AttemptError::Mismatched { route: name.to_owned(), reason: mismatched.0 })?;
                rendered.note = other(route, search.found.ok().map(|(other, _)| other));
                Ok((route, captures))
            }
            None => search.found,
        };
        match found {
            Ok((route, captures)) => self.try_on(&arrival, route, captures, attempt, &mut rendered)?,
            Err(failure) => self.refuse(&mut rendered, &failure, arrival.id, arrival.speech),
        }
        Ok(rendered)
    }

    fn named(&self, name: &str) -> Result<&RoutePlan, AttemptError> {
        self.routes.iter().find(|route| route.is_called(name)).ok_or_else(|| {
            let hint = nearest(name, self.routes.iter().map(|route| &*route.info.name)).map(ToOwned::to_owned);
            AttemptError::UnknownRoute { name: name.to_owned(), hint }
        })
    }

    fn try_on(
        &self,
        arrival: &Arrival,
        route: &RoutePlan,
        captures: Captures,
        attempt: &Attempt<'_>,
        rendered: &mut Rendered,
    ) -> Result<(), AttemptError> {
        let name = route.info.name.to_string();
        let named = captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let Some(destination) = route.destinations.get(attempt.destination) else {
            return Err(AttemptError::NoDestination { route: name, count: route.destinations.len() });
        };
        rendered.route = Some((name, named));
        let mut invocation = arrival.enter(route, destination, captures);
        let speech = Speech::of(invocation.request.headers());
        let reply = match self.dispatch(route, destination, &mut invocation) {
            Ok(Dispatched::Sent(sent)) => {
                rendered.sent = Some(sent);
                let Some(outcome) = attempt.outcome else { return Ok(()) };
                outcome.answer()
            }
            Ok(Dispatched::Answered(reply)) => reply,
            Err(failure) => Err(failure),
        };
        rendered.failure = reply.as_ref().err().map(Self::answered);
        let context = (*invocation.context).clone();
        match destination.pipelines.shape_reply_at_once(reply, context, speech) {
            Ok(response) => rendered.respond(response, arrival.id),
            Err(failure) => self.refuse(rendered, &failure, arrival.id, speech),
        }
        Ok(())
    }

    /// Answers with a problem document.
    fn refuse(&self, rendered: &mut Rendered, failure: &Failure, id: RequestId, speech: Speech) {
        rendered.failure = Some(Self::answered(failure));
        rendered.respond(respond::respond(failure, id, speech), id);
    }
}

/// Says that the gateway would choose another route.
fn other(route: &RoutePlan, found: Option<&RoutePlan>) -> Option<String> {
    match found {
        Some(found) if std::ptr::eq(found, route) => None,
        Some(found) => Some(format!("the gateway gives this request to the route `{}`", found.info.name)),
        None => Some("the gateway finds no route for this request, as it names no host".to_owned()),
    }
}

impl Rendered {
    /// What leaves the gateway. A reply that no step reads has no limit.
    fn respond(&mut self, mut response: crate::invocation::Response, id: RequestId) {
        gateway::conclude(&mut response, id.to_header());
        let (parts, body) = response.into_parts();
        self.response = sent::collected(body, u64::MAX).ok().map(|body| Response::from_parts(parts, body));
    }
}

impl Rendered {
    /// For programs: `route` and `captures`, `candidates` with their verdicts, `note`, `sent` (what the upstream gets),
    /// `failure` (why the gateway itself answers) and `response` (what the client gets). What there is not is null.
    pub fn to_json(&self) -> Value {
        let candidates: Vec<_> = self.candidates.iter().map(Passed::to_json).collect();
        let response = self.response.as_ref().map(|response| {
            let mut told = sent::message_to_json(response.headers(), response.body());
            told.insert("status".to_owned(), response.status().as_u16().into());
            told
        });
        json!({
            "route": self.route.as_ref().map(|(name, _)| name),
            "captures": captures_to_json(self.route.as_ref()),
            "candidates": candidates,
            "note": self.note,
            "sent": self.sent.as_ref().map(|sent| sent.to_json()),
            "failure": self.failure,
            "response": response,
        })
    }
}

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.route {
            Some((route, captures)) => {
                writeln!(f, "route {route}")?;
                for (name, value) in captures {
                    writeln!(f, "  {name} = {value:?}")?;
                }
            }
            None => {
                writeln!(f, "no route")?;
                for passed in &self.candidates {
                    writeln!(f, "  {}: {}", passed.route, passed.verdict)?;
                }
            }
        }
        if let Some(note) = &self.note {
            writeln!(f, "note: {note}")?;
        }
        if let Some(sent) = &self.sent {
            write!(f, "{sent}")?;
        }
        if let Some(failure) = &self.failure {
            writeln!(f, "{failure}")?;
        }
        if let Some(response) = &self.response {
            writeln!(f, "the client gets\n  {}", response.status())?;
            sent::message(f, response.headers(), response.body())?;
        }
        Ok(())
    }
}
