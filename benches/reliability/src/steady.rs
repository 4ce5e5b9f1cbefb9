//! Requests at a fixed rate, whatever becomes of those before (open loop). A request's time counts from when it was due: one
//! that had to wait for the gateway is slow, and does not go unasked.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, header::HOST};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::Problem;

/// After this time a request counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Rate {
    pub(crate) address: SocketAddr,
    pub(crate) path: &'static str,
    /// Requests per second, over all connections.
    pub(crate) per_second: u32,
    pub(crate) connections: u32,
    pub(crate) time: Duration,
}

/// What became of the requests.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) answered: u64,
    /// Why requests failed, each with its time since the beginning.
    pub(crate) failed: Vec<(Duration, String)>,
    /// How long answers took, sorted.
    pub(crate) took: Vec<Duration>,
}

impl Outcome {
    /// The time within which this part of the requests was answered.
    pub(crate) fn percentile(&self, part: f64) -> Duration {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let index = (self.took.len() as f64 * part) as usize;
        self.took.get(index.min(self.took.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    /// In milliseconds, with two digits.
    pub(crate) fn shown(&self, part: f64) -> String {
        format!("{:.2}", self.percentile(part).as_secs_f64() * 1000.0)
    }
}

/// Sends at the rate, until the time is over.
pub(crate) async fn run(rate: Rate) -> Result<Outcome, Problem> {
    let mut clients = JoinSet::new();
    let begin = Instant::now() + Duration::from_millis(100);
    for number in 0..rate.connections {
        clients.spawn(client(rate.clone(), number, begin));
    }
    let mut all = Outcome::default();
    while let Some(one) = clients.join_next().await {
        let one = one??;
        all.answered += one.answered;
        all.failed.extend(one.failed);
        all.took.extend(one.took);
    }
    all.took.sort_unstable();
    Ok(all)
}

/// One connection, whose requests are due at times of their own.
async fn client(rate: Rate, number: u32, begin: Instant) -> Result<Outcome, Problem> {
    let mut outcome = Outcome::default();
    let mut sender = None;
    let step = Duration::from_secs(1) * rate.connections / rate.per_second;
    let mut due = begin + Duration::from_secs(1) * number / rate.per_second;
    while due < begin + rate.time {
        sleep_until(due).await;
        match timeout(PATIENCE, ask(&mut sender, &rate)).await {
            Ok(Ok(())) => {
                outcome.answered += 1;
                outcome.took.push(due.elapsed());
            }
            failed => {
                sender = None;
                let reason = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => "no answer in time".to_owned(),
                };
                outcome.failed.push((begin.elapsed(), reason));
            }
        }
        due += step;
    }
    Ok(outcome)
}

type Sender = SendRequest<Empty<Bytes>>;

async fn ask(sender: &mut Option<(Sender, JoinSet<()>)>, rate: &Rate) -> Result<(), Problem> {
    let (connection, _) = match sender {
        // The gateway may close a connection between two requests; only what was sent must be answered.
        Some((connection, _)) if !connection.is_closed() => sender.as_mut().ok_or("no connection")?,
        _ => sender.insert(connect(rate.address).await?),
    };
    connection.ready().await?;
    let request = Request::get(rate.path).header(HOST, "gateway.test").body(Empty::new())?;
    let response = connection.send_request(request).await?;
    let status = response.status();
    let code = response.headers().get("callgate-error").cloned();
    let body = response.into_body().collect().await?.to_bytes();
    if status.is_success() && body.starts_with(b"fine") { Ok(()) } else { Err(format!("{status} {code:?}").into()) }
}

async fn connect(address: SocketAddr) -> Result<(Sender, JoinSet<()>), Problem> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(async move { drop(connection.await) });
    Ok((sender, driver))
}
