//! What goes wrong on the way to the service, and in the middle of its answers.

use std::sync::Arc;

use bytes::Bytes;
use callgate_core::{Body, BodyError};
use http::Request;
use http_body_util::BodyExt;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    gateway::Bed,
    wire::{StandIn, message},
};

/// A gateway with these settings of its upstream beside region and key, and these of its one route.
async fn gateway(settings: Value, route: &str) -> Bed {
    let mut lambda = json!({
        "region": "eu-west-1",
        "credentials": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "secret"},
    });
    for (name, value) in settings.as_object().unwrap() {
        lambda[name] = value.clone();
    }
    let document = format!("upstreams: {{aws: {{lambda: {lambda}}}}}\nroutes: [{{match: '/{{*rest}}', {route}}}]");
    Bed::start(&document).await
}

const BUFFERED: &str = "to: aws/f";
const STREAMED: &str = "to: {upstream: aws, function: f, stream: true}";

/// A service that reads each request's head and then sends these bytes and closes; without bytes it stays silent.
async fn raw(answer: Option<Vec<u8>>) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let mut service = JoinSet::new();
    service.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(speak(stream, answer.clone()));
        }
    });
    (endpoint, service)
}

async fn speak(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Option<Vec<u8>>) {
    let mut seen = Vec::new();
    while !seen.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
            return;
        }
    }
    if let Some(answer) = answer {
        stream.write_all(&answer).await.ok();
        // Reading on until the gateway lets go: a close with unread bytes would be a reset.
        stream.shutdown().await.ok();
    }
    stream.read_to_end(&mut Vec::new()).await.ok();
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_unreachable() {
    for route in [BUFFERED, STREAMED] {
        let bed = gateway(json!({"endpoint": "http://lambda.invalid"}), route).await;
        let answer = bed.get("/").await;
        answer.is_problem(502, "upstream_unreachable");
        assert!(!answer.text().contains("lambda.invalid"), "{answer:?}");
        assert!(bed.ready("aws").await.unwrap_err().contains("lambda.invalid"));
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_spoken_to() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["lambda.test".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut service = JoinSet::new();
    service.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{\"statusCode\":204}";
                    speak(stream, Some(reply.to_vec())).await;
                }
            });
        }
    });
    let settings = |tls: Value| json!({"endpoint": format!("https://localhost:{port}"), "tls": tls});
    let bed = gateway(settings(json!({"ca": ca})), BUFFERED).await;
    bed.get("/").await.is_problem(502, "upstream_unreachable");
    // The same certificate, under the name that it is for.
    let bed = gateway(settings(json!({"ca": ca, "server_name": "lambda.test"})), BUFFERED).await;
    assert_eq!(bed.get("/").await.status, 204);
}

