//! A source and a function that tell what happens to them, and a configuration around them.

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, sync::Notify, time::Instant};

use crate::{
    Body, Changes, Context, Delivery, Dropped, ErrorKind, Gateway, Invalid, Invocation, Receipt, Redelivery, Registry,
    Response, Settings, Snapshot, Target, Trigger, Upstream, UpstreamError,
    document::{Document, System},
    plan::Plan,
    trigger::{Message, Reply},
};

/// Where the tests' sources and functions find their stage: settings are text.
static STAGES: LazyLock<Mutex<Vec<Arc<Stage>>>> = LazyLock::new(Mutex::default);

/// What happened to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Acked(String),
    /// Left to the source for a delay.
    Delayed(String, u32),
    Returned(String, u32),
    Replied(u16, String),
    Renewed(String),
    /// The source was told that nothing more will be asked for.
    Stopped,
    /// A function was called.
    Called(Call),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) function: String,
    pub(super) path: String,
    pub(super) body: String,
    pub(super) headers: HeaderMap,
    /// Since the stage was made.
    pub(super) at: Duration,
}

/// What a function does with a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Answer(u16),
    Fail(ErrorKind),
    Panic,
    /// Answers 200 after a time.
    Take(Duration),
}

pub(super) struct Stage {
    queue: Mutex<VecDeque<Message>>,
    pub(super) events: Mutex<Vec<Event>>,
    pub(super) changed: Notify,
    /// What the next calls of a function do; then they answer 200.
    pub(super) acts: Mutex<VecDeque<Act>>,
    /// What every call of the dead letter does.
    pub(super) dead: Mutex<Act>,
    /// The source is down.
    pub(super) down: Mutex<bool>,
    stopped: AtomicBool,
    /// Which connection to the source it is; what was delivered over another one can't be settled.
    connection: AtomicUsize,
    /// What was delivered over this connection and is not settled.
    unsettled: Mutex<Vec<Message>>,
    pub(super) tries: AtomicUsize,
    pub(super) running: AtomicUsize,
    pub(super) most: AtomicUsize,
    begun: Instant,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    /// A stage whose number stands in the settings of its source and its functions.
    fn new() -> (usize, Arc<Self>) {
        let stage = Arc::new(Self {
            queue: Mutex::default(),
            events: Mutex::default(),
            changed: Notify::new(),
            acts: Mutex::default(),
            dead: Mutex::new(Act::Answer(202)),
            down: Mutex::default(),
            stopped: AtomicBool::new(false),
            connection: AtomicUsize::new(0),
            unsettled: Mutex::default(),
            tries: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            begun: Instant::now(),
        });
        let mut stages = lock(&STAGES);
        stages.push(Arc::clone(&stage));
        (stages.len() - 1, stage)
    }

    fn of(number: usize) -> Arc<Self> {
        Arc::clone(&lock(&STAGES)[number])
    }

    pub(super) fn put(&self, message: Message) {
        lock(&self.queue).push_back(message);
        self.changed.notify_waiters();
    }

    /// The connection to the source is lost and made again: what was delivered and not settled is delivered again.
    pub(super) fn reconnect(&self) {
        self.connection.fetch_add(1, Ordering::Relaxed);
        let unsettled = std::mem::take(&mut *lock(&self.unsettled));
        lock(&self.queue).extend(unsettled);
        self.changed.notify_waiters();
    }

    pub(super) fn left(&self) -> usize {
        lock(&self.queue).len()
    }

    fn tell(&self, event: Event) {
        lock(&self.events).push(event);
        self.changed.notify_waiters();
    }

    /// Waits until it holds for the events; then gives them.
    pub(super) async fn until(&self, holds: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let mut patience = 100_000;
        loop {
            let events = lock(&self.events).clone();
            if holds(&events) {
                return events;
            }
            patience -= 1;
            assert!(patience > 0, "it never happened: {events:#?}");
            // The paused clock goes on when everybody waits.
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
        }
    }

    pub(super) fn calls(&self, of: &str) -> Vec<Call> {
        let events = lock(&self.events).clone();
        let calls = events.into_iter().filter_map(|event| match event {
            Event::Called(call) if call.function == of => Some(call),
            _ => None,
        });
        calls.collect()
    }
}

