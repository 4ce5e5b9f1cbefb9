//! Request and reply.

use std::time::Duration;

use async_nats::{Client, HeaderMap, client::RequestErrorKind};
use callgate_testkit::peers::until;
use futures_util::StreamExt;
use http::Request;
use http_body_util::BodyExt;
use tokio::{sync::mpsc, task::JoinSet};

use crate::stage::{Stage, client, server, settled};

/// Answers each request of a subject by this function.
async fn respond<F>(client: &Client, subject: &'static str, answer: F) -> JoinSet<()>
where
    F: Fn(&[u8]) -> Vec<(HeaderMap, Vec<u8>)> + Send + 'static,
{
    let mut requests = client.subscribe(subject).await.unwrap();
    settled(client).await;
    let client = client.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(request) = requests.next().await {
            for (headers, body) in answer(&request.payload) {
                let inbox = request.reply.clone().unwrap();
                client.publish_with_headers(inbox, headers, body.into()).await.unwrap();
            }
        }
    });
    tasks
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_the_response() {
    let Some(server) = server("").await else { return };
    let stage = Stage::new(&server, "", &[("ask", "subject: ask, mode: request")]).await;
    let client = client(&server).await;
    let _responder = respond(&client, "ask", |body| {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", "text/plain");
        headers.insert("Nats-Service-Error-Code", "404");
        headers.insert("Nats-Service-Error", "not here");
        headers.append("X-Kind", "a");
        headers.append("X-Kind", "b");
        headers.insert("Transfer-Encoding", "chunked");
        vec![(headers, [b"got ", body].concat())]
    })
    .await;
    let answer = stage.post("/ask/x", "this").await;
    answer.succeeds(404);
    assert_eq!(answer.body, "got this");
    assert_eq!(answer.headers.get_all("x-kind").iter().count(), 2);
    assert!(!answer.headers.contains_key("transfer-encoding") && !answer.headers.contains_key("nats-service-error"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_and_no_answer_are_told_apart() {
    let Some(server) = server("").await else { return };
    let functions = [("ask", "subject: ask, mode: request"), ("many", "subject: ask, mode: request, max_replies: 3")];
    let stage = Stage::new(&server, "", &functions).await;
    for path in ["/ask/x", "/many/x"] {
        let nobody = stage.post(path, "").await;
        nobody.fails(503, "upstream_unavailable");
        assert!(nobody.headers.contains_key("retry-after"));
    }
    let client = client(&server).await;
    let _silent = respond(&client, "ask", |_| Vec::new()).await;
    for path in ["/quick/ask/x", "/quick/many/x"] {
        let silent = stage.post(path, "").await;
        silent.fails(504, "upstream_timeout");
        assert!(silent.json()["detail"].as_str().unwrap().contains("unknown"), "{silent:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_none_is_a_bad_reply() {
    let Some(server) = server("").await else { return };
    let stage = Stage::new(&server, "", &[("ask", "subject: ask, mode: request")]).await;
    let client = client(&server).await;
    let _responder = respond(&client, "ask", |_| {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Service-Error-Code", "99");
        vec![(headers, Vec::new())]
    })
    .await;
    stage.post("/ask/x", "").await.fails(502, "bad_upstream_reply");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_replies_are_one_response() {
    let Some(server) = server("").await else { return };
    let functions = [
        ("three", "subject: ask, mode: request, max_replies: 3"),
        ("ten", "subject: ask, mode: request, max_replies: 10"),
        ("idle", "subject: endless, mode: request, idle_timeout: 200ms"),
    ];
    let stage = Stage::new(&server, "", &functions).await;
    let client = client(&server).await;
    let part = |text: &str| (HeaderMap::new(), text.as_bytes().to_vec());
    let parts = move |_: &[u8]| vec![part("a"), part("b"), part("c"), part("d"), part(""), part("e")];
    let _responder = respond(&client, "ask", parts).await;
    let _endless = respond(&client, "endless", move |_| vec![part("x"), part("y")]).await;
    assert_eq!(stage.post("/three/x", "").await.body, "abc");
    assert_eq!(stage.post("/ten/x", "").await.body, "abcd", "an empty reply is the end");
    assert_eq!(stage.post("/idle/x", "").await.body, "xy", "silence is the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_are_sent_on_as_they_come_and_a_lost_connection_breaks_them() {
    let Some(mut server) = server("").await else { return };
    let stage = Stage::new(&server, "", &[("many", "subject: ask, mode: request, max_replies: 1000")]).await;
    let client = client(&server).await;
    let (next, mut nexts) = mpsc::channel::<&'static str>(1);
    let mut requests = client.subscribe("ask").await.unwrap();
    settled(&client).await;
    let replying = client.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let inbox = requests.next().await.unwrap().reply.unwrap();
        while let Some(text) = nexts.recv().await {
            replying.publish(inbox.clone(), text.into()).await.unwrap();
        }
    });
    next.send("one").await.unwrap();
    let mut body = stage.open(Request::post("/many/x"), "").await.into_body();
    for text in ["one", "two"] {
        if text == "two" {
            next.send("two").await.unwrap();
        }
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), text);
    }
    server.kill();
    let error = tokio::time::timeout(Duration::from_secs(30), body.frame()).await.unwrap().unwrap();
    assert!(error.is_err(), "a response that was cut off must not look complete");
}

/// What waits for a client that does not read is bounded, and whoever missed a reply is not told that this was all.
#[tokio::test(flavor = "multi_thread")]
async fn replies_that_nobody_reads_are_held_up_to_a_bound_and_then_the_response_breaks() {
    const HELD: usize = 1024;
    let Some(server) = server("").await else { return };
    let stage = Stage::new(&server, "", &[("many", "subject: ask, mode: request, max_replies: 1000000")]).await;
    let client = client(&server).await;
    let mut requests = client.subscribe("ask").await.unwrap();
    settled(&client).await;
    let (open, inbox) = tokio::join!(stage.open(Request::post("/many/x"), ""), async {
        let inbox = requests.next().await.unwrap().reply.unwrap();
        for number in 0..3 * HELD {
            client.publish(inbox.clone(), number.to_string().into()).await.unwrap();
        }
        inbox
    });
    // The gateway gives up its subscription as soon as a reply finds no place.
    let given_up = async || {
        let asked = tokio::time::timeout(Duration::from_millis(200), client.request(inbox.clone(), "more".into()));
        matches!(asked.await, Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders)
    };
    assert!(until(Duration::from_secs(20), given_up).await);
    let mut body = open.into_body();
    let mut read = 0;
    let error = loop {
        match body.frame().await.expect("a response that misses replies must not look complete") {
            Ok(frame) => assert_eq!(frame.into_data().unwrap(), read.to_string()),
            Err(error) => break error,
        }
        read += 1;
    };
    assert_eq!(read, 1 + HELD, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_given_up_leave_nothing_behind() {
    let Some(server) = server("").await else { return };
    let functions = [("ask", "subject: ask, mode: request"), ("many", "subject: ask, mode: request, max_replies: 2")];
    let stage = Stage::new(&server, "", &functions).await;
    let client = client(&server).await;
    let _silent = respond(&client, "ask", |_| Vec::new()).await;
    for _ in 0..5 {
        futures_util::future::join_all((0..40).map(|_| stage.post("/quick/many/x", ""))).await;
        futures_util::future::join_all((0..40).map(|_| stage.post("/quick/ask/x", ""))).await;
    }
    let _responder = respond(&client, "ask", |body| vec![(HeaderMap::new(), body.to_vec())]).await;
    let works = async || stage.post("/ask/x", "back").await.body == "back";
    assert!(until(Duration::from_secs(20), works).await);
}
