//! Many calls whose answers come at once: more than the client library keeps.
//!
//! One thread runs everything of the gateway, so that while it is blocked all that the server sends waits in the socket.

use std::thread;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tokio::{runtime::Builder, task::yield_now};

use crate::{
    jetstream::{api, stream},
    stage::{Stage, client, server},
};

#[tokio::test(flavor = "current_thread")]
async fn a_burst_of_answers_loses_none_and_publishing_goes_on() {
    const CALLS: usize = 3000;
    let Some(server) = server("").await else { return };
    let client = client(&server).await;
    stream(&client, "KEPT", json!({"subjects": ["kept"], "storage": "memory"})).await;
    let functions = [("keep", "subject: kept, mode: jetstream"), ("tell", "subject: told")];
    let stage = Stage::new(&server, "", &functions).await;
    stage.post("/keep/x", "").await.succeeds(202);
    stage.post("/tell/x", "").await.succeeds(202);
    server.pause();
    let calls = (0..CALLS).map(|_| stage.post("/keep/x", ""));
    let calls = join(join_all(calls), join_all((0..10).map(|_| stage.post("/tell/x", ""))));
    let stall = async {
        // Everything is sent by then.
        for _ in 0..10_000 {
            yield_now().await;
        }
        server.resume();
        let url = server.url();
        thread::spawn(move || {
            Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let client = async_nats::connect(url).await.unwrap();
                let all = u64::try_from(CALLS).unwrap() + 1;
                while api(&client, "STREAM.INFO.KEPT", Value::Null).await["state"]["messages"] != all {}
            });
        })
        .join()
        .unwrap();
    };
    let ((kept, told), ()) = join(calls, stall).await;
    let unanswered = kept.iter().chain(&told).filter(|answer| answer.status != 202).count();
    assert_eq!(unanswered, 0, "of {CALLS}");
    stage.post("/tell/x", "").await.succeeds(202);
    stage.ready().await.unwrap();
}

const ONLY_OK: &str = "authorization: {users: [
  {user: gateway, password: pw, permissions: {publish: {allow: [\"ok.>\", \"_INBOX.>\"]}, subscribe: \"_INBOX.>\"}}
]}";

#[tokio::test(flavor = "current_thread")]
async fn none_of_many_refusals_at_once_is_missed() {
    let Some(server) = server(ONLY_OK).await else { return };
    let functions = [
        ("no", "subject: 'no.{{ params.v }}'"),
        ("ok", "subject: 'ok.{{ params.v }}'"),
        ("ask", "subject: 'no.ask.{{ params.v }}', mode: request"),
        ("many", "subject: 'no.many.{{ params.v }}', mode: request, max_replies: 3"),
    ];
    let stage = Stage::new(&server, ", credentials: {user: gateway, password: pw}", &functions).await;
    let calls = |function: &str, count: usize| {
        let paths: Vec<_> = (0..count).map(|number| format!("/{function}/{number}")).collect();
        let stage = &stage;
        async move { join_all(paths.iter().map(|path| stage.post(path, ""))).await }
    };
    let told = join(join(calls("no", 1000), calls("ask", 200)), join(calls("many", 200), calls("ok", 10)));
    let ((no, ask), (many, ok)) = told.await;
    let accepted = no.iter().filter(|answer| answer.status < 300).count();
    assert_eq!(accepted, 0, "a message that the server refused was said to be taken");
    for answer in no.iter().chain(&ask).chain(&many) {
        answer.fails(502, "upstream_denied");
    }
    // Whether these are taken may be left open among so many refusals, but not be denied.
    assert!(ok.iter().all(|answer| matches!(answer.status, 202 | 504)), "{ok:?}");
    stage.post("/ok/after", "").await.succeeds(202);
    stage.post("/no/after", "").await.fails(502, "upstream_denied");
}
