//! What messages hold, by `payload`.

use callgate_core::Body;
use http::Request;
use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::{
    super::{Harness, trials::ensure},
    Broker, Taken,
};

/// Sends a request and reads the one message that comes of it.
async fn message<F: Broker>(
    harness: &mut Harness<F>,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Taken, Failed> {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let before = harness.fixture.taken().await?.len();
    let answer = harness.send(request.body(Body::from(body.to_owned()))?).await?;
    ensure(answer.status == 202, || format!("{answer:?}"))?;
    let mut taken = harness.fixture.taken().await?;
    ensure(taken.len() == before + 1, || format!("{taken:?}"))?;
    Ok(taken.pop().unwrap_or_default())
}

fn document(message: &Taken) -> Result<Value, Failed> {
    serde_json::from_slice(&message.payload).map_err(|error| format!("{error} in {message:?}").into())
}

fn is<T: Copy + PartialEq + std::fmt::Debug>(found: T, right: T, message: &Taken) -> Result<(), Failed> {
    ensure(found == right, || format!("{found:?} is not {right:?} in {message:?}"))
}

pub(super) async fn a_whole_request_is_one_document<F: Broker>(mut harness: Harness<F>) -> Result<(), Failed> {
    let headers = [("content-type", "text/plain"), ("x-tenant", "acme")];
    let message = message(&mut harness, "/http/x?a=1&a=2", &headers, "Zoë").await?;
    let envelope = document(&message)?;
    is(message.header("content-type"), Some("application/json"), &message)?;
    is((&envelope["method"], &envelope["path"]), (&json!("POST"), &json!("/http/x")), &message)?;
    is((&envelope["query"], &envelope["body"]), (&json!({"a": ["1", "2"]}), &json!("Zoë")), &message)?;
    is(&envelope["headers"]["x-tenant"], &json!(["acme"]), &message)
}

pub(super) async fn an_event_has_its_attributes_beside_its_data<F: Broker>(
    mut harness: Harness<F>,
) -> Result<(), Failed> {
    let message = message(&mut harness, "/event/x", &[("content-type", "text/plain")], "data").await?;
    let attribute = |name: &str| message.header(&format!("{}{name}", F::attributes())).unwrap_or_default();
    is((attribute("specversion"), attribute("type")), ("1.0", "order.created"), &message)?;
    is((attribute("source"), attribute("subject")), ("/callgate/event", "/event/x"), &message)?;
    is((attribute("id").is_empty(), attribute("time").is_empty()), (false, false), &message)?;
    is((message.header("content-type"), message.text().as_str()), (Some("text/plain"), "data"), &message)
}

pub(super) async fn an_event_is_one_document<F: Broker>(mut harness: Harness<F>) -> Result<(), Failed> {
    let json = [("content-type", "application/json")];
    let message = message(&mut harness, "/document/x", &json, r#"{"n": 1.10}"#).await?;
    let event = document(&message)?;
    let kind = message.header("content-type").unwrap_or_default();
    is(kind.starts_with("application/cloudevents+json"), true, &message)?;
    is((&event["specversion"], &event["type"]), (&json!("1.0"), &json!("callgate.http.request")), &message)?;
    is((&event["data"], &event["subject"]), (&json!({"n": 1.10}), &json!("/document/x")), &message)
}

pub(super) async fn an_event_that_comes_keeps_its_attributes<F: Broker>(mut harness: Harness<F>) -> Result<(), Failed> {
    let brought = [
        ("ce-specversion", "1.0"),
        ("ce-id", "e-1"),
        ("ce-source", "/shop"),
        ("ce-type", "mine"),
        ("ce-region", "eu"),
        ("content-type", "text/plain"),
    ];
    let binary = message(&mut harness, "/event/x", &brought, "data").await?;
    for (name, value) in [("id", "e-1"), ("source", "/shop"), ("type", "mine"), ("region", "eu")] {
        is(binary.header(&format!("{}{name}", F::attributes())), Some(value), &binary)?;
    }
    let structured = message(&mut harness, "/document/x", &brought, "data").await?;
    let event = document(&structured)?;
    is((&event["id"], &event["region"], &event["data"]), (&json!("e-1"), &json!("eu"), &json!("data")), &structured)
}
