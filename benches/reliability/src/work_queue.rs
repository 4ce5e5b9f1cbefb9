//! A durable queue of RabbitMQ as a source of messages.

use callgate_testkit::peers::RabbitMq;
use lapin::{BasicProperties, options::ConfirmSelectOptions};

use crate::{Problem, broker::Later, rabbitmq, source::Source};

const WORK: &str = "work";
const DEAD: &str = "dead";
/// The delivery mode of messages that outlive the node.
const PERSISTENT: u8 = 2;

/// A node with the queue `work`, and the queue `dead`.
pub(crate) struct WorkQueue {
    node: RabbitMq,
}

impl WorkQueue {
    pub(crate) async fn start() -> Result<Option<Self>, Problem> {
        Ok(rabbitmq::node(&[WORK, DEAD]).await?.map(|node| Self { node }))
    }

    async fn put(&self, messages: u64) -> Result<(), Problem> {
        let (_connection, channel) = rabbitmq::connect(&self.node).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        for number in 0..messages {
            let (payload, properties) = (number.to_string(), BasicProperties::default().with_delivery_mode(PERSISTENT));
            let published =
                channel.basic_publish("".into(), WORK.into(), Default::default(), payload.as_bytes(), properties);
            published.await?;
        }
        let refused = channel.wait_for_confirms().await?;
        if refused.is_empty() { Ok(()) } else { Err("messages were not stored".into()) }
    }
}

impl Source for WorkQueue {
    fn trigger(&self) -> String {
        format!("amqp: {{url: \"{}\", queue: {WORK}}}", self.node.url())
    }

    fn upstream(&self) -> String {
        format!("{{amqp: {{url: \"{}\"}}}}", self.node.url())
    }

    fn dead_letter(&self) -> String {
        format!("{{upstream: broker, routing_key: {DEAD}}}")
    }

    fn store(&mut self, messages: u64) -> Later<'_, ()> {
        Box::pin(self.put(messages))
    }

    fn left(&mut self) -> Later<'_, u64> {
        Box::pin(async { Ok(self.node.messages(WORK).await?) })
    }

    fn dead(&mut self) -> Later<'_, Vec<Vec<u8>>> {
        Box::pin(rabbitmq::contents(&self.node, DEAD))
    }
}
