//! A gateway made from a document, as the tests ask it.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use callgate_core::{
    Body, Connection, Gateway, Registry, Response, Snapshot,
    document::{Document, System},
    plan::Plan,
};
use callgate_lambda::Lambda;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use serde_json::Value;
use tokio::runtime::Handle;

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
    let document = Document::parse("callgate.yaml", yaml, &System).map_err(|report| report.to_string())?;
    Plan::read(&document, &Registry::new().with::<Lambda>()).map_err(|report| report.to_string())
}

impl Bed {
    pub(crate) async fn start(yaml: &str) -> Self {
        let plan = plan(yaml).unwrap_or_else(|report| panic!("{report}"));
        let snapshot = Snapshot::load(plan, &Handle::current()).await.unwrap_or_else(|error| panic!("{error}"));
        let peer = SocketAddr::from(([203, 0, 113, 7], 4321));
        let connection = Connection::new("public".into(), Some(peer), false, Arc::default());
        Self { gateway: Gateway::new(snapshot), connection: Arc::new(connection) }
    }

    /// Sends a request, and leaves the answer's body unread; the request's host is `api.example.com`.
    pub(crate) async fn open(&self, mut request: Request<Body>) -> Response {
        request.headers_mut().insert("host", HeaderValue::from_static("api.example.com"));
        self.gateway.handle(request, &self.connection).await
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.open(request).await.into_parts();
        let body = body.collect(u64::MAX).await.expect("the answer's body is whole");
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    pub(crate) async fn post(&self, path: &str, json: &Value) -> Answer {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(request.body(Body::from(json.to_string())).unwrap()).await
    }

    /// What each upstream says of its readiness.
    pub(crate) async fn ready(&self, upstream: &str) -> Result<(), String> {
        let ready = self.gateway.snapshot().ready().await;
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

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Checks that the gateway itself answered, with this status and code.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.header("callgate-error")), (status, Some(code)), "{self:?}");
        assert!(self.header("content-type").unwrap().starts_with("application/problem+json"), "{self:?}");
    }
}
