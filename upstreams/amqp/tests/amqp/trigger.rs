//! Messages of queues that invoke functions.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use callgate_amqp::{Amqp, AmqpTrigger};
use callgate_core::{Gateway, Registry, Snapshot, document::Document, plan::Plan};
use callgate_testkit::{
    gateway::Files,
    peers::{Fault, FaultProxy, until},
};
use futures_util::StreamExt;
use lapin::{
    BasicProperties,
    options::{BasicConsumeOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::{runtime::Handle, sync::Semaphore, task::JoinSet};

use crate::{
    bed::{Bed, Client},
    publish::header,
};

const LIMIT: Duration = Duration::from_secs(60);
const QUICK: &str = "retry: {backoff: {initial: 50ms, max: 200ms}}";

/// The function behind the trigger, which does what the message says: `ok` succeeds, `fail N` answers 503 to the first N
/// tries, `bad` answers 404, `hold` waits for its release.
struct Function {
    queue: String,
    calls: Arc<Mutex<Vec<(String, String)>>>,
    held: Arc<Semaphore>,
    _answering: JoinSet<()>,
}

impl Function {
    async fn start(bed: &Bed) -> Self {
        let (queue, client) = (bed.name("function"), bed.client().await);
        client.queue(&queue).await;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let consumed =
            client.channel.basic_consume(queue.as_str().into(), ShortString::default(), options, FieldTable::default());
        let mut requests = consumed.await.unwrap();
        let (calls, held) = (Arc::<Mutex<Vec<(String, String)>>>::default(), Arc::new(Semaphore::new(0)));
        let (seen, hold) = (Arc::clone(&calls), Arc::clone(&held));
        let mut answering = JoinSet::new();
        answering.spawn(async move {
            let mut working = JoinSet::new();
            while let Some(Ok(request)) = requests.next().await {
                let body = String::from_utf8(request.data).unwrap();
                let headers = request.properties.headers().clone().unwrap();
                let tries = {
                    let mut seen = seen.lock().unwrap();
                    seen.push((body.clone(), header(&headers, "callgate-attempt").unwrap()));
                    seen.iter().filter(|(known, _)| *known == body).count()
                };
                let status = match body.split_once(' ') {
                    Some(("fail", times)) if tries <= times.parse().unwrap() => 503,
                    _ if body.starts_with("bad") => 404,
                    _ => 200,
                };
                let (hold, channel) = (Arc::clone(&hold), client.channel.clone());
                working.spawn(async move {
                    if body.starts_with("hold") {
                        hold.acquire().await.unwrap().forget();
                    }
                    let mut headers = FieldTable::default();
                    headers.insert("callgate-status".into(), AMQPValue::LongInt(status));
                    let properties = BasicProperties::default()
                        .with_headers(headers)
                        .with_correlation_id(request.properties.correlation_id().clone().unwrap());
                    let to = request.properties.reply_to().clone().unwrap();
                    drop(channel.basic_publish("".into(), to, Default::default(), b"done", properties).await);
                });
            }
        });
        Self { queue, calls, held, _answering: answering }
    }

    fn calls(&self) -> Vec<(String, String)> {
        self.calls.lock().unwrap().clone()
    }

    fn tries(&self, body: &str) -> usize {
        self.calls().iter().filter(|(known, _)| known == body).count()
    }
}

/// A gateway with the trigger `work`.
struct Work {
    gateway: Gateway,
}

impl Work {
    async fn load(bed: &Bed, function: &Function, source: &str, options: &str) -> Self {
        Self::load_from(bed, &bed.url, function, source, options).await
    }

    /// With another way to the broker for the trigger alone.
    async fn load_from(bed: &Bed, from: &str, function: &Function, source: &str, options: &str) -> Self {
        let (url, queue) = (&bed.url, &function.queue);
        let yaml = format!(
            "upstreams:\n  f:\n    amqp: {{url: \"{url}\"}}\n    functions:\n      do: {{routing_key: {queue}, mode: request}}\n\
             triggers:\n  work: {{amqp: {{url: \"{from}\", {source}}}, to: f/do, timeout: 60s, {options}}}\n"
        );
        let document = Document::parse("trigger.yaml", &yaml, &Files).unwrap();
        let registry = Registry::new().with::<Amqp>().with_trigger::<AmqpTrigger>();
        let plan = Plan::read(&document, &registry).unwrap_or_else(|report| panic!("{report}"));
        let snapshot = Snapshot::load(plan, &Handle::current()).await.unwrap();
        Self { gateway: Gateway::new(snapshot) }
    }

    async fn start(bed: &Bed, function: &Function, source: &str, options: &str) -> Self {
        let work = Self::load(bed, function, source, options).await;
        work.gateway.snapshot().start_triggers();
        work
    }

    /// Ends the gateway as SIGTERM does, with time for what runs.
    async fn end(self, grace: Duration) {
        let snapshot = self.gateway.snapshot();
        snapshot.stop_triggers();
        snapshot.drain_triggers(tokio::time::sleep(grace)).await;
        snapshot.close().await;
    }

    async fn ready(&self) -> Result<(), String> {
        let mut ready = self.gateway.snapshot().triggers_ready().await;
        ready.remove("work").unwrap().map_err(|error| error.to_string())
    }
}

impl Client {
    async fn put(&self, queue: &str, body: &str, properties: BasicProperties) {
        let properties = properties.with_delivery_mode(2);
        let published =
            self.channel.basic_publish("".into(), queue.into(), Default::default(), body.as_bytes(), properties);
        published.await.unwrap();
    }

    /// Waits until a queue holds so many messages that nobody works on.
    async fn holds(&self, queue: &str, number: u32) {
        let holds = async || self.count(queue).await == number;
        assert!(until(LIMIT, holds).await, "{} messages are in {queue}", self.count(queue).await);
    }
}

pub(crate) async fn messages_are_processed_retried_or_put_into_the_dead_letter(bed: Arc<Bed>) {
    let (client, function) = (bed.client().await, Function::start(&bed).await);
    let (queue, dead) = (bed.name("work"), bed.name("dead"));
    client.queue(&queue).await;
    client.queue(&dead).await;
    let retry = "retry: {attempts: 3, backoff: {initial: 50ms, max: 200ms}}";
    let dead_letter = format!("{retry}, dead_letter: {{to: {{upstream: f, function: {dead}}}}}");
    let work = Work::start(&bed, &function, &format!("queue: {queue}"), &dead_letter).await;
    for body in ["ok", "fail 2", "bad", "fail 9"] {
        let mut headers = FieldTable::default();
        headers.insert("x-tenant".into(), AMQPValue::LongString("acme".into()));
        client.put(&queue, body, BasicProperties::default().with_headers(headers)).await;
    }
    client.holds(&dead, 2).await;
    let tries = async || ["ok", "fail 2", "bad", "fail 9"].map(|body| function.tries(body)) == [1, 3, 1, 3];
    assert!(until(LIMIT, tries).await, "{:?}", function.calls());
    let mut letters = HashMap::new();
    while let Some(message) = client.take(&dead).await {
        let headers = message.delivery.properties.headers().clone().unwrap();
        letters.insert(String::from_utf8(message.delivery.data).unwrap(), headers);
    }
    let letter = &letters["fail 9"];
    assert_eq!(header(letter, "callgate-error").as_deref(), Some("function_error"));
    assert_eq!(header(letter, "callgate-status").as_deref(), Some("503"));
    assert_eq!(header(letter, "callgate-attempts").as_deref(), Some("3"));
    assert_eq!(header(letter, "callgate-subject").as_deref(), Some(queue.as_str()));
    assert_eq!(header(letter, "x-tenant").as_deref(), Some("acme"));
    assert!(letters.contains_key("bad"));
    work.ready().await.unwrap();
    let begun = Instant::now();
    work.end(LIMIT).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "the end waited for an answer that never comes");
    // What was not acknowledged would be back by now.
    client.holds(&queue, 0).await;
}

pub(crate) async fn a_quorum_queue_counts_tries_over_a_restart(bed: Arc<Bed>) {
    let (client, function, queue) = (bed.client().await, Function::start(&bed).await, bed.name("quorum"));
    let dead = bed.name("dead");
    let source = format!("queue: {queue}, type: quorum, declare: {{queues: {{{queue}: {{type: quorum}}}}}}");
    let slow = format!(
        "retry: {{attempts: 9, backoff: {{initial: 100ms, max: 100ms}}}}, dead_letter: {{to: {{upstream: f, function: {dead}}}}}"
    );
    let work = Work::start(&bed, &function, &source, &slow).await;
    // A quorum queue that is there but has no leader yet loses what is published without confirms.
    assert!(until(LIMIT, async || client.is_consumed(&queue).await).await);
    client.put(&queue, "fail 4", BasicProperties::default()).await;
    let twice = async || function.tries("fail 4") >= 2;
    assert!(until(LIMIT, twice).await, "{:?}", function.calls());
    work.end(Duration::ZERO).await;
    let before = function.tries("fail 4");
    let work = Work::start(&bed, &function, &source, &slow).await;
    let done = async || function.tries("fail 4") == 5;
    assert!(until(LIMIT, done).await, "{:?}", function.calls());
    let attempts: Vec<u32> = function.calls().iter().map(|(_, attempt)| attempt.parse().unwrap()).collect();
    assert!(attempts[0] == 1 && attempts.is_sorted() && attempts[before] > 1, "{attempts:?}");
    work.end(LIMIT).await;
    client.holds(&queue, 0).await;
}

/// Each message that is given back would come again at once and look like the second try for ever.
pub(crate) async fn a_queue_that_does_not_count_after_all_reaches_the_dead_letter(bed: Arc<Bed>) {
    let (client, function) = (bed.client().await, Function::start(&bed).await);
    let (queue, dead) = (bed.name("classic"), bed.name("dead"));
    client.queue(&queue).await;
    client.queue(&dead).await;
    let options = format!(
        "retry: {{attempts: 4, backoff: {{initial: 50ms, max: 200ms}}}}, \
         dead_letter: {{to: {{upstream: f, function: {dead}}}}}"
    );
    let work = Work::start(&bed, &function, &format!("queue: {queue}, type: quorum"), &options).await;
    client.put(&queue, "fail 99", BasicProperties::default()).await;
    client.holds(&dead, 1).await;
    let attempts: Vec<_> = function.calls().into_iter().map(|(_, attempt)| attempt).collect();
    assert_eq!(attempts, ["1", "2", "3", "4"]);
    work.end(LIMIT).await;
    client.holds(&queue, 0).await;
}

pub(crate) async fn a_queue_that_will_be_made_is_not_missed(bed: Arc<Bed>) {
    let (function, queue) = (Function::start(&bed).await, bed.name("made"));
    let source = format!("queue: {queue}, declare: {{queues: {{{queue}: {{}}}}}}");
    let work = Work::load(&bed, &function, &source, QUICK).await;
    work.ready().await.unwrap();
    work.end(LIMIT).await;
}

pub(crate) async fn who_waits_for_a_reply_gets_it(bed: Arc<Bed>) {
    let (client, function) = (bed.client().await, Function::start(&bed).await);
    let (queue, replies) = (bed.name("ask"), bed.name("replies"));
    client.queue(&queue).await;
    client.queue(&replies).await;
    let work = Work::start(&bed, &function, &format!("queue: {queue}"), QUICK).await;
    for body in ["ok", "ok again"] {
        let properties =
            BasicProperties::default().with_reply_to(replies.as_str().into()).with_correlation_id(body.into());
        client.put(&queue, body, properties).await;
    }
    client.holds(&replies, 2).await;
    let reply = client.take(&replies).await.unwrap().delivery;
    assert_eq!(reply.data, b"done");
    let headers = reply.properties.headers().clone().unwrap();
    assert_eq!(header(&headers, "callgate-status").as_deref(), Some("200"));
    assert!(reply.properties.correlation_id().as_ref().unwrap().as_str().starts_with("ok"));
    // Somebody who is gone does no harm.
    let nobody = BasicProperties::default().with_reply_to("nowhere".into());
    client.put(&queue, "ok to nobody", nobody).await;
    let done = async || function.tries("ok to nobody") == 1;
    assert!(until(LIMIT, done).await);
    work.end(LIMIT).await;
    client.holds(&queue, 0).await;
}

pub(crate) async fn a_drain_finishes_what_runs_and_gives_the_rest_back(bed: Arc<Bed>) {
    let (client, function, queue) = (bed.client().await, Function::start(&bed).await, bed.name("drain"));
    client.queue(&queue).await;
    let work = Work::start(&bed, &function, &format!("queue: {queue}, prefetch: 5"), "concurrency: 2").await;
    for number in 0..10 {
        client.put(&queue, &format!("hold {number}"), BasicProperties::default()).await;
    }
    let two = async || function.calls().len() == 2 && client.count(&queue).await <= 5;
    assert!(until(LIMIT, two).await, "{:?}", function.calls());
    let end = work.end(LIMIT);
    let release = async {
        // Once the rest is back, the two are let go.
        client.holds(&queue, 8).await;
        function.held.add_permits(2);
    };
    tokio::join!(end, release);
    assert_eq!(function.calls().len(), 2, "{:?}", function.calls());
    client.holds(&queue, 8).await;
}

pub(crate) async fn a_missing_queue_is_told_and_waited_for(bed: Arc<Bed>) {
    let (client, function, queue) = (bed.client().await, Function::start(&bed).await, bed.name("later"));
    let work = Work::load(&bed, &function, &format!("queue: {queue}"), QUICK).await;
    assert!(work.ready().await.unwrap_err().contains(&queue));
    work.gateway.snapshot().start_triggers();
    client.queue(&queue).await;
    client.put(&queue, "ok", BasicProperties::default()).await;
    let done = async || function.tries("ok") == 1;
    assert!(until(LIMIT, done).await);
    // The queue goes and comes again.
    client.channel.queue_delete(queue.as_str().into(), Default::default()).await.unwrap();
    client
        .channel
        .queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), FieldTable::default())
        .await
        .unwrap();
    client.put(&queue, "ok again", BasicProperties::default()).await;
    let done = async || function.tries("ok again") == 1;
    assert!(until(LIMIT, done).await);
    work.end(LIMIT).await;
}

