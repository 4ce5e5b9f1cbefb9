//! A gateway made from a document, as the tests ask it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use callgate_azure::Azure;
use callgate_core::{
    Body, Connection, Gateway, Registry, Response, Snapshot,
    document::{Document, References, System},
    plan::Plan,
};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use serde_json::Value;
use tokio::{runtime::Handle, time::timeout};

/// How long anything may take on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A gateway and the connection that all requests come on.
pub(crate) struct Bed {
    gateway: Gateway,
    connection: Arc<Connection>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Reads a document as far as `callgate check` does; what is wrong with it comes as text.
pub(crate) fn plan(yaml: &str) -> Result<Plan, String> {
    plan_with(yaml, &System)
}

fn plan_with(yaml: &str, references: &dyn References) -> Result<Plan, String> {
    let document = Document::parse("callgate.yaml", yaml, references).map_err(|report| report.to_string())?;
    Plan::read(&document, &Registry::new().with::<Azure>()).map_err(|report| report.to_string())
}

impl Bed {
    pub(crate) async fn start(yaml: &str) -> Self {
        Self::load(yaml).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) async fn load(yaml: &str) -> Result<Self, String> {
        Self::with(yaml, &System).await
    }

    /// Loads a document whose references are these.
    pub(crate) async fn with(yaml: &str, references: &dyn References) -> Result<Self, String> {
        let snapshot = Snapshot::load(plan_with(yaml, references)?, &Handle::current())
            .await
            .map_err(|error| error.to_string())?;
        let peer = SocketAddr::from(([203, 0, 113, 7], 4321));
        let connection = Connection::new("public".into(), Some(peer), false, Arc::default());
        Ok(Self { gateway: Gateway::new(snapshot), connection: Arc::new(connection) })
    }

    /// Sends a request and gives the reply as it comes.
    pub(crate) async fn open(&self, mut request: Request<Body>) -> Response {
        request.headers_mut().insert("host", HeaderValue::from_static("api.example.com"));
        timeout(LONG, self.gateway.handle(request, &self.connection)).await.expect("it takes too long")
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.open(request).await.into_parts();
        let body = timeout(LONG, body.collect(u64::MAX)).await.expect("it takes too long").expect("it is whole");
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// What the upstream says of its readiness.
    pub(crate) async fn ready(&self, upstream: &str) -> Result<(), String> {
        let ready = timeout(LONG, self.gateway.snapshot().ready()).await.expect("it takes too long");
        ready.into_iter().find(|(name, _)| name == upstream).unwrap().1.map_err(|error| error.to_string())
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that the gateway itself answered, with this status and code.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.header("callgate-error")), (status, Some(code)), "{self:?}");
    }

    /// Checks that it is the function's own answer, or its host's.
    #[track_caller]
    pub(crate) fn is_reply(&self, status: u16) {
        assert_eq!((self.status.as_u16(), self.header("callgate-error")), (status, None), "{self:?}");
    }
}
