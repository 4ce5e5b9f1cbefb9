//! A broker that can be killed and asked for everything that it holds.

use std::pin::Pin;

use crate::{Problem, jetstream::JetStream, kind::Kind, rabbitmq::Queue};

/// What takes a moment.
pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

/// A broker that can be killed and asked for everything that it holds.
pub(crate) trait Broker: Send {
    /// The upstream of the gateway, as YAML in flow style.
    fn upstream(&self) -> String;

    /// The destination of the route, as YAML in flow style; the upstream's name is `broker`.
    fn to(&self) -> String;

    /// Kills it by SIGKILL.
    fn kill(&mut self);

    /// Starts it again, with what it has kept.
    fn restart(&mut self) -> Later<'_, ()>;

    /// The payload of every message that it holds.
    fn contents(&mut self) -> Later<'_, Vec<Vec<u8>>>;
}

/// All of them.
pub(crate) const KINDS: [Kind<dyn Broker>; 2] = [
    Kind {
        name: "jetstream",
        title: "NATS JetStream, one server, file storage",
        start: || Box::pin(JetStream::start()),
    },
    Kind { name: "rabbitmq", title: "RabbitMQ, one node, durable queue", start: || Box::pin(Queue::start()) },
];
