use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
};

use super::{PeerError, Process, Python, on_free_port};

/// A function of the real functions framework for Python, which Google's own runtimes serve functions with.
///
/// What it cannot prove: anything about Google's front end, which checks tokens and starts instances.
#[derive(Debug)]
pub struct FunctionsFramework {
    function: Function,
    port: u16,
    process: Process,
}

/// What is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The text of `main.py`.
    pub source: String,
    /// The name of the function in it.
    pub target: String,
    /// `http` or `cloudevent`.
    pub signature: &'static str,
    /// Variables of its environment.
    pub environment: BTreeMap<String, String>,
}

impl Function {
    /// An HTTP function.
    #[must_use]
    pub fn http(source: &str, target: &str) -> Self {
        Self { source: source.to_owned(), target: target.to_owned(), signature: "http", environment: BTreeMap::new() }
    }

    /// A CloudEvent function.
    #[must_use]
    pub fn cloud_event(source: &str, target: &str) -> Self {
        Self { signature: "cloudevent", ..Self::http(source, target) }
    }

    /// Adds a variable of the environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl FunctionsFramework {
    /// Serves the function on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when the framework is not installed, others when the function does not start.
    pub async fn start(function: Function) -> Result<Self, PeerError> {
        let (port, process) = on_free_port(|port| launch(&function, port)).await?;
        Ok(Self { function, port, process })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Its URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Everything that the function has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Serves the same function at the same address again.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<(), PeerError> {
        self.process = launch(&self.function, self.port).await?;
        Ok(())
    }
}

async fn launch(function: &Function, port: u16) -> Result<Process, PeerError> {
    let folder = Process::folder("functions-framework")?;
    let main = folder.path().join("main.py");
    std::fs::write(&main, &function.source).map_err(PeerError::io("write a function's source"))?;
    let mut command = Python::find()?.program_command("functions-framework")?;
    command.arg("--source").arg(&main).args(["--target", &function.target, "--signature-type", function.signature]);
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    command.envs(&function.environment).env("HOME", folder.path()).env("TMPDIR", folder.path());
    let mut process = Process::spawn("functions-framework", command, folder)?;
    process.wait_for_port(port).await?;
    Ok(process)
}
