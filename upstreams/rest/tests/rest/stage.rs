//! A gateway with one route to the service under test, and raw servers.

use std::{
    convert::Infallible,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use callgate_core::{Body, EndpointState, OnUpgrade, Registry, Upgraded, document::Document, plan::Plan};
use callgate_rest::Rest;
use callgate_testkit::gateway::{Client, Files};
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A gateway that sends everything below `/` to the upstream.
pub(crate) struct Stage {
    client: Client,
}

/// Reads a configuration whose upstream `service` has these options.
pub(crate) fn plan(options: &str) -> Result<Plan, String> {
    read(Path::new("proxy.yaml"), options, "\n  - {match: \"/{*rest}\", to: service}\n")
}

/// Reads a configuration with these routes.
pub(crate) fn plan_to(options: &str, routes: &str) -> Result<Plan, String> {
    read(Path::new("proxy.yaml"), options, routes)
}

/// Reads a configuration beside a file `openapi.yaml`.
pub(crate) fn plan_with(openapi: &str, options: &str, routes: &str) -> Result<Plan, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("openapi.yaml"), openapi).unwrap();
    read(&folder.path().join("callgate.yaml"), options, routes)
}

fn read(file: &Path, options: &str, routes: &str) -> Result<Plan, String> {
    let yaml = format!("upstreams:\n  service:\n    rest: {options}\nroutes:{routes}");
    let name = file.display().to_string();
    let document = Document::parse(&name, &yaml, &Files).map_err(|report| report.to_string())?;
    Plan::read(&document, &Registry::new().with::<Rest>()).map_err(|report| report.to_string())
}

impl Stage {
    pub(crate) async fn new(options: &str) -> Self {
        Self::of(plan(options).unwrap()).await
    }

    /// A gateway with an OpenAPI document and these routes.
    pub(crate) async fn with(openapi: &str, options: &str, routes: &str) -> Self {
        Self::of(plan_with(openapi, options, routes).unwrap_or_else(|report| panic!("{report}"))).await
    }

    pub(crate) async fn of(plan: Plan) -> Self {
        Self { client: Client::of(plan).await.unwrap() }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        timeout(LONG, self.client.open(request)).await.expect("it takes too long")
    }

    /// Serves one connection, until it ends or has left HTTP.
    pub(crate) async fn serve_one(&self, listener: tokio::net::TcpListener) {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(|mut request: Request<Incoming>| async {
            let (server, asked) = OnUpgrade::pair();
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::runtime::Handle::current().spawn(async move {
                if let Ok(upgraded) = upgrade.await {
                    drop(server.send(Upgraded::new(Bytes::new(), TokioIo::new(upgraded))));
                }
            });
            request.extensions_mut().insert(asked);
            Ok::<_, Infallible>(self.client.gateway.handle(request.map(Body::new), &self.client.connection).await)
        });
        let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        timeout(LONG, served.with_upgrades()).await.expect("it takes too long").unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Response<String> {
        self.answer(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<String> {
        let (head, body) = self.send(request).await.into_parts();
        let body = timeout(LONG, body.collect(1 << 20)).await.unwrap().unwrap();
        Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
    }

    pub(crate) fn endpoints(&self) -> Vec<EndpointState> {
        self.client.gateway.snapshot().upstreams()["service"].endpoints.clone()
    }

    pub(crate) async fn ready(&self) -> bool {
        timeout(LONG, self.client.gateway.snapshot().ready()).await.unwrap().into_iter().all(|(_, ready)| ready.is_ok())
    }
}

/// A server whose script gets each connection, on a thread of its own.
pub(crate) struct Raw {
    pub(crate) url: String,
    requests: Arc<AtomicUsize>,
}

impl Raw {
    pub(crate) fn start(script: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let (counter, script) = (requests.clone(), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(LONG)).unwrap();
                let (script, requests) = (script.clone(), counter.clone());
                thread::spawn(move || script(Peer { stream: BufReader::new(stream), requests }));
            }
        });
        Self { url, requests }
    }

    /// Answers with this text and the request's first line.
    pub(crate) fn named(name: &'static str) -> Self {
        Self::start(move |mut peer| {
            while let Some(head) = peer.head() {
                let body = format!("{name} {}", head.lines().next().unwrap());
                peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
            }
        })
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// An address that refuses connections.
pub(crate) fn refusing() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

/// A connection of a raw server.
pub(crate) struct Peer {
    stream: BufReader<TcpStream>,
    requests: Arc<AtomicUsize>,
}

impl Peer {
    pub(crate) fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if self.stream.read_until(b'\n', &mut head).unwrap_or(0) == 0 {
                return None;
            }
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
        Some(String::from_utf8_lossy(&head).into_owned())
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The gateway may have left already, where a test is about that.
        let _sent = self.stream.get_mut().write_all(bytes.as_ref());
    }

    pub(crate) fn read(&mut self, length: usize) -> String {
        String::from_utf8(self.bytes(length)).unwrap()
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }
}