/// What waits over a lost connection comes again from the queue, and must not wait twice: the places are bounded.
pub(crate) async fn what_waits_is_let_go_with_its_connection(bed: Arc<Bed>) {
    const WAITING: usize = 6;
    // One message at a time has 17 places.
    const RECONNECTS: usize = 3;
    let (client, function, queue) = (bed.client().await, Function::start(&bed).await, bed.name("void"));
    client.queue(&queue).await;
    let proxy = FaultProxy::start(bed.address.parse().unwrap()).await.unwrap();
    let from = format!("amqp://guest:guest@{}", proxy.address());
    let options = "concurrency: 1, retry: {backoff: {initial: 1h, max: 1h}}";
    let source = format!("queue: {queue}, prefetch: 100");
    let work = Work::load_from(&bed, &from, &function, &source, options).await;
    work.gateway.snapshot().start_triggers();
    let bodies: Vec<_> = (0..WAITING).map(|number| format!("fail {}", 100 + number)).collect();
    for body in &bodies {
        client.put(&queue, body, BasicProperties::default()).await;
    }
    for connection in 1..=1 + RECONNECTS {
        let tried = async || bodies.iter().all(|body| function.tries(body) == connection);
        assert!(until(LIMIT, tried).await, "connection {connection}: {:?}", function.calls());
        if connection <= RECONNECTS {
            proxy.set(Fault::Refuse);
            let gone = async || work.ready().await.is_err();
            assert!(until(LIMIT, gone).await);
            proxy.set(Fault::None);
        }
    }
    client.put(&queue, "ok", BasicProperties::default()).await;
    let done = async || function.tries("ok") == 1 && work.gateway.snapshot().triggers()[0].waiting == WAITING;
    assert!(until(LIMIT, done).await, "{:?}", work.gateway.snapshot().triggers());
    work.end(LIMIT).await;
    client.holds(&queue, u32::try_from(WAITING).unwrap()).await;
}

