//! CloudEvent functions of the functions framework.

use std::time::Duration;

use callgate_core::Body;
use callgate_testkit::peers::{Function, FunctionsFramework, http::Server, present, until};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::stage::{LONG, Stage};

/// Prints each event on a line of its own.
const EVENTS: &str = r#"
import json
import functions_framework

@functions_framework.cloud_event
def events(event):
    attributes = dict(event.get_attributes())
    data = event.data.decode() if isinstance(event.data, bytes) else event.data
    print("EVENT", json.dumps({"attributes": attributes, "data": data}), flush=True)
    if attributes["type"] == "crash":
        raise RuntimeError("on purpose")
"#;

struct Events {
    function: FunctionsFramework,
    stage: Stage,
}

impl Events {
    async fn start() -> Option<Self> {
        let function = present(FunctionsFramework::start(Function::cloud_event(EVENTS, "events")).await)?;
        let options = format!("{{url: \"{}\", credentials: none}}", function.url());
        let routes = [
            "{name: orders, match: \"/plain/{*rest}\", to: {upstream: functions, payload: cloudevent}}",
            "{match: \"/document/{*rest}\", to: {upstream: functions, payload: cloudevent, structured: true}}",
            "{match: \"/shaped/{id}\", to: {upstream: functions, payload: cloudevent, cloudevent: \
             {type: \"order.{{ method | lower }}\", source: //shop, subject: \"{{ params.id }}\", id: \"{{ body.key }}\"}}}",
        ];
        let stage = Stage::with(&options, &routes).await;
        Some(Self { function, stage })
    }

    /// Sends a request and gives the event that the function has printed then.
    async fn event(&self, request: Request<Body>) -> Value {
        let before = self.printed().len();
        let answer = self.stage.call(request).await;
        assert_eq!(answer.status, 200, "{answer:?} {}", self.function.log());
        assert!(until(LONG, async || self.printed().len() > before).await, "{}", self.function.log());
        self.printed().pop().unwrap()
    }

    fn printed(&self) -> Vec<Value> {
        let log = self.function.log();
        let events = log.lines().filter_map(|line| line.strip_prefix("EVENT "));
        events.map(|event| serde_json::from_str(event).unwrap()).collect()
    }
}

fn post(path: &str, content_type: &str, body: &'static str) -> Request<Body> {
    Request::post(path).header("content-type", content_type).body(body.into()).unwrap()
}

#[tokio::test]
async fn requests_become_events() {
    let Some(events) = Events::start().await else { return };
    let event = events.event(post("/plain/7?x=1", "application/json", r#"{"total": 3}"#)).await;
    let attributes = &event["attributes"];
    assert_eq!(
        (&attributes["type"], &attributes["source"]),
        (&json!("callgate.http.request"), &json!("/callgate/orders"))
    );
    assert_eq!((&attributes["subject"], &attributes["specversion"]), (&json!("/plain/7"), &json!("1.0")));
    assert_eq!(attributes["id"].as_str().unwrap().len(), 32);
    assert_eq!(event["data"], json!({"total": 3}));

    let document = events.event(post("/document/7", "application/json", r#"{"total": 3}"#)).await;
    assert_eq!(
        (&document["attributes"]["type"], &document["data"]),
        (&json!("callgate.http.request"), &json!({"total": 3}))
    );

    let shaped = events.event(post("/shaped/7", "application/json", r#"{"key": "k-1"}"#)).await;
    let attributes = &shaped["attributes"];
    assert_eq!((&attributes["type"], &attributes["source"]), (&json!("order.post"), &json!("//shop")));
    assert_eq!((&attributes["subject"], &attributes["id"]), (&json!("7"), &json!("k-1")));

    // An event function takes POST alone.
    let got = events.event(Request::get("/plain/8").body(Body::empty()).unwrap()).await;
    assert_eq!(got["attributes"]["subject"], "/plain/8");
}

#[tokio::test]
async fn a_clients_event_keeps_its_attributes_in_either_mode() {
    let Some(events) = Events::start().await else { return };
    for path in ["/plain/x", "/document/x"] {
        let request =
            Request::post(path).header("ce-specversion", "1.0").header("ce-id", "e-1").header("ce-source", "/mine");
        let request = request
            .header("ce-type", "made.elsewhere")
            .header("ce-region", "eu")
            .header("content-type", "application/json");
        let event = events.event(request.body(r#"{"a": 1}"#.into()).unwrap()).await;
        let attributes = &event["attributes"];
        assert_eq!(
            (&attributes["id"], &attributes["type"], &attributes["region"]),
            (&json!("e-1"), &json!("made.elsewhere"), &json!("eu"))
        );
        assert_eq!(event["data"], json!({"a": 1}), "{path}");
        let document = r#"{"specversion":"1.0","id":"e-2","source":"/mine","type":"made.elsewhere","data":{"b":2}}"#;
        let event = events.event(post(path, "application/cloudevents+json", document)).await;
        assert_eq!((&event["attributes"]["id"], &event["data"]), (&json!("e-2"), &json!({"b": 2})), "{path}");
    }
}

#[tokio::test]
async fn a_malformed_event_is_the_clients_fault_and_a_crash_the_functions() {
    let Some(events) = Events::start().await else { return };
    let stage = &events.stage;
    let half = Request::post("/plain/x").header("ce-specversion", "1.0").body(Body::empty()).unwrap();
    let answer = stage.call(half).await;
    assert_eq!(answer.failure(), (400, "bad_template_input"));
    assert!(answer.body.contains("`id` is missing"), "{}", answer.body);
    let answer = stage.call(post("/plain/x", "application/cloudevents+json", "{")).await;
    assert_eq!(answer.failure(), (400, "bad_template_input"));
    let answer = stage.call(post("/shaped/x", "application/json", "{}")).await;
    assert_eq!(answer.failure(), (400, "bad_template_input"));
    assert!(answer.body.contains("id: "), "{}", answer.body);
    let crash = r#"{"specversion":"1.0","id":"e","source":"/mine","type":"crash"}"#;
    let answer = stage.call(post("/document/x", "application/cloudevents+json", crash)).await;
    assert_eq!(answer.failure(), (502, "function_error"));
}

#[tokio::test]
async fn data_streams_unless_it_has_to_be_read() {
    let server = Server::start().await.unwrap();
    let options = format!("{{url: \"{}/echo\", credentials: none}}", server.url());
    let routes = [
        "{match: /streamed, to: {upstream: functions, payload: cloudevent}, limits: {max_body: 1KiB}}",
        "{match: /read, to: {upstream: functions, payload: cloudevent, structured: true}, limits: {max_body: 1KiB}}",
    ];
    let stage = Stage::with(&options, &routes).await;
    let large = || Body::from(vec![b'x'; 2000]);
    let answer = stage.call(Request::post("/read").body(large()).unwrap()).await;
    assert_eq!(answer.failure(), (413, "body_too_large"));
    let request = Request::put("/streamed").header("content-type", "text/plain").body("data".into()).unwrap();
    let echo = stage.call(request).await.json();
    assert_eq!((&echo["method"], &echo["body"]["length"]), (&json!("POST"), &json!(4)));
    let answer = tokio::time::timeout(Duration::from_secs(20), stage.get("/streamed")).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK.as_u16());
}
