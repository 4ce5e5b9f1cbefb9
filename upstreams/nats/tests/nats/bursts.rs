//! Many calls whose answers come at once: more than the client library keeps.
//!
//! One thread runs everything of the gateway, so that while it is blocked all that the server sends waits in the socket.

use std::thread;

use async_nats::ConnectOptions;
use callgate_testkit::peers::NatsServer;
use futures_util::future::{join, join_all, join3};
use serde_json::{Value, json};
use tokio::{runtime::Builder, task::yield_now};

use crate::{
    jetstream::{api, stream},
    stage::{Answer, Stage, client, server},
};

/// Blocks the thread, and the gateway with it, until the stream has so many messages.
fn stall(options: ConnectOptions, url: String, stream: &'static str, messages: u64) {
    let waited = thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let client = options.connect(url).await.unwrap();
            let info = format!("STREAM.INFO.{stream}");
            while api(&client, &info, Value::Null).await["state"]["messages"] != messages {}
        });
    });
    waited.join().unwrap();
}

/// Lets the gateway send all that it can.
async fn sent() {
    for _ in 0..10_000 {
        yield_now().await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_burst_of_answers_loses_none_and_publishing_goes_on() {
    let Some(server) = server("").await else { return };
    let stage = Stage::new(&server, "", KEEPING).await;
    answers(&server, &stage).await;
}

pub(crate) const KEEPING: &[(&str, &str)] = &[("keep", "subject: kept, mode: jetstream"), ("tell", "subject: told")];

pub(crate) async fn answers(server: &NatsServer, stage: &Stage) {
    const CALLS: u32 = 3000;
    stream(&client(server).await, "KEPT", json!({"subjects": ["kept"], "storage": "memory"})).await;
    stage.post("/keep/x", "").await.succeeds(202);
    stage.post("/tell/x", "").await.succeeds(202);
    server.pause();
    let calls = (0..CALLS).map(|_| stage.post("/keep/x", ""));
    let calls = join(join_all(calls), join_all((0..10).map(|_| stage.post("/tell/x", ""))));
    let stalled = async {
        sent().await;
        server.resume();
        stall(ConnectOptions::new(), server.url(), "KEPT", u64::from(CALLS) + 1);
    };
    let ((kept, told), ()) = join(calls, stalled).await;
    let unanswered = kept.iter().chain(&told).filter(|answer| answer.status != 202).count();
    assert_eq!(unanswered, 0, "of {CALLS}");
    stage.post("/tell/x", "").await.succeeds(202);
    stage.ready().await.unwrap();
}

const ONLY_OK: &str = "authorization: {users: [
  {user: admin, password: pw},
  {user: gateway, password: pw, permissions: {publish: {allow: [\"ok.>\", \"_INBOX.>\"]}, subscribe: \"_INBOX.>\"}}
]}";
pub(crate) const GATEWAY: &str = ", credentials: {user: gateway, password: pw}";

/// So many calls of a function at once, each with a subject of its own.
async fn at_once(stage: &Stage, function: &str, count: usize) -> Vec<Answer> {
    let paths: Vec<_> = (0..count).map(|number| format!("/{function}/{number}")).collect();
    join_all(paths.iter().map(|path| stage.post(path, ""))).await
}

#[tokio::test(flavor = "current_thread")]
async fn a_burst_of_refusals_hides_none() {
    let Some(server) = server(ONLY_OK).await else { return };
    let stage = Stage::new(&server, GATEWAY, REFUSED).await;
    refusals(&server, &stage).await;
}

pub(crate) const REFUSED: &[(&str, &str)] =
    &[("no", "subject: 'no.{{ params.v }}'"), ("ok", "subject: 'ok.{{ params.v }}'")];

pub(crate) async fn refusals(server: &NatsServer, stage: &Stage) {
    let admin = || ConnectOptions::new().user_and_password("admin".to_owned(), "pw".to_owned());
    let client = admin().connect(server.url()).await.unwrap();
    stream(&client, "LAST", json!({"subjects": ["ok.last"], "storage": "memory"})).await;
    stage.post("/ok/last", "").await.succeeds(202);
    server.pause();
    let stalled = async {
        sent().await;
        server.resume();
        stall(admin(), server.url(), "LAST", 2);
    };
    let (no, last, ()) = join3(at_once(stage, "no", 1000), stage.post("/ok/last", ""), stalled).await;
    let accepted = no.iter().filter(|answer| answer.status < 300).count();
    assert_eq!(accepted, 0, "messages that the server refused were said to be taken");
    no.iter().for_each(|answer| answer.fails(502, "upstream_denied"));
    last.succeeds(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_all_modes_at_once_are_all_told() {
    let Some(server) = server(ONLY_OK).await else { return };
    let functions = [
        ("no", "subject: 'no.{{ params.v }}'"),
        ("ok", "subject: 'ok.{{ params.v }}'"),
        ("ask", "subject: 'no.ask.{{ params.v }}', mode: request"),
        ("many", "subject: 'no.many.{{ params.v }}', mode: request, max_replies: 3"),
    ];
    let stage = Stage::new(&server, GATEWAY, &functions).await;
    let (no, ask) = (at_once(&stage, "no", 1000), at_once(&stage, "ask", 200));
    let (many, ok) = (at_once(&stage, "many", 200), at_once(&stage, "ok", 10));
    let ((no, ask), (many, ok)) = join(join(no, ask), join(many, ok)).await;
    for answer in no.iter().chain(&ask).chain(&many) {
        answer.fails(502, "upstream_denied");
    }
    // Whether these are taken may be left open among so many refusals, but they are not denied.
    assert!(ok.iter().all(|answer| matches!(answer.status, 202 | 504)), "{ok:?}");
    stage.post("/ok/after", "").await.succeeds(202);
    stage.post("/no/after", "").await.fails(502, "upstream_denied");
}
