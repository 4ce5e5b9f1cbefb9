//! The other way round: messages of a queue invoke functions.

mod config;
mod consumption;
mod message;
mod receipt;

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use callgate_core::{Context, Delivery, Files, Invalid, Trigger, UpstreamError, Whose};
use tokio::sync::Mutex;

pub use config::TriggerConfig;
pub use receipt::Receipt;

use crate::{declare::QueueType, dial::Dialing, error::AmqpError, session::Session, standing::Number};
use consumption::Consumption;

/// How many messages the broker sends ahead for each that is worked on, unless the document says so.
const AHEAD: u32 = 4;

/// The source `amqp` of triggers: a queue.
#[derive(Debug)]
pub struct AmqpTrigger {
    config: TriggerConfig,
    prefetch: u16,
    dialing: Dialing,
    context: Context,
    /// Which broker is tried next, and how many connections there were.
    server: AtomicUsize,
    sessions: AtomicU64,
    /// Whether it was told that the queue does not count.
    told: AtomicBool,
    current: Mutex<Option<Arc<Consumption>>>,
}

impl Trigger for AmqpTrigger {
    const KIND: &'static str = "amqp";
    const SUMMARY: &'static str = "Messages of an AMQP 0-9-1 queue (RabbitMQ), at least once";

    type Config = TriggerConfig;
    type Receipt = Receipt;

    fn read_files(config: &TriggerConfig, files: &Files) -> Vec<Invalid> {
        config.connection().read_files(files)
    }

    async fn connect(config: TriggerConfig, concurrency: NonZeroU32, context: Context) -> Result<Self, UpstreamError> {
        let dialing = Dialing::new(&config.connection(), &context).await?;
        // Those that wait for another try count too, and must not keep the others out.
        let most = concurrency.get().saturating_mul(AHEAD);
        let prefetch = config.prefetch.unwrap_or_else(|| u16::try_from(most).unwrap_or(u16::MAX));
        if u32::from(prefetch) < concurrency.get() {
            let (trigger, concurrency) = (context.name(), concurrency.get());
            tracing::warn!(
                trigger,
                prefetch,
                concurrency,
                "The broker sends fewer messages ahead (`prefetch`) than may be worked on at once."
            );
        }
        let (server, sessions, told) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Ok(Self { config, prefetch, dialing, context, server, sessions, told, current: Mutex::default() })
    }

    async fn next(&self) -> Result<Delivery<Receipt>, UpstreamError> {
        let consumption = self.consumption().await?;
        match consumption.next().await {
            Some(delivery) => {
                let counts = self.config.kind == QueueType::Quorum && self.is_counted(&delivery);
                Ok(Delivery { message: message::of(&delivery), receipt: Receipt::new(&consumption, delivery, counts) })
            }
            None => {
                *self.current.lock().await = None;
                Err(AmqpError::Ended { queue: self.config.queue.clone() }.into())
            }
        }
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        let current = self.current.lock().await.clone();
        match current {
            Some(consumption) => Ok(consumption.check(&self.config.queue).await?),
            // Nothing was asked for yet.
            None => {
                let session = self.session().await?;
                let found = consumption::look_for(&session, &self.config.queue).await;
                session.close().await;
                match found {
                    // It is made before it is consumed.
                    Err(AmqpError::NoQueue { queue }) if self.config.declare.queues.contains_key(&queue) => Ok(()),
                    found => Ok(found?),
                }
            }
        }
    }

    async fn stop(&self) {
        let current = self.current.lock().await.clone();
        if let Some(consumption) = current {
            consumption.stop().await;
        }
    }

    async fn close(&self) {
        let current = self.current.lock().await.take();
        if let Some(consumption) = current {
            consumption.stop().await;
            consumption.close().await;
        }
    }
}

impl AmqpTrigger {
    /// Whether a queue that is said to count does. Given back, what it does not count would come again for ever.
    fn is_counted(&self, delivery: &lapin::message::Delivery) -> bool {
        let counted = message::is_counted(delivery);
        if !counted && !self.told.swap(true, Ordering::Relaxed) {
            let (trigger, queue) = (self.context.name(), &self.config.queue);
            tracing::warn!(
                trigger,
                queue,
                "The queue delivers messages again without a count, so it is no quorum queue as `type` says; \
                 the gateway counts by itself."
            );
        }
        counted
    }

    /// What is consumed now; begun, if nothing is.
    async fn consumption(&self) -> Result<Arc<Consumption>, AmqpError> {
        let mut current = self.current.lock().await;
        if let Some(consumption) = &*current {
            return Ok(Arc::clone(consumption));
        }
        let session = self.session().await?;
        session.make(&self.config.declare).await?;
        let consumption = Arc::new(Consumption::begin(session, &self.config.queue, self.prefetch).await?);
        Ok(Arc::clone(current.insert(consumption)))
    }

    /// Connects to the next broker in turn, once.
    async fn session(&self) -> Result<Session, AmqpError> {
        let server = self.server.load(Ordering::Relaxed);
        match self.dialing.dial(server).await {
            Ok(dialed) => {
                let number = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
                let number = Number { number, whose: Whose::Common };
                // One lane for replies; acknowledgements go by the consumer's channel.
                Ok(Session::new(dialed, number, 1, &self.context))
            }
            Err(failure) => {
                self.server.fetch_add(1, Ordering::Relaxed);
                Err(failure.into())
            }
        }
    }
}
