//! The suite's functions as a responder of NATS.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, HeaderMap, Message};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{StreamExt, stream::select_all};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
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
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", "application/json");
    let body = reply(&call, &mut headers).await;
    client.publish_with_reply_and_headers(inbox.clone(), inbox, headers, body).await.ok();
}

async fn reply(call: &Value, headers: &mut HeaderMap) -> Bytes {
    let path = call["path"].as_str().unwrap_or_default();
    let number = |name: &str| call["query"][name][0].as_str().and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    match path.split('/').nth(1).unwrap_or_default() {
        "mirror" => {
            let sent = call["headers"]["content-type"][0].as_str();
            headers.insert("Content-Type", sent.unwrap_or("application/octet-stream"));
            let text = call["body"].as_str().unwrap_or_default();
            match call["is_base64"].as_bool() {
                Some(true) => STANDARD.decode(text).unwrap_or_default().into(),
                _ => Bytes::copy_from_slice(text.as_bytes()),
            }
        }
        "status" => {
            headers.insert("Nats-Service-Error-Code", number("status").to_string());
            Bytes::from_static(b"{}")
        }
        "slow" => {
            tokio::time::sleep(Duration::from_millis(number("ms"))).await;
            Bytes::from_static(b"{}")
        }
        "large" => vec![b'x'; usize::try_from(number("bytes")).unwrap_or(0)].into(),
        "binary" => (0..=255).collect::<Vec<u8>>().into(),
        _ => describe(call).to_string().into(),
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
