//! A queue that keeps what the suite publishes.

use callgate_testkit::conformance::Taken;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

/// The queue and the exchange `kept-N`.
pub(crate) struct Keeper {
    url: String,
    name: String,
    taken: Vec<Taken>,
}

impl Keeper {
    pub(crate) async fn start(url: &str, number: usize) -> Result<Self, String> {
        let keeper = Self { url: url.to_owned(), name: format!("kept-{number}"), taken: Vec::new() };
        let (_connection, channel) = keeper.connect().await?;
        let name = || keeper.name.as_str().into();
        let (table, durable) = (FieldTable::default, QueueDeclareOptions::durable());
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel
            .exchange_declare(name(), ExchangeKind::Topic, options, table())
            .await
            .map_err(|error| error.to_string())?;
        channel.queue_declare(name(), durable, table()).await.map_err(|error| error.to_string())?;
        channel
            .queue_bind(name(), name(), "#".into(), QueueBindOptions::default(), table())
            .await
            .map_err(|error| error.to_string())?;
        Ok(keeper)
    }

    /// All messages that the queue has had.
    pub(crate) async fn taken(&mut self) -> Result<Vec<Taken>, String> {
        let (_connection, channel) = self.connect().await?;
        let options = BasicGetOptions { no_ack: true };
        while let Some(message) =
            channel.basic_get(self.name.as_str().into(), options).await.map_err(|error| error.to_string())?
        {
            let delivery = message.delivery;
            self.taken.push(Taken { headers: headers(&delivery.properties), payload: delivery.data });
        }
        Ok(self.taken.clone())
    }

    /// A connection each time, as the broker is killed in between.
    async fn connect(&self) -> Result<(Connection, Channel), String> {
        let connection =
            Connection::connect(&self.url, ConnectionProperties::default()).await.map_err(|error| error.to_string())?;
        let channel = connection.create_channel().await.map_err(|error| error.to_string())?;
        Ok((connection, channel))
    }
}

fn headers(properties: &BasicProperties) -> Vec<(String, String)> {
    let mut headers: Vec<_> = properties
        .headers()
        .iter()
        .flatten()
        .map(|(name, value)| match value {
            AMQPValue::LongString(text) => (name.to_string(), text.to_string()),
            other => (name.to_string(), format!("{other:?}")),
        })
        .collect();
    for (name, value) in
        [("content-type", properties.content_type()), ("content-encoding", properties.content_encoding())]
    {
        headers.extend(value.as_ref().map(|value| (name.to_owned(), value.to_string())));
    }
    headers
}
