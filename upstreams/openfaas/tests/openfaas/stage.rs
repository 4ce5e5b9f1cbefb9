//! A gateway with an upstream `faas`, and raw servers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use callgate_core::{Body, Registry, Snapshot, document::Document, plan::Plan};
pub(crate) use callgate_testkit::gateway::Answer;
use callgate_testkit::{
    gateway::{Client, Files},
    peers,
};
use http::{Request, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// How long anything may take on a loaded machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Reads a configuration whose upstream `faas` is at this URL, with more options, and these routes.
pub(crate) fn plan(url: &str, options: &str, routes: &str) -> Result<Plan, String> {
    let yaml = format!("upstreams:\n  faas: {{openfaas: {{url: \"{url}\"{options}}}}}\nroutes:\n{routes}");
    read(&yaml)
}

pub(crate) fn read(yaml: &str) -> Result<Plan, String> {
    let document = Document::parse("faas.yaml", yaml, &Files).map_err(|report| report.to_string())?;
    let registry = Registry::new().with::<callgate_openfaas::OpenFaas>();
    Plan::read(&document, &registry).map_err(|report| report.to_string())
}

/// The values of a header that the function saw.
pub(crate) fn header(answer: &Answer, name: &str) -> Vec<String> {
    let described = answer.json();
    let pairs = described["headers"].as_array().unwrap().iter();
    pairs.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap().to_owned()).collect()
}

/// A gateway.
pub(crate) struct Stage {
    client: Client,
}

impl Stage {
    pub(crate) async fn new(url: &str, options: &str, routes: &str) -> Self {
        Self::of(plan(url, options, routes).unwrap()).await
    }

    pub(crate) async fn of(plan: Plan) -> Self {
        Self { client: Client::of(plan).await.unwrap() }
    }

    /// A gateway before the stand-in, with the admin's credentials.
    pub(crate) async fn before(faas: &peers::OpenFaas, options: &str, routes: &str) -> Self {
        Self::new(&faas.url(), &format!(", {}{options}", credentials()), routes).await
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.client.gateway.snapshot()
    }

    /// Sends a request and waits for the head of the answer.
    pub(crate) async fn begin(&self, request: Request<Body>) -> Response<Body> {
        timeout(LONG, self.client.open(request)).await.expect("it takes too long")
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.begin(request).await;
        timeout(LONG, Answer::read(answer, 1 << 20)).await.expect("it takes too long").unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(Request::post(path).body(body.into()).unwrap()).await
    }
}

/// The credentials of the stand-in's admin, as an option.
pub(crate) fn credentials() -> String {
    let (user, password) = (peers::OpenFaas::USER, peers::OpenFaas::PASSWORD);
    format!("credentials: {{basic: {{user: {user}, password: {password}}}}}")
}

/// A server that gives the same bytes to every request head and closes the connection, until it is dropped.
pub(crate) struct Raw {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Raw {
    pub(crate) async fn saying(bytes: &'static str) -> Self {
        Self::with(async move |mut stream| {
            if head(&mut stream).await.is_some() {
                // The gateway may have left already, where a test is about that.
                stream.write_all(bytes.as_bytes()).await.ok();
                stream.shutdown().await.ok();
            }
        })
        .await
    }

    /// A server whose script gets each connection in turn.
    pub(crate) async fn with<F>(script: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(script(stream));
            }
        });
        Self { address, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The head of a request, with what came right behind it.
pub(crate) async fn head(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// An address that refuses connections.
pub(crate) async fn refusing() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap())
}
