//! The gateway's binary, as a process.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use callgate_testkit::peers::{Process, free_port};

use crate::Problem;

/// A gateway that runs; it is killed when it is dropped.
pub(crate) struct Gateway {
    process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where its admin does.
    pub(crate) admin: SocketAddr,
}

fn yaml(address: SocketAddr, admin: SocketAddr, parts: &str) -> String {
    format!("listeners: {{public: {{address: \"{address}\"}}}}\nadmin: {{address: \"{admin}\"}}\n{parts}")
}

impl Gateway {
    /// Starts the binary with these parts of a configuration.
    pub(crate) async fn start(binary: &Path, upstream: &str, to: &str) -> Result<Self, Problem> {
        let route = format!("{{match: POST /messages, to: {to}, timeout: 5s}}");
        Self::serve(binary, &format!("upstreams: {{broker: {upstream}}}\nroutes: [{route}]\n")).await
    }

    /// Starts the binary with everything of a configuration but its listener and its admin.
    pub(crate) async fn serve(binary: &Path, parts: &str) -> Result<Self, Problem> {
        let (folder, port, admin) = (Process::folder("gateway")?, free_port()?, free_port()?);
        let [address, admin] = [port, admin].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        std::fs::write(folder.path().join("callgate.yaml"), yaml(address, admin, parts))?;
        let mut command = Command::new(binary);
        command.args(["run", "callgate.yaml"]);
        let mut process = Process::spawn("callgate", command, folder)?;
        process.wait_for_port(port).await?;
        Ok(Self { process, address, admin })
    }

    /// Puts another configuration in the place of the former one, in one step.
    pub(crate) fn configure(&self, parts: &str) -> Result<(), Problem> {
        let new = self.process.path().join("new");
        std::fs::write(&new, yaml(self.address, self.admin, parts))?;
        Ok(std::fs::rename(new, self.process.path().join("callgate.yaml"))?)
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) -> Result<(), Problem> {
        let sent = Command::new("kill").args(["-HUP", &self.process.id().to_string()]).status()?;
        if sent.success() { Ok(()) } else { Err("SIGHUP can't be sent".into()) }
    }

    /// Everything that it wrote so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// How it ended, if it did: nothing here ends it.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Problem> {
        Ok(self.process.status()?)
    }

    /// The memory that it holds now, in MiB.
    pub(crate) fn memory(&self) -> Result<u64, Problem> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the system does not tell its memory")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024)
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
