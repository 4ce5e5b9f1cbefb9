//! Gateways that can be lost, and the HAProxy before them, as `deploy/haproxy` has them.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use callgate_testkit::peers::{Process, free_port, until};

use super::{callgate, root};

/// How long anything may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that can be ended and started again at the same ports.
pub(crate) struct Gateway {
    folder: tempfile::TempDir,
    configuration: String,
    pub(crate) public: u16,
    pub(crate) admin: u16,
    child: Option<Child>,
}

impl Gateway {
    /// With the configuration of the example, as `change` changes it.
    pub(crate) fn new(change: impl FnOnce(String) -> String) -> Self {
        let mut gateway = Self::of("callgate.yaml");
        let text = fs::read_to_string(root().join("deploy/haproxy/callgate.yaml")).expect("the example");
        let text = text
            .replace("0.0.0.0:8080", &format!("127.0.0.1:{}", gateway.public))
            .replace("0.0.0.0:9901", &format!("127.0.0.1:{}", gateway.admin))
            .replace("10.0.0.10/32", "127.0.0.1/32");
        fs::write(gateway.folder.path().join("callgate.yaml"), change(text)).expect("written");
        gateway.configuration = "callgate.yaml".to_owned();
        gateway
    }

    /// With a configuration that is elsewhere, in which PUBLIC and ADMIN are its ports.
    pub(crate) fn of(configuration: &str) -> Self {
        let (public, admin) = (free_port().expect("a port"), free_port().expect("a port"));
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, configuration: configuration.to_owned(), public, admin, child: None }
    }

    pub(crate) async fn start(&mut self) {
        let mut command = callgate(&["run", &self.configuration, "--workers", "1", "--log", "error"]);
        let command = command.current_dir(self.folder.path()).stdout(Stdio::null());
        command.env("PUBLIC", self.public.to_string()).env("ADMIN", self.admin.to_string());
        self.child = Some(command.spawn().expect("it starts"));
        assert!(until(PATIENCE, async || self.is_ready()).await, "it becomes ready");
    }

    /// Whether it wants traffic, by its own word.
    pub(crate) fn is_ready(&self) -> bool {
        let address = format!("127.0.0.1:{}", self.admin);
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.args(["health", &address]).output().is_ok_and(|told| told.status.success())
    }

    /// Kills it, in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("killed");
        child.wait().expect("gone");
    }

    /// Begins to end it as an orchestrator does.
    pub(crate) fn terminate(&self) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    }

    /// Ends it as an orchestrator does; gives its exit code.
    pub(crate) async fn end(&mut self) -> Option<i32> {
        self.terminate();
        self.ended().await
    }

    /// Waits for the end that has begun; gives the exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("it runs");
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

/// HAProxy with the configuration of the example, before these gateways.
pub(crate) async fn haproxy(gateways: &[Gateway; 3]) -> (u16, Process) {
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
