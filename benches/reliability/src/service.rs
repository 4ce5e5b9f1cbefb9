//! A service that is well: what fails in front of it is the gateway's.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use crate::Problem;

/// The length of the answer to `/large`, in bytes.
const LARGE: usize = 64 << 20;

/// An HTTP service; it ends when it is dropped. `/large` is answered with 64 MiB, all else with `fine`.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Service {
    pub(crate) async fn start() -> Result<Self, Problem> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener));
        Ok(Self { address, _serving: serving })
    }
}

async fn serve(listener: TcpListener) {
    let large = Bytes::from(vec![b'x'; LARGE]);
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let large = large.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let body = if request.uri().path() == "/large" { large.clone() } else { Bytes::from_static(b"fine") };
            async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
        });
        connections.spawn(async move {
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
        while connections.try_join_next().is_some() {}
    }
}
