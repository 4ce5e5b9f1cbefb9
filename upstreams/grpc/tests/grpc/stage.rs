//! A gateway with an upstream `shop`, called at once or through a socket.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use callgate_core::{Body, BodyError, Registry, Snapshot, document::Document, plan::Plan};
use callgate_testkit::gateway::{Client, Files};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// How long anything may take on a loaded machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Reads a configuration whose upstream `shop` has these options, and these routes.
pub(crate) fn plan(options: &str, routes: &str) -> Result<Plan, String> {
    read(&format!("upstreams:\n  shop: {{grpc: {{{options}}}}}\nroutes:\n{routes}"))
}

pub(crate) fn read(yaml: &str) -> Result<Plan, String> {
    let document = Document::parse("shop.yaml", yaml, &Files).map_err(|report| report.to_string())?;
    let registry = Registry::new().with::<callgate_grpc::Grpc>();
    Plan::read(&document, &registry).map_err(|report| report.to_string())
}

/// What a client gets.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
    /// Whether the body ended as it should.
    pub(crate) whole: Result<(), BodyError>,
}

impl Answer {
    /// Status and code of a failure.
    pub(crate) fn failure(&self) -> (u16, &str) {
        let code = self.headers.get("callgate-error").and_then(|code| code.to_str().ok());
        (self.status.as_u16(), code.unwrap_or("none"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The values of a header.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }
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
        Self::try_of(plan).await.unwrap()
    }

    pub(crate) async fn try_of(plan: Plan) -> Result<Self, String> {
        Ok(Self { client: Client::of(plan).await.map_err(|error| error.to_string())? })
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.client.gateway.snapshot()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let answer = timeout(LONG, self.client.open(request)).await.expect("it takes too long");
        let (head, mut body) = answer.into_parts();
        let (mut bytes, mut trailers, mut whole) = (Vec::new(), HeaderMap::new(), Ok(()));
        while let Some(frame) = timeout(LONG, body.frame()).await.expect("it takes too long") {
            match frame {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => bytes.extend_from_slice(&data),
                    Err(frame) => trailers = frame.into_trailers().unwrap(),
                },
                Err(error) => {
                    whole = Err(error);
                    break;
                }
            }
        }
        Answer { status: head.status, headers: head.headers, body: bytes.into(), trailers, whole }
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(request.body(body.to_string().into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Puts the gateway behind a socket that speaks HTTP/2 without TLS, until it is dropped.
    pub(crate) async fn listen(&self) -> Edge {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let Client { gateway, connection } = self.client.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (gateway, connection) = (gateway.clone(), Arc::clone(&connection));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (gateway, connection) = (gateway.clone(), Arc::clone(&connection));
                    async move { Ok::<_, Infallible>(gateway.handle(request.map(Body::new), &connection).await) }
                });
                connections.spawn(async move {
                    let mut server = http2::Builder::new(TokioExecutor::new());
                    server.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        Edge { address, tasks }
    }
}

/// A gateway behind a socket.
pub(crate) struct Edge {
    pub(crate) address: SocketAddr,
    tasks: JoinSet<()>,
}

impl Edge {
    /// Asks by HTTP/2, and gives the answer's body as it comes.
    pub(crate) async fn get(&mut self, path: &str) -> Incoming {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        self.tasks.spawn(async move { drop(connection.await) });
        let request = Request::get(format!("http://{}{path}", self.address)).body(Empty::<Bytes>::new()).unwrap();
        let reply = timeout(LONG, client.send_request(request)).await.expect("it takes too long").unwrap();
        // Without a client there is no connection.
        self.tasks.spawn(async move {
            std::future::pending::<()>().await;
            drop(client)
        });
        reply.into_body()
    }
}
