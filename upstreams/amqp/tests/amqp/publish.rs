//! Messages that are published.

use std::sync::Arc;

use futures_util::future::join_all;
use http::Request;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

use crate::{bed::Bed, stage::Stage};

/// A header of a message as text.
pub(crate) fn header(headers: &FieldTable, name: &str) -> Option<String> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        other => panic!("{name} is {other:?}"),
    }
}

pub(crate) async fn a_message_is_what_the_request_was(bed: Arc<Bed>) {
    let (client, queue, exchange) = (bed.client().await, bed.name("orders"), bed.name("events"));
    client.queue(&queue).await;
    client.exchange(&exchange, &queue, "orders.*").await;
    let target = "routing_key: 'orders.{{ params.v }}', priority: 7, expiration: 1m, correlation_id: 'c-{{ params.v }}', \
                  reply_to: answers, type: order, app_id: shop, \
                  headers: {forward: ['x-t*'], set: {x-who: 'me-{{ method }}'}}";
    let functions =
        [("new", target), ("plain", "routing_key: orders.plain, persistent: false, message_id: 'm-{{ params.v }}'")];
    let stage = Stage::new(&bed, &format!(", exchange: {exchange}"), &functions).await;
    let request = Request::post("/new/eu")
        .header("content-type", "text/plain")
        .header("content-encoding", "gzip")
        .header("x-tenant", "a")
        .header("x-tenant", "b")
        .header("authorization", "Bearer secret");
    let answer = stage.send(request, "payload").await;
    answer.succeeds(202);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let message = client.take(&queue).await.unwrap().delivery;
    assert_eq!((message.routing_key.as_str(), message.data.as_slice()), ("orders.eu", b"payload".as_slice()));
    let properties = &message.properties;
    let text = |text: &Option<lapin::types::ShortString>| text.as_ref().unwrap().to_string();
    assert_eq!(text(properties.content_type()), "text/plain");
    assert_eq!(text(properties.content_encoding()), "gzip");
    assert_eq!(text(properties.message_id()), id);
    assert_eq!(text(properties.correlation_id()), "c-eu");
    assert_eq!(text(properties.reply_to()), "answers");
    assert_eq!((text(properties.kind()), text(properties.app_id())), ("order".into(), "shop".into()));
    assert_eq!(text(properties.expiration()), "60000");
    assert_eq!((*properties.delivery_mode(), *properties.priority()), (Some(2), Some(7)));
    let headers = properties.headers().clone().unwrap();
    assert_eq!(header(&headers, "x-tenant").unwrap(), "a, b");
    assert_eq!(header(&headers, "x-who").unwrap(), "me-POST");
    assert!(header(&headers, "traceparent").is_some() && header(&headers, "authorization").is_none());

    stage.post("/plain/x", "").await.succeeds(202);
    let plain = client.take(&queue).await.unwrap().delivery.properties;
    assert_eq!((text(plain.message_id()), plain.delivery_mode()), ("m-x".to_owned(), &None));
    let repeated = Request::post("/new/eu").header("idempotency-key", "k1");
    stage.send(repeated, "").await.succeeds(202);
    assert_eq!(text(client.take(&queue).await.unwrap().delivery.properties.message_id()), "k1");
}

pub(crate) async fn the_whole_request_travels_as_json(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("all"));
    client.queue(&queue).await;
    let stage = Stage::new(&bed, "", &[("all", &format!("routing_key: {queue}, payload: http"))]).await;
    stage.send(Request::put("/all/x?a=1&a=2"), vec![0xff, 0xfe]).await.succeeds(202);
    let message = client.take(&queue).await.unwrap().delivery;
    let call: Value = serde_json::from_slice(&message.data).unwrap();
    assert_eq!((call["method"].as_str(), call["path"].as_str()), (Some("PUT"), Some("/all/x")));
    assert_eq!(call["query"]["a"], json!(["1", "2"]));
    assert_eq!((call["body"].as_str(), call["is_base64"].as_bool()), (Some("//4="), Some(true)));
    assert_eq!(message.properties.content_type().as_ref().unwrap().as_str(), "application/json");
}

