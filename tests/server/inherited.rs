//! Sockets that are handed in by whoever starts the gateway, as systemd does.

use std::{path::Path, process::Command};

use callgate_testkit::peers::{Process, Python, free_port, present, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

use crate::{
    gate::SOON,
    running::{Running, ask, document},
};

/// Binds two ports and a Unix socket, hands them in under the numbers that systemd uses, and starts the gateway. In its
/// configuration PORT and ADMIN are the ports. A fourth socket has an address that nothing has, and a fifth descriptor is no
/// socket. Where there is a file `restart`, the gateway is started again once there is one that is called `again`.
const LAUNCHER: &str = r#"
import os, signal, socket, sys, time

def listening(address, family=socket.AF_INET):
    it = socket.socket(family)
    it.bind(address)
    it.listen()
    return it

free = ("127.0.0.1", 0)
tcp, admin, other = listening(free), listening(free), listening(free)
unix = listening("gate.sock", socket.AF_UNIX)
text = open("callgate.yaml").read()
text = text.replace("PORT", str(tcp.getsockname()[1])).replace("ADMIN", str(admin.getsockname()[1]))
open("callgate.yaml", "w").write(text)
given = [tcp, unix, admin, other, open(os.devnull)]

def start():
    pid = os.fork()
    if pid:
        return pid
    # Away from the numbers that they are to have.
    high = [os.dup2(each.fileno(), 40 + i) for i, each in enumerate(given)]
    for i, each in enumerate(high):
        os.dup2(each, 3 + i)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)), LISTEN_FDNAMES="a:b:c:d:e")
    os.execv(sys.argv[1], sys.argv[1:])

gateway = start()
signal.signal(signal.SIGTERM, lambda *_: os.kill(gateway, signal.SIGTERM))
code = os.waitstatus_to_exitcode(os.waitpid(gateway, 0)[1])
if os.path.exists("restart"):
    open("ended", "w").close()
    while not os.path.exists("again"):
        time.sleep(0.01)
    gateway = start()
    code = os.waitstatus_to_exitcode(os.waitpid(gateway, 0)[1])
sys.exit(code)
"#;

const ROUTES: &str = "routes: [{match: /a, respond: {body: {text: one}}}]\n";

fn listeners(more: &str) -> String {
    format!("listeners: {{public: {{address: '127.0.0.1:PORT'}}, local: {{address: 'unix:gate.sock'}}{more}}}\n")
}

