//! A worker: one thread, one runtime, its own listening sockets and its own connections.

use std::{
    io, net,
    os::unix,
    pin::pin,
    sync::{Arc, mpsc},
    task::Poll,
    time::Duration,
};

use tokio::{
    net::{TcpListener, UnixListener},
    runtime::{self, Runtime},
    sync::{mpsc as commands, oneshot, watch},
    time::{self, MissedTickBehavior},
};
use tokio_util::task::TaskTracker;

use super::{
    answer::Answer,
    connection::{self, Shared},
    connections::{Connections, Place},
    drain::Phase,
    error::ServerError,
    h2,
    limits::{LEAST_HEAD, Limits},
    listen::SocketFile,
    origin::Origin,
    socket::Transport,
    traffic::Counters,
};

/// A listening socket of this worker, before the worker accepts from it.
#[derive(Debug)]
pub(super) enum Listening {
    Tcp(net::TcpListener),
    /// The last worker to let go of the socket removes its file.
    Unix(unix::net::UnixListener, Arc<SocketFile>),
}

/// What a worker that runs is told.
#[derive(Debug)]
pub(super) enum Command {
    /// Accept from this socket too.
    Listen(Listening, Arc<Origin>),
}

/// What a worker is made of.
pub(super) struct Worker<A> {
    pub(super) answer: A,
    pub(super) limits: Limits,
    pub(super) counters: Arc<Counters>,
    pub(super) listeners: Vec<(Listening, Arc<Origin>)>,
    pub(super) commands: commands::Receiver<Command>,
}

impl<A: Answer> Worker<A> {
    /// Starts the thread and waits until it accepts. What comes back is the number of connections that had to be cut
    /// when it ended.
    pub(super) fn start(
        self,
        index: usize,
        phase: watch::Receiver<Phase>,
    ) -> Result<oneshot::Receiver<usize>, ServerError> {
        let (ended, when_ended) = oneshot::channel();
        let (started, has_started) = mpsc::channel();
        let work = move || match self.prepare() {
            Err(error) => {
                started.send(Err(error)).ok();
            }
            Ok((runtime, shared, listeners, commands, tick)) => {
                callgate_core::metrics::count_apart(index);
                started.send(Ok(())).ok();
                let cut = runtime.block_on(run(&shared, listeners, commands, tick, phase));
                // Ends what is left of connections, and waits for no look-up of a name that still runs.
                runtime.shutdown_background();
                // Nobody waits any more if the server itself was dropped.
                ended.send(cut).ok();
            }
        };
        let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(work);
        thread.map_err(ServerError::Worker)?;
        has_started.recv().map_err(|_| ServerError::WorkerEnded)?.map_err(ServerError::Worker)?;
        Ok(when_ended)
    }

    fn prepare(self) -> io::Result<Parts<A>> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let listeners = self.listeners.into_iter().map(|(socket, origin)| Ok((socket.accepting()?, origin)));
        let listeners = listeners.collect::<io::Result<_>>()?;
        let shared = Shared {
            answer: self.answer,
            head_size: self.limits.head_size.max(LEAST_HEAD),
            http2: h2::protocol(&self.limits),
            concurrent_streams: self.limits.concurrent_streams,
            connections: Connections::new(&self.limits, self.counters),
        };
        drop(entered);
        Ok((runtime, Arc::new(shared), listeners, self.commands, self.limits.tick()))
    }
}

type Parts<A> = (Runtime, Arc<Shared<A>>, Vec<(Accepting, Arc<Origin>)>, commands::Receiver<Command>, Duration);

/// A listening socket in the worker's event queue.
enum Accepting {
    Tcp(TcpListener),
    Unix { socket: UnixListener, _file: Arc<SocketFile> },
}

impl Listening {
    fn accepting(self) -> io::Result<Accepting> {
        Ok(match self {
            Self::Tcp(socket) => Accepting::Tcp(TcpListener::from_std(socket)?),
            Self::Unix(socket, file) => Accepting::Unix { socket: UnixListener::from_std(socket)?, _file: file },
        })
    }
}

