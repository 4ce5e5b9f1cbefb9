//! Replies to the requests of a channel.

use std::collections::HashMap;

use futures_util::StreamExt;
use lapin::{
    Channel, Consumer,
    message::Delivery,
    options::BasicConsumeOptions,
    types::{FieldTable, ShortString},
};
use tokio::sync::oneshot;

use super::{Outcome, Taken};
use crate::{error::AmqpError, function::DIRECT_REPLY, key};

/// Who waits for a reply, by correlation id.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// There is one from the first request on.
    consumer: Option<Consumer>,
    waiting: HashMap<String, Waiting>,
    /// How many were waiting when those that gave up were last removed.
    swept: usize,
}

#[derive(Debug)]
struct Waiting {
    target: String,
    to: oneshot::Sender<Outcome>,
}

impl Replies {
    /// Begins to listen, if that has not been done: the broker takes requests only then.
    pub(super) async fn listen(&mut self, channel: &Channel) -> lapin::Result<()> {
        if self.consumer.is_none() {
            let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
            let (queue, tag) = (key::short(DIRECT_REPLY), ShortString::default());
            self.consumer = Some(channel.basic_consume(queue, tag, options, FieldTable::default()).await?);
        }
        Ok(())
    }

    /// Keeps who waits.
    pub(super) fn expect(&mut self, correlation_id: &str, target: String, to: oneshot::Sender<Outcome>) {
        // Calls that ended early leave their place; it is swept before it grows.
        if self.waiting.len() > 64 + 2 * self.swept {
            self.waiting.retain(|_, waiting| !waiting.to.is_closed());
            self.swept = self.waiting.len();
        }
        self.waiting.insert(correlation_id.to_owned(), Waiting { target, to });
    }

    /// Answers one that waits, if it still does.
    pub(super) fn answer(&mut self, correlation_id: &str, outcome: Outcome) {
        if let Some(waiting) = self.waiting.remove(correlation_id) {
            // A call that went away needs no reply.
            waiting.to.send(outcome).ok();
        }
    }

    /// Hands a reply to who waits for it.
    pub(super) fn deliver(&mut self, delivery: Delivery) {
        let id = delivery.properties.correlation_id().as_ref().map(ToString::to_string).unwrap_or_default();
        self.answer(&id, Ok(Taken::Replied(Box::new(delivery))));
    }

    /// The channel is gone, and with it the way for replies.
    pub(super) fn lose(&mut self) {
        for (_, Waiting { target, to }) in self.waiting.drain() {
            to.send(Err(AmqpError::ReplyLost { target })).ok();
        }
    }

    /// The next reply; never, while there is no consumer. An error ends them all.
    pub(super) async fn next(&mut self) -> Result<Delivery, Option<lapin::Error>> {
        let Some(consumer) = &mut self.consumer else { return std::future::pending().await };
        let next = consumer.next().await;
        if !matches!(next, Some(Ok(_))) {
            self.consumer = None;
        }
        next.transpose().map_err(Some)?.ok_or(None)
    }
}
