//! A broker to be measured with, and what it takes the messages into.

use callgate_testkit::peers::{NatsServer, RabbitMq};
use lapin::{
    Connection, ConnectionProperties,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};
use tokio::io::AsyncWriteExt;

use crate::{Problem, listen, nats::make_stream};

/// The durable queue; it keeps the latest messages.
pub(crate) const QUEUE: &str = "measured";

/// Starts a broker and tells its URL to who asks, until the process is ended.
pub(crate) async fn serve(kind: &str, port: u16) -> Result<(), Problem> {
    match kind {
        "nats" => {
            let server = NatsServer::start("").await?;
            make_stream(&server.url()).await?;
            tell(&server.url(), port).await
        }
        "rabbitmq" => {
            let node = RabbitMq::start("", &[]).await?;
            let connection = Connection::connect(&node.url(), ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            let mut limits = FieldTable::default();
            limits.insert("x-max-length".into(), AMQPValue::LongInt(100_000));
            channel.queue_declare(QUEUE.into(), QueueDeclareOptions::durable(), limits).await?;
            tell(&node.url(), port).await
        }
        _ => Err(format!("`{kind}` is neither nats nor rabbitmq").into()),
    }
}

async fn tell(url: &str, port: u16) -> Result<(), Problem> {
    let listener = listen(port).await?;
    loop {
        let mut connection = listener.accept().await?.0;
        // Who only looks whether the port is open does not read it.
        connection.write_all(format!("{url}\n").as_bytes()).await.ok();
    }
}
