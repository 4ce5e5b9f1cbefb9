//! Upgraded connections over reloads and the end.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use callgate_testkit::peers::{Wire, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{gate::SOON, running::Running};

/// A service that switches protocols and then gives back what it gets. It knows nothing of frames, which the gateway does not
/// look at either.
struct Echo {
    address: String,
    open: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, open) = (listener.local_addr().unwrap().to_string(), Arc::<AtomicUsize>::default());
        let mut serving = JoinSet::new();
        let counted = Arc::clone(&open);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let open = Arc::clone(&counted);
                connections.spawn(async move {
                    open.fetch_add(1, SeqCst);
                    echo(stream).await.ok();
                    open.fetch_sub(1, SeqCst);
                });
            }
        });
        Self { address, open, _serving: serving }
    }

    fn document(&self, more: &str) -> String {
        let upstream = format!("upstreams: {{s: {{rest: {{url: 'http://{}'}}}}}}", self.address);
        format!("{upstream}\nroutes: [{{match: /ws, to: s, timeout: 1s}}]\n{more}")
    }
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let switched = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    stream.write_all(switched).await?;
    let (mut read, mut write) = stream.split();
    tokio::io::copy(&mut read, &mut write).await.map(drop)
}

/// A connection that was upgraded.
async fn upgraded(running: &mut Running) -> Wire {
    let mut wire = Wire::connect(running.address("public").await).await.unwrap();
    let head = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    wire.send(head).await.unwrap();
    let received = wire.read_until(SOON, |bytes| bytes.ends_with(b"\r\n\r\n")).await;
    assert_eq!(received.statuses(), [101], "{}", received.text());
    wire
}

async fn goes_on(wire: &mut Wire, text: &str) {
    wire.send(text).await.unwrap();
    let received = wire.read_until(SOON, |bytes| bytes.ends_with(text.as_bytes())).await;
    assert!(received.bytes.ends_with(text.as_bytes()) && !received.closed, "{}", received.text());
}

#[tokio::test]
async fn a_reload_that_drops_its_upstream_leaves_it_alone() {
    let service = Echo::start().await;
    let mut running = Running::start(&service.document("")).await;
    let mut wire = upgraded(&mut running).await;
    goes_on(&mut wire, "before").await;
    for text in ["gone", "gone again"] {
        running.configure(&format!("routes: [{{match: /a, respond: {{body: {{text: {text}}}}}}}]\n"));
        let (status, told) = running.reload().await;
        assert_eq!(status, 200, "{told}");
        running.answers("/a", text).await;
        goes_on(&mut wire, text).await;
    }
    assert_eq!(service.open.load(SeqCst), 1, "it was closed while it was used");
    drop(wire);
    assert!(until(SOON, async || service.open.load(SeqCst) == 0).await, "it was not closed");
}

#[tokio::test]
async fn a_drain_waits_for_it() {
    let service = Echo::start().await;
    let mut running = Running::start(&service.document("shutdown: {lame_duck: 0s, grace: 60s}\n")).await;
    let address = running.address("public").await;
    let mut wire = upgraded(&mut running).await;
    running.signal("-TERM");
    assert!(until(SOON, async || Wire::connect(address).await.is_err()).await, "a draining gateway accepts");
    goes_on(&mut wire, "while it drains").await;
    drop(wire);
    assert_eq!(running.ended().await, Some(0));
}

#[tokio::test]
async fn it_is_cut_when_the_time_is_over_and_the_exit_code_says_so() {
    let service = Echo::start().await;
    let mut running = Running::start(&service.document("shutdown: {lame_duck: 0s, grace: 300ms}\n")).await;
    let mut wire = upgraded(&mut running).await;
    running.signal("-TERM");
    assert!(wire.read_to_end(SOON).await.closed);
    assert_eq!(running.ended().await, Some(1));
    assert!(until(SOON, async || service.open.load(SeqCst) == 0).await, "the service's side is open still");
}
