//! The suite's functions as consumers of queues.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer,
    message::Delivery,
    options::{BasicConsumeOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
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
            let (kind, status, body) = answer_call(&call).await;
            let mut headers = FieldTable::default();
            if let Some(status) = status {
                headers.insert("callgate-status".into(), AMQPValue::LongLongInt(status));
            }
            reply = reply.with_content_type(kind.as_str().into()).with_headers(headers);
            body
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

/// Content type, status and body of the suite's function that the path names.
async fn answer_call(call: &Value) -> (String, Option<i64>, Vec<u8>) {
    let path = call["path"].as_str().unwrap_or_default();
    let number = |name: &str| call["query"][name][0].as_str().and_then(|text| text.parse().ok()).unwrap_or(0_u32);
    let json = |body: String| ("application/json".to_owned(), None, body.into_bytes());
    match path.split('/').nth(1).unwrap_or_default() {
        "mirror" => {
            let kind = call["headers"]["content-type"][0].as_str().unwrap_or("application/octet-stream");
            let text = call["body"].as_str().unwrap_or_default();
            let body = match call["is_base64"].as_bool() {
                Some(true) => STANDARD.decode(text).unwrap_or_default(),
                _ => text.as_bytes().to_vec(),
            };
            (kind.to_owned(), None, body)
        }
        "status" => ("application/json".to_owned(), Some(number("status").into()), b"{}".to_vec()),
        "slow" => {
            tokio::time::sleep(Duration::from_millis(number("ms").into())).await;
            json("{}".to_owned())
        }
        "large" => json("x".repeat(usize::try_from(number("bytes")).unwrap_or(0))),
        "binary" => ("application/octet-stream".to_owned(), None, (0..=255).collect()),
        _ => json(describe(call).to_string()),
    }
}

fn describe(call: &Value) -> Value {
    let pairs = |of: &Value| -> Vec<Value> {
        let named = of.as_object().into_iter().flatten();
        named
            .flat_map(|(name, values)| values.as_array().into_iter().flatten().map(move |value| json!([name, value])))
            .collect()
    };
    let query: Vec<_> = pairs(&call["query"])
        .iter()
        .map(|pair| {
            let part = |index: usize| utf8_percent_encode(pair[index].as_str().unwrap_or_default(), NON_ALPHANUMERIC);
            format!("{}={}", part(0), part(1))
        })
        .collect();
    json!({
        "method": call["method"],
        "path": call["path"],
        "query": query.join("&"),
        "headers": pairs(&call["headers"]),
    })
}
