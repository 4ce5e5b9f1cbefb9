//! What messages are made of requests, seen by a kind that answers with the message instead of sending it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{io, path::Path, sync::Arc};

use callgate_core::{
    Body, Connection, Context, Gateway, Invalid, Invocation, Registry, Response, Settings, Snapshot, Upstream,
    UpstreamError,
    document::{Document, References},
    plan::Plan,
};
use callgate_message::{Answer, Binding, Draft, Form, Headers, Message, Options, Payload, Whole};
use callgate_transform::{CloudEventSettings, Located, Template, Text};
use http::{Request, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

const BINDING: Binding = Binding {
    attributes: "ce-",
    also_understood: &[],
    escapes_attributes: true,
    repeats_content_type: true,
    reserved: &["nats-"],
};

#[derive(Debug)]
struct Mirror;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {}

impl Settings for Config {}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Target {
    payload: Payload,
    structured: bool,
    cloudevent: Option<CloudEventSettings>,
    headers: Headers,
    reply: Option<Answer>,
    line: Option<Located<Text>>,
    /// Answer as if the message had been taken, instead of with the message.
    taken: bool,
}

impl Target {
    fn compile(&self) -> Result<Form, Vec<Invalid>> {
        let Self { payload, structured, cloudevent, headers, reply, .. } = self;
        let options = Options {
            payload: *payload,
            structured: *structured,
            cloudevent: cloudevent.as_ref(),
            headers,
            reply: reply.as_ref(),
        };
        options.compile(&BINDING)
    }
}

impl Settings for Target {
    fn check(&self) -> Vec<Invalid> {
        self.compile().err().unwrap_or_default()
    }
}

impl callgate_core::Target for Target {
    const NAME: Option<&'static str> = None;
    const NEEDS_NAME: bool = false;
}

impl Upstream for Mirror {
    const KIND: &'static str = "mirror";
    const SUMMARY: &'static str = "answers with the message";

    type Config = Config;
    type Target = Target;
    type Function = (Target, Form);

    async fn connect(_: Config, _: Context) -> Result<Self, UpstreamError> {
        Ok(Self)
    }

    fn bind(&self, target: Target) -> Result<(Target, Form), Invalid> {
        let form = target.compile().unwrap();
        Ok((target, form))
    }

    async fn call(&self, (target, form): &(Target, Form), invocation: Invocation) -> Result<Response, UpstreamError> {
        let whole = Whole::read(invocation).await?;
        let Draft { message, accepted } = form.draft(&whole)?;
        if target.taken {
            return Ok(accepted.into_response(whole.context(), Map::from_iter([("told".to_owned(), json!(7))])));
        }
        let line = target.line.as_ref().map(|line| Template::written(line).unwrap());
        let line = line.map(|line| whole.line(&line, "the line")).transpose()?;
        let Message { headers, content_type, content_encoding, payload } = message;
        let told = json!({
            "headers": headers,
            "content_type": content_type,
            "content_encoding": content_encoding,
            "payload": String::from_utf8_lossy(&payload),
            "line": line,
            "key": whole.idempotency_key(),
        });
        Ok(Response::new(Body::from(told.to_string())))
    }
}

struct Nothing;

impl References for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

async fn answer(target: &str, request: http::request::Builder, body: &'static [u8]) -> (StatusCode, Value) {
    let yaml = format!(
        "upstreams: {{m: {{mirror: {{}}}}}}\nroutes:\n  - {{name: r, match: \"/{{v}}\", to: {{upstream: m, {target}}}}}\n"
    );
    let document = Document::parse("mirror.yaml", &yaml, &Nothing).unwrap();
    let plan = Plan::read(&document, &Registry::new().with::<Mirror>()).unwrap_or_else(|report| panic!("{report}"));
    let gateway = Gateway::new(Snapshot::load(plan, &Handle::current()).await.unwrap());
    let connection = Connection::new("test".into(), "192.0.2.1:1".parse().ok(), false, Arc::from([]));
    let request = request.header("host", "gateway.test").body(Body::from(body.to_vec())).unwrap();
    let (head, body) = gateway.handle(request, &Arc::new(connection)).await.into_parts();
    let body = body.collect(1 << 20).await.unwrap();
    (head.status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn message(target: &str, request: http::request::Builder, body: &'static [u8]) -> Value {
    let (status, message) = answer(target, request, body).await;
    assert_eq!(status, 200, "{message}");
    message
}

/// The values of a message's header.
fn values<'a>(message: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = message["headers"].as_array().unwrap();
    headers.iter().filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap()).collect()
}

fn post() -> http::request::Builder {
    Request::post("/x?a=1&a=2").header("content-type", "text/plain")
}

#[tokio::test]
async fn chosen_headers_go_along_and_no_one_elses() {
    let request = post()
        .header("x-tenant", "a")
        .header("x-tenant", "b")
        .header("x-text", "Zoë")
        .header("authorization", "secret")
        .header("nats-msg-id", "forged")
        .header("callgate-reason", "forged")
        .header("content-encoding", "gzip")
        .header("content-length", "4")
        .header("idempotency-key", "k");
    let message = message("headers: {forward: ['X-*', 'n*', 'con*']}", request, b"body").await;
    assert_eq!(values(&message, "x-tenant"), ["a", "b"]);
    assert_eq!(values(&message, "x-text"), ["Zoë"]);
    assert_eq!(values(&message, "traceparent").len(), 1);
    for name in ["authorization", "nats-msg-id", "callgate-reason", "content-length", "content-type", "host"] {
        assert!(values(&message, name).is_empty(), "{name}: {message}");
    }
    assert_eq!((&message["content_type"], &message["content_encoding"]), (&json!("text/plain"), &json!("gzip")));
    assert_eq!((&message["payload"], &message["key"]), (&json!("body"), &json!("k")));
}

#[tokio::test]
async fn what_the_gateway_says_itself_goes_along() {
    let target = "}, request: {headers: {set: {callgate-reason: given up}}";
    let message = message(target, post(), b"").await;
    assert_eq!(values(&message, "callgate-reason"), ["given up"]);
}

#[tokio::test]
async fn a_template_sets_a_header_last_and_as_it_is_written() {
    let target = "headers: {forward: [x-*], set: {X-Tenant: '{{ params.v }}', Content-Type: text/x}}";
    let message = message(target, post().header("x-tenant", "theirs"), b"").await;
    assert_eq!((values(&message, "X-Tenant"), values(&message, "x-tenant").len()), (vec!["x"], 0));
    assert_eq!(message["content_type"], "text/x");
}

#[tokio::test]
async fn a_value_stays_in_its_line() {
    for target in ["headers: {set: {X-A: 'v={{ params.v }}'}}", "line: 'v={{ params.v }}'"] {
        let (status, problem) = answer(target, Request::post("/a%0D%0Ab"), b"").await;
        assert_eq!(
            (status.as_u16(), &problem["type"]),
            (400, &json!("urn:callgate:error:bad_template_input")),
            "{problem}"
        );
    }
    assert_eq!(message("line: 'v={{ params.v }}'", post(), b"").await["line"], "v=x");
    let (status, _) = answer("line: '{{ body.id }}'", post(), b"{}").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn the_whole_request_is_one_document() {
    let message = message("payload: http", post().header("x-a", "1").header("x-a", "2"), b"\xff").await;
    assert_eq!(message["content_type"], "application/json");
    let envelope: Value = serde_json::from_str(message["payload"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&envelope["method"], &envelope["path"], &envelope["route"]),
        (&json!("POST"), &json!("/x"), &json!("r"))
    );
    assert_eq!((&envelope["query"], &envelope["headers"]["x-a"]), (&json!({"a": ["1", "2"]}), &json!(["1", "2"])));
    assert_eq!((&envelope["body"], &envelope["is_base64"]), (&json!("/w=="), &json!(true)));
    assert_eq!(envelope["headers"]["content-type"], json!(["text/plain"]));
}

#[tokio::test]
async fn a_request_becomes_an_event_beside_its_data() {
    let target = "payload: cloudevent, cloudevent: {type: 'a b'}, headers: {forward: ['*']}";
    let request = post().header("ce-stray", "1").header("content-encoding", "gzip");
    let message = message(target, request, b"data").await;
    let one = |name| values(&message, name).join("|");
    assert_eq!((one("ce-specversion"), one("ce-type"), one("ce-subject")), ("1.0".into(), "a%20b".into(), "/x".into()));
    assert_eq!((one("ce-source"), one("ce-datacontenttype")), ("/callgate/r".into(), "text/plain".into()));
    assert!(values(&message, "ce-stray").is_empty(), "an attribute that belongs to no event");
    assert_eq!((&message["payload"], &message["content_type"]), (&json!("data"), &json!("text/plain")));
    assert_eq!(message["content_encoding"], "gzip");
}

#[tokio::test]
async fn an_event_that_comes_keeps_its_attributes() {
    let brought = || {
        let attributes =
            [("specversion", "1.0"), ("id", "e"), ("source", "/s"), ("type", "t"), ("region", "K%C3%B6ln")];
        attributes.into_iter().fold(post(), |request, (name, value)| request.header(format!("ce-{name}"), value))
    };
    let binary = message("payload: cloudevent", brought(), b"data").await;
    assert_eq!((values(&binary, "ce-id"), values(&binary, "ce-region")), (vec!["e"], vec!["K%C3%B6ln"]));
    let document = message("payload: cloudevent, structured: true", brought(), b"data").await;
    assert_eq!(document["content_type"], "application/cloudevents+json; charset=utf-8");
    let event: Value = serde_json::from_str(document["payload"].as_str().unwrap()).unwrap();
    assert_eq!((&event["region"], &event["data"]), (&json!("Köln"), &json!("data")));
    assert!(values(&document, "ce-id").is_empty());
    let sent = br#"{"specversion":"1.0","id":"e","source":"/s","type":"t","data":{"a":1.10}}"#;
    let request = || Request::post("/x").header("content-type", "application/cloudevents+json");
    let unpacked = message("payload: cloudevent", request(), sent).await;
    assert_eq!((values(&unpacked, "ce-id"), &unpacked["payload"]), (vec!["e"], &json!(r#"{"a":1.10}"#)));
    assert_eq!(unpacked["content_type"], "application/json");
    let (status, _) = answer("payload: cloudevent", request(), b"{}").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn the_function_says_what_the_client_is_answered() {
    let (status, told) = answer("taken: true", post(), b"").await;
    assert_eq!((status.as_u16(), &told["told"], told["id"].is_string()), (202, &json!(7), true));
    let own = "taken: true, reply: {status: 201, body: {order: '{{ body.id }}'}}";
    let json = Request::post("/x").header("content-type", "application/json");
    assert_eq!(answer(own, json, br#"{"id": 7}"#).await, (StatusCode::CREATED, json!({"order": 7})));
    assert_eq!(answer("taken: true, reply: {status: 204}", post(), b"").await, (StatusCode::NO_CONTENT, Value::Null));
}
