//! CloudEvents in messages of NATS, by its binding.

use futures_util::StreamExt;
use http::Request;
use serde_json::{Value, json};

use crate::stage::{Stage, client, server, settled};

#[tokio::test(flavor = "multi_thread")]
async fn events_are_headers_or_documents_and_keep_what_they_bring() {
    let Some(server) = server("").await else { return };
    let client = client(&server).await;
    let mut messages = client.subscribe("events").await.unwrap();
    settled(&client).await;
    let event = "subject: events, payload: cloudevent, cloudevent: {subject: 'order {{ params.v }}'}";
    let stage =
        Stage::new(&server, "", &[("binary", event), ("document", &format!("{event}, structured: true"))]).await;
    let json = || Request::post("/binary/7").header("content-type", "application/json");
    stage.send(json(), "{}").await.succeeds(202);
    let message = messages.next().await.unwrap();
    let headers = message.headers.unwrap();
    let header = |name: &str| headers.get(name).map(async_nats::HeaderValue::as_str);
    assert_eq!((header("ce-specversion"), header("ce-subject")), (Some("1.0"), Some("order%207")));
    assert_eq!(
        (header("ce-datacontenttype"), header("content-type")),
        (Some("application/json"), header("ce-datacontenttype"))
    );
    assert_eq!(message.payload, "{}");
    let brought = Request::post("/document/7")
        .header("ce-specversion", "1.0")
        .header("ce-id", "e")
        .header("ce-source", "/s")
        .header("ce-type", "t")
        .header("ce-region", "\"K%C3%B6ln\"");
    stage.send(brought, vec![0xff, 0]).await.succeeds(202);
    let message = messages.next().await.unwrap();
    let event: Value = serde_json::from_slice(&message.payload).unwrap();
    assert_eq!((&event["id"], &event["region"], &event["data_base64"]), (&json!("e"), &json!("Köln"), &json!("/wA=")));
    let kind = message.headers.as_ref().and_then(|headers| headers.get("content-type")).unwrap();
    assert_eq!(kind.as_str(), "application/cloudevents+json; charset=utf-8");
    let half = Request::post("/binary/7").header("ce-specversion", "1.0").header("ce-id", "e");
    stage.send(half, "").await.fails(400, "bad_template_input");
}
