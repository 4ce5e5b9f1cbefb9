//! The service with the functions that the suite calls.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

type Reply = Response<Either<Incoming, Full<Bytes>>>;

/// A server of HTTP/1.1 or, by prior knowledge, HTTP/2.
pub(crate) struct Service {
    address: SocketAddr,
    tasks: JoinSet<()>,
}

impl Service {
    pub(crate) async fn start(address: &str, http2: bool) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let service = service_fn(async |request| Ok::<_, Infallible>(answer(request).await));
                    let io = TokioIo::new(stream);
                    // A connection that the test or the suite breaks is no failure of the service.
                    let _served = if http2 {
                        http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
                    } else {
                        http1::Builder::new().serve_connection(io, service).await
                    };
                });
            }
        });
        Ok(Self { address, tasks })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it with all its connections.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn answer(request: Request<Incoming>) -> Reply {
    let number = |name: &str| -> usize {
        let pairs = request.uri().query().unwrap_or_default().split('&');
        let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
        value.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
    };
    match request.uri().path().split('/').nth(1).unwrap_or_default() {
        "openapi.json" => reply(200, document()),
        "describe" => describe(&request),
        "mirror" => mirror(request),
        "status" => reply(u16::try_from(number("status")).unwrap_or(500), Bytes::new()),
        "fail" => reply(500, "failed"),
        "slow" => {
            tokio::time::sleep(Duration::from_millis(number("ms") as u64)).await;
            reply(200, "slow")
        }
        "large" => reply(200, vec![b'x'; number("bytes")]),
        "binary" => reply(200, (0..=u8::MAX).collect::<Vec<_>>()),
        _ => reply(404, "there is no such function"),
    }
}

fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Either::Right(Full::new(body.into())));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply
}

/// What the service says of itself.
fn document() -> String {
    let operation = |name: &str| (format!("/{name}"), json!({"get": {"operationId": name, "responses": {}}}));
    let paths = ["describe", "status", "slow"].map(operation).into_iter().collect::<serde_json::Map<_, _>>();
    json!({"openapi": "3.1.0", "info": {"title": "remote", "version": "1"}, "paths": paths}).to_string()
}

fn describe(request: &Request<Incoming>) -> Reply {
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let described = json!({
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "query": request.uri().query().unwrap_or_default(),
        "headers": headers,
    });
    reply(200, described.to_string())
}

fn mirror(request: Request<Incoming>) -> Reply {
    let kind = request.headers().get("content-type").cloned();
    let mut reply = Response::new(Either::Left(request.into_body()));
    if let Some(kind) = kind {
        reply.headers_mut().insert("content-type", kind);
    }
    reply
}
