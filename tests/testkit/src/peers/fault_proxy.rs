use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

use super::PeerError;

/// What a [`FaultProxy`] does to the bytes that pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: they pass.
    None,
    /// Each piece waits so long, in either direction.
    Delay(Duration),
    /// Each connection is closed once so many bytes of the remote's answers have passed.
    CutAfter(usize),
    /// Connections are accepted and nothing passes, until the fault changes.
    Stall,
    /// So many bytes pass in a second, per connection and direction.
    Throttle(u32),
    /// As if the remote had died: connections are reset and new ones refused.
    Refuse,
}

/// A TCP proxy between a client and its remote whose fault is switched at run time, for open connections too.
///
/// What it cannot prove: lost or reordered packets; to a client, those are delays.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    // Dropping it ends the listener and, with it, all connections.
    _listener: JoinSet<()>,
}

impl FaultProxy {
    /// Starts a proxy without a fault on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(remote: SocketAddr) -> Result<Self, PeerError> {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(PeerError::io("listen"))?;
        let address = listener.local_addr().map_err(PeerError::io("read the address of a listener"))?;
        let (fault, faults) = watch::channel(Fault::None);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, address, remote, faults));
        Ok(Self { address, fault, _listener: tasks })
    }

    /// Where the client is to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Switches the fault. A refusal takes effect once a connection attempt is refused.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

