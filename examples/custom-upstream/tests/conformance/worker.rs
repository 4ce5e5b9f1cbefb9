//! The suite's functions as a worker that reads streams.

use std::time::Duration;

use callgate_testkit::conformance::remote_function;
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::server::Server;

/// How much later the late one answers.
const LATE: Duration = Duration::from_millis(300);
/// The streams that somebody reads; nobody answers in `silent`.
const STREAMS: [&str; 11] =
    ["describe", "mirror", "status", "fail", "slow", "large", "binary", "echo", "late", "silent", "kept"];

type Fields = Vec<(String, Vec<u8>)>;
type Read = Option<Vec<(String, Vec<(String, Fields)>)>>;

/// Answers until it is dropped.
pub(crate) struct Worker {
    _answering: JoinSet<()>,
}

impl Worker {
    pub(crate) async fn start(server: &Server) -> Result<Self, String> {
        let mut client = server.client().await?;
        for stream in STREAMS {
            let mut create = redis::cmd("XGROUP");
            create.arg("CREATE").arg(stream).arg("workers").arg("$").arg("MKSTREAM");
            match create.query_async::<()>(&mut client).await {
                Err(error) if error.code() != Some("BUSYGROUP") => return Err(error.to_string()),
                _ => {}
            }
        }
        let replies = server.client().await?;
        let mut answering = JoinSet::new();
        answering.spawn(read(client, replies));
        Ok(Self { _answering: answering })
    }
}

async fn read(mut client: MultiplexedConnection, replies: MultiplexedConnection) {
    let mut calls = JoinSet::new();
    let read: Vec<_> = STREAMS.into_iter().filter(|stream| !["silent", "kept"].contains(stream)).collect();
    loop {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg("workers").arg("one").arg("COUNT").arg(100).arg("BLOCK").arg(1000);
        command.arg("NOACK").arg("STREAMS").arg(&read).arg(vec![">"; read.len()]);
        let Ok(found) = command.query_async::<Read>(&mut client).await else { return };
        for (stream, entries) in found.into_iter().flatten() {
            for (_, fields) in entries {
                calls.spawn(answer(replies.clone(), stream.clone(), fields));
            }
        }
        while calls.try_join_next().is_some() {}
    }
}

async fn answer(mut client: MultiplexedConnection, stream: String, fields: Fields) {
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let (Some(to), Some(call)) = (field("callgate-reply-to"), field("callgate-call")) else { return };
    let mut reply = redis::cmd("XADD");
    reply.arg(to).arg("*").arg("callgate-call").arg(call);
    let payload = field("payload").unwrap_or_default();
    if ["echo", "late"].contains(&stream.as_str()) {
        if stream == "late" {
            tokio::time::sleep(LATE).await;
        }
        for (name, value) in fields.iter().filter(|(name, _)| name == "content-type" || name.starts_with("x-")) {
            reply.arg(name).arg(value);
        }
        reply.arg("payload").arg(payload);
    } else {
        let call: Value = serde_json::from_slice(&payload).unwrap_or_default();
        let answered = remote_function(&call).await;
        reply.arg("content-type").arg(answered.content_type);
        if let Some(status) = answered.status {
            reply.arg("callgate-status").arg(status);
        }
        reply.arg("payload").arg(answered.body);
    }
    reply.query_async::<String>(&mut client).await.ok();
}
