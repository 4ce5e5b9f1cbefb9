//! A gateway that runs, and the smallest client of it.

use std::{path::Path, process::Command, time::Duration};

use callgate_testkit::peers::{Process, Wire, until};
use serde_json::Value;

/// How long anything may take on a loaded machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Gateway {
    process: Process,
    address: String,
}

/// What the gateway answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Gateway {
    /// Starts a gateway with what the text has beside the listener, and waits until it serves.
    pub(crate) async fn start(yaml: &str) -> Self {
        Self::with_file(yaml, None).await
    }

    /// Starts a gateway with a variable of the environment.
    pub(crate) async fn with_variable(yaml: &str, name: &str, value: &Path) -> Self {
        Self::started(yaml, None, Some((name, value))).await
    }

    /// Starts a gateway with another file in its folder.
    pub(crate) async fn with_file(yaml: &str, file: Option<(&str, &str)>) -> Self {
        Self::started(yaml, file, None).await
    }

    async fn started(yaml: &str, file: Option<(&str, &str)>, variable: Option<(&str, &Path)>) -> Self {
        let folder = Process::folder("gateway").unwrap();
        let yaml = format!(
            "listeners: {{public: {{address: '127.0.0.1:0', trusted_proxies: [127.0.0.0/8]}}}}\n\
             shutdown: {{lame_duck: 0s, grace: 5s}}\n{yaml}"
        );
        std::fs::write(folder.path().join("callgate.yaml"), yaml).unwrap();
        if let Some((name, text)) = file {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.args([
            "run",
            "callgate.yaml",
            "--workers",
            "2",
            "--log-format",
            "json",
            "--log",
            "debug,callgate::access=info",
        ]);
        command.envs(variable);
        let mut gateway =
            Self { process: Process::spawn("callgate", command, folder).unwrap(), address: String::new() };
        gateway.address = gateway.says("Listening.").await["address"].as_str().unwrap().to_owned();
        gateway
    }

    /// Waits for a line of the log.
    pub(crate) async fn says(&mut self, message: &str) -> Value {
        let mut found = None;
        let looked = until(LIMIT, async || {
            found = self.process.lines().into_iter().find(|line| line["message"] == message);
            found.is_some()
        });
        assert!(looked.await, "`{message}` is not in the log:\n{}", self.process.log());
        found.unwrap()
    }

    /// Everything that it logged.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// GET with these headers.
    pub(crate) async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = format!("GET {target} HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut wire = Wire::connect(self.address.parse().unwrap()).await.unwrap();
        wire.send(request + "\r\n").await.unwrap();
        Reply::read(&wire.read_to_end(LIMIT).await.text())
    }
}

impl Reply {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).unwrap();
        let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { status, headers: lines.filter_map(pair).collect(), body: body.to_owned() }
    }

    /// The values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| &**value).collect()
    }

    /// The first value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Status, code and the sentence of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String, String) {
        let detail = self.json()["detail"].as_str().unwrap_or_default().to_owned();
        (self.status, self.header("callgate-error").to_owned(), detail)
    }
}
