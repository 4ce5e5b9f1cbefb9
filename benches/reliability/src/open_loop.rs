//! Requests at a fixed rate, whether or not the answers keep up: what a client sees while something happens.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::Problem;

/// The length of a body that is sent.
const BODY: usize = 1024;
/// How long an answer may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of the requests.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) succeeded: u64,
    /// How often which failure was seen.
    pub(crate) failed: BTreeMap<String, u64>,
    /// From the moment at which the request was due, in microseconds.
    latencies: Vec<u64>,
}

impl Outcomes {
    pub(crate) fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// So many hundredths of the requests took no longer, in milliseconds.
    pub(crate) fn percentile(&mut self, hundredths: usize) -> f64 {
        self.latencies.sort_unstable();
        let last = self.latencies.len().saturating_sub(1);
        self.latencies
            .get(last * hundredths / 100)
            .map_or(0.0, |micros| Duration::from_micros(*micros).as_secs_f64() * 1e3)
    }
}

type Sender = SendRequest<Full<Bytes>>;

/// Connections that wait for a request, and the tasks that drive all of them.
#[derive(Default)]
struct Pool {
    idle: Mutex<Vec<Sender>>,
    drivers: Mutex<JoinSet<()>>,
}

/// Sends so many requests a second, and tells what became of each. Every third is a PUT with a body of 1 KB. An answer is
/// right when it is 200 and gives the request's path back.
pub(crate) async fn run(address: SocketAddr, rate: u32, length: Duration) -> Result<Outcomes, Problem> {
    let (pool, mut running) = (Arc::<Pool>::default(), JoinSet::new());
    let (begun, mut outcomes) = (Instant::now(), Outcomes::default());
    let all = u64::from(rate) * length.as_secs();
    for number in 0..all {
        let due = begun + Duration::from_secs_f64(number as f64 / f64::from(rate));
        sleep_until(due).await;
        let pool = Arc::clone(&pool);
        running.spawn(async move {
            let sent = timeout(PATIENCE, exchange(&pool, address, number)).await;
            (sent.unwrap_or_else(|_| Err("no answer in time".to_owned())), due.elapsed())
        });
        while let Some(ended) = running.try_join_next() {
            outcomes.add(ended?);
        }
    }
    while let Some(ended) = running.join_next().await {
        outcomes.add(ended?);
    }
    Ok(outcomes)
}

impl Outcomes {
    fn add(&mut self, (outcome, took): (Result<(), String>, Duration)) {
        self.latencies.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        match outcome {
            Ok(()) => self.succeeded += 1,
            Err(failure) => *self.failed.entry(failure).or_default() += 1,
        }
    }
}

async fn exchange(pool: &Pool, address: SocketAddr, number: u64) -> Result<(), String> {
    let mut sender = pool.sender(address).await?;
    let path = format!("/{number}");
    let (method, body) = if number.is_multiple_of(3) {
        (Method::PUT, Bytes::from(vec![b'x'; BODY]))
    } else {
        (Method::GET, Bytes::new())
    };
    let request = Request::builder().method(method).uri(&path).header(HOST, "gateway.test").body(Full::new(body));
    let response = sender.send_request(request.map_err(|error| error.to_string())?).await;
    let response = response.map_err(|error| format!("no answer: {error}"))?;
    let status = response.status();
    let code = response.headers().get("callgate-error").and_then(|code| code.to_str().ok()).unwrap_or("of the service");
    let failed = (status != StatusCode::OK).then(|| format!("{} {code}", status.as_u16()));
    let body = response.into_body().collect().await.map_err(|error| format!("an answer broke off: {error}"))?;
    if let Some(failed) = failed {
        return Err(failed);
    }
    if body.to_bytes() != path.as_bytes() {
        return Err("the answer of another request".to_owned());
    }
    pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    Ok(())
}

impl Pool {
    fn idle(&self) -> Option<Sender> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    async fn sender(&self, address: SocketAddr) -> Result<Sender, String> {
        while let Some(mut sender) = self.idle() {
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let stream = TcpStream::connect(address).await.map_err(|error| format!("no connection: {error}"))?;
        // A small packet that waits for its companion would be measured as the gateway's.
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let mut drivers = self.drivers.lock().unwrap_or_else(PoisonError::into_inner);
        while drivers.try_join_next().is_some() {}
        // How a connection ends its requests tell.
        drivers.spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}
