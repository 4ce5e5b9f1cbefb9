//! Functions that fail at random, and remember what they did.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use crate::Problem;

/// An HTTP service; it ends when it is dropped. A message's payload is its number.
///
/// Of the tries 10 % are answered 503, 5 % with 500, 2 % break the connection, 1 % are never answered. One message in 100
/// is refused with 404 whenever it comes: no retry mends that.
pub(crate) struct Functions {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    /// How often each message was processed.
    processed: Mutex<HashMap<u64, u32>>,
    tries: AtomicU64,
}

impl Functions {
    pub(crate) async fn start() -> Result<Self, Problem> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, seen) = (listener.local_addr()?, Arc::<Seen>::default());
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&seen)));
        Ok(Self { address, seen, _serving: serving })
    }

    /// How many messages were processed.
    pub(crate) fn processed(&self) -> u64 {
        self.times().len() as u64
    }

    /// How often each message was processed.
    pub(crate) fn times(&self) -> std::sync::MutexGuard<'_, HashMap<u64, u32>> {
        self.seen.processed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often functions were called.
    pub(crate) fn tries(&self) -> u64 {
        self.seen.tries.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, seen: Arc<Seen>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let seen = Arc::clone(&seen);
        let service = service_fn(move |request| answer(request, Arc::clone(&seen)));
        connections.spawn(async move {
            // An end without an answer is what some clients are to see.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(request: Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Empty<Bytes>>, io::Error> {
    let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    let number = std::str::from_utf8(&body).ok().and_then(|text| text.parse().ok());
    let number: u64 = number.ok_or_else(|| io::Error::other("this is no message of the proof"))?;
    seen.tries.fetch_add(1, Ordering::Relaxed);
    let status = match (number % 100, fastrand::u32(0..100)) {
        (7, _) => StatusCode::NOT_FOUND,
        (_, 0..10) => StatusCode::SERVICE_UNAVAILABLE,
        (_, 10..15) => StatusCode::INTERNAL_SERVER_ERROR,
        (_, 15..17) => return Err(io::Error::other("the connection breaks")),
        (_, 17) => match std::future::pending::<Infallible>().await {},
        _ => {
            *seen.processed.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default() += 1;
            StatusCode::OK
        }
    };
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    Ok(response)
}
