use super::{NatsServer, PeerError, free_port};

/// Servers of NATS with JetStream that form one cluster.
///
/// A stream of it needs a leader, which is elected a moment after the last server has started.
#[derive(Debug)]
pub struct NatsCluster {
    /// The servers, each of which can be killed and started again.
    pub servers: Vec<NatsServer>,
}

impl NatsCluster {
    /// Starts so many servers.
    ///
    /// # Errors
    /// As [`NatsServer::start`].
    pub async fn start(count: usize) -> Result<Self, PeerError> {
        let ports = (0..count).map(|_| free_port()).collect::<Result<Vec<_>, _>>()?;
        let routes: Vec<_> = ports.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
        let routes = routes.join(", ");
        let mut servers = Vec::new();
        for (number, port) in ports.iter().enumerate() {
            let settings = format!(
                "server_name: n{number}\ncluster: {{name: tests, listen: \"127.0.0.1:{port}\", routes: [{routes}]}}"
            );
            servers.push(NatsServer::start(&settings).await?);
        }
        Ok(Self { servers })
    }

    /// Where clients connect to, of each server.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(NatsServer::url).collect()
    }
}
