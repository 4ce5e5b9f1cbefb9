//! The HTTP server: one worker thread per core, each with its own runtime, listening sockets and connections.
//!
//! A request never leaves the worker that accepted its connection, so nothing on its way is shared between cores. What
//! is not a request (brokers' connections, refreshes, reload, admin) runs on the [background runtime](background).
//! Nothing on a worker may block.
//!
//! `h1` speaks HTTP/1.1 by a codec of its own, `h2` HTTP/2 by the crate of that name. What they refuse never reaches the gateway
//! and is answered with an empty body: 400 for a malformed head, 431 for one that is too large. `docs/wire.md` has the whole list.

mod activity;
mod answer;
mod connection;
mod connections;
mod date;
mod drain;
mod error;
mod h1;
mod h2;
mod inherited;
mod limits;
mod listen;
mod listeners;
mod message;
mod origin;
mod proxy_protocol;
mod signals;
mod socket;
mod tls;
mod traffic;
mod worker;

use std::{future::Future, io, num::NonZero, sync::Arc, thread};

use callgate_core::plan::{Listener, Shutdown};
use tokio::{
    runtime::{self, Runtime},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time,
};

pub use answer::Answer;
pub use drain::{Drained, Ending, Readiness};
pub use error::{ServerError, TlsError};
pub use inherited::Inherited;
pub use limits::Limits;
pub use listen::Bound;
pub(crate) use listen::{SocketFile, remove_stale};
pub use listeners::{ListenerChanges, Listeners, Prepared};
pub use signals::{Hangups, Signals};
pub use tls::{check as check_tls, install_tls_provider};
pub use traffic::{Carried, Traffic};

use drain::Phase;
use origin::{Origin, Settings};
use worker::{Listening, Worker};

/// Changes of listeners that may wait for a worker.
const COMMANDS: usize = 64;

/// The runtime of everything that is not a request.
///
/// # Errors
/// The system gives no thread or no event queue.
pub fn background() -> io::Result<Runtime> {
    runtime::Builder::new_multi_thread().thread_name("background").enable_all().build()
}

/// A running server. Dropping it cuts all connections.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<Bound>,
    listeners: Listeners,
    phase: watch::Sender<Phase>,
    readiness: Readiness,
    traffic: Traffic,
    workers: Vec<oneshot::Receiver<usize>>,
}

impl Server {
    /// Binds all listeners, then starts the workers (by default one per core) and says so in `readiness`.
    ///
    /// # Errors
    /// An address that can't be listened at, TLS files that can't be used, no threads. Nothing is left running then.
    pub fn start<A: Answer>(
        listeners: &[Listener],
        workers: Option<NonZero<usize>>,
        limits: &Limits,
        readiness: &Readiness,
        answer: &A,
    ) -> Result<Self, ServerError> {
        Self::start_with(&Inherited::default(), listeners, workers, limits, readiness, answer)
    }

    /// Starts as [`start`](Self::start) does, with sockets that were handed in.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with<A: Answer>(
        inherited: &Inherited,
        listeners: &[Listener],
        workers: Option<NonZero<usize>>,
        limits: &Limits,
        readiness: &Readiness,
        answer: &A,
    ) -> Result<Self, ServerError> {
        let count = workers.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
        let mut sockets: Vec<_> = (0..count).map(|_| Vec::new()).collect();
        let mut opened = Vec::with_capacity(listeners.len());
        for listener in listeners {
            opened.push(open(listener, &mut sockets, inherited)?);
        }
        let (phase, follow) = watch::channel(Phase::Serving);
        let traffic = Traffic::of_workers(count);
        let (mut tell, mut workers) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (index, listeners) in sockets.into_iter().enumerate() {
            let (command, commands) = mpsc::channel(COMMANDS);
            let counters = traffic.of(index);
            let worker = Worker { answer: answer.clone(), limits: limits.clone(), counters, listeners, commands };
            workers.push(worker.start(index, follow.clone())?);
            tell.push(command);
        }
        readiness.serves();
        let addresses = opened.iter().map(|(_, bound, _)| bound.clone()).collect();
        let listeners = Listeners::new(opened, tell, inherited.clone());
        Ok(Self { addresses, listeners, phase, readiness: readiness.clone(), traffic, workers })
    }

    /// Where the listeners really listen, in their order.
    pub fn addresses(&self) -> &[Bound] {
        &self.addresses
    }

    /// What the connections carry.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The listeners, which can be changed while the server runs.
    pub fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// Serves until `end` is ready, then ends in steps. `shutdown` says at that moment how long they take:
    ///
    /// 1. for `lame_duck` it says that it is not ready but serves on, so that load balancers turn away; a prompt ending
    ///    leaves this out;
    /// 2. the listeners close; idle connections are closed, the others told that they end (`connection: close`,
    ///    GOAWAY) and finish what runs;
    /// 3. what is not finished within `grace` is cut.
    ///
    /// When `at_once` is ready during one of these steps, the last one is taken.
    ///
    /// # Errors
    /// [`ServerError::WorkerEnded`] when a worker panicked; the others are drained first.
    pub async fn run(
        self,
        shutdown: impl Fn() -> Shutdown,
        end: impl Future<Output = Ending>,
        at_once: impl Future<Output = ()>,
    ) -> Result<Drained, ServerError> {
        let Self { phase, readiness, workers, .. } = self;
        let mut running = JoinSet::new();
        for worker in workers {
            running.spawn(worker);
        }
        let mut died = false;
        let ending = tokio::select! {
            ending = end => ending,
            _ = running.join_next() => {
                died = true;
                Ending::Announced
            }
        };
        readiness.drains();
        let shutdown = shutdown();
        let mut cut = 0;
        let mut finished = async |running: &mut JoinSet<_>| {
            while let Some(ended) = running.join_next().await {
                match ended {
                    Ok(Ok(left)) => cut += left,
                    Ok(Err(_)) | Err(_) => died = true,
                }
            }
        };
        let in_steps = async {
            if ending == Ending::Announced {
                time::sleep(shutdown.lame_duck).await;
            }
            phase.send_replace(Phase::Draining);
            tokio::select! {
                () = finished(&mut running) => {}
                () = time::sleep(shutdown.grace) => {}
            }
        };
        tokio::select! {
            () = in_steps => {}
            () = at_once => {}
        }
        phase.send_replace(Phase::Ended);
        finished(&mut running).await;
        if died { Err(ServerError::WorkerEnded) } else { Ok(Drained { cut }) }
    }
}

/// Binds a listener and gives each worker its socket.
fn open(
    listener: &Listener,
    workers: &mut [Vec<(Listening, Arc<Origin>)>],
    inherited: &Inherited,
) -> Result<(Listener, Bound, Arc<Origin>), ServerError> {
    let origin = Origin::new(Settings::of(listener, None)?);
    let (sockets, bound) = listen::bind(listener, workers.len(), &[], inherited)?;
    for (worker, socket) in workers.iter_mut().zip(sockets) {
        socket.listen().map_err(|reason| ServerError::Listen {
            listener: Arc::clone(&listener.name),
            address: listener.address.clone(),
            reason,
        })?;
        worker.push((socket, Arc::clone(&origin)));
    }
    Ok((listener.clone(), bound, origin))
}
