//! Functions that do what a trial says, and tell what they got.

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use callgate_core::{
    Body, Context, ErrorKind, Invalid, Invocation, Response, Settings, Target, Upstream, UpstreamError,
};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Where functions find what they are to do: settings are text.
static STAGES: LazyLock<Mutex<Vec<Arc<Stage>>>> = LazyLock::new(Mutex::default);

/// The largest message of a trial, in bytes.
const LARGEST: u64 = 1 << 20;

/// What functions are to do, and what they got.
#[derive(Debug)]
pub(super) struct Stage {
    calls: Mutex<Vec<Call>>,
    acts: Mutex<VecDeque<(&'static str, Act)>>,
    released: watch::Sender<bool>,
}

/// What a function does with a call; with those that nothing is said of it answers 200.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// Answers this status.
    Answer(u16),
    /// Answers 200 once it is released.
    Hold,
}

/// A call that a function got.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) function: String,
    pub(super) payload: String,
    pub(super) headers: HeaderMap,
}

impl Call {
    /// A header's value; nothing where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Stage {
    /// A stage, and its number in the settings of its functions.
    pub(super) fn new(acts: &[(&'static str, Act)]) -> (usize, Arc<Self>) {
        let acts = Mutex::new(acts.iter().copied().collect());
        let stage = Arc::new(Self { calls: Mutex::default(), acts, released: watch::Sender::new(false) });
        let mut stages = lock(&STAGES);
        stages.push(Arc::clone(&stage));
        (stages.len() - 1, stage)
    }

    /// What a function got so far.
    pub(super) fn calls(&self, function: &str) -> Vec<Call> {
        lock(&self.calls).iter().filter(|call| call.function == function).cloned().collect()
    }

    /// Lets functions answer that hold their calls.
    pub(super) fn release(&self) {
        self.released.send_replace(true);
    }

    fn next(&self, function: &str) -> Act {
        let mut acts = lock(&self.acts);
        let place = acts.iter().position(|(of, _)| *of == function);
        place.and_then(|place| acts.remove(place)).map_or(Act::Answer(200), |(_, act)| act)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The kind of the functions.
#[derive(Debug)]
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
    const KIND: &'static str = "suite";
    const SUMMARY: &'static str = "functions of the conformance suite";
    type Config = Number;
    type Target = Name;
    type Function = String;

    async fn connect(config: Number, _: Context) -> Result<Self, UpstreamError> {
        let stage = lock(&STAGES).get(config.stage).cloned();
        stage.map(Self).ok_or_else(|| UpstreamError::new(ErrorKind::Unavailable, "there is no such stage"))
    }

    fn bind(&self, target: Name) -> Result<String, Invalid> {
        Ok(target.name)
    }

    async fn call(&self, function: &String, invocation: Invocation) -> Result<Response, UpstreamError> {
        let (head, body) = invocation.request.into_parts();
        let body: Bytes = body.collect(LARGEST).await.map_err(UpstreamError::request_body)?;
        let payload = String::from_utf8_lossy(&body).into_owned();
        lock(&self.0.calls).push(Call { function: function.clone(), payload, headers: head.headers });
        let status = match self.0.next(function) {
            Act::Answer(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            Act::Hold => {
                // The stage outlives its functions.
                drop(self.0.released.subscribe().wait_for(|released| *released).await);
                StatusCode::OK
            }
        };
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        Ok(response)
    }
}
