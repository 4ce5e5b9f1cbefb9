//! `/live` and `/ready`.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
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
/// of the load balancer would turn the failure of one upstream into one of all.
pub(super) async fn ready(State(shared): State<Shared>) -> (StatusCode, Json<Value>) {
    let upstreams = upstreams(&shared).await;
    match shared.readiness.reason() {
        None => (StatusCode::OK, Json(json!({"ready": true, "upstreams": upstreams}))),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"ready": false, "reason": reason, "upstreams": upstreams})))
        }
    }
}

async fn upstreams(shared: &Shared) -> Value {
    let snapshot = shared.gateway.snapshot();
    match tokio::time::timeout(PATIENCE, snapshot.ready()).await {
        Ok(upstreams) => {
            let states = upstreams.into_iter().map(|(name, ready)| {
                let state = match ready {
                    Ok(()) => "ready".to_owned(),
                    Err(error) => format!("not ready: {error}"),
                };
                (name, Value::String(state))
            });
            Value::Object(states.collect::<Map<_, _>>())
        }
        Err(_) => Value::from("the upstreams did not say in time whether they are ready"),
    }
}