async fn run<A: Answer>(
    shared: &Arc<Shared<A>>,
    listeners: Vec<(Accepting, Arc<Origin>)>,
    mut commands: commands::Receiver<Command>,
    tick: Duration,
    mut phase: watch::Receiver<Phase>,
) -> usize {
    let connections = &shared.connections;
    let accepting = TaskTracker::new();
    let follow = phase.clone();
    let accept_from = |socket, origin: Arc<Origin>| {
        let tasks = origin.accepting.clone();
        let task = accept(socket, origin, Arc::clone(shared), follow.clone());
        runtime::Handle::current().spawn(accepting.track_future(tasks.track_future(task)));
    };
    listeners.into_iter().for_each(|(socket, origin)| accept_from(socket, origin));
    let mut ticks = time::interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut draining = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => connections.look_over(),
            () = emptied(&accepting, connections), if draining => {
                // Where something had to be cut, there is no time left for it.
                callgate_core::part_from_brokers().await;
                return 0;
            }
            Some(Command::Listen(socket, origin)) = commands.recv(), if !draining => match socket.accepting() {
                Ok(socket) => accept_from(socket, origin),
                Err(error) => {
                    tracing::error!(listener = %origin.settings().listener, %error, "A worker can't accept from a new listener");
                }
            },
            changed = phase.changed() => match (changed, *phase.borrow()) {
                (Ok(()), Phase::Serving) => {}
                (Ok(()), Phase::Draining) => {
                    draining = true;
                    accepting.close();
                    connections.drain();
                }
                (Ok(()), Phase::Ended) | (Err(_), _) => return connections.count(),
            },
        }
    }
}

/// Waits until nothing is accepted any more and the last connection has ended.
async fn emptied(accepting: &TaskTracker, connections: &Connections) {
    accepting.wait().await;
    connections.emptied().await;
}

/// Accepts connections until the worker drains, or the listener is taken away.
async fn accept<A: Answer>(
    socket: Accepting,
    origin: Arc<Origin>,
    shared: Arc<Shared<A>>,
    mut phase: watch::Receiver<Phase>,
) {
    let mut pause = Pause::new();
    let mut stopping = pin!(async {
        tokio::select! {
            _ = phase.wait_for(|phase| *phase != Phase::Serving) => {}
            () = origin.left.cancelled() => {}
        }
    });
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopping => break,
            accepted = accept_one(&socket, &shared) => accepted,
        };
        match accepted {
            Ok((place, transport, peer)) => {
                pause = Pause::new();
                spawn(place, transport, peer, &origin, &shared);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(listener = %origin.settings().listener, %error, "No connection can be accepted at the moment");
                tokio::select! {
                    () = &mut stopping => break,
                    () = pause.wait() => {}
                }
            }
        }
    }
    accept_queued(&socket, &origin, &shared).await;
    if origin.left.is_cancelled() {
        shared.connections.leave(origin.id);
    }
}

/// Accepts what the kernel has completed already: closing the socket would reset these connections.
async fn accept_queued<A: Answer>(socket: &Accepting, origin: &Arc<Origin>, shared: &Arc<Shared<A>>) {
    // Lets the runtime learn of them.
    tokio::task::yield_now().await;
    while let Some(place) = shared.connections.try_place() {
        let accepted = std::future::poll_fn(|cx| Poll::Ready(socket.poll_accept(cx))).await;
        match accepted {
            Poll::Ready(Ok((transport, peer))) => spawn(place, transport, peer, origin, shared),
            Poll::Ready(Err(error)) if is_of_one_connection(&error) => {}
            Poll::Ready(Err(_)) | Poll::Pending => return,
        }
    }
}

type Accepted = (Transport, Option<net::SocketAddr>);

async fn accept_one<A>(
    socket: &Accepting,
    shared: &Shared<A>,
) -> io::Result<(Place, Transport, Option<net::SocketAddr>)> {
    let Some(place) = shared.connections.place().await else {
        return std::future::pending().await;
    };
    let (transport, peer) = std::future::poll_fn(|cx| socket.poll_accept(cx)).await?;
    Ok((place, transport, peer))
}

impl Accepting {
    fn poll_accept(&self, cx: &mut std::task::Context<'_>) -> Poll<io::Result<Accepted>> {
        match self {
            Self::Tcp(socket) => socket.poll_accept(cx).map_ok(|(stream, peer)| (Transport::Tcp(stream), Some(peer))),
            Self::Unix { socket, .. } => socket.poll_accept(cx).map_ok(|(stream, _)| (Transport::Unix(stream), None)),
        }
    }
}

fn spawn<A: Answer>(
    place: Place,
    transport: Transport,
    peer: Option<net::SocketAddr>,
    origin: &Arc<Origin>,
    shared: &Arc<Shared<A>>,
) {
    let seat = shared.connections.enter(place, origin.id);
    let served = connection::serve(transport, peer, seat, Arc::clone(shared), origin.settings());
    runtime::Handle::current().spawn(served);
}

/// Whether the error is about the connection that was to be accepted, and the next one may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Growing pauses while the process has no file descriptors or memory for another connection.
struct Pause(Duration);

impl Pause {
    const fn new() -> Self {
        Self(Duration::from_millis(10))
    }

    async fn wait(&mut self) {
        time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Duration::from_secs(1));
    }
}
