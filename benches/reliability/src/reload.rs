//! Reloads under constant load: no request fails.

use std::time::Duration;

use crate::{
    Problem,
    gateway::{self, Gateway},
    options::Options,
    reloads::{Done, Reloads, connect_timeout, own_route},
    report::{Table, circumstances},
    service::Service,
    steady::{self, Rate},
};

/// How long the load lasts.
const TIME: Duration = Duration::from_secs(60);

const HEAD: &str = "| date | requests | per second | failed | reloads | by admin, files, SIGHUP | upstreams replaced | p50 ms | p99 ms | p99.9 ms | longest reload ms | build | load |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|---|---|";

/// Measures; whether no request failed.
pub(crate) async fn run(options: &Options) -> Result<bool, Problem> {
    let binary = gateway::binary(options.gateway.as_ref())?;
    let service = Service::start().await?;
    let mut gateway = Gateway::serve(&binary, &parts(&service, 0)).await?;
    let rate = Rate {
        address: gateway.address,
        path: "/fine",
        per_second: options.rate,
        connections: u32::try_from(options.connections)?,
        time: TIME,
    };
    eprintln!("{} requests per second for {} s, and a reload each second", rate.per_second, TIME.as_secs());
    let mut reloads = Reloads::default();
    let load = tokio::task::JoinSet::from_iter([steady::run(rate)]);
    let outcome = tokio::select! {
        outcome = finished(load) => outcome?,
        error = reloads.run(&gateway, |number| parts(&service, number)) => return Err(error.err().unwrap_or_else(|| "the reloads ended".into())),
    };
    for (at, reason) in outcome.failed.iter().take(20) {
        eprintln!("failed after {at:.1?}: {reason}");
    }
    if let Some(status) = gateway.ended()? {
        return Err(format!("the gateway ended: {status}").into());
    }
    let done = Done::read(&gateway);
    let [build, load] = circumstances(&binary);
    let cells = [
        time::OffsetDateTime::now_utc().date().to_string(),
        (outcome.answered + outcome.failed.len() as u64).to_string(),
        options.rate.to_string(),
        outcome.failed.len().to_string(),
        done.reloads.to_string(),
        format!("{}, {}, {}", reloads.by_admin, reloads.by_files, reloads.by_signal),
        done.replaced.to_string(),
        outcome.shown(0.5),
        outcome.shown(0.99),
        outcome.shown(0.999),
        reloads.longest.as_millis().to_string(),
        build,
        load,
    ];
    eprintln!("{HEAD}\n| {} |", cells.join(" | "));
    if let Some(file) = &options.write {
        Table { name: "reload", head: HEAD }.write(file, &cells)?;
    }
    done.bear(TIME.as_secs())?;
    Ok(outcome.failed.is_empty())
}

async fn finished(
    mut load: tokio::task::JoinSet<Result<steady::Outcome, Problem>>,
) -> Result<steady::Outcome, Problem> {
    load.join_next().await.ok_or("there was no load")??
}

/// A configuration of which every second version replaces the upstream, and every version has a route of its own.
fn parts(service: &Service, number: u32) -> String {
    format!(
        "upstreams: {{s: {{rest: {{url: \"http://{}\", {}}}}}}}\nroutes: [{{match: /fine, to: s}}, {}]\n",
        service.address,
        connect_timeout(number),
        own_route(number),
    )
}
