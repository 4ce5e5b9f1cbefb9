//! Every failure of the table, by making the other side fail.

use std::sync::Arc;

use callgate_core::Body;
use callgate_testkit::peers::{GoogleTokens, http::Server, present};
use http::Request;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::stage::{Answer, Raw, Stage, refusing};

async fn answer(url: &str) -> Answer {
    Stage::one(&format!("{{url: \"{url}\", credentials: none}}")).await.get("/").await
}

fn told_nothing(answer: &Answer) {
    for internal in ["127.0.0.1", "functions.invalid", "gserviceaccount", "/tmp"] {
        assert!(!answer.body.contains(internal), "{answer:?}");
    }
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
}

#[tokio::test]
async fn no_connection_is_unreachable() {
    for url in [refusing(), "https://functions.invalid".to_owned()] {
        let answer = answer(&url).await;
        assert_eq!(answer.failure(), (502, "upstream_unreachable"), "{url}");
        told_nothing(&answer);
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_unreachable() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["other.test".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The client ends the handshake.
            drop(acceptor.accept(stream).await);
        }
    });
    let options =
        format!("{{url: \"https://localhost:{port}\", credentials: none, tls: {{ca: \"{}\"}}}}", ca.display());
    let answer = Stage::one(&options).await.get("/").await;
    assert_eq!(answer.failure(), (502, "upstream_unreachable"));
    told_nothing(&answer);
}

#[tokio::test]
async fn a_slow_function_is_a_timeout() {
    let server = Server::start().await.unwrap();
    let options = format!("{{url: \"{}/hang\", credentials: none}}", server.url());
    let stage = Stage::with(&options, &["{match: /, to: functions, timeout: 200ms}"]).await;
    let answer = stage.get("/").await;
    assert_eq!(answer.failure(), (504, "upstream_timeout"));
    told_nothing(&answer);
}

#[tokio::test]
async fn broken_replies_are_told_or_break_off_too() {
    for reply in
        ["", "HTTP/1.1 200 OK\r\nconte", "no HTTP\r\n\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n"]
    {
        let server = Raw::answering(reply);
        assert_eq!(answer(&server.url).await.failure(), (502, "bad_upstream_reply"), "{reply}");
    }
    // A small page of text is looked at before its head goes on, so that its end can still be told.
    let page = "HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 500\r\n\r\n<html> cut";
    let server = Raw::answering(page);
    assert_eq!(answer(&server.url).await.failure(), (502, "bad_upstream_reply"));
    let server = Raw::answering("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello cut");
    let stage = Stage::one(&format!("{{url: \"{}\", credentials: none}}", server.url)).await;
    let reply = stage.send(Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status(), 200);
    assert!(reply.into_body().collect(1 << 20).await.is_err(), "it never looks complete");
}

#[tokio::test]
async fn a_request_over_the_limit_is_refused_before_the_call() {
    let server = Raw::replying("200 OK", "", "");
    let options = format!("{{url: \"{}\", credentials: none}}", server.url);
    let stage = Stage::with(&options, &["{match: /, to: functions, limits: {max_body: 1KiB}}"]).await;
    let answer = stage.call(Request::post("/").body(vec![0; 1025].into()).unwrap()).await;
    assert_eq!(answer.failure(), (413, "body_too_large"));
    assert_eq!(server.requests(), 0);
}

/// A gateway whose token services are in trouble, before a function that would answer.
async fn without_tokens(trouble: serde_json::Value, route: &str) -> Option<(Answer, GoogleTokens, Raw)> {
    let peer = present(GoogleTokens::start().await)?;
    let function = Raw::replying("200 OK", "", "served");
    peer.set_trouble(trouble).await.unwrap();
    let file = peer.credentials("service_account");
    let options = format!("{{url: \"{}\", credentials: {{file: \"{}\"}}}}", function.url, file.display());
    let stage = Stage::with(&options, &[route]).await;
    let answer = stage.get("/").await;
    assert_eq!(function.requests(), 0, "no call goes out without its token");
    told_nothing(&answer);
    Some((answer, peer, function))
}

const ROUTE: &str = "{match: /, to: functions}";

#[tokio::test]
async fn a_token_endpoint_that_is_down_is_unavailable() {
    let trouble = json!({"path": "/token", "status": 503});
    let Some((answer, ..)) = without_tokens(trouble, ROUTE).await else { return };
    assert_eq!(answer.failure(), (503, "upstream_unavailable"));
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn a_token_endpoint_that_denies_is_denied() {
    let trouble = json!({"path": "/token", "status": 400, "body": "{\"error\": \"invalid_grant\"}"});
    let Some((answer, ..)) = without_tokens(trouble, ROUTE).await else { return };
    assert_eq!(answer.failure(), (502, "upstream_denied"));
}

#[tokio::test]
async fn a_token_endpoint_that_throttles_is_throttled_with_its_wait() {
    let trouble = json!({"path": "/token", "status": 429, "headers": {"retry-after": "17"}});
    let Some((answer, ..)) = without_tokens(trouble, ROUTE).await else { return };
    assert_eq!(answer.failure(), (503, "upstream_throttled"));
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((3..=17).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_token_endpoint_that_is_slow_is_a_timeout() {
    let trouble = json!({"path": "/token", "stall": true});
    let route = "{match: /, to: functions, timeout: 200ms}";
    let Some((answer, peer, _)) = without_tokens(trouble, route).await else { return };
    assert_eq!(answer.failure(), (504, "upstream_timeout"));
    peer.set_trouble(json!({})).await.unwrap();
}
