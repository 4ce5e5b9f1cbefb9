//! A gateway that runs.

use std::{process::Command, time::Duration};

use callgate_testkit::peers::{Process, until};
use serde_json::Value;

/// How long anything may take on a loaded machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Gateway(Process);

impl Gateway {
    /// Starts a gateway with the triggers and upstreams of the text, and waits until it serves.
    pub(crate) async fn start(yaml: &str, grace: &str) -> Self {
        let folder = Process::folder("gateway").unwrap();
        let yaml = format!(
            "listeners: {{public: {{address: '127.0.0.1:0'}}}}\nadmin: {{address: '127.0.0.1:0'}}\n\
             shutdown: {{lame_duck: 0s, grace: {grace}}}\n{yaml}"
        );
        std::fs::write(folder.path().join("callgate.yaml"), yaml).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.args(["run", "callgate.yaml", "--workers", "1", "--log-format", "json"]).env_remove("CALLGATE_LOG");
        let mut gateway = Self(Process::spawn("callgate", command, folder).unwrap());
        gateway.says("The admin listens.").await;
        gateway
    }

    /// Waits for a line of the log.
    pub(crate) async fn says(&mut self, message: &str) -> Value {
        let mut found = None;
        let looked = until(LIMIT, async || {
            found = self.lines(message).into_iter().next();
            found.is_some()
        });
        assert!(looked.await, "`{message}` is not in the log:\n{}", self.0.log());
        found.unwrap()
    }

    /// The lines of the log with this message.
    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        self.0.lines().into_iter().filter(|line| line["message"] == message).collect()
    }

    /// What the admin answers.
    pub(crate) async fn admin(&mut self, path: &str) -> Value {
        let address = self.says("The admin listens.").await["address"].as_str().unwrap().to_owned();
        let mut wire = callgate_testkit::peers::Wire::connect(address.parse().unwrap()).await.unwrap();
        wire.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await.unwrap();
        let answer = wire.read_to_end(LIMIT).await.text();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.0.terminate();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.0.kill();
    }

    /// Waits for the end; gives the exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let mut code = None;
        let ended = until(LIMIT, async || {
            code = self.0.status().unwrap();
            code.is_some()
        });
        assert!(ended.await, "it does not end:\n{}", self.0.log());
        code.unwrap().code()
    }
}
