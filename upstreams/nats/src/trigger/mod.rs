//! The other way round: messages of a subject or of a stream's consumer invoke functions.

mod acknowledgement;
mod config;
mod consumer;
mod message;
mod receipt;
mod session;
mod subject;

use std::{num::NonZeroU32, sync::Arc};

use callgate_core::{Context, Delivery, Files, Invalid, Trigger, UpstreamError};

pub use config::TriggerConfig;
pub use receipt::Receipt;

use crate::{
    link::{Link, MESSAGES},
    voice::Voice,
};
use config::Source;
use consumer::Consumer;
use subject::Subscription;

/// The source `nats` of triggers: a subject, or a durable consumer of a stream.
#[derive(Debug)]
pub struct NatsTrigger {
    link: Arc<Link>,
    from: From,
}

#[derive(Debug)]
enum From {
    Subject(Subscription),
    Consumer(Consumer),
}

impl Trigger for NatsTrigger {
    const KIND: &'static str = "nats";
    const SUMMARY: &'static str =
        "Messages of a NATS subject (at most once) or of a JetStream consumer (at least once)";

    type Config = TriggerConfig;
    type Receipt = Receipt;

    fn read_files(config: &TriggerConfig, files: &Files) -> Vec<Invalid> {
        config.connection().read_files(files)
    }

    fn keeps(config: &TriggerConfig) -> bool {
        matches!(config.source(), Ok(Source::Consumer { .. }))
    }

    async fn connect(config: TriggerConfig, concurrency: NonZeroU32, context: Context) -> Result<Self, UpstreamError> {
        let source = config.source().map_err(|flaw| crate::error::NatsError::Settings(flaw.message))?;
        let link = Arc::new(Link::begin(&config.connection(), MESSAGES, Voice::default(), &context).await?);
        let from = match source {
            Source::Subject { subject, queue } => {
                From::Subject(Subscription::new(&link, subject, queue, context.name()))
            }
            Source::Consumer { stream, consumer } => {
                From::Consumer(Consumer::open(&link, stream, consumer, concurrency, &context))
            }
        };
        Ok(Self { link, from })
    }

    async fn next(&self) -> Result<Delivery<Receipt>, UpstreamError> {
        Ok(match &self.from {
            From::Subject(subscription) => subscription.next().await?,
            From::Consumer(consumer) => consumer.next().await?,
        })
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        self.link.probe().await?;
        if let From::Consumer(consumer) = &self.from {
            consumer.check().await?;
        }
        Ok(())
    }

    async fn stop(&self) {
        match &self.from {
            From::Subject(subscription) => subscription.stop().await,
            From::Consumer(consumer) => consumer.stop().await,
        }
    }

    async fn close(&self) {
        self.stop().await;
        self.link.end().await;
    }
}
