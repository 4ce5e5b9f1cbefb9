//! A queue that is consumed, for as long as the connection lasts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use lapin::{
    Channel, Consumer,
    message::Delivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, QueueDeclareOptions},
    types::{FieldTable, ShortString},
};
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

use crate::{error::AmqpError, key, link::LOOK, session::Session, standing::Standing};

/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A consumer with its connection.
#[derive(Debug)]
pub(super) struct Consumption {
    pub(super) session: Session,
    /// What the broker is known to take of replies.
    pub(super) replies: Arc<Standing>,
    channel: Channel,
    tag: ShortString,
    consumer: Mutex<Consumer>,
    /// Whether the last message has come. The client library does not say so twice.
    ended: AtomicBool,
}

impl Consumption {
    /// Begins to consume: the broker sends `prefetch` messages ahead.
    pub(super) async fn begin(session: Session, queue: &str, prefetch: u16) -> Result<Self, AmqpError> {
        let channel = session.channel().await?;
        let begin = async {
            channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
            channel.basic_consume(key::short(queue), ShortString::default(), options, table).await
        };
        let consumer = timeout(PATIENCE, begin).await.map_err(|_| silent())?.map_err(|error| refused(queue, error))?;
        let (tag, consumer, ended) = (consumer.tag(), Mutex::new(consumer), AtomicBool::new(false));
        Ok(Self { session, replies: Arc::default(), channel, tag, consumer, ended })
    }

    /// The next message; `None` when no more can come.
    pub(super) async fn next(&self) -> Option<Delivery> {
        let mut consumer = self.consumer.lock().await;
        if self.ended.load(Ordering::Relaxed) {
            return None;
        }
        let next = loop {
            tokio::select! {
                next = consumer.next() => break next.and_then(Result::ok),
                // A connection that ends while the consumer is being made may never say so to it.
                () = sleep(LOOK) => if !self.is_alive() { break None },
            }
        };
        self.ended.store(next.is_none(), Ordering::Relaxed);
        next
    }

    fn is_alive(&self) -> bool {
        self.session.is_alive() && self.channel.status().connected()
    }

    /// Whether messages can be expected to come.
    pub(super) async fn check(&self, queue: &str) -> Result<(), AmqpError> {
        look_for(&self.session, queue).await
    }

    /// Consumes no more, and gives back what came and was not handed out.
    pub(super) async fn stop(&self) {
        if self.ended.load(Ordering::Relaxed) {
            return;
        }
        let cancelled = self.channel.basic_cancel(self.tag.clone(), BasicCancelOptions::default());
        // A connection that is lost gives everything back by itself.
        if !matches!(timeout(PATIENCE, cancelled).await, Ok(Ok(()))) {
            return;
        }
        let rest = async {
            while let Some(delivery) = self.next().await {
                let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                drop(delivery.nack(options).await);
            }
        };
        drop(timeout(PATIENCE, rest).await);
    }

    /// Lets the connection go.
    pub(super) async fn close(&self) {
        self.session.close().await;
    }
}

/// Asks the broker for the queue.
pub(super) async fn look_for(session: &Session, queue: &str) -> Result<(), AmqpError> {
    let channel = session.channel().await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let asked = channel.queue_declare(key::short(queue), options, FieldTable::default());
    timeout(PATIENCE, asked).await.map_err(|_| silent())?.map_err(|error| refused(queue, error))?;
    Ok(())
}

fn silent() -> AmqpError {
    AmqpError::Disconnected { why: Some("the broker does not answer".into()) }
}

fn refused(queue: &str, error: lapin::Error) -> AmqpError {
    let lapin::ErrorKind::ProtocolError(told) = error.kind() else { return AmqpError::Channel(error) };
    match told.get_id() {
        404 => AmqpError::NoQueue { queue: queue.to_owned() },
        _ => AmqpError::Refused { why: told.get_message().as_str().into() },
    }
}
