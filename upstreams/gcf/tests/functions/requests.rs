//! What of a request and a reply passes.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use callgate_core::Body;
use callgate_testkit::peers::{Function, FunctionsFramework, http::Server, present};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::stage::{LONG, Raw, Stage};

/// The value of a header that the function got, as the echoing server tells it.
fn header<'a>(echo: &'a Value, name: &str) -> Option<&'a str> {
    echo["headers"].as_array().unwrap().iter().find(|pair| pair[0] == name).and_then(|pair| pair[1].as_str())
}

#[tokio::test]
async fn method_tail_query_and_body_arrive() {
    let server = Server::start().await.unwrap();
    let options = format!("{{url: \"{}\", credentials: none}}", server.url());
    let routes = [
        "{match: \"/append/{*rest}\", to: functions/echo}",
        "{match: \"/fixed/{*rest}\", to: {upstream: functions, function: echo, path: fixed}}",
        "{match: \"/exact/{id}\", to: functions/echo}",
    ];
    let stage = Stage::with(&options, &routes).await;
    let request = Request::patch("/append/a%2Fb/c?x=1&x=%20&y").body("body".into()).unwrap();
    let echo = stage.call(request).await.json();
    assert_eq!(
        (&echo["method"], &echo["path"], &echo["query"]),
        (&json!("PATCH"), &json!("/echo/a%2Fb/c"), &json!("x=1&x=%20&y"))
    );
    assert_eq!(echo["body"]["base64"], "Ym9keQ==");
    assert_eq!(stage.get("/fixed/a/b?x").await.json()["path"], "/echo");
    assert_eq!(stage.get("/append").await.json()["path"], "/echo");
    assert_eq!(stage.get("/exact/7").await.json()["path"], "/echo", "without a tail nothing is appended");
    assert_eq!(header(&stage.get("/append/x").await.json(), "host").unwrap(), server.address().to_string());
}

#[tokio::test]
async fn a_service_is_called_by_the_upstreams_name_alone() {
    let server = Server::start().await.unwrap();
    let stage = Stage::one(&format!("{{url: \"{}/echo/base/\", credentials: none}}", server.url())).await;
    assert_eq!(stage.get("/x?y").await.json()["path"], "/echo/base/x");
}

#[tokio::test]
async fn functions_with_urls_of_their_own_share_the_connections_of_a_host() {
    let server = Server::start().await.unwrap();
    let url = server.url();
    let options =
        format!("{{credentials: none}}, functions: {{a: {{url: \"{url}/echo/a\"}}, b: {{url: \"{url}/echo/b\"}}}}");
    let routes = ["{match: /a, to: functions/a}", "{match: /b, to: functions/b}"];
    let stage = Stage::with(&options, &routes).await;
    for _ in 0..3 {
        assert_eq!(stage.get("/a").await.json()["path"], "/echo/a");
        assert_eq!(stage.get("/b").await.json()["path"], "/echo/b");
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn replies_stream_as_the_function_writes_them() {
    let server = Server::start().await.unwrap();
    let stage = Stage::one(&format!("{{url: \"{}/steps\", credentials: none}}", server.url())).await;
    server.release(1);
    let reply = stage.send(Request::get("/?count=2").body(Body::empty()).unwrap()).await;
    let mut body = reply.into_body();
    let mut next = async || timeout(LONG, body.frame()).await.unwrap().map(|frame| frame.unwrap().into_data().unwrap());
    assert_eq!(next().await.unwrap(), "step 0\n");
    server.release(1);
    assert_eq!(next().await.unwrap(), "step 1\n");
    assert_eq!(next().await, None);
}

/// Writes a line, and the next one only when the first has arrived at the client.
const STREAMING: &str = r#"
import os, time
from flask import Response

def stream(request):
    def lines():
        yield "one\n"
        while not os.path.exists(os.environ["ARRIVED"]):
            time.sleep(0.01)
        yield "two\n"
    return Response(lines(), content_type="text/plain")
"#;

#[tokio::test]
async fn a_real_functions_stream_arrives_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let arrived = folder.path().join("arrived");
    let function = Function::http(STREAMING, "stream").with("ARRIVED", arrived.to_str().unwrap());
    let Some(function) = present(FunctionsFramework::start(function).await) else { return };
    let stage = Stage::one(&format!("{{url: \"{}\", credentials: none}}", function.url())).await;
    let mut body = stage.send(Request::get("/").body(Body::empty()).unwrap()).await.into_body();
    let mut next = async || timeout(LONG, body.frame()).await.unwrap().map(|frame| frame.unwrap().into_data().unwrap());
    assert_eq!(next().await.unwrap(), "one\n");
    std::fs::write(&arrived, "").unwrap();
    assert_eq!(next().await.unwrap(), "two\n");
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn requests_stream_as_the_client_writes_them() {
    let server = Server::start().await.unwrap();
    let stage = Stage::one(&format!("{{url: \"{}/echo\", credentials: none}}", server.url())).await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let frames = futures_util::stream::unfold(receiver, |mut receiver| async {
        let data = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(data)), receiver))
    });
    let body = Body::new(StreamBody::new(frames));
    let call = stage.call(Request::post("/").body(body).unwrap());
    let write = async {
        sender.send("one ".into()).await.unwrap();
        // The function has the request while the client is still writing.
        while server.running() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sender.send("two".into()).await.unwrap();
        drop(sender);
    };
    let (answer, ()) = tokio::join!(call, write);
    assert_eq!(answer.json()["body"]["length"], 7);
}

#[tokio::test]
async fn without_credentials_a_clients_own_authorization_passes_but_no_serverless_one() {
    let server = Server::start().await.unwrap();
    let stage = Stage::one(&format!("{{url: \"{}/echo\", credentials: none}}", server.url())).await;
    let request = Request::get("/").header("authorization", "Bearer clients");
    let request = request.header("X-Serverless-Authorization", "Bearer clients").body(Body::empty()).unwrap();
    let echo = stage.call(request).await.json();
    assert_eq!(header(&echo, "authorization"), Some("Bearer clients"));
    assert_eq!(header(&echo, "x-serverless-authorization"), None);
}

#[tokio::test]
async fn forwarding_headers_and_the_trace_are_the_gateways() {
    let server = Raw::replying("200 OK", "", "");
    let stage = Stage::one(&format!("{{url: \"{}\", credentials: none}}", server.url)).await;
    let request = Request::get("/").header("x-forwarded-for", "6.6.6.6").header("connection", "x-private");
    stage.call(request.header("x-private", "1").body(Body::empty()).unwrap()).await;
    let head = server.head();
    assert!(head.contains("x-forwarded-for: 192.0.2.1\r\n") && head.contains("traceparent: 00-"), "{head}");
    assert!(!head.contains("x-private"), "{head}");
}
