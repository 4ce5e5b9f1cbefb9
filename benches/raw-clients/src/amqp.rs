//! AMQP with confirms, pipelined over a few channels as the gateway does.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};

use crate::{ACCEPTED, Problem, Work, broker::QUEUE};

const CHANNELS: usize = 4;
const PERSISTENT: u8 = 2;

/// Publishes and waits for the confirm.
pub(crate) struct Publish {
    channels: Vec<Channel>,
    next: AtomicUsize,
    _connection: Connection,
}

impl Publish {
    pub(crate) async fn new(url: &str) -> Result<Self, Problem> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let mut channels = Vec::new();
        for _ in 0..CHANNELS {
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            channels.push(channel);
        }
        Ok(Self { channels, next: AtomicUsize::new(0), _connection: connection })
    }
}

impl Work for Publish {
    async fn send(&self, payload: Bytes) -> Result<Bytes, Problem> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let channel = &self.channels[self.next.fetch_add(1, Ordering::Relaxed) % CHANNELS];
        let sent = channel.basic_publish("".into(), QUEUE.into(), options, &payload, properties).await?;
        match sent.await? {
            Confirmation::Ack(None) => Ok(ACCEPTED),
            other => Err(format!("no confirm: {other:?}").into()),
        }
    }
}
