//! What the dashboard shows of requests: the counters as they are, from which it makes rates, and the last failures.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{Json, extract::State, response::Response};
use callgate_core::{
    Code,
    metrics::{Durations, Labels, Measured, RecentFailure, Totals},
};
use serde_json::{Map, Value, json};

use super::{Options, Shared};

/// Counters of every route and upstream since the start, histograms with them. Who asks twice has the rates between.
pub(super) async fn traffic(State(shared): State<Shared>, options: Options) -> Result<Json<Value>, Response> {
    options.among(&[])?;
    let carried = shared.traffic.carried();
    Ok(Json(json!({
        "at": seconds(SystemTime::now()), "version": env!("CARGO_PKG_VERSION"),
        "bounds": Durations::bounds().collect::<Vec<_>>(),
        "connections": carried.open,
        "received_bytes": carried.received,
        "sent_bytes": carried.sent,
        "routes": shared.gateway.measured().iter().map(measured).collect::<Vec<_>>(),
    })))
}

fn measured(measured: &Measured) -> Value {
    let Labels { route, upstream, kind } = &measured.labels;
    let totals = &measured.totals;
    let statuses = Totals::CLASSES.iter().map(|class| (*class).to_owned()).zip(totals.statuses.map(Value::from));
    json!({
        "route": &**route, "upstream": &**upstream, "kind": kind,
        "begun": totals.begun, "in_flight": totals.in_flight(),
        "statuses": statuses.collect::<Map<_, _>>(),
        "errors": codes(&totals.errors),
        "replies": totals.replies, "given_up": totals.given_up, "failed_calls": codes(&totals.failed_calls),
        "cut": codes(&totals.cut),
        "whole": totals.whole.buckets(), "gateway": totals.gateway.buckets(), "upstream_time": totals.upstream.buckets(),
    })
}

fn codes(counts: &[u64]) -> Map<String, Value> {
    let counted = Code::ALL.iter().zip(counts).filter(|(_, count)| **count > 0);
    counted.map(|(code, count)| (code.as_str().to_owned(), (*count).into())).collect()
}

/// The last requests that the gateway answered for a failure, the newest first.
pub(super) async fn failures(State(shared): State<Shared>, options: Options) -> Result<Json<Vec<Value>>, Response> {
    options.among(&[])?;
    let shown = |failure: RecentFailure| {
        let (route, upstream) = match &failure.labels {
            Some(labels) => (&*labels.route, &*labels.upstream),
            None => ("", ""),
        };
        json!({
            "at": seconds(failure.at), "request_id": failure.request_id.as_str(), "route": route, "upstream": upstream,
            "error": failure.code.as_str(), "reason": failure.reason,
        })
    };
    Ok(Json(shared.gateway.recent_failures().into_iter().rev().map(shown).collect()))
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
