//! The suite's functions as consumers of queues.

use std::time::Duration;

use callgate_testkit::conformance::remote_function;
use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer,
    message::Delivery,
    options::{BasicConsumeOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use serde_json::Value;
use tokio::{sync::oneshot, task::JoinSet, time::timeout};

/// How long a broker may take to answer, and how often the connection is looked at.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a queue's consumer does.
#[derive(Debug, Clone, Copy)]
enum Does {
    Remote,
    Echo,
    Late,
    Silent,
}

/// They answer until they are dropped, and come back when the broker does.
pub(crate) struct Consumers {
    _answering: JoinSet<()>,
}

impl Consumers {
    pub(crate) async fn start(url: &str, number: usize) -> Result<Self, String> {
        let mut answering = JoinSet::new();
        let queues = [("remote", Does::Remote), ("echo", Does::Echo), ("late", Does::Late), ("silent", Does::Silent)];
        for (name, does) in queues {
            let (listens, heard) = oneshot::channel();
            let (url, queue) = (url.to_owned(), format!("{name}-{number}"));
            answering.spawn(async move {
                let mut listens = Some(listens);
                loop {
                    if let Err(_lost) = consume(&url, &queue, does, &mut listens).await {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            });
            heard.await.map_err(|_| "a consumer did not start")?;
        }
        Ok(Self { _answering: answering })
    }
}

async fn consume(url: &str, queue: &str, does: Does, listens: &mut Option<oneshot::Sender<()>>) -> lapin::Result<()> {
    // A node that has just started may leave a connection without an answer, and its end untold.
    let Ok(begun) = timeout(PATIENCE, begin(url, queue)).await else { return Ok(()) };
    let (connection, channel, mut requests) = begun?;
    if let Some(listens) = listens.take() {
        listens.send(()).ok();
    }
    let mut calls = JoinSet::new();
    while connection.status().connected() {
        let Ok(request) = timeout(PATIENCE, requests.next()).await else { continue };
        let Some(request) = request else { break };
        calls.spawn(answer(channel.clone(), does, request?));
        while calls.try_join_next().is_some() {}
    }
    Ok(())
}

async fn begin(url: &str, queue: &str) -> lapin::Result<(Connection, Channel, Consumer)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), FieldTable::default()).await?;
    let (options, tag) = (BasicConsumeOptions { no_ack: true, ..Default::default() }, ShortString::default());
    let requests = channel.basic_consume(queue.into(), tag, options, FieldTable::default()).await?;
    Ok((connection, channel, requests))
}

async fn answer(channel: Channel, does: Does, request: Delivery) {
    let properties = request.properties;
    let (Some(to), Some(id)) = (properties.reply_to().clone(), properties.correlation_id().clone()) else { return };
    let mut reply = BasicProperties::default().with_correlation_id(id);
    let body = match does {
        Does::Silent => return,
        Does::Remote => {
            let call: Value = serde_json::from_slice(&request.data).unwrap_or_default();
            let answer = remote_function(&call).await;
            let mut headers = FieldTable::default();
            if let Some(status) = answer.status {
                headers.insert("callgate-status".into(), AMQPValue::LongLongInt(status.into()));
            }
            reply = reply.with_content_type(answer.content_type.as_str().into()).with_headers(headers);
            answer.body
        }
        Does::Echo | Does::Late => {
            if matches!(does, Does::Late) {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            if let Some(kind) = properties.content_type() {
                reply = reply.with_content_type(kind.clone());
            }
            let mut headers = FieldTable::default();
            for (name, value) in properties.headers().iter().flatten() {
                if name.as_str().starts_with("x-") {
                    headers.insert(name.clone(), value.clone());
                }
            }
            reply = reply.with_headers(headers);
            request.data
        }
    };
    // A connection that is lost meanwhile takes the reply along.
    drop(channel.basic_publish("".into(), to, Default::default(), &body, reply).await);
}
