//! `/live` and `/ready`.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Map, Value, json};

use super::{
    Shared,
    look::{Need, Said},
};

/// Probes have a second, often. What is not known by then is told as it was last known.
const PROBE: Need = Need { age: Duration::from_secs(5), patience: Duration::from_millis(200) };

/// The process runs: a probe that fails here wants it restarted.
pub(super) async fn live() -> Json<Value> {
    Json(json!({"live": true}))
}

/// Whether the gateway wants traffic: 200, or 503 with the reason.
///
/// An upstream that is not ready is shown but decides nothing: the gateway still serves all others, and taking it out
/// of the load balancer would turn the failure of one upstream into one of all. The same holds for the source of a
/// trigger. Nor does one that hangs hold up the answer.
pub(super) async fn ready(State(shared): State<Shared>) -> (StatusCode, Json<Value>) {
    let snapshot = shared.gateway.snapshot();
    let known = shared.looks.states(&snapshot, PROBE).await;
    let upstreams = told(snapshot.upstreams().into_keys(), &known.upstreams);
    let triggers = told(snapshot.triggers().into_iter().map(|trigger| trigger.name.to_string()), &known.triggers);
    let (status, mut told) = match shared.readiness.reason() {
        None => (StatusCode::OK, json!({"ready": true, "upstreams": upstreams})),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, json!({"ready": false, "reason": reason, "upstreams": upstreams}))
        }
    };
    if !triggers.is_empty() {
        told["triggers"] = triggers.into();
    }
    (status, Json(told))
}

/// What each of them last said.
fn told(names: impl Iterator<Item = String>, said: &Said) -> Map<String, Value> {
    let states = names.map(|name| {
        let state = match said.get(&name) {
            Some(Ok(())) => "ready".to_owned(),
            Some(Err(reason)) => format!("not ready: {reason}"),
            None => "not known: it has not said yet whether it is ready".to_owned(),
        };
        (name, Value::String(state))
    });
    states.collect()
}
