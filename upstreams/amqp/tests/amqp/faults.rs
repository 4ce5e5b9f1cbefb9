//! A broker that goes away and comes back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use callgate_testkit::peers::{Fault, FaultProxy, until};
use futures_util::future::join_all;
use lapin::types::FieldTable;

use crate::{bed::Bed, request::respond, stage::Stage};

/// A node may take long to come back on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

async fn works(stage: &Stage, path: &str) {
    let works = async || stage.post(path, "").await.status == 202;
    assert!(until(LIMIT, works).await, "{:?}", stage.post(path, "").await);
}

pub(crate) async fn a_silent_broker_leaves_the_outcome_unknown(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("silent"));
    client.queue(&queue).await;
    let function = format!("routing_key: {queue}");
    let stage = Stage::new(&bed, "", &[("new", &function), ("first", &function)]).await;
    stage.post("/quick/new/x", "a first one").await.succeeds(202);
    let node = bed.node().await;
    node.pause();
    let answer = stage.post("/quick/new/x", "unknown").await;
    answer.fails(504, "upstream_timeout");
    assert!(answer.json()["detail"].as_str().unwrap().contains("unknown"), "{answer:?}");
    // A first message goes on a channel of its own, for which the broker is asked before.
    let first = stage.post("/quick/first/x", "never").await;
    first.fails(503, "upstream_throttled");
    assert!(first.json()["detail"].as_str().unwrap().contains("not sent"), "{first:?}");
    node.resume();
    works(&stage, "/new/x").await;
    works(&stage, "/first/x").await;
    // What was sent while the broker stood still has come, what was not has not.
    let mut bodies = Vec::new();
    while let Some(message) = client.take(&queue).await {
        bodies.push(String::from_utf8(message.delivery.data).unwrap());
    }
    assert!(bodies.contains(&"unknown".to_owned()) && !bodies.contains(&"never".to_owned()), "{bodies:?}");
}

/// Both attempts reach the broker, which keeps both: consumers know the repetition by its id.
pub(crate) async fn all_attempts_of_a_request_have_one_id(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("once"));
    client.queue(&queue).await;
    let function = format!("routing_key: {queue}, message_id: '{{{{ uuid() }}}}'");
    let policies = "retry: {attempts: 2, backoff: {initial: 0ms}, budget: 100%}\n    timeout: {attempt: 1s}";
    let stage = Stage::of(&format!("{{url: \"{}\"}}\n    {policies}", bed.url), &[("new", &function)]).await;
    // One that is larger than all before would go on a channel of its own, for which the broker is asked before.
    stage.post("/new/x", "a first one").await.succeeds(202);
    let id = |message: lapin::message::BasicGetMessage| {
        message.delivery.properties.message_id().clone().unwrap().to_string()
    };
    let mut former = Vec::new();
    while let Some(message) = client.take(&queue).await {
        former.push(id(message));
    }
    let node = bed.node().await;
    node.pause();
    stage.post("/new/x", "unknown").await.fails(504, "upstream_timeout");
    node.resume();
    let mut found = Vec::new();
    let both = async || {
        found.extend(client.take(&queue).await.map(id));
        found.len() == 2
    };
    assert!(until(LIMIT, both).await);
    assert_eq!(found[0], found[1]);
    assert!(!former.contains(&found[0]));
}

pub(crate) async fn a_blocked_connection_throttles(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("blocked"));
    client.queue(&queue).await;
    let function = format!("routing_key: {queue}");
    let stage = Stage::new(&bed, "", &[("new", &function)]).await;
    stage.post("/new/x", "").await.succeeds(202);
    let node = bed.node().await;
    node.evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.000001)").await.unwrap();
    // The broker tells a connection only once it publishes; that message may still be taken in later.
    let throttled = async || {
        let answer = stage.post("/quick/new/x", "").await;
        if answer.status == 504 {
            assert!(answer.json()["detail"].as_str().unwrap().contains("unknown"), "{answer:?}");
        }
        answer.code.as_deref() == Some("upstream_throttled")
    };
    assert!(until(LIMIT, throttled).await);
    let answer = stage.post("/new/x", "").await;
    answer.fails(503, "upstream_throttled");
    assert!(answer.headers.contains_key("retry-after"));
    stage.ready().await.unwrap_err();
    node.evaluate("vm_memory_monitor:set_vm_memory_high_watermark({absolute, 1000000000})").await.unwrap();
    works(&stage, "/new/x").await;
    stage.ready().await.unwrap();
}

