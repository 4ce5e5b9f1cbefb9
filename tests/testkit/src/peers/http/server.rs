use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};

use super::routes;
use crate::peers::PeerError;

/// A server on a free port of 127.0.0.1 that speaks HTTP/1.1 and, with prior knowledge, HTTP/2; ended when dropped.
///
/// | path | answer |
/// |---|---|
/// | `/echo`, `/echo/...` | JSON: `method`, `path`, `query`, `version`, `headers` and `trailers` as lists of pairs, `body` as `base64` and `length` |
/// | `/status/{n}` | that status, with the text `status {n}` where the status allows a body |
/// | `/slow?ms=N` | `slow` after N milliseconds |
/// | `/hang` | never |
/// | `/large?bytes=N` | N bytes of `x`, with a Content-Length |
/// | `/binary` | the 256 byte values in order |
/// | `/multi` | two `set-cookie` and two `x-multi` header fields |
/// | `/hop` | a hop-by-hop header named by `connection`, and `keep-alive` |
/// | `/trailers` | a chunked body, then the trailer `x-checksum` (HTTP/1.1: to `te: trailers` only) |
/// | `/steps?count=N` | N chunks `step {i}\n`, each one once [`Server::release`] allows it |
/// | `/broken?bytes=N` | N bytes of a longer body, then the connection breaks |
/// | `/reject` | 413 without reading the request's body, so a waiting `expect: 100-continue` gets no 100 |
/// | `/upgrade` | 101 for the protocol asked for, then every byte comes back |
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    counters: Arc<Counters>,
    // Dropping it ends the listener and, with it, all connections.
    listener: JoinSet<()>,
}

/// What the server counts and what steers it.
#[derive(Debug)]
pub(super) struct Counters {
    accepted: AtomicUsize,
    open: AtomicUsize,
    requests: AtomicUsize,
    running: AtomicUsize,
    abandoned: AtomicUsize,
    pub(super) steps: Semaphore,
}

impl Server {
    /// Starts a server.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> Result<Self, PeerError> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts a server at an address, such as that of one which was ended before.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn start_at(address: SocketAddr) -> Result<Self, PeerError> {
        let listener = TcpListener::bind(address).await.map_err(PeerError::io(format!("listen at {address}")))?;
        let address = listener.local_addr().map_err(PeerError::io("read the address of a listener"))?;
        let counters = Arc::new(Counters {
            accepted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            abandoned: AtomicUsize::new(0),
            steps: Semaphore::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&counters)));
        Ok(Self { address, counters, listener: tasks })
    }

    /// Ends the server and all its connections; afterwards its port refuses and may be taken again.
    pub async fn stop(mut self) {
        self.listener.shutdown().await;
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.counters.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.counters.open.load(Ordering::SeqCst)
    }

    /// How many requests arrived so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.counters.requests.load(Ordering::SeqCst)
    }

    /// How many requests wait for the head of their response.
    #[must_use]
    pub fn running(&self) -> usize {
        self.counters.running.load(Ordering::SeqCst)
    }

    /// How many requests their client gave up before the head of the response.
    #[must_use]
    pub fn abandoned(&self) -> usize {
        self.counters.abandoned.load(Ordering::SeqCst)
    }

    /// Lets the responses of `/steps` go so many chunks further.
    pub fn release(&self, chunks: usize) {
        self.counters.steps.add_permits(chunks);
    }
}

async fn accept(listener: TcpListener, counters: Arc<Counters>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                counters.accepted.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream, Arc::clone(&counters)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, counters: Arc<Counters>) {
    let _open = Gauge::raise(&counters.open);
    // A delayed small packet would be measured as the gateway's own latency.
    drop(stream.set_nodelay(true));
    let service = service_fn(|request| {
        let counters = Arc::clone(&counters);
        async move {
            counters.requests.fetch_add(1, Ordering::SeqCst);
            let mut running = Running { counters: &counters, answered: false, _gauge: Gauge::raise(&counters.running) };
            let response = routes::answer(request, &counters).await;
            running.answered = true;
            Ok::<_, Infallible>(response)
        }
    });
    let builder = Builder::new(TokioExecutor::new());
    // How a connection ends is the client's affair.
    drop(builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await);
}

struct Gauge<'a>(&'a AtomicUsize);

impl<'a> Gauge<'a> {
    fn raise(gauge: &'a AtomicUsize) -> Self {
        gauge.fetch_add(1, Ordering::SeqCst);
        Self(gauge)
    }
}

impl Drop for Gauge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Running<'a> {
    counters: &'a Counters,
    answered: bool,
    _gauge: Gauge<'a>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.counters.abandoned.fetch_add(1, Ordering::SeqCst);
        }
    }
}
