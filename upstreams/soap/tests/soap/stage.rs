//! A gateway with an upstream `shop`, and raw servers.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use callgate_core::{Body, Registry, Snapshot, document::Document, plan::Plan};
use callgate_testkit::gateway::{Answer, Client, Files};
use http::Request;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// How long anything may take on a loaded machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A file of the corpus.
pub(crate) fn corpus(name: &str) -> String {
    format!("{}/../wsdl/tests/corpus/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Reads a configuration whose upstream `shop` has these options, and these routes.
pub(crate) fn plan(options: &str, routes: &str) -> Result<Plan, String> {
    read(&format!("upstreams:\n  shop: {{soap: {{{options}}}}}\nroutes:\n{routes}"))
}

pub(crate) fn read(yaml: &str) -> Result<Plan, String> {
    let document = Document::parse("shop.yaml", yaml, &Files).map_err(|report| report.to_string())?;
    let registry = Registry::new().with::<callgate_soap::Soap>();
    Plan::read(&document, &registry).map_err(|report| report.to_string())
}

/// A gateway.
pub(crate) struct Stage {
    client: Client,
}

impl Stage {
    pub(crate) async fn new(options: &str, routes: &str) -> Self {
        Self::of(plan(options, routes).unwrap()).await
    }

    pub(crate) async fn of(plan: Plan) -> Self {
        Self { client: Client::of(plan).await.unwrap() }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.client.gateway.snapshot()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let answer = timeout(LONG, self.client.open(request)).await.expect("it takes too long");
        timeout(LONG, Answer::read(answer, 1 << 22)).await.expect("it takes too long").unwrap()
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(request.body(body.to_string().into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }
}

/// A server that gives the same answer to every request and closes the connection, until it is dropped.
pub(crate) struct Raw {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Raw {
    /// Answers with a status line's end, a content type and a body.
    pub(crate) async fn saying(status: &'static str, kind: &'static str, body: String) -> Self {
        Self::answering(move |_| (status, kind, body.clone())).await
    }

    /// Answers by the number of the request, from 0.
    pub(crate) async fn answering(
        answer: impl Fn(usize) -> (&'static str, &'static str, String) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mut tasks, calls) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&calls);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (status, kind, body) = answer(counter.fetch_add(1, Ordering::SeqCst));
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                connections.spawn(async move { answer_one(stream, &answer).await });
            }
        });
        Self { address, calls, _tasks: tasks }
    }

    /// How many requests came, each on a connection of its own.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/service", self.address)
    }
}

/// Reads a request whole and answers it.
async fn answer_one(mut stream: TcpStream, answer: &str) {
    let mut bytes = Vec::new();
    loop {
        let head = bytes.windows(4).position(|end| end == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if bytes.len() >= head + 4 + length.unwrap_or(0) {
                break;
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    // The gateway may have left already, where a test is about that.
    stream.write_all(answer.as_bytes()).await.ok();
    stream.shutdown().await.ok();
}