/// A gateway that the launcher starts, unless there is no Python.
fn launched(yaml: &str, files: &[&str]) -> Option<Running> {
    let python = present(Python::find())?;
    let folder = Process::folder("gateway").unwrap();
    std::fs::write(folder.path().join("callgate.yaml"), document(yaml)).unwrap();
    for name in files {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let mut command = python.command();
    command.args(["-c", LAUNCHER, env!("CARGO_BIN_EXE_callgate"), "run", "callgate.yaml"]);
    command.args(["--workers", "2", "--log-format", "json"]).env_remove("CALLGATE_LOG");
    Some(Running::of(Process::spawn("callgate", command, folder).unwrap()))
}

async fn through(socket: &Path) -> String {
    let mut wire = UnixStream::connect(socket).await.unwrap();
    wire.write_all(b"GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    timeout(SOON, wire.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn a_listener_takes_the_socket_that_has_its_address() {
    let Some(mut running) = launched(&(listeners("") + "admin: {address: '127.0.0.1:ADMIN'}\n" + ROUTES), &[]) else {
        return;
    };
    running.answers("/a", "one").await;
    let address = running.address("public").await;
    let socket = running.path("gate.sock");
    assert!(through(&socket).await.starts_with("HTTP/1.1 200"));
    assert_eq!(running.admin("GET /ready", "").await.0, 200, "the admin has the one of its address");
    let untaken = "A socket was handed in that no listener has the address of; it is not used.";
    let told = |line: &serde_json::Value, what: &str| {
        line["message"] == untaken && line["socket"].as_str().unwrap().contains(what)
    };
    running.says_that("the other socket", |line| told(line, "127.0.0.1:")).await;
    running.says_that("what is none", |line| told(line, "descriptor 7, which is no TCP or Unix socket")).await;
    let count = running.lines().iter().filter(|line| line["message"] == untaken).count();
    assert_eq!(count, 2, "{}", running.text());

    // A reload keeps it, lets go of it, and takes it again.
    let admin = running.says("The admin listens.").await["address"].as_str().unwrap().to_owned();
    let port = address.port().to_string();
    let with = |listeners: &str| format!("{}admin: {{address: '{admin}'}}\n{ROUTES}", listeners.replace("PORT", &port));
    running.configure(&with(&listeners(", more: {address: '127.0.0.1:0'}")));
    running.address("more").await;
    running.answers("/a", "one").await;
    running.configure(&with("listeners: {more: {address: '127.0.0.1:0'}}\n"));
    let stays = "The socket of a removed listener was handed in and stays open: who connects waits.";
    running.says_that("the removal", |line| line["message"] == stays && line["listener"] == "public").await;
    let waiting = tokio::spawn(ask(address, "GET /a", ""));
    running.configure(&with(&listeners("")));
    assert_eq!(waiting.await.unwrap().status(), Some(200), "who connected meanwhile is served\n{}", running.text());
    assert!(through(&socket).await.starts_with("HTTP/1.1 200"));
    running.signal("-TERM");
    assert_eq!(running.ended().await, Some(0));
    assert!(socket.exists(), "its file belongs to whoever bound it");
}

#[tokio::test]
async fn who_connects_while_the_gateway_is_restarted_waits_and_is_served() {
    let Some(mut running) = launched(&(listeners("") + ROUTES), &["restart"]) else { return };
    running.answers("/a", "one").await;
    let address = running.address("public").await;
    running.signal("-TERM");
    let ended = running.path("ended");
    assert!(until(SOON * 3, async || ended.exists()).await, "{}", running.text());
    let waiting: Vec<_> = (0..20).map(|_| tokio::spawn(ask(address, "GET /a", ""))).collect();
    running.write("again", "");
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().status(), Some(200), "{}", running.text());
    }
    running.signal("-TERM");
    assert_eq!(running.ended().await, Some(0));
}

#[tokio::test]
async fn an_address_that_only_overlaps_with_a_socket_is_refused() {
    let yaml = format!("listeners: {{public: {{address: '0.0.0.0:PORT'}}}}\n{ROUTES}");
    let Some(mut running) = launched(&yaml, &[]) else { return };
    assert_eq!(running.ended().await, Some(1));
    let told = running.text();
    assert!(told.contains("the socket that was handed in is at 127.0.0.1:"), "{told}");
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "it is the report of a test")]
async fn systemd_hands_a_socket_in() {
    let program = "systemd-socket-activate";
    if Command::new(program).arg("--version").output().is_err() {
        return eprintln!("ignored: {program} is not here");
    }
    let folder = Process::folder("gateway").unwrap();
    let port = free_port().unwrap();
    let yaml = format!("listeners: {{public: {{address: '127.0.0.1:{port}'}}}}\n{ROUTES}");
    std::fs::write(folder.path().join("callgate.yaml"), document(&yaml)).unwrap();
    let mut command = Command::new(program);
    command.arg(format!("--listen=127.0.0.1:{port}")).args([env!("CARGO_BIN_EXE_callgate"), "run", "callgate.yaml"]);
    command.args(["--workers", "2", "--log-format", "json"]);
    let mut running = Running::of(Process::spawn("callgate", command, folder).unwrap());
    assert!(until(SOON * 3, async || running.text().contains("Listening on")).await, "{}", running.text());
    // It starts the gateway for the first who connects.
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    let answer = ask(address, "GET /a", "").await;
    assert_eq!(answer.status(), Some(200), "{}", running.text());
    assert_eq!(running.address("public").await, address);
    running.signal("-TERM");
    assert_eq!(running.ended().await, Some(0));
}
