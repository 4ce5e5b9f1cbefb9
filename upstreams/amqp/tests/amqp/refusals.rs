//! What the broker does not take.

use std::sync::Arc;

use callgate_testkit::peers::Permissions;
use futures_util::future::join_all;
use http::Request;
use lapin::types::AMQPValue;

use crate::{
    bed::{Bed, LARGEST},
    stage::Stage,
};

pub(crate) async fn a_message_that_no_queue_takes_is_unroutable(bed: Arc<Bed>) {
    let nowhere = bed.name("nowhere");
    let functions = [
        ("new", &*format!("routing_key: {nowhere}")),
        ("lax", &*format!("routing_key: {nowhere}, mandatory: false")),
        ("ask", &*format!("routing_key: {nowhere}, mode: request")),
    ];
    let stage = Stage::new(&bed, "", &functions).await;
    for _ in 0..3 {
        let answer = stage.post("/new/x", "").await;
        answer.fails(502, "unroutable");
        assert!(answer.json()["detail"].as_str().unwrap().contains("no queue"), "{answer:?}");
        stage.post("/ask/x", "").await.fails(502, "unroutable");
        stage.post("/lax/x", "").await.succeeds(202);
    }
}

pub(crate) async fn a_full_queue_throttles(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("full"));
    let arguments =
        [("x-max-length", AMQPValue::LongInt(1)), ("x-overflow", AMQPValue::LongString("reject-publish".into()))];
    client.queue_with(&queue, &arguments).await;
    let stage = Stage::new(&bed, "", &[("new", &format!("routing_key: {queue}"))]).await;
    stage.post("/new/x", "").await.succeeds(202);
    for _ in 0..3 {
        let answer = stage.post("/new/x", "").await;
        answer.fails(503, "upstream_throttled");
        assert!(answer.headers.contains_key("retry-after"));
    }
    client.take(&queue).await.unwrap();
    stage.post("/new/x", "").await.succeeds(202);
}

/// Calls the function `bad` many times beside many of `good`, which have to succeed.
async fn beside(stage: &Stage, bad: impl Fn(usize) -> Request<()>, body: usize, status: u16, code: &str) {
    for _ in 0..3 {
        let calls = (0..60).map(|number| {
            let bad = bad(number);
            async move {
                if number % 4 == 0 {
                    let request = Request::post(bad.uri());
                    stage.send(request, vec![b'x'; body]).await.fails(status, code);
                } else {
                    stage.post("/good/x", "").await.succeeds(202);
                }
            }
        });
        join_all(calls).await;
    }
}

pub(crate) async fn an_unknown_exchange_is_told_and_nothing_else_suffers(bed: Arc<Bed>) {
    let (client, queue, exchange) = (bed.client().await, bed.name("good"), bed.name("missing"));
    client.queue(&queue).await;
    let functions = [
        ("good", &*format!("routing_key: {queue}")),
        ("bad", &*format!("routing_key: a, exchange: {exchange}")),
        ("ask", &*format!("routing_key: a, exchange: {exchange}, mode: request")),
    ];
    let stage = Stage::new(&bed, ", channels: 2", &functions).await;
    beside(&stage, |_| Request::post("/bad/x").body(()).unwrap(), 0, 502, "unroutable").await;
    let answer = stage.post("/bad/x", "").await;
    assert!(answer.json()["detail"].as_str().unwrap().contains("no exchange"), "{answer:?}");
    stage.post("/ask/x", "").await.fails(502, "unroutable");
    let told = stage.ready().await.unwrap_err();
    assert!(told.contains(&exchange), "{told}");
    // It may come later, and go again.
    client.exchange(&exchange, &queue, "#").await;
    stage.post("/bad/x", "").await.succeeds(202);
    stage.ready().await.unwrap();
    client.channel.exchange_delete(exchange.as_str().into(), Default::default()).await.unwrap();
    // What was under way at that moment may have come in before.
    let after = stage.post("/bad/x", "").await;
    assert!([502, 504].contains(&after.status), "{after:?}");
    stage.post("/bad/x", "").await.fails(502, "unroutable");
    stage.post("/good/x", "").await.succeeds(202);
}

pub(crate) async fn what_the_user_may_not_do_is_told_and_nothing_else_suffers(bed: Arc<Bed>) {
    let (client, queue, exchange) = (bed.client().await, bed.name("good"), bed.name("may"));
    let user = bed.name("narrow");
    client.queue(&queue).await;
    client.exchange(&exchange, &queue, "#").await;
    let write = format!("^({exchange})$");
    let may = Permissions { configure: "^$", write: &write, read: "^$" };
    {
        let node = bed.node().await;
        node.add_user(&user, "narrow-pw", may).await.unwrap();
        let topics = format!(
            "rabbit_auth_backend_internal:set_topic_permissions(<<\"{user}\">>, <<\"/\">>, <<\"{exchange}\">>, \
             <<\"^(good|ask)\">>, <<\"\">>, <<\"test\">>)"
        );
        node.evaluate(&topics).await.unwrap();
    }
    let functions = [
        ("good", &*format!("routing_key: good.a, exchange: {exchange}")),
        ("bad", "routing_key: a, exchange: amq.topic"),
        ("key", &*format!("routing_key: 'bad.{{{{ params.v }}}}', exchange: {exchange}")),
        ("ask", "routing_key: a, exchange: amq.topic, mode: request"),
    ];
    let upstream = format!("{{url: \"amqp://{user}:narrow-pw@{}\", channels: 2}}", bed.address);
    let stage = Stage::of(&upstream, &functions).await;
    beside(&stage, |_| Request::post("/bad/x").body(()).unwrap(), 0, 502, "upstream_denied").await;
    let keys = |number| Request::post(format!("/key/{number}")).body(()).unwrap();
    beside(&stage, keys, 0, 502, "upstream_denied").await;
    stage.post("/ask/x", "").await.fails(502, "upstream_denied");
    let answer = stage.post("/bad/x", "").await;
    assert!(!answer.body.contains(&user) && !answer.body.contains("amq.topic"), "{answer:?}");
}

pub(crate) async fn a_message_that_is_too_large_is_413_and_nothing_else_suffers(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("sizes"));
    client.queue(&queue).await;
    let function = format!("routing_key: {queue}");
    let stage = Stage::new(&bed, ", channels: 2", &[("good", &function), ("bad", &function)]).await;
    beside(&stage, |_| Request::post("/bad/x").body(()).unwrap(), LARGEST + 1, 413, "body_too_large").await;
    stage.send(Request::post("/bad/x"), vec![b'x'; LARGEST]).await.succeeds(202);
}

pub(crate) async fn headers_that_are_too_large_are_413(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("heads"));
    client.queue(&queue).await;
    let function = format!("routing_key: {queue}, headers: {{forward: ['x-*']}}");
    let stage = Stage::new(&bed, "", &[("new", &function)]).await;
    let large = Request::post("/new/x").header("x-large", "y".repeat(140_000));
    stage.send(large, "").await.fails(413, "body_too_large");
    let fits = Request::post("/new/x").header("x-large", "y".repeat(120_000));
    stage.send(fits, "").await.succeeds(202);
}