async fn accept(listener: TcpListener, address: SocketAddr, remote: SocketAddr, mut faults: watch::Receiver<Fault>) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let refuse = *faults.borrow_and_update() == Fault::Refuse;
        if refuse {
            // Only a closed port refuses.
            listener = None;
        } else if listener.is_none() {
            listener = listen(address).await.ok();
        }
        let incoming = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Ok((client, _)) = incoming => { connections.spawn(forward(client, remote, faults.clone())); }
            changed = faults.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn forward(client: TcpStream, remote: SocketAddr, faults: watch::Receiver<Fault>) {
    let Ok(server) = TcpStream::connect(remote).await else {
        return drop(client.set_zero_linger());
    };
    for stream in [&client, &server] {
        drop(stream.set_nodelay(true));
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = pump(from_client, to_server, faults.clone(), false);
    let down = pump(from_server, to_client, faults, true);
    tokio::pin!(up, down);
    // A half that ends properly leaves the other one running; a cut ends both.
    let (mut up_ended, mut down_ended) = (false, false);
    while !(up_ended && down_ended) {
        let end = tokio::select! {
            end = &mut up, if !up_ended => { up_ended = true; end }
            end = &mut down, if !down_ended => { down_ended = true; end }
        };
        if end == End::Cut {
            return;
        }
    }
}

#[derive(PartialEq, Eq)]
enum End {
    Proper,
    Cut,
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut faults: watch::Receiver<Fault>,
    answers: bool,
) -> End {
    let mut buffer = vec![0; 16 * 1024];
    let mut passed = 0;
    loop {
        // Small pieces, so that a throttled connection flows rather than jumps.
        let room = if matches!(*faults.borrow(), Fault::Throttle(_)) { 1024 } else { buffer.len() };
        let read = tokio::select! {
            read = from.read(&mut buffer[..room]) => read,
            _ = faults.wait_for(|fault| *fault == Fault::Refuse) => return cut(&to),
        };
        let mut length = match read {
            Ok(0) => return if to.shutdown().await.is_ok() { End::Proper } else { End::Cut },
            Ok(length) => length,
            Err(_) => return cut(&to),
        };
        drop(faults.wait_for(|fault| *fault != Fault::Stall).await);
        let fault = *faults.borrow();
        match fault {
            Fault::None | Fault::Stall => {}
            Fault::Delay(delay) => tokio::time::sleep(delay).await,
            Fault::Throttle(rate) => {
                tokio::time::sleep(Duration::from_secs_f64(length as f64 / f64::from(rate.max(1)))).await;
            }
            Fault::CutAfter(limit) => {
                if answers {
                    length = length.min(limit.saturating_sub(passed));
                }
            }
            Fault::Refuse => return cut(&to),
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return End::Cut;
        }
        passed += length;
        if answers && matches!(fault, Fault::CutAfter(limit) if passed >= limit) {
            // Not a reset: that would discard at the client what was just sent.
            drop(to.shutdown().await);
            return End::Cut;
        }
    }
}

fn cut(to: &OwnedWriteHalf) -> End {
    drop(to.as_ref().set_zero_linger());
    End::Cut
}

#[cfg(test)]
mod tests {
    use super::{super::Wire, *};
    use crate::peers::http::Server;

    const LIMIT: Duration = Duration::from_secs(30);
    const GET: &str = "GET /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

    async fn answer(proxy: &FaultProxy) -> super::super::Received {
        let mut wire = Wire::connect(proxy.address()).await.unwrap();
        // A cut connection may refuse the request already.
        drop(wire.send(GET).await);
        wire.read_to_end(LIMIT).await
    }

    #[tokio::test]
    async fn without_a_fault_bytes_pass_both_ways() {
        let server = Server::start().await.unwrap();
        let proxy = FaultProxy::start(server.address()).await.unwrap();
        let received = answer(&proxy).await;
        assert_eq!((received.status(), received.closed), (Some(200), true));
    }

    #[tokio::test]
    async fn a_cut_lets_exactly_so_many_bytes_of_the_answer_pass() {
        let server = Server::start().await.unwrap();
        let proxy = FaultProxy::start(server.address()).await.unwrap();
        proxy.set(Fault::CutAfter(20));
        let received = answer(&proxy).await;
        assert_eq!((received.bytes.len(), received.closed), (20, true));
    }

    #[tokio::test]
    async fn a_delay_is_felt_in_both_directions() {
        let server = Server::start().await.unwrap();
        let proxy = FaultProxy::start(server.address()).await.unwrap();
        proxy.set(Fault::Delay(Duration::from_millis(50)));
        let start = std::time::Instant::now();
        assert_eq!(answer(&proxy).await.status(), Some(200));
        assert!(start.elapsed() >= Duration::from_millis(100));
    }

    #[tokio::test]
    async fn a_throttle_stretches_an_answer() {
        let server = Server::start().await.unwrap();
        let proxy = FaultProxy::start(server.address()).await.unwrap();
        proxy.set(Fault::Throttle(1000));
        let start = std::time::Instant::now();
        let received = answer(&proxy).await;
        assert!(start.elapsed().as_secs_f64() >= received.bytes.len() as f64 / 1000.0);
    }

    #[tokio::test]
    async fn a_stalled_connection_goes_on_when_the_fault_ends() {
        let server = Server::start().await.unwrap();
        let proxy = FaultProxy::start(server.address()).await.unwrap();
        proxy.set(Fault::Stall);
        let mut wire = Wire::connect(proxy.address()).await.unwrap();
        wire.send(GET).await.unwrap();
        let nothing = wire.read_to_end(Duration::from_millis(100)).await;
        assert!(nothing.bytes.is_empty() && !nothing.closed);
        proxy.set(Fault::None);
        assert_eq!(wire.read_to_end(LIMIT).await.status(), Some(200));
    }

    #[tokio::test]
    async fn a_refusal_resets_open_connections_and_ends_with_the_fault() {
        let server = Server::start().await.unwrap();
        let proxy = FaultProxy::start(server.address()).await.unwrap();
        let mut open = Wire::connect(proxy.address()).await.unwrap();
        open.send("GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(super::super::until(LIMIT, async || server.running() == 1).await);

        proxy.set(Fault::Refuse);
        assert!(open.read_to_end(LIMIT).await.closed);
        assert!(super::super::until(LIMIT, async || Wire::connect(proxy.address()).await.is_err()).await);

        proxy.set(Fault::None);
        assert!(super::super::until(LIMIT, async || Wire::connect(proxy.address()).await.is_ok()).await);
        assert_eq!(answer(&proxy).await.status(), Some(200));
    }
}
