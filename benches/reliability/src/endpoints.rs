//! Endpoints of a service are killed and started under a constant load, and the gateway reloads meanwhile where that is asked for:
//! no request that a retry covers may fail, and none at all for a reload.

use std::{convert::Infallible, net::SocketAddr, process::Command, time::Duration};

use callgate_testkit::peers::{Process, free_port};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    Problem,
    gateway::{self, Gateway},
    open_loop::{self, Outcomes},
    options::{Command as Asked, Options},
    reloads::{Done, Reloads, connect_timeout, own_route},
    report::{Table, circumstances},
};

/// How many endpoints the service has.
const ENDPOINTS: usize = 3;

/// How long an endpoint that was started takes connections, but can't serve yet.
const WARM_UP: Duration = Duration::from_millis(300);

const HEAD: &str = "| what happens | date | requests/s | seconds | requests | failed | times | p50 ms | p99 ms | longest ms | build | load |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|---|";

/// The table of all that happens under a constant load.
pub(crate) const TABLE: Table = Table { name: "constant load", head: HEAD };

/// An endpoint, as a process of its own.
struct Endpoint {
    port: u16,
    process: Process,
}

impl Endpoint {
    async fn start(port: u16) -> Result<Self, Problem> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", &port.to_string()]);
        let mut process = Process::spawn("endpoint", command, Process::folder("endpoint")?)?;
        process.wait_for_port(port).await?;
        Ok(Self { port, process })
    }
}

/// Kills one endpoint after the other while requests come, and reloads; whether no request failed.
pub(crate) async fn run(options: &Options) -> Result<bool, Problem> {
    let binary = gateway::binary(options.gateway.as_ref())?;
    let mut endpoints = Vec::new();
    for _ in 0..ENDPOINTS {
        endpoints.push(Endpoint::start(free_port()?).await?);
    }
    let urls: Vec<_> = endpoints.iter().map(|endpoint| format!("'http://127.0.0.1:{}'", endpoint.port)).collect();
    let parts = |number| parts(&urls.join(", "), options.attempts, number);
    let mut gateway = Gateway::serve(&binary, &parts(0)).await?;
    let reloaded = options.command == Asked::Together;
    let also = if reloaded { ", and a reload each second" } else { "" };
    eprintln!("{} requests a second for {} s, {} kills{also}", options.rate, options.seconds, options.kills);
    let length = Duration::from_secs(options.seconds);
    sleep(WARM_UP).await;
    // What reloads and kills do in between must not hold up the clients.
    let mut load = JoinSet::from_iter([open_loop::run(gateway.address, options.rate, length)]);
    let loaded = async { load.join_next().await.ok_or("there was no load")?? };
    let under_load = async { tokio::try_join!(loaded, kill_and_start(&mut endpoints, length, options.kills)) };
    let mut reloads = Reloads::default();
    let (mut outcomes, ()) = if reloaded {
        tokio::select! {
            outcomes = under_load => outcomes?,
            error = reloads.run(&gateway, parts) => return Err(error.err().unwrap_or_else(|| "the reloads ended".into())),
        }
    } else {
        under_load.await?
    };
    if let Some(status) = gateway.ended()? {
        return Err(format!("the gateway ended: {status}").into());
    }
    let what = format!("endpoints killed and started{also}");
    if !reloaded {
        return report(&what, &options.kills.to_string(), &mut outcomes, options);
    }
    let done = Done::read(&gateway);
    let times = format!("{} kills, {} reloads, {} upstreams replaced", options.kills, done.reloads, done.replaced);
    let right = report(&what, &times, &mut outcomes, options)?;
    done.bear(options.seconds)?;
    Ok(right)
}

/// A configuration of which every second version replaces the upstream, and every version has a route of its own.
fn parts(endpoints: &str, attempts: u64, number: u32) -> String {
    let policies = format!("timeout: {{total: 10s, attempt: 3s}}, retry: {{attempts: {attempts}}}");
    let service = format!("rest: {{endpoints: [{endpoints}], {}}}", connect_timeout(number));
    format!(
        "upstreams: {{s: {{{service}, {policies}}}}}\nroutes: [{{match: '/{{*rest}}', to: s}}, {}]\n",
        own_route(number)
    )
}

/// Kills so many endpoints, evenly spread, each for half of the time until the next.
async fn kill_and_start(endpoints: &mut [Endpoint], length: Duration, kills: u64) -> Result<(), Problem> {
    let (begun, each) = (Instant::now(), length.as_secs_f64() / (kills + 1) as f64);
    for kill in 1..=kills {
        sleep_until(begun + Duration::from_secs_f64(each * kill as f64)).await;
        let which = usize::try_from(kill)? % endpoints.len();
        let endpoint = &mut endpoints[which];
        endpoint.process.kill();
        sleep(Duration::from_secs_f64(each / 2.0)).await;
        *endpoint = Endpoint::start(endpoint.port).await?;
    }
    Ok(())
}

/// Tells what became of the requests, and writes it down; whether none failed.
pub(crate) fn report(what: &str, times: &str, outcomes: &mut Outcomes, options: &Options) -> Result<bool, Problem> {
    let (failed, succeeded) = (outcomes.failures(), outcomes.succeeded);
    for (failure, count) in &outcomes.failed {
        eprintln!("{count} x {failure}");
    }
    let [p50, p99, longest] = [50, 99, 100].map(|hundredths| format!("{:.1}", outcomes.percentile(hundredths)));
    let circumstances = circumstances(&gateway::binary(options.gateway.as_ref())?);
    let date = time::OffsetDateTime::now_utc().date().to_string();
    let numbers = [u64::from(options.rate), options.seconds, succeeded + failed, failed].map(|n| n.to_string());
    let cells: Vec<_> = [what.to_owned(), date]
        .into_iter()
        .chain(numbers)
        .chain([times.to_owned(), p50, p99, longest])
        .chain(circumstances)
        .collect();
    eprintln!("{}", cells.join(" | "));
    if let Some(file) = &options.write {
        TABLE.write(file, &cells)?;
    }
    Ok(failed == 0 && succeeded > 0)
}

/// The service of an endpoint: gives a request's path back after a few milliseconds. At first it answers 503, as services
/// do that are not ready when they listen.
pub(crate) async fn serve(port: u16) -> Result<(), Problem> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    let (begun, mut connections) = (Instant::now(), JoinSet::new());
    let answer = move |request| answer(request, begun.elapsed() < WARM_UP);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connections.spawn(async move {
            // How a connection ends is the gateway's affair.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(request: Request<Incoming>, warming_up: bool) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if warming_up {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return Ok(response);
    }
    // The gateway's end of the body is no matter of this service.
    drop(request.into_body().collect().await);
    sleep(Duration::from_millis(fastrand::u64(1..10))).await;
    Ok(Response::new(Full::new(path.into())))
}