/// The source.
pub(super) struct Source {
    stage: Arc<Stage>,
    redelivery: Redelivery,
    lease: Option<Duration>,
    channel: bool,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceConfig {
    stage: usize,
    #[serde(default)]
    counts: Option<bool>,
    #[serde(default)]
    lease: Option<u64>,
    #[serde(default = "yes")]
    keeps: bool,
    /// Whether what was delivered can't be settled any more once the connection is lost.
    #[serde(default)]
    channel: bool,
}

const fn yes() -> bool {
    true
}

impl Settings for SourceConfig {}

impl Trigger for Source {
    const KIND: &'static str = "box";
    const SUMMARY: &'static str = "a test";
    type Config = SourceConfig;
    type Receipt = Ticket;

    fn keeps(config: &SourceConfig) -> bool {
        config.keeps
    }

    async fn connect(config: SourceConfig, _: NonZeroU32, _: Context) -> Result<Self, UpstreamError> {
        let redelivery = match config.counts {
            None => Redelivery::Delayed,
            Some(true) => Redelivery::Counted,
            Some(false) => Redelivery::Uncounted,
        };
        let lease = config.lease.map(Duration::from_millis);
        Ok(Self { stage: Stage::of(config.stage), redelivery, lease, channel: config.channel })
    }

    async fn stop(&self) {
        self.stage.stopped.store(true, Ordering::Relaxed);
        self.stage.tell(Event::Stopped);
    }

    async fn next(&self) -> Result<Delivery<Ticket>, UpstreamError> {
        loop {
            let changed = self.stage.changed.notified();
            if *lock(&self.stage.down) {
                self.stage.tries.fetch_add(1, Ordering::Relaxed);
                return Err(UpstreamError::new(ErrorKind::Unreachable, "the box is closed"));
            }
            if let Some(message) = lock(&self.stage.queue).pop_front() {
                let receipt = Ticket {
                    stage: Arc::clone(&self.stage),
                    message: message.clone(),
                    redelivery: self.redelivery,
                    lease: self.lease,
                    connection: self.channel.then(|| self.stage.connection.load(Ordering::Relaxed)),
                };
                if self.channel {
                    lock(&self.stage.unsettled).push(message.clone());
                }
                return Ok(Delivery { message, receipt });
            }
            if self.stage.stopped.load(Ordering::Relaxed) {
                return Err(UpstreamError::new(ErrorKind::Unavailable, "nothing is left in the box"));
            }
            changed.await;
        }
    }
}

pub(super) struct Ticket {
    stage: Arc<Stage>,
    message: Message,
    redelivery: Redelivery,
    lease: Option<Duration>,
    /// The connection that it can be settled over alone.
    connection: Option<usize>,
}

impl Ticket {
    fn subject(&self) -> String {
        self.message.subject.clone()
    }

    fn settle(&self) {
        if !Receipt::is_void(self) {
            lock(&self.stage.unsettled).retain(|other| other.subject != self.message.subject);
        }
    }

    fn again(self) {
        self.settle();
        let Self { stage, mut message, .. } = self;
        message.attempt += 1;
        stage.put(message);
    }
}

impl Receipt for Ticket {
    fn redelivery(&self) -> Redelivery {
        self.redelivery
    }

    fn is_void(&self) -> bool {
        self.connection.is_some_and(|connection| connection != self.stage.connection.load(Ordering::Relaxed))
    }

    async fn ack(self) -> Result<(), UpstreamError> {
        self.settle();
        self.stage.tell(Event::Acked(self.subject()));
        Ok(())
    }

    async fn retry(self, _: Duration) -> Result<(), UpstreamError> {
        self.stage.tell(Event::Delayed(self.subject(), self.message.attempt));
        self.again();
        Ok(())
    }

    async fn give_back(self) -> Result<(), UpstreamError> {
        self.stage.tell(Event::Returned(self.subject(), self.message.attempt));
        self.again();
        Ok(())
    }

    fn lease(&self) -> Option<Duration> {
        self.lease
    }

    async fn renew(&self) -> Result<(), UpstreamError> {
        self.stage.tell(Event::Renewed(self.subject()));
        Ok(())
    }

