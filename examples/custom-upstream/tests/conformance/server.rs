//! A redis-server that keeps what it has, also when it is killed.

use std::{path::Path, process::Command};

use callgate_testkit::peers::{PeerError, Process, free_port};

const PROGRAM: &str = "/usr/bin/redis-server";

pub(crate) struct Server {
    port: u16,
    process: Option<Process>,
    store: tempfile::TempDir,
}

impl Server {
    pub(crate) const PASSWORD: &'static str = "hush-hush";

    pub(crate) async fn start() -> Result<Self, PeerError> {
        if !Path::new(PROGRAM).exists() {
            return Err(PeerError::Missing { what: "redis-server", path: PROGRAM.into() });
        }
        let mut server = Self { port: free_port()?, process: None, store: Process::folder("redis-store")? };
        server.restart().await?;
        Ok(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    pub(crate) async fn restart(&mut self) -> Result<(), PeerError> {
        self.kill();
        let (port, store) = (self.port.to_string(), self.store.path().to_string_lossy().into_owned());
        let mut command = Command::new(PROGRAM);
        command.args(["--bind", "127.0.0.1", "--port", &port, "--dir", &store, "--requirepass", Self::PASSWORD]);
        // An entry is answered once it is on the disk.
        command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
        let mut process = Process::spawn("redis-server", command, Process::folder("redis")?)?;
        process.wait_for_port(self.port).await?;
        self.process = Some(process);
        Ok(())
    }

    /// A connection that is not the gateway's.
    pub(crate) async fn client(&self) -> Result<redis::aio::MultiplexedConnection, String> {
        let url = format!("redis://:{}@127.0.0.1:{}", Self::PASSWORD, self.port);
        let client = redis::Client::open(url).map_err(|error| error.to_string())?;
        let patient = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let mut last = String::new();
        for _ in 0..100 {
            match client.get_multiplexed_async_connection_with_config(&patient).await {
                Ok(mut connection) => match redis::cmd("PING").query_async::<String>(&mut connection).await {
                    Ok(_) => return Ok(connection),
                    // It loads what it has on the disk.
                    Err(error) => last = error.to_string(),
                },
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err(last)
    }
}
