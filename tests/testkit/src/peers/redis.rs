use std::process::Command;

use super::{PeerError, Process, on_free_port};

/// Launcher of Debian's redis-server, which keeps nothing on disk.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    process: Option<Process>,
    settings: String,
}

impl RedisServer {
    /// Starts a server.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start() -> Result<Self, PeerError> {
        Self::start_with("").await
    }

    /// Starts a server with lines of its `redis.conf`. Where they name a `tls-cert-file`, it speaks TLS and nothing else.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start_with(settings: &str) -> Result<Self, PeerError> {
        let (port, process) = on_free_port(|port| launch(port, settings)).await?;
        Ok(Self { port, process: Some(process), settings: settings.to_owned() })
    }

    /// The address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
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
        self.process = Some(launch(self.port, &self.settings).await?);
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

async fn launch(port: u16, settings: &str) -> Result<Process, PeerError> {
    const PROGRAM: &str = "/usr/bin/redis-server";
    if !std::path::Path::new(PROGRAM).exists() {
        return Err(PeerError::Missing { what: "redis-server", path: PROGRAM.into() });
    }
    let folder = Process::folder("redis")?;
    let listens = if settings.contains("tls-cert-file") {
        format!("port 0\ntls-port {port}\ntls-auth-clients no")
    } else {
        format!("port {port}")
    };
    let settings = format!("bind 127.0.0.1\n{listens}\nsave \"\"\nappendonly no\n{settings}\n");
    std::fs::write(folder.path().join("redis.conf"), settings).map_err(PeerError::io("write redis.conf"))?;
    let mut command = Command::new(PROGRAM);
    command.arg("redis.conf");
    let mut process = Process::spawn("redis-server", command, folder)?;
    process.wait_for_port(port).await?;
    Ok(process)
}