/// Each message is processed at least once, though the broker was killed.
pub(crate) async fn what_a_queue_holds_is_processed_over_a_kill_of_the_broker(bed: Arc<Bed>) {
    let (queue, done) = (bed.name("survives"), bed.name("done"));
    {
        let client = bed.client().await;
        client.queue(&queue).await;
        client.queue(&done).await;
        client.channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        for number in 0..300 {
            client.put(&queue, &format!("message {number}"), BasicProperties::default()).await;
        }
        // What is not confirmed need not be on disk yet.
        client.channel.wait_for_confirms().await.unwrap();
        client.holds(&queue, 300).await;
        // The node writes down that there is a queue up to two seconds later.
        bed.node().await.evaluate("mnesia:sync_log()").await.unwrap();
    }
    let (url, retry) = (&bed.url, "retry: {backoff: {initial: 20ms, max: 200ms}}");
    // A publish with a confirm stands for the work, as its own consumer would die with the broker.
    let yaml = format!(
        "upstreams:\n  f: {{amqp: {{url: \"{url}\"}}}}\n\
         triggers:\n  work: {{amqp: {{url: \"{url}\", queue: {queue}}}, to: f/{done}, rate: 50/s, {retry}}}\n"
    );
    let document = Document::parse("trigger.yaml", &yaml, &Files).unwrap();
    let registry = Registry::new().with::<Amqp>().with_trigger::<AmqpTrigger>();
    let plan = Plan::read(&document, &registry).unwrap_or_else(|report| panic!("{report}"));
    let work = Work { gateway: Gateway::new(Snapshot::load(plan, &Handle::current()).await.unwrap()) };
    work.gateway.snapshot().start_triggers();
    let mut node = bed.node().await;
    let client = bed.client().await;
    let some = async || client.count(&done).await > 20;
    assert!(until(LIMIT, some).await);
    node.restart().await.unwrap();
    let client = bed.client().await;
    let mut seen = std::collections::HashSet::new();
    let all = async || {
        while let Some(message) = client.take(&done).await {
            seen.insert(String::from_utf8(message.delivery.data).unwrap());
        }
        seen.len() == 300
    };
    assert!(until(Duration::from_secs(120), all).await, "{} of 300", seen.len());
    // What was processed and not acknowledged when the broker died comes once more; only then nothing is left.
    let acknowledged = async || node.messages(&queue).await.unwrap() == 0;
    assert!(until(LIMIT, acknowledged).await, "{:?}", work.gateway.snapshot().triggers());
    work.end(LIMIT).await;
    client.holds(&queue, 0).await;
}