    async fn reply(&self, reply: &Reply) -> Result<(), UpstreamError> {
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        self.stage.tell(Event::Replied(reply.status.as_u16(), body));
        Ok(())
    }
}

/// The kind of the functions.
pub(super) struct Functions(Arc<Stage>);

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Number {
    stage: usize,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Name {
    name: String,
}

impl Settings for Number {}
impl Settings for Name {}

impl Target for Name {
    const NAME: Option<&'static str> = Some("name");
}

impl Upstream for Functions {
    const KIND: &'static str = "scripted";
    const SUMMARY: &'static str = "a test";
    type Config = Number;
    type Target = Name;
    type Function = String;

    async fn connect(config: Number, _: Context) -> Result<Self, UpstreamError> {
        Ok(Self(Stage::of(config.stage)))
    }

    fn bind(&self, target: Name) -> Result<String, Invalid> {
        Ok(target.name)
    }

    async fn call(&self, function: &String, invocation: Invocation) -> Result<Response, UpstreamError> {
        let stage = &self.0;
        let running = stage.running.fetch_add(1, Ordering::Relaxed) + 1;
        stage.most.fetch_max(running, Ordering::Relaxed);
        let ended = Ended(stage);
        let (head, body) = invocation.request.into_parts();
        let body = body.collect(1 << 20).await.map_err(UpstreamError::request_body)?;
        stage.tell(Event::Called(Call {
            function: function.clone(),
            path: head.uri.to_string(),
            body: String::from_utf8_lossy(&body).into_owned(),
            headers: head.headers,
            at: stage.begun.elapsed(),
        }));
        let act = match &**function {
            "dead" => *lock(&stage.dead),
            _ => lock(&stage.acts).pop_front().unwrap_or(Act::Answer(200)),
        };
        let status = match act {
            Act::Answer(status) => status,
            Act::Fail(kind) => return Err(UpstreamError::new(kind, "it was told to fail")),
            Act::Panic => panic!("it was told to panic"),
            Act::Take(time) => {
                tokio::time::sleep(time).await;
                200
            }
        };
        drop(ended);
        let mut response = Response::new(Body::from(format!("answer to {function}")));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        Ok(response)
    }
}

/// Counts a call down, however it ends.
struct Ended<'a>(&'a Stage);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads a configuration; `BOX` stands for the source and `STAGE` for the stage's number.
pub(super) fn plan(yaml: &str) -> (Result<Plan, String>, Arc<Stage>) {
    let (number, stage) = Stage::new();
    (plan_on(number, yaml), stage)
}

/// Puts triggers in force in the place of those of a snapshot on the same stage.
pub(super) async fn reloaded(gateway: &Gateway, stage: &Arc<Stage>, triggers: &str) -> (Changes, Dropped) {
    let number = lock(&STAGES).iter().position(|one| Arc::ptr_eq(one, stage)).unwrap();
    let plan = plan_on(number, triggers).unwrap_or_else(|report| panic!("{report}"));
    let reloaded = Snapshot::reload(plan, gateway.snapshot(), &Handle::current()).await.unwrap();
    (reloaded.changes().clone(), reloaded.put_in_force(gateway))
}

fn plan_on(number: usize, yaml: &str) -> Result<Plan, String> {
    let yaml =
        format!("upstreams: {{f: {{scripted: {{stage: {number}}}}}}}\n{yaml}").replace("STAGE", &number.to_string());
    let document = Document::parse("test.yaml", &yaml, &System).unwrap_or_else(|report| panic!("{report}"));
    let registry = Registry::new().with::<Functions>().with_trigger::<Source>();
    Plan::read(&document, &registry).map_err(|report| report.to_string())
}

/// Puts triggers in force, and starts them.
pub(super) async fn running(triggers: &str) -> (Snapshot, Arc<Stage>) {
    let (snapshot, stage) = loaded(triggers).await;
    snapshot.start_triggers();
    (snapshot, stage)
}

pub(super) async fn loaded(triggers: &str) -> (Snapshot, Arc<Stage>) {
    let (plan, stage) = plan(triggers);
    let plan = plan.unwrap_or_else(|report| panic!("{report}"));
    (Snapshot::load(plan, &Handle::current()).await.unwrap(), stage)
}

/// A message whose subject and payload are this.
pub(super) fn message(text: &str) -> Message {
    Message::new(text, text.to_owned())
}