pub(crate) async fn a_connection_that_is_cut_is_made_again(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("cut"));
    client.queue(&queue).await;
    let proxy = FaultProxy::start(bed.address.parse().unwrap()).await.unwrap();
    let upstream = format!("{{url: \"amqp://guest:guest@{}\"}}", proxy.address());
    let stage = Stage::of(&upstream, &[("new", &format!("routing_key: {queue}"))]).await;
    stage.post("/new/x", "").await.succeeds(202);
    proxy.set(Fault::Refuse);
    let gone = async || stage.post("/new/x", "").await.code.as_deref() == Some("upstream_unavailable");
    assert!(until(LIMIT, gone).await);
    stage.ready().await.unwrap_err();
    proxy.set(Fault::None);
    works(&stage, "/new/x").await;
    stage.ready().await.unwrap();
}

pub(crate) async fn another_broker_of_the_list_takes_over(bed: Arc<Bed>) {
    let (client, queue) = (bed.client().await, bed.name("next"));
    client.queue(&queue).await;
    let proxy = FaultProxy::start(bed.address.parse().unwrap()).await.unwrap();
    let upstream = format!("{{url: [\"amqp://guest:guest@{}\", \"{}\"]}}", proxy.address(), bed.url);
    let stage = Stage::of(&upstream, &[("new", &format!("routing_key: {queue}"))]).await;
    stage.post("/new/x", "").await.succeeds(202);
    proxy.set(Fault::Refuse);
    works(&stage, "/new/x").await;
}

/// Nobody waits for longer than the timeout, and nobody is told that all went well.
pub(crate) async fn what_is_under_way_is_answered_when_the_broker_dies(bed: Arc<Bed>) {
    let (client, queue, asked) = (bed.client().await, bed.name("dies"), bed.name("asked"));
    client.queue(&queue).await;
    let _responder = respond(&client, &asked, |_| Some((FieldTable::default(), Vec::new()))).await;
    let functions =
        [("new", &*format!("routing_key: {queue}")), ("ask", &*format!("routing_key: {asked}, mode: request"))];
    let stage = Stage::new(&bed, "", &functions).await;
    // What was never taken goes on a channel of its own, which the broker has to open first.
    works(&stage, "/new/x").await;
    works(&stage, "/quick/new/x").await;
    stage.post("/ask/x", "").await.succeeds(200);
    let mut node = bed.node().await;
    node.pause();
    let begun = Instant::now();
    let calls = join_all((0..100).map(|number| {
        let stage = &stage;
        async move {
            let path = if number % 2 == 0 { "/new/x" } else { "/ask/x" };
            let answer = stage.post(path, "").await;
            // A lane listens for replies before its first request, and has not sent what waits behind that.
            if answer.status == 503 {
                answer.fails(503, "upstream_unavailable");
            } else {
                answer.fails(504, "upstream_timeout");
                assert!(answer.json()["detail"].as_str().unwrap().contains("unknown"), "{answer:?}");
            }
            answer.status
        }
    }));
    let kill = async {
        // One that begins later and has waited long enough shows that the others are on their way.
        stage.post("/quick/new/x", "").await.fails(504, "upstream_timeout");
        node.kill();
    };
    let (statuses, ()) = tokio::join!(calls, kill);
    assert!(statuses.contains(&504), "{statuses:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(19),
        "the answers came with the connection's end, not by the timeout"
    );
    let gone = async || stage.post("/new/x", "").await.code.as_deref() == Some("upstream_unavailable");
    assert!(until(LIMIT, gone).await);
    node.restart().await.unwrap();
    works(&stage, "/new/x").await;
}
