//! Standard output and standard error that nobody reads, that are closed, or that are full: the gateway serves on.

use std::{
    fs::File,
    io::pipe,
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
};

use callgate_testkit::peers::{Process, free_port, until};
use tokio::net::TcpStream;

use crate::{gate::SOON, running::ask};

/// A gateway that logs each request, to standard error and to standard output.
struct Talkative {
    child: Child,
    public: SocketAddr,
    admin: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Talkative {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Talkative {
    async fn start(out: Stdio, err: Stdio) -> Self {
        let folder = Process::folder("output").unwrap();
        let [public, admin] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port().unwrap())));
        let yaml = format!(
            "listeners: {{public: {{address: '{public}'}}}}\nadmin: {{address: '{admin}'}}\naccess_log: {{}}\n\
             shutdown: {{lame_duck: 0s, grace: 5s}}\nroutes: [{{match: '/{{*rest}}', respond: {{body: {{text: pong}}}}}}]\n"
        );
        std::fs::write(folder.path().join("callgate.yaml"), yaml).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.args(["run", "callgate.yaml", "--workers", "2", "--log", "info,callgate::access=info"]);
        command.args(["--log-format", "json"]).current_dir(folder.path());
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
        let mut gateway = Self { child, public, admin, _folder: folder };
        // The admin's socket is there before those of the listeners.
        let serves = until(SOON * 3, async || {
            TcpStream::connect(admin).await.is_ok() && TcpStream::connect(public).await.is_ok()
        });
        assert!(serves.await, "it does not serve: {:?}", gateway.child.try_wait());
        gateway
    }

    /// Many requests, each of which is logged twice.
    async fn serves(&mut self) {
        for number in 0..400 {
            let answer = ask(self.public, &format!("GET /{number}-{}", "x".repeat(400)), "").await;
            assert!(answer.text().ends_with("pong"), "{number}: {:?}", self.child.try_wait());
        }
    }

    /// The sum of what could not be written.
    async fn lost(&self, name: &str) -> u64 {
        let metrics = ask(self.admin, "GET /metrics", "").await.text();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("no {name} in {metrics}"))
    }

    async fn ends(&mut self) -> ExitStatus {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        let mut status = None;
        let ended = until(SOON, async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(ended.await, "it does not end");
        status.unwrap()
    }
}

#[tokio::test]
async fn an_output_that_nobody_reads_holds_nobody_up() {
    let ((_out, to_out), (_err, to_err)) = (pipe().unwrap(), pipe().unwrap());
    let mut gateway = Talkative::start(to_out.into(), to_err.into()).await;
    gateway.serves().await;
    assert_eq!(gateway.ends().await.code(), Some(0));
}

#[tokio::test]
async fn an_output_that_is_closed_is_lost_and_counted() {
    let ((out, to_out), (err, to_err)) = (pipe().unwrap(), pipe().unwrap());
    let mut gateway = Talkative::start(to_out.into(), to_err.into()).await;
    drop((out, err));
    gateway.serves().await;
    assert!(gateway.lost("callgate_log_lost_total").await > 100);
    assert!(gateway.lost("callgate_access_log_lost_total").await > 0);
    assert_eq!(gateway.ends().await.code(), Some(0));
}

#[tokio::test]
async fn a_full_disk_is_no_reason_to_end() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let mut gateway = Talkative::start(full().into(), full().into()).await;
    gateway.serves().await;
    assert!(gateway.lost("callgate_log_lost_total").await > 100);
    assert_eq!(gateway.ends().await.code(), Some(0));
}
