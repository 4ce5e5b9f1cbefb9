//! A stand-in of the gateway of OpenFaaS, with functions of its own.
//!
//! It does what the last gateway under the MIT licence (0.25.4) was seen to do, with of-watchdog and queue-worker behind
//! it: paths and names, the headers that it adds to requests and replies, asynchronous calls with their callback, basic
//! authentication of `/system`, and what it answers when a function is missing, dead or too slow.
//!
//! What it cannot prove: anything about a cluster or a later release. The text of the gateway's 404 and that forwarding
//! headers of the caller are kept are read in that release's source, the watchdog's 429 in its documentation; they were
//! not seen. It has no autoscaling, no queue that survives a restart, no limit of a queued body, and no other namespaces
//! than those that functions were deployed to.

mod functions;
mod gateway;
mod queue;
mod reply;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

/// A gateway on a free port of 127.0.0.1, until it is dropped.
#[derive(Debug)]
pub struct OpenFaas {
    address: SocketAddr,
    state: Arc<State>,
    tasks: JoinSet<()>,
}

/// What all connections share.
#[derive(Debug)]
struct State {
    /// Namespace and name.
    functions: Mutex<BTreeSet<(String, String)>>,
    /// How long the gateway waits for a function.
    write_timeout: Mutex<Duration>,
    /// Lets the function `steps` go on.
    steps: Semaphore,
    /// Calls that reached a function.
    calls: AtomicUsize,
    /// Times that functions were listed.
    lists: AtomicUsize,
    /// Calls that were queued and did not end yet, and their callbacks.
    queue: Mutex<JoinSet<()>>,
    ids: AtomicU64,
}

impl OpenFaas {
    /// The user who may list functions.
    pub const USER: &'static str = "admin";
    /// The user's password.
    pub const PASSWORD: &'static str = "s3cret-of-openfaas";
    /// The namespace of functions that are called without one.
    pub const NAMESPACE: &'static str = "openfaas-fn";

    /// The functions that are there from the start, all in [`NAMESPACE`](Self::NAMESPACE): those of the conformance kit,
    /// and `steps` (a chunk for each [`release`](Self::release), `?count=2` of them), `dead` (no replica answers),
    /// `expired` (its watchdog gave it up), `busy` (its watchdog takes no more calls), `lost` (a 404 of its own),
    /// `bare` (a 404 of a function without a watchdog), `broken` (its reply ends early, after `?bytes=1`).
    pub const FUNCTIONS: [&'static str; 14] = [
        "describe", "mirror", "status", "fail", "slow", "large", "binary", "steps", "dead", "expired", "busy", "lost",
        "bare", "broken",
    ];

    /// Starts a gateway on a free port.
    ///
    /// # Errors
    /// When it can't listen.
    pub async fn start() -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts a gateway at an address.
    ///
    /// # Errors
    /// When it can't listen there.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let functions = Self::FUNCTIONS.map(|name| (Self::NAMESPACE.to_owned(), name.to_owned()));
        let state = Arc::new(State {
            functions: Mutex::new(functions.into()),
            write_timeout: Mutex::new(Duration::from_secs(60)),
            steps: Semaphore::new(0),
            calls: AtomicUsize::new(0),
            lists: AtomicUsize::new(0),
            queue: Mutex::default(),
            ids: AtomicU64::new(1),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { address, state, tasks })
    }

    /// Ends it with all its connections; its port may be taken again.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        lock(&self.state.queue).abort_all();
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a function that describes the requests that it gets.
    pub fn deploy(&self, namespace: &str, name: &str) {
        lock(&self.state.functions).insert((namespace.to_owned(), name.to_owned()));
    }

    /// Takes a function away.
    pub fn remove(&self, namespace: &str, name: &str) {
        lock(&self.state.functions).remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// Changes how long the gateway waits for functions. Default: 60s.
    pub fn set_write_timeout(&self, limit: Duration) {
        *lock(&self.state.write_timeout) = limit;
    }

    /// Lets `steps` go so many chunks further.
    pub fn release(&self, chunks: usize) {
        self.state.steps.add_permits(chunks);
    }

    /// How many calls have reached a function.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.state.calls.load(Ordering::SeqCst)
    }

    /// How many times functions were listed.
    #[must_use]
    pub fn lists(&self) -> usize {
        self.state.lists.load(Ordering::SeqCst)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, peer)) = listener.accept() => {
                let state = Arc::clone(&state);
                connections.spawn(async move {
                    // A delayed small packet would be measured as the gateway's own latency.
                    drop(stream.set_nodelay(true));
                    let service = service_fn(|request| {
                        let state = Arc::clone(&state);
                        async move { Ok::<_, Infallible>(gateway::answer(request, peer, state).await) }
                    });
                    // How a connection ends is the client's affair.
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

#[cfg(test)]
mod tests;
