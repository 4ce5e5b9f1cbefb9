//! Asynchronous calls.

use callgate_core::Body;
use callgate_testkit::peers::OpenFaas;
use http::Request;
use tokio::{io::AsyncWriteExt, sync::mpsc};

use crate::stage::{LONG, Raw, Stage, head};

fn routes(callback: &str) -> String {
    format!(
        "  - {{match: \"/jobs/{{id}}\", to: {{upstream: faas, name: describe, mode: async, callback_url: \"{callback}/done/{{{{ params.id }}}}\"}}}}
  - {{match: \"/quiet/{{*rest}}\", to: {{upstream: faas, name: mirror, mode: async}}}}
  - {{match: /missing, to: {{upstream: faas, name: no-such-function, mode: async}}}}
  - {{match: /staged, to: {{upstream: faas, name: describe.staging, mode: async}}}}
"
    )
}

/// A receiver of callbacks: their heads, with what came along of their bodies.
async fn receiver() -> (Raw, mpsc::UnboundedReceiver<String>) {
    let (sender, received) = mpsc::unbounded_channel();
    let raw = Raw::with(move |mut stream| {
        let sender = sender.clone();
        async move {
            if let Some(request) = head(&mut stream).await {
                // A test that has seen enough is no failure.
                sender.send(request).ok();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok();
            }
        }
    })
    .await;
    (raw, received)
}

#[tokio::test]
async fn a_queued_call_is_202_and_its_reply_goes_to_the_callback() {
    let faas = OpenFaas::start().await.unwrap();
    let (receiver, mut received) = receiver().await;
    let stage = Stage::before(&faas, "", &routes(&receiver.url())).await;
    let request =
        Request::post("/jobs/7?x=1").header("x-callback-url", "http://evil.test/").body(Body::empty()).unwrap();
    let answer = stage.send(request).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, ""), "{answer:?}");
    let id = answer.headers["x-call-id"].to_str().unwrap();
    assert_eq!(id, answer.headers["x-request-id"].to_str().unwrap(), "one id names the call everywhere");
    let callback = tokio::time::timeout(LONG, received.recv()).await.unwrap().unwrap();
    assert!(callback.starts_with("POST /done/7 HTTP/1.1\r\n"), "{callback}");
    for line in [&format!("x-call-id: {id}"), "x-function-name: describe", "x-function-status: 200"] {
        assert!(callback.lines().any(|found| found == line), "{line} is not in {callback}");
    }
}

#[tokio::test]
async fn any_method_is_queued_as_post_and_a_clients_own_id_is_kept() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", &routes("http://unused.test")).await;
    for method in ["GET", "PUT", "POST", "DELETE"] {
        let request = Request::builder().method(method).uri("/quiet/a").header("x-call-id", "mine");
        let answer = stage.send(request.body(Body::from("text")).unwrap()).await;
        assert_eq!((answer.status, &answer.headers["x-call-id"]), (202, &"mine".parse().unwrap()), "{method}");
    }
}

#[tokio::test]
async fn a_function_that_is_not_there_is_refused_until_it_is() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", &routes("http://unused.test")).await;
    for path in ["/missing", "/staged"] {
        assert_eq!(stage.post(path, "").await.failure(), (502, "upstream_denied"), "{path}");
    }
    assert_eq!(faas.calls(), 0);
    faas.deploy("staging", "describe");
    let deployed = async || stage.post("/staged", "").await.status == 202;
    assert!(callgate_testkit::peers::until(LONG, deployed).await, "it is never seen");
}

#[tokio::test]
async fn many_calls_ask_once() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", &routes("http://unused.test")).await;
    let calls = (0..50).map(|_| stage.post("/quiet/a", "text"));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.status, 202);
    }
    assert_eq!(faas.lists(), 1);
}

#[tokio::test]
async fn without_leave_to_list_functions_a_call_is_queued_unchecked() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::new(&faas.url(), "", &routes("http://unused.test")).await;
    assert_eq!(stage.post("/missing", "").await.status, 202);
}

#[tokio::test]
async fn a_callback_that_a_value_would_lead_elsewhere_is_the_clients_error() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", &routes("http://unused.test")).await;
    for id in ["a%2Fb", "%2E%2E", "a%3Fb", "a%20b"] {
        let answer = stage.post(&format!("/jobs/{id}"), "").await;
        // A dot segment is resolved before it is matched: then no route is left.
        let expected = if id == "%2E%2E" { (404, "no_route") } else { (400, "bad_template_input") };
        assert_eq!(answer.failure(), expected, "{id}");
    }
    assert_eq!(faas.calls(), 0);
}
