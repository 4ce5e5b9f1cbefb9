//! Which route serves a request, why, and what its function would get: `callgate explain`.

use std::fmt;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::{Plan, search::Arrival, sent::Dispatched};
use crate::body::Body;

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

impl Passed {
    pub(super) fn to_json(&self) -> Value {
        json!({"route": self.route, "verdict": self.verdict})
    }
}

/// What a route's captures took, by name.
pub(super) fn captures_to_json(chosen: Option<&(String, Vec<(String, String)>)>) -> Value {
    let captures = chosen.into_iter().flat_map(|(_, captures)| captures);
    Value::Object(captures.map(|(name, value)| (name.clone(), value.as_str().into())).collect())
}

impl Explanation {
    /// For programs: `route` (null where none serves the request), its `captures`, the `candidates` in the order in which
    /// they are tried, and `results` as texts, one for each destination.
    pub fn to_json(&self) -> Value {
        let candidates: Vec<_> = self.candidates.iter().map(Passed::to_json).collect();
        let results: Vec<_> = self.results.iter().map(|result| result.trim_end()).collect();
        json!({
            "route": self.chosen.as_ref().map(|(route, _)| route),
            "captures": captures_to_json(self.chosen.as_ref()),
            "candidates": candidates,
            "results": results,
        })
    }
}

impl Plan {
    /// Explains what would become of a request, without calling anything.
    pub fn explain(&self, request: Request<Body>) -> Explanation {
        let (parts, body) = request.into_parts();
        let body = Bytes::copy_from_slice(body.as_bytes().unwrap_or_default());
        let alone =
            |candidates, failure| Explanation { candidates, chosen: None, results: vec![Self::answered(&failure)] };
        let arrival = match Arrival::new(Request::from_parts(parts, body), None) {
            Ok(arrival) => arrival,
            Err(malformed) => return alone(Vec::new(), malformed.failure),
        };
        let search = arrival.search(self);
        let (route, captures) = match search.found {
            Ok(found) => found,
            Err(failure) => return alone(search.candidates, failure),
        };
        let named = captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let results = route.destinations.iter().map(|destination| {
            let mut invocation = arrival.enter(route, destination, captures.clone());
            match self.dispatch(route, destination, &mut invocation) {
                Ok(Dispatched::Sent(sent)) => sent.to_string(),
                Ok(Dispatched::Answered(Ok(_))) => "the gateway answers by itself".to_owned(),
                Ok(Dispatched::Answered(Err(failure))) | Err(failure) => Self::answered(&failure),
            }
        });
        Explanation {
            results: results.collect(),
            candidates: search.candidates,
            chosen: Some((route.info.name.to_string(), named)),
        }
    }
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
