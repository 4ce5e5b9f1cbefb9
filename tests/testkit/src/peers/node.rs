use std::{
    ffi::{OsStr, OsString},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{
    PeerError, Process, on_free_port,
    python::{repository, testbed},
};

/// The npm packages of the testbed, as `./tests/run` installs them.
#[derive(Debug)]
struct Node {
    modules: PathBuf,
}

impl Node {
    /// The packages, if this one is among them.
    fn with(package: &'static str) -> Result<Self, PeerError> {
        let modules = testbed().join("node/node_modules");
        let path = modules.join(package);
        if path.is_dir() { Ok(Self { modules }) } else { Err(PeerError::Missing { what: package, path }) }
    }

    /// Starts a script that serves on a port, and says so in its log.
    async fn serve(
        package: &'static str,
        name: &str,
        script: impl Fn(&Path, u16) -> Vec<OsString>,
    ) -> Result<(u16, Process), PeerError> {
        let launch = async |port: u16| {
            let mut command = Command::new("node");
            command.args(script(&Self::with(package)?.modules, port));
            let mut process = Process::spawn(name, command, Process::folder(name)?)?;
            process.wait_for_log(&format!("listening on {}", url(port))).await?;
            Ok(process)
        };
        on_free_port(launch).await
    }
}

/// The words of a command.
fn words(words: &[&dyn AsRef<OsStr>]) -> Vec<OsString> {
    words.iter().map(|word| word.as_ref().to_owned()).collect()
}

fn url(port: u16) -> String {
    format!("http://{}", SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// A SOAP service of any WSDL, by npm's soap.
#[derive(Debug)]
pub struct NodeSoapService {
    port: u16,
    process: Process,
}

impl NodeSoapService {
    /// Starts it with a WSDL, a file, on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when the library is not installed, others when the service does not start.
    pub async fn start(wsdl: &Path) -> Result<Self, PeerError> {
        let script = repository().join("tests/peers/node/soap_service.mjs");
        let words = |modules: &Path, port: u16| words(&[&script, &modules, &port.to_string(), &wsdl]);
        let (port, process) = Node::serve("soap", "node-soap", words).await?;
        Ok(Self { port, process })
    }

    /// Where messages go, in either version of SOAP.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/service", url(self.port))
    }

    /// Has its operations answer this from now on: `{"reply": ...}` or `{"fault": ...}`, in the library's own form.
    ///
    /// # Errors
    /// When it can't be told.
    pub fn answers(&self, next: &Value) -> Result<(), PeerError> {
        let file = self.process.path().join("next.json");
        std::fs::write(file, next.to_string()).map_err(PeerError::io("write the next answer"))
    }

    /// What the last operation was given, in the library's own form: `{"operation": ..., "input": ...}`.
    ///
    /// # Errors
    /// When none was called.
    pub fn last(&self) -> Result<Value, PeerError> {
        let text = std::fs::read_to_string(self.process.path().join("last.json"));
        let text = text.map_err(PeerError::io("read the last input"))?;
        serde_json::from_str(&text).map_err(|_| PeerError::Answer {
            what: "node-soap".to_owned(),
            answer: text,
            expected: "JSON",
        })
    }
}

/// Stoplight's Prism: a service by its OpenAPI document alone, which refuses every request that breaks it.
#[derive(Debug)]
pub struct Prism {
    port: u16,
    process: Process,
}

impl Prism {
    /// Starts it with a document, a file, on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start(document: &Path) -> Result<Self, PeerError> {
        let words = |modules: &Path, port: u16| {
            let script = modules.join("@stoplight/prism-cli/dist/index.js");
            words(&[&script, &"mock", &"--host", &"127.0.0.1", &"--port", &port.to_string(), &document])
        };
        let (port, process) = Node::serve("@stoplight/prism-cli", "prism", words).await?;
        Ok(Self { port, process })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// Everything that it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}
