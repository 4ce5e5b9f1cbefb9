//! Request and reply.

use std::{sync::Arc, time::Duration};

use callgate_testkit::peers::until;
use futures_util::{StreamExt, future::join_all};
use lapin::{
    BasicProperties,
    options::BasicConsumeOptions,
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::task::JoinSet;

use crate::{
    bed::{Bed, Client},
    stage::Stage,
};

/// Answers each request of a queue by this function.
pub(crate) async fn respond<F>(client: &Client, queue: &str, answer: F) -> JoinSet<()>
where
    F: Fn(&[u8]) -> Option<(FieldTable, Vec<u8>)> + Send + 'static,
{
    client.queue(queue).await;
    let (options, tag) = (BasicConsumeOptions { no_ack: true, ..Default::default() }, ShortString::default());
    let consumer = client.channel.basic_consume(queue.into(), tag, options, FieldTable::default()).await;
    let (mut requests, channel) = (consumer.unwrap(), client.channel.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(Ok(request)) = requests.next().await {
            let Some((headers, body)) = answer(&request.data) else { continue };
            let properties = BasicProperties::default()
                .with_content_type("text/plain".into())
                .with_headers(headers)
                .with_correlation_id(request.properties.correlation_id().clone().unwrap());
            let to = request.properties.reply_to().clone().unwrap();
            channel.basic_publish("".into(), to, Default::default(), &body, properties).await.unwrap();
        }
    });
    tasks
}

pub(crate) async fn a_reply_is_the_response(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("ask"));
    let stage = Stage::new(&bed, "", &[("ask", &format!("routing_key: {queue}, mode: request"))]).await;
    let _responder = respond(&client, &queue, |body| {
        let mut headers = FieldTable::default();
        headers.insert("callgate-status".into(), AMQPValue::LongInt(404));
        let kinds = vec![AMQPValue::LongString("a".into()), AMQPValue::LongString("b".into())];
        headers.insert("x-kind".into(), AMQPValue::FieldArray(kinds.into()));
        headers.insert("transfer-encoding".into(), AMQPValue::LongString("chunked".into()));
        headers.insert("x-death".into(), AMQPValue::LongString("no".into()));
        Some((headers, [b"got ", body].concat()))
    })
    .await;
    // The first goes alone, the others through the lanes.
    for _ in 0..3 {
        let answer = stage.post("/ask/x", "this").await;
        answer.succeeds(404);
        assert_eq!(answer.body, "got this");
        assert_eq!(answer.headers["content-type"], "text/plain");
        assert_eq!(answer.headers.get_all("x-kind").iter().count(), 2);
        for name in ["transfer-encoding", "x-death", "callgate-status"] {
            assert!(!answer.headers.contains_key(name), "{name}: {answer:?}");
        }
    }
}

pub(crate) async fn nobody_and_no_answer_are_told_apart(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("silent"));
    let stage = Stage::new(&bed, "", &[("ask", &format!("routing_key: {queue}, mode: request"))]).await;
    stage.post("/ask/x", "").await.fails(502, "unroutable");
    client.queue(&queue).await;
    for _ in 0..2 {
        let silent = stage.post("/quick/ask/x", "").await;
        silent.fails(504, "upstream_timeout");
        assert!(silent.json()["detail"].as_str().unwrap().contains("unknown"), "{silent:?}");
    }
    // A request that nobody waits for any more is not kept for consumers that come later.
    let gone = async || client.count(&queue).await == 0;
    assert!(until(Duration::from_secs(20), gone).await);
}

pub(crate) async fn a_status_that_is_none_is_a_bad_reply(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("status"));
    let stage = Stage::new(&bed, "", &[("ask", &format!("routing_key: {queue}, mode: request"))]).await;
    let _responder = respond(&client, &queue, |_| {
        let mut headers = FieldTable::default();
        headers.insert("callgate-status".into(), AMQPValue::LongString("99".into()));
        Some((headers, Vec::new()))
    })
    .await;
    stage.post("/ask/x", "").await.fails(502, "bad_upstream_reply");
}

pub(crate) async fn replies_never_cross(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("cross"));
    let _responder = respond(&client, &queue, |body| Some((FieldTable::default(), body.to_vec()))).await;
    let function = format!("routing_key: {queue}, mode: request");
    let stage = Stage::new(&bed, ", channels: 2", &[("ask", &function)]).await;
    for _ in 0..3 {
        let calls = (0..200).map(|number| {
            let stage = &stage;
            async move {
                let text = format!("call {number}");
                let request = http::Request::post("/ask/x");
                assert_eq!(stage.send(request, text.clone()).await.body, text);
            }
        });
        join_all(calls).await;
    }
}

pub(crate) async fn calls_that_are_given_up_leave_nothing_behind(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("given-up"));
    let silent = respond(&client, &queue, |_| None).await;
    let stage = Stage::new(&bed, "", &[("ask", &format!("routing_key: {queue}, mode: request"))]).await;
    for _ in 0..5 {
        join_all((0..40).map(|_| stage.post("/quick/ask/x", ""))).await;
    }
    drop(silent);
    let _responder = respond(&client, &queue, |body| Some((FieldTable::default(), body.to_vec()))).await;
    let works = async || stage.post("/ask/x", "back").await.body == "back";
    assert!(until(Duration::from_secs(20), works).await);
}
