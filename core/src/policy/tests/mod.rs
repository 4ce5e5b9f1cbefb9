//! The policies of the attempt, in process, with a kind that does what it is told. The clock is paused.

mod bounding;
mod breaking;
mod mirroring;
mod retrying;
mod timing;

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};
use tower::ServiceExt;

use crate::{
    Body, BodyError, Context, ErrorKind, Gateway, Invalid, Invocation, Registry, Response, Settings, Snapshot, Target,
    Upstream, UpstreamError,
    document::{Document, System},
    plan::Plan,
};

/// Where the functions find their script: settings are text.
static SCRIPTS: LazyLock<Mutex<Vec<Arc<Script>>>> = LazyLock::new(Mutex::default);

/// What functions do, and what they saw.
pub(super) struct Script {
    /// What the next calls do; then they answer 200.
    acts: Mutex<VecDeque<Act>>,
    calls: Mutex<Vec<Call>>,
    begun: Instant,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    Answer(u16),
    /// A status with `retry-after` in seconds.
    Later(u16, u64),
    Fail(ErrorKind),
    /// Fails, and certainly did nothing.
    Refuse(ErrorKind),
    /// Answers 200 and a status of gRPC, and nothing else.
    AnswerGrpc(u16),
    /// Fails before anything of the body was read.
    FailAtOnce(ErrorKind),
    Throttle(Duration),
    Hang,
    /// Hangs before anything of the body was read.
    HangAtOnce,
    /// Answers 200 after a time.
    Take(Duration),
    /// Answers 200 at once, with a body whose two parts come after so long each.
    Trickle(Duration),
}

/// A call as a function saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) body: String,
    /// Since the script was made.
    pub(super) at: Duration,
    /// How much time it was told to have.
    pub(super) left: Duration,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Script {
    /// A script whose number stands in the settings of its functions.
    pub(super) fn new() -> (usize, Arc<Self>) {
        let script = Arc::new(Self { acts: Mutex::default(), calls: Mutex::default(), begun: Instant::now() });
        let mut scripts = lock(&SCRIPTS);
        scripts.push(Arc::clone(&script));
        (scripts.len() - 1, script)
    }

    pub(super) fn act(&self, acts: impl IntoIterator<Item = Act>) {
        lock(&self.acts).extend(acts);
    }
}

pub(super) fn calls_of(script: &Script) -> Vec<Call> {
    lock(&script.calls).clone()
}

struct Scripted(Arc<Script>);

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Number {
    script: usize,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Settings for Number {}
impl Settings for Nothing {}

impl Target for Nothing {
    const NAME: Option<&'static str> = None;
}

impl Upstream for Scripted {
    const KIND: &'static str = "scripted";
    const SUMMARY: &'static str = "a test";
    type Config = Number;
    type Target = Nothing;
    type Function = ();

    async fn connect(config: Number, _: Context) -> Result<Self, UpstreamError> {
        Ok(Self(Arc::clone(&lock(&SCRIPTS)[config.script])))
    }

    fn bind(&self, _: Nothing) -> Result<(), Invalid> {
        Ok(())
    }

    async fn call(&self, (): &(), invocation: Invocation) -> Result<Response, UpstreamError> {
        let Self(script) = self;
        let act = lock(&script.acts).pop_front().unwrap_or(Act::Answer(200));
        let left = invocation.context.deadline().unwrap() - Instant::now().into_std();
        let at = script.begun.elapsed();
        let read = async |body: Body| {
            let body = body.collect(1 << 24).await.map_err(UpstreamError::request_body)?;
            lock(&script.calls).push(Call { body: String::from_utf8_lossy(&body).into_owned(), at, left });
            Ok::<_, UpstreamError>(())
        };
        let failed = |kind| UpstreamError::new(kind, "it was told to fail");
        let body = invocation.request.into_body();
        if let Act::HangAtOnce = act {
            return std::future::pending().await;
        }
        if let Act::FailAtOnce(kind) = act {
            read(Body::empty()).await?;
            return Err(failed(kind));
        }
        read(body).await?;
        let mut response = Response::new(Body::from("done"));
        match act {
            Act::Answer(status) => *response.status_mut() = StatusCode::from_u16(status).unwrap(),
            Act::Later(status, seconds) => {
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            Act::Fail(kind) | Act::FailAtOnce(kind) => return Err(failed(kind)),
            Act::Refuse(kind) => return Err(failed(kind).not_executed()),
            Act::AnswerGrpc(status) => drop(response.headers_mut().insert("grpc-status", status.into())),
            Act::Throttle(wait) => return Err(failed(ErrorKind::Throttled).with_retry_after(wait)),
            Act::Hang | Act::HangAtOnce => std::future::pending().await,
            Act::Take(time) => sleep(time).await,
            Act::Trickle(pause) => {
                let parts = stream::iter(["a", "b"]).then(move |part| async move {
                    sleep(pause).await;
                    Ok::<_, BodyError>(Frame::data(Bytes::from_static(part.as_bytes())))
                });
                *response.body_mut() = Body::new(StreamBody::new(Box::pin(parts)));
            }
        }
        Ok(response)
    }
}

/// A gateway with one route, and the script of its function.
pub(super) struct Stage {
    pub(super) gateway: Gateway,
    pub(super) script: Arc<Script>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) error: String,
    pub(super) retry_after: String,
    /// `None` where it broke off.
    pub(super) body: Option<String>,
}

impl Stage {
    /// A route to the function `f`, with these policies on the upstream.
    pub(super) async fn with(policies: &str) -> Self {
        Self::of(policies, "[{match: '/{*rest}', to: f}]").await
    }

    pub(super) async fn of(policies: &str, routes: &str) -> Self {
        let (number, script) = Script::new();
        let yaml = format!("upstreams: {{f: {{scripted: {{script: {number}}}, {policies}}}}}\nroutes: {routes}\n");
        let document = Document::parse("test.yaml", &yaml, &System).unwrap_or_else(|report| panic!("{report}"));
        let plan =
            Plan::read(&document, &Registry::new().with::<Scripted>()).unwrap_or_else(|report| panic!("{report}"));
        let gateway = Gateway::new(Snapshot::load(plan, &Handle::current()).await.unwrap());
        Self { gateway, script }
    }

    pub(super) fn act(&self, acts: impl IntoIterator<Item = Act>) {
        self.script.act(acts);
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        calls_of(&self.script)
    }

    pub(super) async fn send(&self, method: &str, body: Body) -> Answer {
        self.request(Request::builder().method(method).uri("/"), body).await
    }

    pub(super) async fn get(&self) -> Answer {
        self.send("GET", Body::empty()).await
    }

    pub(super) async fn request(&self, request: http::request::Builder, body: Body) -> Answer {
        let request = request.header("host", "any.test").body(body).unwrap();
        let response = self.gateway.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let body = body.collect(1 << 20).await.ok().map(|body| String::from_utf8(body.to_vec()).unwrap());
        let (status, error) = (parts.status.as_u16(), header("callgate-error"));
        Answer { status, error, retry_after: header("retry-after"), body }
    }
}

/// A body that comes in two parts.
pub(super) fn streamed(one: &'static str, other: &'static str) -> Body {
    let parts = [one, other].map(|part| Ok::<_, BodyError>(Frame::data(Bytes::from_static(part.as_bytes()))));
    Body::new(StreamBody::new(stream::iter(parts)))
}