#[tokio::test]
async fn a_service_that_is_slow_is_a_time_out() {
    let (endpoint, _service) = raw(None).await;
    for to in [BUFFERED, STREAMED] {
        let bed = gateway(json!({"endpoint": endpoint}), &format!("{to}, timeout: 150ms")).await;
        bed.get("/").await.is_problem(504, "upstream_timeout");
    }
    let (endpoint, _service) = raw(Some(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n".to_vec())).await;
    gateway(json!({"endpoint": endpoint}), BUFFERED).await.get("/").await.is_problem(502, "bad_upstream_reply");
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_a_bad_reply() {
    let (endpoint, _service) = raw(Some(b"220 smtp.example.com ESMTP\r\n\r\n".to_vec())).await;
    for to in [BUFFERED, STREAMED] {
        gateway(json!({"endpoint": endpoint}), to).await.get("/").await.is_problem(502, "bad_upstream_reply");
    }
}

/// The head of an answer that streams, and chunks of HTTP around these messages.
fn streaming(messages: &[Vec<u8>], whole: bool) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\
        x-amzn-requestid: r-1\r\ntransfer-encoding: chunked\r\n\r\n"
        .to_vec();
    for message in messages {
        answer.extend_from_slice(format!("{:x}\r\n", message.len()).as_bytes());
        answer.extend_from_slice(message);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(if whole { b"0\r\n\r\n" } else { b"" });
    answer
}

const PRELUDE: &[u8] =
    b"{\"statusCode\":201,\"headers\":{\"x-a\":\"1\"},\"cookies\":[\"c=1\",\"d=2\"]}\0\0\0\0\0\0\0\0";

async fn streamed(answer: Vec<u8>) -> (Bed, JoinSet<()>) {
    let (endpoint, service) = raw(Some(answer)).await;
    (gateway(json!({"endpoint": endpoint}), STREAMED).await, service)
}

#[tokio::test]
async fn a_streamed_reply_has_the_head_of_its_prelude() {
    let messages = [
        message("PayloadChunk", PRELUDE),
        message("PayloadChunk", b"hello "),
        message("PayloadChunk", b"you"),
        message("InvokeComplete", b"{}"),
    ];
    let (bed, _service) = streamed(streaming(&messages, true)).await;
    let answer = bed.get("/").await;
    assert_eq!((answer.status.as_u16(), answer.header("x-a")), (201, Some("1")));
    assert_eq!(answer.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["c=1", "d=2"]);
    assert_eq!(answer.text(), "hello you");
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("x-amz")), "{answer:?}");
}

#[tokio::test]
async fn a_stream_that_is_cut_off_breaks_the_clients_connection() {
    let begin = [message("PayloadChunk", PRELUDE), message("PayloadChunk", b"first")];
    let failed = message("InvokeComplete", br#"{"ErrorCode":"Unhandled","ErrorDetails":"late"}"#);
    let ends = [streaming(&begin, false), streaming(&begin, true), streaming(&[&begin[..], &[failed]].concat(), true)];
    for answer in ends {
        let (bed, _service) = streamed(answer).await;
        let mut body = bed.open(Request::get("/").body(Body::empty()).unwrap()).await.into_body();
        let mut read = Vec::new();
        let error = loop {
            match body.frame().await.expect("the body has no clean end") {
                Ok(frame) => read.extend_from_slice(&frame.into_data().unwrap()),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, BodyError::Cut(_)), "{error}");
        assert!(read.is_empty() || read == b"first");
    }
}

#[tokio::test]
async fn a_stream_that_fails_before_its_head_is_answered_by_a_problem() {
    let failed = message("InvokeComplete", br#"{"ErrorCode":"Unhandled","ErrorDetails":"inner"}"#);
    let (bed, _service) = streamed(streaming(&[failed], true)).await;
    let answer = bed.get("/").await;
    answer.is_problem(502, "function_error");
    assert!(!answer.text().contains("inner"), "{answer:?}");
    let (bed, _service) = streamed(streaming(&[message("PayloadChunk", &PRELUDE[..10])], true)).await;
    bed.get("/").await.is_problem(502, "bad_upstream_reply");
}

#[tokio::test]
async fn refusals_of_a_streaming_call_are_those_of_any_call() {
    for (status, kind, code, own) in [
        (429, "TooManyRequestsException", "upstream_throttled", 503),
        (404, "ResourceNotFoundException", "upstream_denied", 502),
        (413, "RequestTooLargeException", "body_too_large", 413),
        (500, "ServiceException", "upstream_unavailable", 503),
    ] {
        let service = StandIn::start(move |_, _| {
            let response = http::Response::builder().status(status).header("x-amzn-errortype", kind);
            response.header("retry-after", "7").body(Bytes::from_static(b"{\"Message\":\"inner\"}")).unwrap()
        })
        .await;
        let answer = gateway(json!({"endpoint": service.endpoint}), STREAMED).await.get("/").await;
        answer.is_problem(own, code);
        if status == 429 {
            assert_eq!(answer.header("retry-after"), Some("7"));
        }
        assert_eq!(service.asked()[0].uri(), "/2021-11-15/functions/f/response-streaming-invocations");
    }
}

#[tokio::test]
async fn a_connection_serves_the_next_call_after_a_stream_has_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let messages = [message("PayloadChunk", PRELUDE), message("PayloadChunk", b"all"), message("InvokeComplete", b"")];
    let answer = streaming(&messages, true);
    let mut service = JoinSet::new();
    service.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        loop {
            if read_request(&mut stream).await.is_none() {
                return;
            }
            stream.write_all(&answer).await.unwrap();
        }
    });
    let bed = gateway(json!({"endpoint": endpoint}), STREAMED).await;
    for _ in 0..3 {
        assert_eq!(bed.get("/").await.text(), "all");
    }
}

/// Reads a request with its body, by its length.
async fn read_request(stream: &mut TcpStream) -> Option<()> {
    let mut seen = Vec::new();
    loop {
        if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&seen).to_ascii_lowercase();
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next()?.parse().ok());
        if seen.len() >= end + 4 + length.unwrap_or(0) {
            return Some(());
        }
    }
}
