//! A gateway that runs.

use std::{net::SocketAddr, path::Path, process::Command, time::Duration};

use callgate_testkit::peers::{Process, Wire, until};
use serde_json::Value;

/// How long anything may take on a loaded machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Gateway {
    process: Process,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}\n{}", self.head, self.body))
    }
}

impl Gateway {
    /// Starts a gateway with the upstreams and routes of the text, and waits until it serves.
    pub(crate) async fn start(yaml: &str) -> Self {
        Self::started(&format!("admin: {{address: '127.0.0.1:0'}}\n{yaml}"), &[("KEY", "s3cr3t-value")]).await
    }

    /// Starts a gateway whose admin demands a token.
    pub(crate) async fn guarded(yaml: &str, token: &str) -> Self {
        let yaml = format!("admin: {{address: '127.0.0.1:0', token: '${{ADMIN_TOKEN}}'}}\n{yaml}");
        Self::started(&yaml, &[("ADMIN_TOKEN", token), ("KEY", "s3cr3t-value")]).await
    }

    async fn started(yaml: &str, variables: &[(&str, &str)]) -> Self {
        let folder = Process::folder("admin").unwrap();
        let yaml = format!("listeners: {{public: {{address: '127.0.0.1:0'}}}}\nshutdown: {{lame_duck: 0s}}\n{yaml}");
        std::fs::write(folder.path().join("callgate.yaml"), yaml).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.args(["run", "callgate.yaml", "--workers", "2", "--log-format", "json"]).env_remove("CALLGATE_LOG");
        command.envs(variables.iter().copied());
        let process = Process::spawn("callgate", command, folder).unwrap();
        let mut found = None;
        let looked = until(LIMIT, async || {
            found = address(&process, "Listening.").zip(address(&process, "The admin listens."));
            found.is_some()
        });
        assert!(looked.await, "it does not serve:\n{}", process.log());
        let (public, admin) = found.unwrap();
        Self { process, public, admin }
    }

    /// The folder of the configuration.
    pub(crate) fn folder(&self) -> &Path {
        self.process.path()
    }

    /// What the process wrote.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// What a client gets.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, "").await
    }

    /// What a client with these headers gets.
    pub(crate) async fn get_with(&self, path: &str, headers: &str) -> Answer {
        exchange(self.public, &format!("GET {path}"), headers, "").await
    }

    /// The status that a client gets for a request line, without a body.
    pub(crate) async fn send_public(&self, line: &str) -> u16 {
        exchange(self.public, line, "content-length: 0\r\n", "").await.status
    }

    /// What the admin answers.
    pub(crate) async fn ask(&self, path: &str) -> Answer {
        exchange(self.admin, &format!("GET {path}"), "", "").await
    }

    /// What the admin answers to more than a GET.
    pub(crate) async fn send(&self, line: &str, headers: &str, body: &str) -> Answer {
        exchange(self.admin, line, &format!("{headers}content-length: {}\r\n", body.len()), body).await
    }

    /// SIGTERM, and the end.
    pub(crate) async fn end(mut self) -> String {
        self.process.terminate();
        assert!(until(LIMIT, async || self.process.status().unwrap().is_some()).await, "{}", self.log());
        self.process.log()
    }
}

fn address(process: &Process, message: &str) -> Option<SocketAddr> {
    let line = process.lines().into_iter().find(|line| line["message"] == message)?;
    line["address"].as_str()?.parse().ok()
}

async fn exchange(to: SocketAddr, line: &str, headers: &str, body: &str) -> Answer {
    let mut wire = Wire::connect(to).await.unwrap();
    wire.send(format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n{body}")).await.unwrap();
    let received = wire.read_to_end(LIMIT).await;
    let text = received.text();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text}"));
    Answer { status: received.status().unwrap(), head: head.to_owned(), body: body.to_owned() }
}
