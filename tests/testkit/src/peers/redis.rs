use std::process::Command;

use super::{PeerError, Process, on_free_port};

/// Launcher of Debian's redis-server, which keeps nothing on disk.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    process: Option<Process>,
}

impl RedisServer {
    /// Starts a server.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start() -> Result<Self, PeerError> {
        let (port, process) = on_free_port(launch).await?;
        Ok(Self { port, process: Some(process) })
    }

    /// The address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Kills the server at once.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again at the same port, without what it held.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<(), PeerError> {
        self.kill();
        self.process = Some(launch(self.port).await?);
        Ok(())
    }

    /// Stops the server in mid-air: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.process.iter().for_each(Process::pause);
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.process.iter().for_each(Process::resume);
    }
}

async fn launch(port: u16) -> Result<Process, PeerError> {
    const PROGRAM: &str = "/usr/bin/redis-server";
    if !std::path::Path::new(PROGRAM).exists() {
        return Err(PeerError::Missing { what: "redis-server", path: PROGRAM.into() });
    }
    let mut command = Command::new(PROGRAM);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
    let mut process = Process::spawn("redis-server", command, Process::folder("redis")?)?;
    process.wait_for_port(port).await?;
    Ok(process)
}
