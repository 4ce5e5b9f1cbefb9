//! A durable queue of RabbitMQ.

use callgate_testkit::peers::{PeerError, RabbitMq};
use futures_util::StreamExt;
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{BasicConsumeOptions, BasicGetOptions, QueueDeclareOptions},
    types::{FieldTable, ShortString},
};

use crate::{
    Problem,
    broker::{Broker, Later},
};

const QUEUE: &str = "kept";

/// A node with one durable queue.
pub(crate) struct Queue {
    node: RabbitMq,
}

impl Queue {
    pub(crate) async fn start() -> Result<Option<Box<dyn Broker>>, Problem> {
        let Some(node) = node(&[QUEUE]).await? else { return Ok(None) };
        Ok(Some(Box::new(Self { node })))
    }
}

/// Starts a node with these durable queues, unless it is not installed.
pub(crate) async fn node(queues: &[&str]) -> Result<Option<RabbitMq>, Problem> {
    let node = match RabbitMq::start("", &[]).await {
        Ok(node) => node,
        Err(missing @ PeerError::Missing { .. }) => {
            eprintln!("{missing}");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let (_connection, channel) = connect(&node).await?;
    for queue in queues {
        channel.queue_declare((*queue).into(), QueueDeclareOptions::durable(), FieldTable::default()).await?;
    }
    Ok(Some(node))
}

pub(crate) async fn connect(node: &RabbitMq) -> Result<(Connection, Channel), Problem> {
    let connection = Connection::connect(&node.url(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

/// Takes every message out of a queue that nobody else consumes.
pub(crate) async fn contents(node: &RabbitMq, queue: &str) -> Result<Vec<Vec<u8>>, Problem> {
    let (connection, channel) = connect(node).await?;
    let options = QueueDeclareOptions::durable().passive();
    let count = channel.queue_declare(queue.into(), options, FieldTable::default()).await?.message_count();
    let (options, tag) = (BasicConsumeOptions { no_ack: true, ..Default::default() }, ShortString::default());
    let mut messages = channel.basic_consume(queue.into(), tag, options, FieldTable::default()).await?;
    let mut stored = Vec::new();
    for _ in 0..count {
        stored.push(messages.next().await.ok_or("the queue delivers no more")??.data);
    }
    drop(connection);
    // There is none beyond those that were counted.
    let (_connection, channel) = connect(node).await?;
    while let Some(more) = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await? {
        stored.push(more.delivery.data);
    }
    Ok(stored)
}

impl Broker for Queue {
    fn upstream(&self) -> String {
        format!("{{amqp: {{url: \"{}\"}}}}", self.node.url())
    }

    fn to(&self) -> String {
        format!("{{upstream: broker, routing_key: {QUEUE}}}")
    }

    fn kill(&mut self) {
        self.node.kill();
    }

    fn restart(&mut self) -> Later<'_, ()> {
        Box::pin(async { Ok(self.node.restart().await?) })
    }

    fn contents(&mut self) -> Later<'_, Vec<Vec<u8>>> {
        Box::pin(contents(&self.node, QUEUE))
    }
}
