//! The gateway's binary, as a process of a test.

use std::{net::SocketAddr, path::PathBuf, process::Command};

use callgate_testkit::peers::{Process, Received, Wire, until};
use serde_json::Value;

use crate::gate::SOON;

/// A gateway that runs.
pub(crate) struct Running(Process);

impl Running {
    /// Starts a gateway with a listener and an admin at free ports, and what else the text says.
    pub(crate) async fn start(yaml: &str) -> Self {
        Self::start_with(yaml, &[]).await
    }

    /// Starts a gateway whose configuration names other files, which are there beside it.
    pub(crate) async fn start_with(yaml: &str, files: &[(&str, &str)]) -> Self {
        let folder = Process::folder("gateway").unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        files.iter().for_each(|(name, text)| write(name, text));
        write("callgate.yaml", &document(yaml));
        Self::run(folder, "callgate.yaml").await
    }

    /// Starts a gateway with a configuration that is in the folder already.
    pub(crate) async fn run(folder: tempfile::TempDir, config: &str) -> Self {
        let mut running = Self::begin(folder, config);
        running.says("The admin listens.").await;
        running
    }

    /// Starts a gateway, and does not wait until it serves.
    pub(crate) fn begin(folder: tempfile::TempDir, config: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.args(["run", config, "--workers", "2", "--log-format", "json"]).env_remove("CALLGATE_LOG");
        Self(Process::spawn("callgate", command, folder).unwrap())
    }

    /// A gateway that something else started.
    pub(crate) const fn of(process: Process) -> Self {
        Self(process)
    }

    /// Writes the configuration anew, in one step.
    pub(crate) fn configure(&self, yaml: &str) {
        self.write("callgate.yaml", document(yaml));
    }

    /// Puts a file in the place of a former one, in one step.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let new = self.path(".new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Waits for a line of the log.
    pub(crate) async fn says(&mut self, message: &str) -> Value {
        self.says_that(message, |line| line["message"] == message).await
    }

    /// Waits for a line of the log for which the condition holds.
    pub(crate) async fn says_that(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        let looked = until(SOON * 3, async || {
            found = self.lines().into_iter().find(&holds);
            found.is_some()
        });
        assert!(looked.await, "`{what}` is not in the log:\n{}", self.0.log());
        found.unwrap()
    }

    /// The log so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.0.lines()
    }

    /// Everything that it wrote so far.
    pub(crate) fn text(&self) -> String {
        self.0.log()
    }

    /// Where a listener listens.
    pub(crate) async fn address(&mut self, listener: &str) -> SocketAddr {
        let is_it = |line: &Value| line["message"] == "Listening." && line["listener"] == listener;
        let line = self.says_that(&format!("the listener {listener}"), is_it).await;
        line["address"].as_str().unwrap().parse().unwrap()
    }

    /// What a listener answers to GET.
    pub(crate) async fn get(&mut self, path: &str) -> Received {
        let address = self.address("public").await;
        ask(address, &format!("GET {path}"), "").await
    }

    /// Waits until a path is answered by this text.
    pub(crate) async fn answers(&mut self, path: &str, text: &str) {
        let mut last = String::new();
        let address = self.address("public").await;
        let answered = until(SOON * 3, async || {
            last = ask(address, &format!("GET {path}"), "").await.text();
            last.ends_with(text)
        });
        assert!(answered.await, "{path} is answered by {last}\n{}", self.0.log());
    }

    /// What the admin answers: its status, and its body.
    pub(crate) async fn admin(&mut self, line: &str, headers: &str) -> (u16, String) {
        let address = self.says("The admin listens.").await["address"].as_str().unwrap().parse().unwrap();
        let answer = ask(address, line, headers).await;
        let text = answer.text();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        (answer.status().unwrap(), body.to_owned())
    }

    /// `POST /reload`.
    pub(crate) async fn reload(&mut self) -> (u16, Value) {
        let (status, body) = self.admin("POST /reload", "").await;
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}")))
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end; gives the exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let mut code = None;
        let ended = until(SOON * 3, async || {
            code = self.0.status().unwrap();
            code.is_some()
        });
        assert!(ended.await, "it does not end:\n{}", self.0.log());
        code.unwrap().code()
    }
}

/// The text with a listener and an admin, unless it has its own.
pub(crate) fn document(yaml: &str) -> String {
    let mut text = String::new();
    for (name, settings) in [
        ("listeners", "{public: {address: '127.0.0.1:0'}}"),
        ("admin", "{address: '127.0.0.1:0'}"),
        ("shutdown", "{lame_duck: 0s, grace: 20s}"),
    ] {
        if !yaml.lines().any(|line| line.starts_with(&format!("{name}:"))) {
            text.push_str(&format!("{name}: {settings}\n"));
        }
    }
    text + yaml
}

/// Sends one request on a connection of its own.
pub(crate) async fn ask(address: SocketAddr, line: &str, headers: &str) -> Received {
    let mut wire = Wire::connect(address).await.unwrap();
    wire.send(format!("{line} HTTP/1.1\r\nhost: a\r\n{headers}connection: close\r\n\r\n")).await.unwrap();
    wire.read_to_end(SOON).await
}
