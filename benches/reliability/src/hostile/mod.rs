//! Clients that mean harm, beside others that must not notice.

mod bounds;

use std::{net::SocketAddr, time::Duration};

use bounds::{Beside, Seen};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::sleep,
};

use crate::{
    Problem,
    gateway::{self, Gateway},
    options::Options,
    report::{Table, circumstances},
    service::Service,
    steady::{self, Outcome, Rate},
};

/// How long each load lasts.
const TIME: Duration = Duration::from_secs(20);

/// Clients that send a head byte by byte.
const SLOW: usize = 200;
/// Connections that rest after one request.
const IDLE: usize = 10_000;
/// Clients that ask for 64 MiB and never read.
const DEAF: usize = 20;

const HEAD: &str = "| clients beside | date | requests | per second | failed | p50 ms | p99 ms | p99.9 ms | memory MiB | build | load |\n|---|---|---|---|---|---|---|---|---|---|---|";

/// Measures without and with each sort of clients; whether no bound was broken.
pub(crate) async fn run(options: &Options) -> Result<bool, Problem> {
    let binary = gateway::binary(options.gateway.as_ref())?;
    let service = Service::start().await?;
    let parts = format!(
        "upstreams: {{s: {{rest: {{url: \"http://{}\"}}}}}}\nroutes: [{{match: '/{{*rest}}', to: s}}]\n",
        service.address
    );
    let mut gateway = Gateway::serve(&binary, &parts).await?;
    let before = measure(Beside::nobody("none"), &mut gateway, options).await?;
    let mut seen = Vec::new();
    let slow = slow(gateway.address).await?;
    let beside = Beside { title: format!("{SLOW} that send a head byte by byte"), clients: SLOW, most_kib: 128 };
    seen.push(measure(beside, &mut gateway, options).await?);
    drop(slow);
    let deaf = deaf(gateway.address).await?;
    let beside = Beside { title: format!("{DEAF} that ask for 64 MiB and never read"), clients: DEAF, most_kib: 2048 };
    seen.push(measure(beside, &mut gateway, options).await?);
    drop(deaf);
    let idle = idle(gateway.address, options.idle).await?;
    let beside = Beside { title: format!("{} idle connections", idle.len()), clients: idle.len(), most_kib: 20 };
    seen.push(measure(beside, &mut gateway, options).await?);
    drop(idle);
    let after = measure(Beside::nobody("none any more"), &mut gateway, options).await?;
    let broken = bounds::broken(&before, &seen, &after);
    broken.iter().for_each(|broken| eprintln!("{broken}"));
    Ok(broken.is_empty())
}

async fn measure(beside: Beside, gateway: &mut Gateway, options: &Options) -> Result<Seen, Problem> {
    let rate = Rate {
        address: gateway.address,
        path: "/fine",
        per_second: options.rate,
        connections: u32::try_from(options.connections)?,
        time: TIME,
    };
    let outcome: Outcome = steady::run(rate).await?;
    for (at, reason) in outcome.failed.iter().take(5) {
        eprintln!("failed after {at:.1?}: {reason}");
    }
    if !outcome.failed.is_empty() {
        let log = gateway.log();
        eprintln!("{}", &log[log.len().saturating_sub(4000)..]);
    }
    if let Some(status) = gateway.ended()? {
        return Err(format!("the gateway ended beside {}: {status}", beside.title).into());
    }
    let memory = gateway.memory()?;
    let [build, load] = circumstances(&gateway::binary(options.gateway.as_ref())?);
    let cells = [
        beside.title.clone(),
        time::OffsetDateTime::now_utc().date().to_string(),
        (outcome.answered + outcome.failed.len() as u64).to_string(),
        options.rate.to_string(),
        outcome.failed.len().to_string(),
        outcome.shown(0.5),
        outcome.shown(0.99),
        outcome.shown(0.999),
        memory.to_string(),
        build,
        load,
    ];
    eprintln!("{HEAD}\n| {} |", cells.join(" | "));
    if let Some(file) = &options.write {
        Table { name: "hostile", head: HEAD }.write(file, &cells)?;
    }
    Ok(Seen {
        beside,
        failed: outcome.failed.len(),
        half: outcome.percentile(0.5),
        most: outcome.percentile(0.99),
        mib: memory,
    })
}

/// Clients that never end their head, and come back when they are closed.
async fn slow(address: SocketAddr) -> Result<JoinSet<()>, Problem> {
    let mut clients = JoinSet::new();
    for _ in 0..SLOW {
        let mut stream = TcpStream::connect(address).await?;
        clients.spawn(async move {
            loop {
                let head = b"GET /fine HTTP/1.1\r\nhost: a\r\nx-slow: ".iter().chain(std::iter::repeat(&b'x'));
                for byte in head {
                    if stream.write_all(&[*byte]).await.is_err() {
                        break;
                    }
                    sleep(Duration::from_millis(500)).await;
                }
                match TcpStream::connect(address).await {
                    Ok(again) => stream = again,
                    Err(_) => return,
                }
            }
        });
    }
    Ok(clients)
}

/// Clients that ask for much and read nothing.
async fn deaf(address: SocketAddr) -> Result<Vec<TcpStream>, Problem> {
    let mut clients = Vec::new();
    for _ in 0..DEAF {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await?;
        clients.push(stream);
    }
    Ok(clients)
}

/// Connections that had one request and rest.
async fn idle(address: SocketAddr, count: usize) -> Result<Vec<TcpStream>, Problem> {
    let mut clients = Vec::new();
    for _ in 0..count.min(IDLE) {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /fine HTTP/1.1\r\nhost: a\r\n\r\n").await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"fine") {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err("an idle client was closed at once".into());
            }
        }
        clients.push(stream);
    }
    Ok(clients)
}
