//! The suite's functions as a responder of NATS.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, HeaderMap, Message};
use bytes::Bytes;
use callgate_testkit::conformance::remote_function;
use futures_util::{StreamExt, stream::select_all};
use serde_json::Value;
use tokio::task::JoinSet;

/// How much later the late one answers.
const LATE: Duration = Duration::from_millis(300);

/// Answers until it is dropped.
pub(crate) struct Responder {
    _answering: JoinSet<()>,
}

/// A client that is not the gateway.
pub(crate) async fn client(url: &str, user: &str, password: &str) -> Result<Client, String> {
    ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
        .reconnect_delay_callback(|_| Duration::from_millis(50))
        .connect(url)
        .await
        .map_err(|error| error.to_string())
}

impl Responder {
    /// Answers on the subjects `remote`, `echo` and `late`, and never on `silent`.
    pub(crate) async fn start(client: Client) -> Result<Self, String> {
        let subscribe =
            async |subject: &'static str| client.subscribe(subject).await.map_err(|error| error.to_string());
        let mut requests = select_all([
            subscribe("remote").await?,
            subscribe("echo").await?,
            subscribe("late").await?,
            subscribe("silent").await?,
        ]);
        // Flushing only sends; a message to itself comes back once the server has handled the subscription.
        let inbox = client.new_inbox();
        let mut back = client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
        client.publish(inbox, Bytes::new()).await.map_err(|error| error.to_string())?;
        back.next().await.ok_or("the connection is gone")?;
        let mut answering = JoinSet::new();
        answering.spawn(async move {
            let mut calls = JoinSet::new();
            while let Some(request) = requests.next().await {
                match request.subject.as_str() {
                    "silent" => {}
                    "remote" => drop(calls.spawn(answer(client.clone(), request))),
                    _ => drop(calls.spawn(echo(client.clone(), request))),
                }
                while calls.try_join_next().is_some() {}
            }
        });
        Ok(Self { _answering: answering })
    }
}

/// Answers with the payload, the content type and what begins with `x-`.
async fn echo(client: Client, request: Message) {
    let Some(inbox) = request.reply else { return };
    if request.subject.as_str() == "late" {
        tokio::time::sleep(LATE).await;
    }
    let mut headers = HeaderMap::new();
    for (name, values) in request.headers.iter().flat_map(HeaderMap::iter) {
        let text: &str = name.as_ref();
        if text == "content-type" || text.starts_with("x-") {
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    client.publish_with_headers(inbox, headers, request.payload).await.ok();
}

async fn answer(client: Client, request: Message) {
    let Some(inbox) = request.reply else { return };
    let call: Value = serde_json::from_slice(&request.payload).unwrap_or_default();
    let reply = remote_function(&call).await;
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", reply.content_type);
    if let Some(status) = reply.status {
        headers.insert("Nats-Service-Error-Code", status.to_string());
    }
    client.publish_with_reply_and_headers(inbox.clone(), inbox, headers, reply.body.into()).await.ok();
}
