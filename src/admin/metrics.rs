//! `/metrics`, as Prometheus scrapes it.

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use callgate_core::{
    CircuitState, EndpointHealth, Snapshot, UpstreamState,
    metrics::{Exposition, Type},
};

use super::{
    Options, Shared,
    look::{Need, States},
    process::Process,
};

/// A scrape has little time.
const SCRAPE: Need = Need { age: Duration::from_secs(5), patience: Duration::from_secs(1) };

pub(super) async fn metrics(State(shared): State<Shared>, options: Options) -> Result<Response, Response> {
    options.among(&[])?;
    let plain = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((plain, gather(&shared).await.to_text()).into_response())
}

/// All metrics of the gateway and its process.
pub(crate) async fn gather(shared: &Shared) -> Exposition {
    let mut metrics = Exposition::default();
    let version = env!("CARGO_PKG_VERSION");
    metrics.family("callgate_build_info", Type::Gauge, "The build.").value(&[("version", version)], 1);
    let ready = u64::from(shared.readiness.reason().is_none());
    metrics.family("callgate_ready", Type::Gauge, "Whether the gateway wants traffic.").value(&[], ready);
    shared.gateway.expose(&mut metrics);
    remotes(shared, &mut metrics).await;
    connections(shared, &mut metrics);
    reloads(shared, &mut metrics);
    let help = "Lines of the log that could not be written.";
    metrics.family("callgate_log_lost_total", Type::Counter, help).value(&[], shared.log.lost());
    // Reading /proc may block for a moment.
    if let Ok(process) = tokio::task::spawn_blocking(Process::read).await {
        process.expose(&mut metrics);
    }
    metrics
}

/// Whether upstreams and triggers are ready. Those that have never said it are left out.
async fn remotes(shared: &Shared, metrics: &mut Exposition) {
    let snapshot = shared.gateway.snapshot();
    let States { upstreams, triggers, .. } = shared.looks.states(&snapshot, SCRAPE).await;
    let help = "Whether calls can be expected to succeed.";
    let family = metrics.family("callgate_upstream_ready", Type::Gauge, help);
    let states = snapshot.upstreams();
    for (name, state) in &states {
        if let Some(ready) = upstreams.get(name) {
            family.value(&[("upstream", name), ("kind", state.kind)], u64::from(ready.is_ok()));
        }
    }
    guards(&states, &snapshot, metrics);
    pools(&states, metrics);
    tokens(&states, metrics);
    if triggers.is_empty() {
        return;
    }
    let family = metrics.family("callgate_trigger_ready", Type::Gauge, "Whether messages can be expected to come.");
    for (name, ready) in &triggers {
        family.value(&[("trigger", name)], u64::from(ready.is_ok()));
    }
}

/// What keeps calls from upstreams. Of circuits and places an upstream has one for each set of settings of its routes.
fn guards(states: &BTreeMap<String, UpstreamState>, snapshot: &Snapshot, metrics: &mut Exposition) {
    let mut each = |name, kind, help, of: fn(&UpstreamState) -> Vec<u64>| {
        let family = metrics.family(name, kind, help);
        for (upstream, state) in states {
            for (number, value) in of(state).into_iter().enumerate() {
                family.value(&[("upstream", upstream), ("set", &number.to_string())], value);
            }
        }
    };
    let open = "Whether a circuit lets calls through: 0 closed, 1 a few to try the upstream, 2 open.";
    each("callgate_circuit_state", Type::Gauge, open, |state| {
        let number = |circuit: &CircuitState| match circuit {
            CircuitState::Closed => 0,
            CircuitState::Open { .. } => 2,
            _ => 1,
        };
        state.circuits.iter().map(number).collect()
    });
    each("callgate_concurrency_running", Type::Gauge, "Calls that have one of the places of `concurrency`.", |state| {
        state.concurrency.iter().map(|places| places.running.into()).collect()
    });
    each("callgate_concurrency_waiting", Type::Gauge, "Calls that wait for a place.", |state| {
        state.concurrency.iter().map(|places| places.waiting.into()).collect()
    });
    each("callgate_concurrency_refused_total", Type::Counter, "Calls for which there was no place.", |state| {
        state.concurrency.iter().map(|places| places.refused).collect()
    });
    let family =
        metrics.family("callgate_endpoint_healthy", Type::Gauge, "Whether an endpoint gets its share of calls.");
    for (upstream, state) in states {
        for endpoint in &state.endpoints {
            let healthy = u64::from(endpoint.health == EndpointHealth::Healthy);
            let address = snapshot.masked(endpoint.address.clone());
            family.value(&[("upstream", upstream), ("endpoint", &address)], healthy);
        }
    }
}

