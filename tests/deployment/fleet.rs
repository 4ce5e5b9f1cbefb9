//! Three gateways behind a real HAProxy, as `deploy/haproxy` has them, of which each is killed, and each is ended, in turn under load.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use callgate_testkit::peers::{Process, free_port, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use super::{callgate, root};

/// How long anything may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many clients ask, one request after the other.
const CLIENTS: usize = 6;
/// How many answers there have to be between two losses.
const BETWEEN: usize = 100;

/// A gateway that can be ended and started again at the same ports.
struct Gateway {
    folder: tempfile::TempDir,
    public: u16,
    admin: u16,
    child: Option<Child>,
}

impl Gateway {
    fn new() -> Self {
        let (public, admin) = (free_port().expect("a port"), free_port().expect("a port"));
        let folder = tempfile::tempdir().expect("a folder");
        let text = fs::read_to_string(root().join("deploy/haproxy/callgate.yaml")).expect("the example");
        let text = text
            .replace("0.0.0.0:8080", &format!("127.0.0.1:{public}"))
            .replace("0.0.0.0:9901", &format!("127.0.0.1:{admin}"))
            .replace("10.0.0.10/32", "127.0.0.1/32");
        fs::write(folder.path().join("callgate.yaml"), text).expect("written");
        Self { folder, public, admin, child: None }
    }

    async fn start(&mut self) {
        let mut command = callgate(&["run", "callgate.yaml", "--workers", "1", "--log", "error"]);
        let command = command.current_dir(self.folder.path()).stdout(Stdio::null());
        self.child = Some(command.spawn().expect("it starts"));
        let address = format!("127.0.0.1:{}", self.admin);
        let asked = async || Command::new(env!("CARGO_BIN_EXE_callgate")).args(["health", &address]).output();
        assert!(until(PATIENCE, async || asked().await.is_ok_and(|told| told.status.success())).await);
    }

    /// Kills it, in the middle of whatever it does.
    fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("killed");
        child.wait().expect("gone");
    }

    /// Ends it as an orchestrator does; gives its exit code.
    async fn end(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("it runs");
        let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        let mut code = None;
        let ended = until(PATIENCE, async || {
            code = child.try_wait().expect("it is ours").map(|status| status.code());
            code.is_some()
        });
        assert!(ended.await, "it ends");
        code.flatten()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// What the clients got.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    served: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

/// Asks until it is over.
async fn ask(port: u16, load: Arc<Load>) {
    while !load.over.load(Ordering::Relaxed) {
        match timeout(PATIENCE, one(port)).await {
            Ok(Ok(text)) if text.starts_with("HTTP/1.1 200 ") && text.ends_with("pong") => {
                load.served.fetch_add(1, Ordering::Relaxed);
            }
            other => load.failures.lock().expect("no panic").push(format!("{other:?}")),
        }
    }
}

async fn one(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /ping HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

/// HAProxy with the configuration of the example, before these gateways.
async fn haproxy(gateways: &[Gateway; 3]) -> (u16, Process) {
    let port = free_port().expect("a port");
    let folder = Process::folder("haproxy").expect("a folder");
    let mut text = fs::read_to_string(root().join("deploy/haproxy/haproxy.cfg")).expect("the example");
    // A test's process may not open as many files.
    text = text.replace("maxconn 50000", "maxconn 500").replace("bind :80\n", &format!("bind 127.0.0.1:{port}\n"));
    for (gateway, address) in gateways.iter().zip(["10.0.0.11:8080", "10.0.0.12:8080", "10.0.0.13:8080"]) {
        assert!(text.contains(address));
        text = text.replace(address, &format!("127.0.0.1:{} port {}", gateway.public, gateway.admin));
    }
    fs::write(folder.path().join("haproxy.cfg"), text).expect("written");
    let program = if Path::new("/usr/sbin/haproxy").exists() { "/usr/sbin/haproxy" } else { "haproxy" };
    let mut command = Command::new(program);
    command.args(["-db", "-f", "haproxy.cfg"]);
    let mut process = Process::spawn("haproxy", command, folder).expect("haproxy starts");
    process.wait_for_port(port).await.expect("it listens");
    (port, process)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_gateways_behind_haproxy_lose_no_request_when_each_is_killed_and_ended_in_turn() {
    let mut gateways = [Gateway::new(), Gateway::new(), Gateway::new()];
    for gateway in &mut gateways {
        gateway.start().await;
    }
    let (port, haproxy) = haproxy(&gateways).await;
    let load = Arc::new(Load::default());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask(port, Arc::clone(&load)));
    }
    let more = async |what: &str| {
        let goal = load.served.load(Ordering::Relaxed) + BETWEEN;
        let failures = || load.failures.lock().expect("no panic").clone();
        let served = || load.served.load(Ordering::Relaxed) >= goal;
        let going = until(PATIENCE, async || served() || !failures().is_empty()).await;
        assert!(failures().is_empty(), "{what}: {:#?}\n{}", failures(), haproxy.log());
        assert!(going, "{what}: nothing is served any more\n{}", haproxy.log());
    };
    more("with all three").await;
    for gateway in &mut gateways {
        gateway.kill();
        more("with one killed").await;
        gateway.start().await;
        more("with it back").await;
    }
    for gateway in &mut gateways {
        assert_eq!(gateway.end().await, Some(0), "it drained by itself");
        more("with one ended").await;
        gateway.start().await;
        more("with it back").await;
    }
    load.over.store(true, Ordering::Relaxed);
    clients.join_all().await;
    assert_eq!(*load.failures.lock().expect("no panic"), [""; 0], "no request failed");
}
