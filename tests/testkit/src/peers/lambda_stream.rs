use std::path::{Path, PathBuf};

use super::{PeerError, Process, Python, on_free_port, python::repository};

/// Launcher of functions of any bootstrap behind InvokeWithResponseStream, each a real process whose chunks are sent on
/// as they come, in AWS's wire format.
///
/// What it cannot prove: signatures, which it does not check, how AWS itself divides a stream into messages, and AWS's
/// limits on size and rate.
#[derive(Debug)]
pub struct LambdaStream {
    /// Where it listens, such as `http://127.0.0.1:4566`.
    pub endpoint: String,
    process: Process,
}

impl LambdaStream {
    /// Starts the functions, named, with their bootstraps.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when Python's testbed is not installed, others when it does not start.
    pub async fn start(functions: &[(&str, &Path)]) -> Result<Self, PeerError> {
        let python = Python::find()?;
        let (port, process) = on_free_port(|port| launch(&python, port, functions)).await?;
        Ok(Self { endpoint: format!("http://127.0.0.1:{port}"), process })
    }

    /// The folder that a function's process runs in.
    #[must_use]
    pub fn folder(&self, function: &str) -> PathBuf {
        self.process.path().join(function)
    }

    /// The peer's process, to be paused or killed.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

async fn launch(python: &Python, port: u16, functions: &[(&str, &Path)]) -> Result<Process, PeerError> {
    let mut command = python.command();
    command.arg(repository().join("tests/peers/lambda_stream.py")).arg(port.to_string());
    for (name, bootstrap) in functions {
        command.arg(format!("{name}={}", bootstrap.display()));
    }
    let mut process = Process::spawn("lambda_stream.py", command, Process::folder("lambda-stream")?)?;
    let health = format!("http://127.0.0.1:{port}/health");
    process.wait_until(async || super::http::get(&health).await.is_ok_and(|status| status == 200)).await?;
    Ok(process)
}
