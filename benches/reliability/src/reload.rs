//! Reloads under constant load: no request fails.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{MissedTickBehavior, interval},
};

use crate::{
    Problem,
    gateway::{self, Gateway},
    options::Options,
    report::{Table, circumstances},
    service::Service,
    steady::{self, Rate},
};

/// How long the load lasts.
const TIME: Duration = Duration::from_secs(60);

const HEAD: &str = "| date | requests | per second | failed | reloads | by admin, files, SIGHUP | upstreams replaced | p50 ms | p99 ms | p99.9 ms | longest reload ms | build | load |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|---|---|";

/// What the reloads did.
#[derive(Default)]
struct Reloads {
    by_admin: u32,
    by_files: u32,
    by_signal: u32,
    longest: Duration,
}

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
        error = reload(&gateway, &service, &mut reloads) => return Err(error.err().unwrap_or_else(|| "the reloads ended".into())),
    };
    for (at, reason) in outcome.failed.iter().take(20) {
        eprintln!("failed after {at:.1?}: {reason}");
    }
    if let Some(status) = gateway.ended()? {
        return Err(format!("the gateway ended: {status}").into());
    }
    let log = gateway.log();
    let done = log.matches("The configuration was reloaded: ").count();
    let refused = log.matches("The configuration can't be reloaded").count();
    let replaced = log.matches("\"upstreams_closed\":1").count();
    let [build, load] = circumstances(&binary);
    let cells = [
        time::OffsetDateTime::now_utc().date().to_string(),
        (outcome.answered + outcome.failed.len() as u64).to_string(),
        options.rate.to_string(),
        outcome.failed.len().to_string(),
        done.to_string(),
        format!("{}, {}, {}", reloads.by_admin, reloads.by_files, reloads.by_signal),
        replaced.to_string(),
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
    if refused > 0 || done < 30 {
        return Err(format!("{done} reloads succeeded, {refused} were refused").into());
    }
    Ok(outcome.failed.is_empty())
}

async fn finished(
    mut load: tokio::task::JoinSet<Result<steady::Outcome, Problem>>,
) -> Result<steady::Outcome, Problem> {
    load.join_next().await.ok_or("there was no load")??
}

/// Reloads each second, in turn by the admin, by the change of a file alone, and by SIGHUP.
async fn reload(gateway: &Gateway, service: &Service, reloads: &mut Reloads) -> Result<(), Problem> {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 1.. {
        seconds.tick().await;
        let started = Instant::now();
        gateway.configure(&parts(service, number))?;
        match number % 3 {
            0 => {
                gateway.hang_up()?;
                reloads.by_signal += 1;
            }
            1 => {
                post(gateway).await?;
                reloads.by_admin += 1;
                reloads.longest = reloads.longest.max(started.elapsed());
            }
            _ => reloads.by_files += 1,
        }
    }
    Ok(())
}

/// A configuration of which every second version replaces the upstream, and every version has a route of its own.
fn parts(service: &Service, number: u32) -> String {
    format!(
        "upstreams: {{s: {{rest: {{url: \"http://{}\", connect_timeout: {}s}}}}}}\nroutes:\n- {{match: /fine, to: s}}\n- {{match: /only/{number}, respond: {{status: 204}}}}\n",
        service.address,
        5 + number / 2 % 2,
    )
}

async fn post(gateway: &Gateway) -> Result<(), Problem> {
    let mut stream = TcpStream::connect(gateway.admin).await?;
    stream.write_all(b"POST /reload HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(answer.into()) }
}
