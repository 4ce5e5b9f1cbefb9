//! Plain publishes.

use callgate_testkit::peers::until;
use futures_util::{StreamExt, future::join_all};
use http::Request;
use serde_json::Value;
use std::time::Duration;

use crate::stage::{Stage, client, server, settled};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_what_the_request_was() {
    let Some(server) = server("").await else { return };
    let target = "subject: 'orders.{{ params.v }}', headers: {forward: ['x-t*'], set: {x-who: 'me-{{ method }}'}}";
    let stage = Stage::new(&server, "", &[("new", target)]).await;
    let client = client(&server).await;
    let mut seen = client.subscribe("orders.>").await.unwrap();
    settled(&client).await;
    let request = Request::post("/new/eu")
        .header("content-type", "text/plain")
        .header("x-tenant", "a")
        .header("x-tenant", "b")
        .header("authorization", "Bearer secret");
    let answer = stage.send(request, "payload").await;
    answer.succeeds(202);
    assert!(answer.json()["id"].as_str().is_some_and(|id| !id.is_empty()));
    let message = seen.next().await.unwrap();
    assert_eq!((message.subject.as_str(), message.payload.as_ref()), ("orders.eu", b"payload".as_slice()));
    let headers = message.headers.unwrap();
    let tenants: Vec<_> = headers.get_all("x-tenant").map(|value| value.as_str().to_owned()).collect();
    assert_eq!(tenants, ["a", "b"]);
    assert_eq!(headers.get("x-who").unwrap().as_str(), "me-POST");
    assert_eq!(headers.get("content-type").unwrap().as_str(), "text/plain");
    assert!(headers.get("traceparent").is_some() && headers.get("authorization").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_request_travels_as_json() {
    let Some(server) = server("").await else { return };
    let stage = Stage::new(&server, "", &[("all", "subject: all, payload: http")]).await;
    let client = client(&server).await;
    let mut seen = client.subscribe("all").await.unwrap();
    settled(&client).await;
    stage.send(Request::put("/all/x?a=1&a=2"), vec![0xff, 0xfe]).await.succeeds(202);
    let call: Value = serde_json::from_slice(&seen.next().await.unwrap().payload).unwrap();
    assert_eq!((call["method"].as_str(), call["path"].as_str()), (Some("PUT"), Some("/all/x")));
    assert_eq!(call["query"]["a"], serde_json::json!(["1", "2"]));
    assert_eq!((call["body"].as_str(), call["is_base64"].as_bool()), (Some("//4="), Some(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_can_be_chosen() {
    let Some(server) = server("").await else { return };
    let functions = [
        ("own", "subject: a, reply: {status: 201, body: {order: '{{ body.id }}', at: '{{ params.v }}'}}"),
        ("none", "subject: a, reply: {status: 204}"),
    ];
    let stage = Stage::new(&server, "", &functions).await;
    let request = Request::post("/own/x").header("content-type", "application/json");
    let answer = stage.send(request, r#"{"id": 7}"#).await;
    answer.succeeds(201);
    assert_eq!(answer.json(), serde_json::json!({"order": 7, "at": "x"}));
    let empty = stage.post("/none/x", "").await;
    empty.succeeds(204);
    assert_eq!(empty.body, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_value_is_one_token_of_the_subject() {
    let Some(server) = server("").await else { return };
    let stage = Stage::new(&server, "", &[("new", "subject: 'orders.{{ params.v }}'")]).await;
    for value in ["a.b", "%2A", "%3E", "a%20b", "a%0D%0APUB"] {
        let answer = stage.post(&format!("/new/{value}"), "").await;
        answer.fails(400, "bad_template_input");
    }
}

/// A server ends the connection, with all that is under way in it, when a line or a message is too long for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_make_the_server_end_the_connection() {
    let Some(server) = server("max_payload: 1KB").await else { return };
    let functions = [("new", "subject: 'a.{{ params.v }}'"), ("ask", "subject: a.b, mode: request")];
    let stage = Stage::new(&server, "", &functions).await;
    stage.send(Request::post("/ask/x"), vec![b'x'; 2000]).await.fails(413, "body_too_large");
    let mut taken = 0;
    // Headers count too, so the limit is somewhere below.
    for size in (700..1100).step_by(3) {
        let answer = stage.send(Request::post("/new/x"), vec![b'x'; size]).await;
        match answer.status {
            202 => taken += 1,
            _ => {
                answer.fails(413, "body_too_large");
                assert_eq!(answer.json()["detail"], "The message is larger than the broker takes.");
            }
        }
    }
    assert!((1..130).contains(&taken), "{taken}");
    for length in [1000, 2000, 2040, 2048, 4090, 6000] {
        let answer = stage.post(&format!("/new/{}", "v".repeat(length)), "").await;
        if length > 2046 { answer.fails(400, "bad_template_input") } else { answer.succeeds(202) }
    }
    stage.ready().await.unwrap();
    assert!(!server.log().contains("exceeded"), "{}", server.log());
}

const USERS: &str = "authorization: {users: [
  {user: gateway, password: pw, permissions: {publish: {allow: [\"ok.>\", \"_INBOX.>\"]}, subscribe: \"_INBOX.>\"}},
  {user: mute, password: pw, permissions: {publish: \"ok.>\", subscribe: \"nothing\"}}
]}";

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_the_server_refuses_is_never_accepted() {
    let Some(server) = server(USERS).await else { return };
    let functions = [
        ("ok", "subject: 'ok.{{ params.v }}'"),
        ("no", "subject: 'no.{{ params.v }}'"),
        ("ask", "subject: no.ask, mode: request"),
        ("store", "subject: no.store, mode: jetstream"),
    ];
    let stage = Stage::new(&server, ", credentials: {user: gateway, password: pw}", &functions).await;
    // Many at once, first uses and later ones, on subjects that are refused and on one that is not.
    for _ in 0..3 {
        let calls = (0..50).map(|number| {
            let stage = &stage;
            async move {
                stage.post(&format!("/no/{}", number % 5), "").await.fails(502, "upstream_denied");
                stage.post(&format!("/ok/{}", number % 5), "").await.succeeds(202);
            }
        });
        join_all(calls).await;
    }
    stage.post("/ask/x", "").await.fails(502, "upstream_denied");
    stage.post("/store/x", "").await.fails(502, "upstream_denied");
    stage.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_cannot_be_answered_says_so() {
    let Some(server) = server(USERS).await else { return };
    let stage = Stage::new(&server, ", credentials: {user: mute, password: pw}", &[("ok", "subject: ok.a")]).await;
    let told = async || stage.ready().await.is_err_and(|error| error.contains("may not subscribe"));
    assert!(until(Duration::from_secs(20), told).await, "{:?}", stage.ready().await);
    stage.post("/ok/x", "").await.fails(502, "upstream_denied");
}
