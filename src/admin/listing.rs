//! What is in force: routes, upstreams, triggers and the configuration.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use callgate_core::{
    CircuitState, ConcurrencyState, Discovered, EndpointHealth, EndpointState, Listed, Snapshot, UpstreamState,
    trigger::{Tally, TriggerState},
};
use serde_json::{Map, Value, json};

use super::{Options, Shared, look::Need};

/// A person who looks waits a little, for what is of this moment.
const LIST: Need = Need { age: Duration::from_secs(1), patience: Duration::from_secs(2) };

pub(super) async fn routes(State(shared): State<Shared>, options: Options) -> Result<Response, Response> {
    let options = options.among(&["format"])?;
    let snapshot = shared.gateway.snapshot();
    let rows = snapshot.route_list();
    if options.one_of("format", &["json", "text"])? == "text" {
        return Ok(crate::cli::route_table(rows).into_response());
    }
    Ok(Json(crate::cli::routes_to_json(rows)).into_response())
}

pub(super) async fn config(State(shared): State<Shared>, options: Options) -> Result<Response, Response> {
    let options = options.among(&["format"])?;
    let snapshot = shared.gateway.snapshot();
    let config = snapshot.effective();
    Ok(match options.one_of("format", &["json", "yaml"])? {
        "yaml" => callgate_core::plan::to_yaml(config).into_response(),
        _ => Json(config).into_response(),
    })
}

pub(super) async fn upstreams(State(shared): State<Shared>, options: Options) -> Result<Json<Vec<Value>>, Response> {
    options.among(&[])?;
    let snapshot = shared.gateway.snapshot();
    let known = shared.looks.states(&snapshot, LIST).await;
    let shown = |(name, state): (String, UpstreamState)| {
        let mut shown = told(&name, "kind", state.kind, known.upstreams.get(&name));
        guards(&state, &snapshot, &mut shown);
        match state.discovery {
            None => {}
            Some(Listed::Asked) => drop(shown.insert("discovery".to_owned(), json!("asked"))),
            Some(Listed::Functions(functions)) => {
                shown.insert("discovery".to_owned(), json!("listed"));
                shown.insert("functions".to_owned(), functions.iter().map(function).collect());
            }
            Some(Listed::Failed(error)) => {
                shown.insert("discovery".to_owned(), json!("failed"));
                shown.insert("discovery_failure".to_owned(), json!(snapshot.reason(&*error)));
            }
        }
        Value::Object(shown)
    };
    Ok(Json(snapshot.upstreams().into_iter().map(shown).collect()))
}

/// What keeps calls from the upstream, where there is such a thing.
fn guards(state: &UpstreamState, snapshot: &Snapshot, shown: &mut Map<String, Value>) {
    let circuit = |circuit: &CircuitState| match circuit {
        CircuitState::Closed => json!({"state": "closed"}),
        CircuitState::Open { left } => json!({"state": "open", "left_ms": millis(*left)}),
        _ => json!({"state": "half_open"}),
    };
    let place = |places: &ConcurrencyState| {
        let ConcurrencyState { limit, running, waiting, refused, .. } = places;
        json!({"limit": limit, "running": running, "waiting": waiting, "refused": refused})
    };
    let endpoint = |endpoint: &EndpointState| {
        let address = snapshot.masked(endpoint.address.clone());
        match endpoint.health {
            EndpointHealth::Ejected { left } => {
                json!({"address": address, "health": "ejected", "left_ms": millis(left)})
            }
            EndpointHealth::Unhealthy => json!({"address": address, "health": "unhealthy"}),
            _ => json!({"address": address, "health": "healthy"}),
        }
    };
    let lists: [(&str, Vec<Value>); 3] = [
        ("circuits", state.circuits.iter().map(circuit).collect()),
        ("concurrency", state.concurrency.iter().map(place).collect()),
        ("endpoints", state.endpoints.iter().map(endpoint).collect()),
    ];
    let filled = lists.into_iter().filter(|(_, list)| !list.is_empty());
    shown.extend(filled.map(|(name, list)| (name.to_owned(), Value::Array(list))));
}

fn millis(period: Duration) -> u64 {
    u64::try_from(period.as_millis()).unwrap_or(u64::MAX)
}

fn function(function: &Discovered) -> Value {
    match function.note() {
        Some(note) => json!({"name": function.name(), "note": note}),
        None => json!({"name": function.name()}),
    }
}

/// What each trigger does at the moment, and what became of its messages so far.
pub(super) async fn triggers(State(shared): State<Shared>, options: Options) -> Result<Json<Vec<Value>>, Response> {
    options.among(&[])?;
    let snapshot = shared.gateway.snapshot();
    let known = shared.looks.states(&snapshot, LIST).await;
    let shown = |state: TriggerState| {
        let Tally { received, succeeded, retried, dead_lettered, dropped, returned, .. } = state.tally;
        let mut shown = told(&state.name, "source", state.kind, known.triggers.get(&*state.name));
        let counts = json!({
            "to": state.to, "running": state.running, "waiting": state.waiting, "received": received,
            "succeeded": succeeded, "retried": retried, "dead_lettered": dead_lettered, "dropped": dropped,
            "returned": returned,
        });
        if let Value::Object(counts) = counts {
            shown.extend(counts);
        }
        Value::Object(shown)
    };
    Ok(Json(snapshot.triggers().into_iter().map(shown).collect()))
}

/// A name, a kind and whether it is ready; `null` where that was not said in time.
fn told(name: &str, of: &str, kind: &str, ready: Option<&Result<(), String>>) -> Map<String, Value> {
    let mut told = Map::new();
    told.insert("name".to_owned(), json!(name));
    told.insert(of.to_owned(), json!(kind));
    told.insert("ready".to_owned(), json!(ready.map(Result::is_ok)));
    let reason = match ready {
        Some(Ok(())) => None,
        Some(Err(reason)) => Some(reason.clone()),
        None => Some("it did not say in time whether it is ready".to_owned()),
    };
    if let Some(reason) = reason {
        told.insert("reason".to_owned(), json!(reason));
    }
    told
}
