//! A source of messages whose gateway can be killed.

use crate::{Problem, broker::Later, consumer::Consumer, kind::Kind, work_queue::WorkQueue};

/// A source of messages, with a dead letter beside it.
pub(crate) trait Source: Send {
    /// The source of the trigger, as YAML in flow style: one key.
    fn trigger(&self) -> String;

    /// The upstream of the dead letter, as YAML in flow style.
    fn upstream(&self) -> String;

    /// The destination of the dead letter, as YAML in flow style; the upstream's name is `broker`.
    fn dead_letter(&self) -> String;

    /// Puts so many messages in; the payload of each is its number.
    fn store(&mut self, messages: u64) -> Later<'_, ()>;

    /// How many messages are not acknowledged: delivered or not.
    fn left(&mut self) -> Later<'_, u64>;

    /// The payload of every message in the dead letter.
    fn dead(&mut self) -> Later<'_, Vec<Vec<u8>>>;
}

/// All of them.
pub(crate) const KINDS: [Kind<dyn Source>; 2] = [
    Kind {
        name: "jetstream",
        title: "NATS JetStream, a durable consumer",
        start: || {
            Box::pin(async { Ok::<_, Problem>(Consumer::start().await?.map(|made| Box::new(made) as Box<dyn Source>)) })
        },
    },
    Kind {
        name: "rabbitmq",
        title: "RabbitMQ, a durable queue",
        start: || {
            Box::pin(async {
                Ok::<_, Problem>(WorkQueue::start().await?.map(|made| Box::new(made) as Box<dyn Source>))
            })
        },
    },
];
