//! Services that fail on purpose, and clients of a gateway before them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use callgate_testkit::peers::Wire;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::gateway::{Gateway, LIMIT};

/// What a service does with a request. Every connection has one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Answer(&'static str),
    /// Reads the request and breaks the connection.
    Break,
}

/// A service; ended with all its connections when dropped.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Service {
    /// A service that does so with its first requests, and answers the rest with 200.
    pub(crate) async fn start(acts: &'static [Act]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<AtomicUsize>::default();
        let (counter, mut serving) = (Arc::clone(&requests), JoinSet::new());
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&counter), acts));
            }
        });
        Self { address, requests, _serving: serving }
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, requests: Arc<AtomicUsize>, acts: &[Act]) {
    let (mut request, mut wanted) = (Vec::new(), usize::MAX);
    while request.len() < wanted {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            wanted = head.len() + 4 + length.unwrap_or(0);
        }
    }
    let number = requests.fetch_add(1, Ordering::SeqCst);
    let status = match acts.get(number) {
        Some(Act::Break) => return,
        Some(Act::Answer(status)) => status,
        None => "200 OK",
    };
    let body = request[request.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4..].to_vec();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // The gateway may have left.
    drop(stream.write_all(&[head.as_bytes(), &body].concat()).await);
}

/// Where a gateway listens for clients.
pub(crate) async fn listener(gateway: &mut Gateway) -> SocketAddr {
    let line = gateway.says("Listening.").await;
    line["address"].as_str().unwrap().parse().unwrap()
}

/// Sends a request on a connection of its own, and gives the whole answer.
pub(crate) async fn send(address: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let mut wire = Wire::connect(address).await.unwrap();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    wire.send(format!("{head}{body}")).await.unwrap();
    let received = wire.read_to_end(LIMIT).await;
    assert!(received.closed, "no whole answer in time: {}", received.text());
    received.text()
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer}"))
}