/// The connections to each upstream, where its kind keeps a pool.
fn pools(states: &BTreeMap<String, UpstreamState>, metrics: &mut Exposition) {
    let pools = || states.iter().filter_map(|(name, state)| Some((name, state.connections?)));
    let help = "Connections to an upstream that are open.";
    let family = metrics.family("callgate_upstream_connections", Type::Gauge, help);
    for (name, connections) in pools() {
        family.value(&[("upstream", name)], connections.open);
    }
    let help = "Connections to an upstream that wait for a request.";
    let family = metrics.family("callgate_upstream_connections_idle", Type::Gauge, help);
    for (name, connections) in pools() {
        family.value(&[("upstream", name)], connections.idle);
    }
}

/// The tokens that upstreams renew.
fn tokens(states: &BTreeMap<String, UpstreamState>, metrics: &mut Exposition) {
    let tokens = || states.iter().flat_map(|(name, state)| state.tokens.iter().map(move |token| (name, token)));
    let help = "Tokens and other credentials that were got, or could not be.";
    let family = metrics.family("callgate_token_renewals_total", Type::Counter, help);
    for (name, token) in tokens() {
        for (outcome, count) in [("succeeded", token.renewed), ("failed", token.failed)] {
            family.value(&[("upstream", name), ("token", &token.what), ("outcome", outcome)], count);
        }
    }
    let help = "For how long the token in force is good, if it has an end.";
    let family = metrics.family("callgate_token_expires_seconds", Type::Gauge, help);
    for (name, token) in tokens() {
        if let Some(left) = token.left {
            family.value(&[("upstream", name), ("token", &token.what)], left.as_secs());
        }
    }
}

/// What became of reloads.
fn reloads(shared: &Shared, metrics: &mut Exposition) {
    let told = shared.reloads.history().told();
    let family = metrics.family("callgate_reloads_total", Type::Counter, "Reloads of the configuration.");
    for (outcome, count) in [("succeeded", told.succeeded), ("failed", told.failed)] {
        family.value(&[("outcome", outcome)], count);
    }
    let help = "Whether the last reload succeeded; 1 before the first one.";
    metrics.family("callgate_reload_last_succeeded", Type::Gauge, help).value(&[], u64::from(told.last_succeeded));
    let help = "Since when the configuration is in force, in seconds since 1970.";
    let since = told.in_force_since.duration_since(UNIX_EPOCH).unwrap_or_default();
    metrics.family("callgate_configuration_since_seconds", Type::Gauge, help).fraction(&[], since.as_secs_f64());
    if let Some(reachable) = shared.reloads.is_reachable() {
        let help = "Whether the bucket can be read that the configuration is in.";
        metrics.family("callgate_configuration_reachable", Type::Gauge, help).value(&[], u64::from(reachable));
    }
    if let Some(took) = told.took {
        let help = "How long the last reload took.";
        metrics.family("callgate_reload_duration_seconds", Type::Gauge, help).fraction(&[], took.as_secs_f64());
    }
}

fn connections(shared: &Shared, metrics: &mut Exposition) {
    let carried = shared.traffic.carried();
    let help = "Connections of clients that are open.";
    metrics.family("callgate_connections", Type::Gauge, help).value(&[], carried.open);
    for (name, help, value) in [
        ("callgate_connections_accepted_total", "Connections that were accepted.", carried.accepted),
        ("callgate_received_bytes_total", "Bytes from clients, as HTTP has them.", carried.received),
        ("callgate_sent_bytes_total", "Bytes to clients, as HTTP has them.", carried.sent),
    ] {
        metrics.family(name, Type::Counter, help).value(&[], value);
    }
}