pub(crate) async fn an_event_travels_by_its_attributes(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("events"));
    client.queue(&queue).await;
    let functions = [
        ("binary", &*format!("routing_key: {queue}, payload: cloudevent, cloudevent: {{type: order.created}}")),
        ("whole", &*format!("routing_key: {queue}, payload: cloudevent, structured: true")),
    ];
    let stage = Stage::new(&bed, "", &functions).await;
    let request = || Request::post("/binary/x").header("content-type", "application/json");
    stage.send(request(), "{\"a\":1}").await.succeeds(202);
    let message = client.take(&queue).await.unwrap().delivery;
    let headers = message.properties.headers().clone().unwrap();
    assert_eq!(header(&headers, "cloudEvents:type").unwrap(), "order.created");
    assert_eq!(header(&headers, "cloudEvents:specversion").unwrap(), "1.0");
    assert_eq!(message.data, b"{\"a\":1}");
    stage.send(Request::post("/whole/x").header("content-type", "application/json"), "{\"a\":1}").await.succeeds(202);
    let message = client.take(&queue).await.unwrap().delivery;
    let event: Value = serde_json::from_slice(&message.data).unwrap();
    assert_eq!((&event["data"]["a"], &event["specversion"]), (&json!(1), &json!("1.0")));
    assert!(message.properties.content_type().as_ref().unwrap().as_str().starts_with("application/cloudevents+json"));
}

pub(crate) async fn the_answer_can_be_chosen(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("answers"));
    client.queue(&queue).await;
    let own = format!(
        "routing_key: {queue}, reply: {{status: 201, body: {{order: '{{{{ body.id }}}}', at: '{{{{ params.v }}}}'}}}}"
    );
    let functions = [("own", &*own), ("none", &*format!("routing_key: {queue}, reply: {{status: 204}}"))];
    let stage = Stage::new(&bed, "", &functions).await;
    let answer = stage.send(Request::post("/own/x").header("content-type", "application/json"), r#"{"id": 7}"#).await;
    answer.succeeds(201);
    assert_eq!(answer.json(), json!({"order": 7, "at": "x"}));
    let empty = stage.post("/none/x", "").await;
    empty.succeeds(204);
    assert_eq!(empty.body, "");
}

pub(crate) async fn a_clients_value_is_one_word_of_the_routing_key(bed: Arc<Bed>) {
    let stage = Stage::new(&bed, "", &[("new", "routing_key: 'orders.{{ params.v }}'")]).await;
    for value in ["a.b", "%2A", "%23", "a%20b", "a%0D%0A", &"a".repeat(250)] {
        let answer = stage.post(&format!("/new/{value}"), "").await;
        answer.fails(400, "bad_template_input");
    }
}

/// Confirms come for several messages at once, and returns before them; each call has to get its own.
pub(crate) async fn many_at_once_get_each_its_own_answer(bed: Arc<Bed>) {
    let (client, queue, exchange) = (bed.client().await, bed.name("many"), bed.name("many"));
    client.queue(&queue).await;
    client.exchange(&exchange, &queue, "yes.*").await;
    let functions = [("yes", "routing_key: 'yes.{{ params.v }}'"), ("no", "routing_key: 'no.{{ params.v }}'")];
    let stage = Stage::new(&bed, &format!(", exchange: {exchange}, channels: 1"), &functions).await;
    for _ in 0..3 {
        let calls = (0..400).map(|number| {
            let stage = &stage;
            async move {
                if number % 3 == 0 {
                    stage.post(&format!("/no/{number}"), "").await.fails(502, "unroutable");
                } else {
                    stage.post(&format!("/yes/{number}"), "").await.succeeds(202);
                }
            }
        });
        join_all(calls).await;
    }
    assert_eq!(client.count(&queue).await, 3 * 266);
}

pub(crate) async fn the_exchange_of_the_function_comes_first(bed: Arc<Bed>) {
    let (client, queue, exchange) = (bed.client().await, bed.name("own"), bed.name("own"));
    client.queue(&queue).await;
    client.exchange(&exchange, &queue, "#").await;
    let functions = [("own", &*format!("routing_key: a, exchange: {exchange}"))];
    let stage = Stage::new(&bed, ", exchange: amq.topic", &functions).await;
    stage.post("/own/x", "here").await.succeeds(202);
    assert_eq!(client.take(&queue).await.unwrap().delivery.exchange.as_str(), exchange);
}
