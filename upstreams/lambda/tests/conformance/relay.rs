//! An HTTP relay that lets a few calls through at a time: MiniStack starts a process for each call that runs beside
//! others, so that a hundred at once take it longer than any deadline on a busy machine.

use std::{io, net::SocketAddr, sync::Arc};

use callgate_core::BoxError;
use http::{Request, Response};
use hyper::{body::Incoming, client::conn::http1 as client, server::conn::http1 as server, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};

const AT_ONCE: usize = 4;

/// The relay, until it is dropped.
pub(crate) struct Relay {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl Relay {
    pub(crate) async fn start(remote: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut task = JoinSet::new();
        task.spawn(async move {
            let room = Arc::new(Semaphore::new(AT_ONCE));
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let room = Arc::clone(&room);
                connections.spawn(async move {
                    let service = service_fn(|request| pass(request, remote, Arc::clone(&room)));
                    drop(server::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Ok(Self { address, _task: task })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Sends the request on as it is, on a connection of its own, until the head of the reply is there.
async fn pass(
    request: Request<Incoming>,
    remote: SocketAddr,
    room: Arc<Semaphore>,
) -> Result<Response<Incoming>, BoxError> {
    let _place = room.acquire_owned().await?;
    let stream = TcpStream::connect(remote).await?;
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let reply = sender.send_request(request).await?;
    driver.detach_all();
    Ok(reply)
}
