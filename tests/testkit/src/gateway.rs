//! A gateway in the process of the test, and who calls it.

use std::{io, path::Path, sync::Arc};

use callgate_core::{Body, Connection, Gateway, LoadError, Response, Snapshot, document::References, plan::Plan};
use http::{HeaderMap, Request};
use tokio::runtime::Handle;

/// No variables, and the files that are there: a test writes its values out.
#[derive(Debug, Clone, Copy)]
pub struct Files;

impl References for Files {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// A client of a gateway; clones send beside each other.
#[derive(Debug, Clone)]
pub struct Client {
    /// The gateway.
    pub gateway: Gateway,
    /// The connection that all requests come from.
    pub connection: Arc<Connection>,
}

impl Client {
    /// A gateway with this configuration, and a client of it at `192.0.2.1`.
    ///
    /// # Errors
    /// The configuration cannot be put into force.
    pub async fn of(plan: Plan) -> Result<Self, LoadError> {
        let gateway = Gateway::new(Snapshot::load(plan, &Handle::current()).await?);
        let connection = Connection::new("test".into(), "192.0.2.1:1".parse().ok(), false, Arc::from([]));
        Ok(Self { gateway, connection: Arc::new(connection) })
    }

    /// Sends a request, to the host `gateway.test` unless it says another, and waits for the head of the answer.
    pub async fn open(&self, mut request: Request<Body>) -> Response {
        let host = request.uri().authority().map_or("gateway.test", |authority| authority.as_str());
        if let Ok(host) = host.parse() {
            request.headers_mut().entry("host").or_insert(host);
        }
        self.gateway.handle(request, &self.connection).await
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The failure's code, where the gateway itself answered.
    pub code: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Reads an answer of at most so many bytes.
    ///
    /// # Errors
    /// The body breaks, is larger, or is no UTF-8.
    pub async fn read(response: Response, most: u64) -> Result<Self, String> {
        let (head, body) = response.into_parts();
        let code = head.headers.get("callgate-error").and_then(|code| code.to_str().ok()).map(str::to_owned);
        let body = body.collect(most).await.map_err(|error| format!("the answer broke: {error:?}"))?;
        let body = String::from_utf8(body.to_vec()).map_err(|error| error.to_string())?;
        Ok(Self { status: head.status.as_u16(), code, headers: head.headers, body })
    }

    /// Status and code of a failure; `none` where the gateway did not fail.
    #[must_use]
    pub fn failure(&self) -> (u16, &str) {
        (self.status, self.code.as_deref().unwrap_or("none"))
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that the gateway failed so.
    ///
    /// # Panics
    /// When it did not.
    pub fn fails(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code.as_deref()), (status, Some(code)), "{self:?}");
    }

    /// Checks that the gateway did not fail, and what was answered.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn succeeds(&self, status: u16) {
        assert_eq!((self.status, self.code.as_deref()), (status, None), "{self:?}");
    }
}
