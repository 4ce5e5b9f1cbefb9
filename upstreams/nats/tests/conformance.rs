//! The conformance suite against nats-server and a responder.

#[path = "conformance/responder.rs"]
mod responder;

use std::process::ExitCode;

use callgate_core::Registry;
use callgate_nats::Nats;
use callgate_testkit::{
    conformance::{self, Abilities, Fixture, Remote},
    peers::{NatsServer, PeerError, absent},
};
use responder::Responder;

struct Broker {
    server: NatsServer,
    _responder: Responder,
}

const SETTINGS: &str = "max_payload: 8MB\nauthorization: {user: gateway, password: \"hush-hush\"}";

impl Fixture for Broker {
    fn registry() -> Registry {
        Registry::new().with::<Nats>()
    }

    fn abilities() -> Abilities {
        // A responder's error is a status, and passes as it is.
        Abilities { function_errors: false, ..Abilities::default() }
    }

    async fn start() -> Result<Option<Self>, String> {
        let server = match NatsServer::start(SETTINGS).await {
            Ok(server) => server,
            Err(missing @ PeerError::Missing { .. }) => {
                absent(missing);
                return Ok(None);
            }
            Err(error) => return Err(error.to_string()),
        };
        let responder = Responder::start(&server.url(), "gateway", "hush-hush", "remote").await?;
        Ok(Some(Self { server, _responder: responder }))
    }

    fn upstream(&self) -> String {
        let url = self.server.url();
        format!("{{nats: {{servers: \"{url}\", credentials: {{user: gateway, password: hush-hush}}}}}}")
    }

    fn to(&self, _remote: Remote) -> String {
        "{upstream: remote, function: remote, mode: request, payload: http}".to_owned()
    }

    fn secrets(&self) -> Vec<String> {
        vec!["hush-hush".to_owned()]
    }

    fn typo() -> Option<(&'static str, &'static str)> {
        Some(("servres", "servers"))
    }

    async fn kill(&mut self) {
        self.server.kill();
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.server.restart().await.map_err(|error| error.to_string())
    }
}

fn main() -> ExitCode {
    conformance::run::<Broker>()
}
