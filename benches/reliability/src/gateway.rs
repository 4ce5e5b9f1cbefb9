//! The gateway's binary, as a process.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use callgate_testkit::peers::{Process, free_port};

use crate::Problem;

/// A gateway that runs; it is killed when it is dropped.
pub(crate) struct Gateway {
    process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Gateway {
    /// Starts the binary with these parts of a configuration.
    pub(crate) async fn start(binary: &Path, upstream: &str, to: &str) -> Result<Self, Problem> {
        let route = format!("{{match: POST /messages, to: {to}, timeout: 5s}}");
        Self::serve(binary, &format!("upstreams: {{broker: {upstream}}}\nroutes: [{route}]\n")).await
    }

    /// Starts the binary with everything of a configuration but its listener.
    pub(crate) async fn serve(binary: &Path, parts: &str) -> Result<Self, Problem> {
        let (folder, port) = (Process::folder("gateway")?, free_port()?);
        let yaml = format!("listeners: {{public: {{address: \"127.0.0.1:{port}\"}}}}\n{parts}");
        std::fs::write(folder.path().join("callgate.yaml"), yaml)?;
        let mut command = Command::new(binary);
        command.args(["run", "callgate.yaml"]);
        let mut process = Process::spawn("callgate", command, folder)?;
        process.wait_for_port(port).await?;
        Ok(Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)) })
    }

    /// Kills it by SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

/// The binary: the one that is named, or the one that was built beside this program.
pub(crate) fn binary(named: Option<&PathBuf>) -> Result<PathBuf, Problem> {
    let path = match named {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("callgate"),
    };
    let missing = || format!("{} is missing: run `cargo build --release`, or name it by --gateway", path.display());
    Ok(path.canonicalize().map_err(|_| missing())?)
}
