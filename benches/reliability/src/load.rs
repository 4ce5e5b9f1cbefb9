//! Clients that send one message after the other, and keep what they are told of each.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet, time::sleep};

use crate::Problem;

/// Codes by which the gateway says that the broker has not taken a message.
const NOT_TAKEN: [&str; 4] = ["upstream_unavailable", "upstream_unreachable", "upstream_throttled", "unroutable"];

/// What clients were told of their messages, which are numbered.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// 202.
    pub(crate) accepted: Vec<u64>,
    /// Not taken, for certain.
    pub(crate) refused: Vec<u64>,
    /// Nobody knows.
    pub(crate) unknown: Vec<u64>,
    /// How often each code came.
    pub(crate) codes: BTreeMap<String, u64>,
}

/// What all clients share.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    next: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) over: AtomicBool,
}

impl Told {
    fn add(&mut self, more: Self) {
        self.accepted.extend(more.accepted);
        self.refused.extend(more.refused);
        self.unknown.extend(more.unknown);
        for (code, count) in more.codes {
            *self.codes.entry(code).or_default() += count;
        }
    }

    /// How many messages were sent.
    pub(crate) fn sent(&self) -> usize {
        self.accepted.len() + self.refused.len() + self.unknown.len()
    }
}

/// Clients that send until it is over. A message's payload is `RUN-NUMBER`.
pub(crate) fn start(
    address: SocketAddr,
    connections: usize,
    run: &str,
    progress: &Arc<Progress>,
) -> JoinSet<Result<Told, Problem>> {
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let (run, progress) = (run.to_owned(), Arc::clone(progress));
        clients.spawn(async move {
            let told = client(address, &run, &progress).await;
            // The first that gives up ends the others.
            progress.over.fetch_or(told.is_err(), Ordering::Relaxed);
            told
        });
    }
    clients
}

/// Waits for all clients.
pub(crate) async fn finish(mut clients: JoinSet<Result<Told, Problem>>) -> Result<Told, Problem> {
    let mut all = Told::default();
    while let Some(told) = clients.join_next().await {
        all.add(told??);
    }
    Ok(all)
}

async fn client(address: SocketAddr, run: &str, progress: &Progress) -> Result<Told, Problem> {
    let (mut sender, connection) = handshake(TokioIo::new(TcpStream::connect(address).await?)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let mut told = Told::default();
    while !progress.over.load(Ordering::Relaxed) {
        let number = progress.next.fetch_add(1, Ordering::Relaxed);
        let (status, code) = send(&mut sender, format!("{run}-{number}")).await?;
        if status == StatusCode::ACCEPTED {
            told.accepted.push(number);
            progress.accepted.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        progress.failed.fetch_add(1, Ordering::Relaxed);
        match code.as_str() {
            "upstream_timeout" => told.unknown.push(number),
            code if NOT_TAKEN.contains(&code) => told.refused.push(number),
            _ => return Err(format!("the gateway answered {status} `{code}`, which is none of the expected").into()),
        }
        *told.codes.entry(code).or_default() += 1;
        // A refusal costs nothing; the broker needs the processor to start.
        sleep(Duration::from_millis(10)).await;
    }
    Ok(told)
}

async fn send(sender: &mut SendRequest<Full<Bytes>>, text: String) -> Result<(StatusCode, String), Problem> {
    sender.ready().await?;
    let request = Request::post("/messages").header(HOST, "gateway.test").body(Full::new(Bytes::from(text)))?;
    let response = sender.send_request(request).await?;
    let code = response.headers().get("callgate-error").and_then(|code| code.to_str().ok()).unwrap_or_default();
    let (status, code) = (response.status(), code.to_owned());
    response.into_body().collect().await?;
    Ok((status, code))
}
