use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use callgate_aws_event::Payload;
use callgate_core::BodyError;
use futures_util::{FutureExt, StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::*;

/// A message as the official crate writes it.
pub(super) fn written(message: &str, name: &str, payload: &[u8]) -> Vec<u8> {
    let text = |text: &str| HeaderValue::String(text.to_owned().into());
    let message = Message::new(payload.to_vec())
        .add_header(Header::new(":content-type", text("application/octet-stream")))
        .add_header(Header::new("x-count", HeaderValue::Int64(7)))
        .add_header(Header::new("x-flag", HeaderValue::Bool(true)))
        .add_header(Header::new(format!(":{message}-type"), text(name)))
        .add_header(Header::new(":message-type", text(message)));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn chunk(payload: &[u8]) -> Vec<u8> {
    written("event", "PayloadChunk", payload)
}

fn complete(payload: &str) -> Vec<u8> {
    written("event", "InvokeComplete", payload.as_bytes())
}

const PRELUDE: &[u8] = b"{\"statusCode\":201,\"headers\":{\"x-a\":\"1\"},\"cookies\":[\"c=1\"]}\0\0\0\0\0\0\0\0";

/// A body of these pieces; with `open` it has no end.
fn body(pieces: Vec<Vec<u8>>, open: bool) -> Body {
    let frames = stream::iter(pieces).map(|piece| Ok::<_, BodyError>(Frame::data(Bytes::from(piece))));
    if open { Body::new(StreamBody::new(frames.chain(stream::pending()))) } else { Body::new(StreamBody::new(frames)) }
}

async fn open_as(payload: Payload, body: Body) -> Result<Response, UpstreamError> {
    let origin = Origin { function: "f".to_owned(), aws_request_id: "r-1".to_owned() };
    open(body, Shape::new(payload, None), 1000, origin).await
}

async fn open_all(pieces: Vec<Vec<u8>>) -> Result<Response, UpstreamError> {
    open_as(Payload::ApiGatewayV2, body(pieces, false)).await
}

async fn failed(pieces: Vec<Vec<u8>>) -> (ErrorKind, String) {
    let error = open_all(pieces).await.unwrap_err();
    assert!(error.body_error().is_none(), "nobody takes it for the request's own body");
    (error.kind(), error.message().to_owned())
}

#[tokio::test]
async fn prelude_and_chunks_become_a_response() {
    let pieces = vec![chunk(PRELUDE), chunk(b"a"), chunk(b""), chunk(b"b"), complete("{}")];
    let response = open_all(pieces).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["x-a"]), (201, &"1".parse().unwrap()));
    assert_eq!(response.headers()["set-cookie"], "c=1");
    assert_eq!(response.into_body().collect(100).await.unwrap(), "ab");
}

#[tokio::test]
async fn messages_may_be_divided_in_any_way() {
    let whole = [chunk(PRELUDE), chunk(b"hello"), complete("")].concat();
    for size in 1..whole.len() {
        let response = open_all(whole.chunks(size).map(<[u8]>::to_vec).collect()).await.unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(response.into_body().collect(100).await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn a_chunk_is_passed_on_before_the_next_one_is_there() {
    let half = chunk(b"first");
    let pieces = vec![chunk(PRELUDE), half[..half.len() - 6].to_vec()];
    let response = open_as(Payload::ApiGatewayV2, body(pieces, true)).await.unwrap();
    let mut body = response.into_body();
    let first = body.frame().now_or_never().expect("it is there at once").unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "fir");
    assert!(body.frame().now_or_never().is_none());
}

#[tokio::test]
async fn without_a_prelude_the_reply_is_the_body() {
    let response = open_as(Payload::Raw, body(vec![chunk(b"{\"a\""), chunk(b":1}"), complete("{}")], false)).await;
    let response = response.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"application/octet-stream".parse().unwrap())
    );
    assert_eq!(response.into_body().collect(100).await.unwrap(), "{\"a\":1}");
    let response = open_all(vec![chunk(b"{\"statusCode\":204}"), complete("{}")]).await.unwrap();
    assert_eq!(response.status(), 204, "the reply of a function that does not stream");
}

#[tokio::test]
async fn an_error_before_the_head_is_one_of_the_function() {
    let ended = complete(r#"{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorType\":\"E\",\"errorMessage\":\"no\"}"}"#);
    assert_eq!(
        failed(vec![ended.clone()]).await,
        (ErrorKind::FunctionError, "the function f failed (Unhandled): E: no [x-amzn-requestid r-1]".to_owned())
    );
    let (kind, _) = failed(vec![chunk(&PRELUDE[..20]), ended]).await;
    assert_eq!(kind, ErrorKind::FunctionError);
    let (_, message) = failed(vec![complete(r#"{"ErrorCode":"Sandbox.Timedout"}"#)]).await;
    assert_eq!(message, "the function f failed (Sandbox.Timedout) [x-amzn-requestid r-1]");
}

#[tokio::test]
async fn a_stream_that_can_not_be_read_is_no_reply() {
    assert_eq!(failed(vec![]).await.0, ErrorKind::BadReply);
    assert_eq!(failed(vec![b"<html>no stream at all".to_vec()]).await.0, ErrorKind::BadReply);
    assert_eq!(failed(vec![chunk(&[b'{'; 1001])]).await.0, ErrorKind::BadReply);
    assert_eq!(failed(vec![complete("no JSON")]).await.0, ErrorKind::BadReply);
    assert_eq!(failed(vec![complete(&" ".repeat(300_000))]).await.0, ErrorKind::BadReply);
    let broken = written("exception", "ServiceException", b"{\"message\":\"overloaded\"}");
    let (kind, message) = failed(vec![broken]).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(message.contains("ServiceException") && message.contains("overloaded"), "{message}");
}

#[tokio::test]
async fn what_breaks_in_the_middle_never_looks_complete() {
    let mut damaged = chunk(b"more");
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let ends = [
        vec![complete(r#"{"ErrorCode":"Unhandled","ErrorDetails":"late"}"#)],
        vec![written("exception", "InternalFailure", b"")],
        vec![chunk(b"more")[..10].to_vec()],
        vec![damaged],
        vec![
            chunk(b"Lambda-Runtime-Function-Error-Type: E\r\nLambda-Runtime-Function-Error-Body: bGF0ZQ==\r\n"),
            complete("{}"),
        ],
        vec![],
    ];
    for end in ends {
        let pieces = [vec![chunk(PRELUDE), chunk(b"first")], end].concat();
        let mut body = open_all(pieces).await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
        body.collect(100).await.unwrap_err();
    }
}

#[tokio::test]
async fn events_of_a_later_version_are_passed_over() {
    let pieces =
        vec![written("event", "Heartbeat", b"?"), chunk(PRELUDE), written("event", "Heartbeat", b""), complete("{}")];
    let response = open_all(pieces).await.unwrap();
    assert_eq!(response.into_body().collect(100).await.unwrap(), "");
}

#[tokio::test(start_paused = true)]
async fn the_reply_ends_though_the_service_leaves_its_body_open() {
    let pieces = vec![chunk(PRELUDE), chunk(b"all"), complete("{}")];
    let response = open_as(Payload::ApiGatewayV2, body(pieces, true)).await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(5), response.into_body().collect(100));
    assert_eq!(read.await.expect("in time").unwrap(), "all");
}
