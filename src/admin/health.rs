//! `/live` and `/ready`.

use std::{collections::BTreeMap, future::Future, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use callgate_core::UpstreamError;
use serde_json::{Map, Value, json};

use super::Shared;

/// How long the upstreams may take to say whether they are ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process runs: a probe that fails here wants it restarted.
pub(super) async fn live() -> Json<Value> {
    Json(json!({"live": true}))
}

/// Whether the gateway wants traffic: 200, or 503 with the reason.
///
/// An upstream that is not ready is shown but decides nothing: the gateway still serves all others, and taking it out
/// of the load balancer would turn the failure of one upstream into one of all. The same holds for the source of a
/// trigger.
pub(super) async fn ready(State(shared): State<Shared>) -> (StatusCode, Json<Value>) {
    let snapshot = shared.gateway.snapshot();
    let (upstreams, triggers) =
        tokio::join!(states("upstreams", snapshot.ready()), states("triggers", snapshot.triggers_ready()));
    let (status, mut told) = match shared.readiness.reason() {
        None => (StatusCode::OK, json!({"ready": true, "upstreams": upstreams})),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, json!({"ready": false, "reason": reason, "upstreams": upstreams}))
        }
    };
    if !triggers.as_object().is_some_and(Map::is_empty) {
        told["triggers"] = triggers;
    }
    (status, Json(told))
}

/// What each of them says, if they say it in time.
async fn states(what: &str, asked: impl Future<Output = BTreeMap<String, Result<(), UpstreamError>>>) -> Value {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(told) => {
            let states = told.into_iter().map(|(name, ready)| {
                let state = match ready {
                    Ok(()) => "ready".to_owned(),
                    Err(error) => format!("not ready: {error}"),
                };
                (name, Value::String(state))
            });
            Value::Object(states.collect::<Map<_, _>>())
        }
        Err(_) => Value::from(format!("the {what} did not say in time whether they are ready")),
    }
}
