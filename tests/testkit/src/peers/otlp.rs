use std::path::Path;

use super::{PeerError, Process, Python, free_port, on_free_port};

/// Launcher of a receiver of OTLP that writes what it receives to its log: Rotel, by the binary of the Python package
/// `rotel`. It decodes what it gets, and refuses what it can't.
#[derive(Debug)]
pub struct OtlpReceiver {
    process: Process,
    http: u16,
    grpc: u16,
}

impl OtlpReceiver {
    /// Starts a receiver.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start() -> Result<Self, PeerError> {
        let program = Python::find()?.package_file("rotel/rotel-agent")?;
        let (http, (grpc, process)) = on_free_port(|http| launch(&program, http)).await?;
        Ok(Self { process, http, grpc })
    }

    /// Its URL for protobuf over HTTP.
    #[must_use]
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// Its URL for gRPC.
    #[must_use]
    pub fn grpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc)
    }

    /// What it received, as text.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

async fn launch(program: &Path, http: u16) -> Result<(u16, Process), PeerError> {
    let grpc = free_port()?;
    let mut command = std::process::Command::new(program);
    command.arg("start").arg("--otlp-http-endpoint").arg(format!("127.0.0.1:{http}"));
    command.arg("--otlp-grpc-endpoint").arg(format!("127.0.0.1:{grpc}"));
    command.args(["--exporter", "blackhole", "--debug-log", "traces", "--debug-log", "metrics"]);
    command.args(["--debug-log-verbosity", "detailed", "--disable-batching"]).env("NO_COLOR", "1");
    let mut process = Process::spawn("rotel", command, Process::folder("rotel")?)?;
    process.wait_for_port(http).await?;
    process.wait_for_port(grpc).await?;
    Ok((grpc, process))
}
