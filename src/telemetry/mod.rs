//! Traces and metrics for a collector, by OTLP. Workers hand spans over and never wait; a task on the background runtime
//! sends them, and the metrics with them.

mod encode;
mod export;
mod messages;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use callgate_core::{Context, Span, TraceSink, metrics::Exposition, plan::Collector};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tracing::{info, warn};

pub(crate) use export::Unusable;
use export::{Exporter, Signal};

/// Spans that may wait to be sent.
const WAITING: usize = 8192;

/// Spans that are sent at once.
const BATCH: usize = 512;

/// How long a span waits for others at most.
const LINGER: Duration = Duration::from_secs(1);

/// The spans of a gateway, on their way to a collector.
#[derive(Debug)]
pub(crate) struct Spans {
    queue: mpsc::Sender<Span>,
    /// A trace whose lower half is below is recorded.
    below: u64,
    lost: AtomicU64,
}

impl TraceSink for Spans {
    #[allow(clippy::cast_possible_truncation, reason = "the lower half is random enough")]
    fn samples(&self, trace: u128) -> bool {
        (trace as u64) <= self.below && self.below > 0
    }

    fn take(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

/// What sends to the collector, before it does.
#[derive(Debug)]
pub(crate) struct Telemetry {
    exporter: Exporter,
    service: String,
    every: Option<Duration>,
    queue: mpsc::Receiver<Span>,
    spans: Arc<Spans>,
    trouble: bool,
}

/// Ends the sending once what waits is sent.
#[derive(Debug)]
pub(crate) struct Sending {
    end: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Sending {
    /// Sends what waits, and returns.
    pub(crate) async fn end(self) {
        // Either is gone only when the task has ended by itself.
        self.end.send(()).ok();
        self.ended.await.ok();
    }
}

impl Telemetry {
    /// Prepares to send to a collector; its tasks belong to the context.
    ///
    /// # Errors
    /// A URL or TLS that can't be used. An absent collector is none: what it misses is lost.
    pub(crate) fn new(collector: Collector, context: &Context) -> Result<Self, Unusable> {
        let (sender, queue) = mpsc::channel(WAITING);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to the largest")]
        #[allow(clippy::cast_precision_loss, reason = "a share needs no more")]
        let below = (collector.sample * u64::MAX as f64) as u64;
        let (service, every) = (collector.service.clone(), collector.metrics);
        let spans = Arc::new(Spans { queue: sender, below, lost: AtomicU64::new(0) });
        let exporter = Exporter::new(collector, context)?;
        Ok(Self { exporter, service, every, queue, spans, trouble: false })
    }

    /// Where spans go.
    pub(crate) fn spans(&self) -> Arc<Spans> {
        Arc::clone(&self.spans)
    }

    /// Sends from now on, metrics as they are gathered.
    pub(crate) fn start<M, G>(self, context: &Context, gather: M) -> Sending
    where
        M: Fn() -> G + Send + 'static,
        G: Future<Output = Exposition> + Send + 'static,
    {
        let (end, over) = oneshot::channel();
        let (done, ended) = oneshot::channel();
        context.spawn(async move {
            self.run(gather, over).await;
            // Nobody waits when the process ends at once.
            done.send(()).ok();
        });
        Sending { end, ended }
    }

    async fn run<G: Future<Output = Exposition>>(mut self, gather: impl Fn() -> G, mut over: oneshot::Receiver<()>) {
        let started = SystemTime::now();
        // Without metrics the clock ticks for nothing, once a day.
        let mut ticks = interval(self.every.unwrap_or(Duration::from_secs(86_400)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        let mut batch = Vec::new();
        let mut due = Instant::now();
        loop {
            tokio::select! {
                received = self.queue.recv_many(&mut batch, BATCH), if batch.len() < BATCH => {
                    // The sink that this holds keeps the queue open.
                    if batch.len() == received {
                        due = Instant::now() + LINGER;
                    }
                }
                () = sleep_until(due), if !batch.is_empty() && batch.len() < BATCH => self.send_spans(&mut batch).await,
                () = std::future::ready(()), if batch.len() >= BATCH => self.send_spans(&mut batch).await,
                _ = ticks.tick(), if self.every.is_some() => self.send_metrics(gather().await, started).await,
                _ = &mut over => break,
            }
        }
        while let Ok(span) = self.queue.try_recv() {
            batch.push(span);
        }
        if !batch.is_empty() {
            self.send_spans(&mut batch).await;
        }
        if self.every.is_some() {
            self.send_metrics(gather().await, started).await;
        }
    }

    async fn send_spans(&mut self, batch: &mut Vec<Span>) {
        let (count, request) = (batch.len(), encode::spans(std::mem::take(batch), &self.service));
        let sent = self.exporter.send(Signal::Traces, &request).await;
        if sent.is_err() {
            self.spans.lost.fetch_add(count as u64, Relaxed);
        }
        self.told(sent);
    }

    async fn send_metrics(&mut self, metrics: Exposition, started: SystemTime) {
        let sent = self.exporter.send(Signal::Metrics, &encode::metrics(&metrics, &self.service, started)).await;
        self.told(sent);
    }

    /// Tells of trouble once, and of its end.
    fn told(&mut self, sent: Result<(), String>) {
        match (sent, self.trouble) {
            (Err(error), false) => {
                self.trouble = true;
                warn!(error, "The collector of traces and metrics does not take them; what it misses is lost.");
            }
            (Ok(()), true) => {
                self.trouble = false;
                info!(lost = self.spans.lost.load(Relaxed), "The collector takes traces and metrics again.");
            }
            _ => {}
        }
    }
}
