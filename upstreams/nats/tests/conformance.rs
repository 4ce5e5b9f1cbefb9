//! The conformance suite against nats-server and a responder.

#[path = "conformance/keeper.rs"]
mod keeper;
#[path = "conformance/responder.rs"]
mod responder;

use std::process::ExitCode;

use callgate_core::Registry;
use callgate_nats::Nats;
use callgate_testkit::{
    conformance::{self, Abilities, Broker, Fixture, Place, Remote, Taken},
    peers::{NatsServer, PeerError, absent},
};
use keeper::Keeper;
use responder::Responder;

struct Server {
    server: NatsServer,
    keeper: Keeper,
    _responder: Responder,
}

const SETTINGS: &str = "max_payload: 8MB\nauthorization: {user: gateway, password: \"hush-hush\"}";

impl Fixture for Server {
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
        let client = responder::client(&server.url(), "gateway", "hush-hush").await?;
        let keeper = Keeper::start(client.clone()).await?;
        let responder = Responder::start(client).await?;
        Ok(Some(Self { server, keeper, _responder: responder }))
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

impl Broker for Server {
    fn at(&self, place: Place) -> String {
        let function = match place {
            Place::Kept => "subject: kept.all, mode: jetstream",
            Place::Named => "subject: 'kept.{{ params.v }}', mode: jetstream",
            Place::Nowhere => "subject: nowhere, mode: jetstream",
            Place::Echo => "subject: echo, mode: request",
            Place::Late => "subject: late, mode: request",
            Place::Silent => "subject: silent, mode: request",
            Place::Unanswered => "subject: unanswered, mode: request",
        };
        format!("upstream: remote, {function}")
    }

    async fn taken(&mut self) -> Result<Vec<Taken>, String> {
        self.keeper.taken().await
    }

    fn largest() -> usize {
        8 << 20
    }

    fn special() -> &'static [&'static str] {
        &["a.b", "%2A", "%3E", "a%20b", "a%0D%0APUB"]
    }

    fn reserved() -> &'static [(&'static str, &'static str)] {
        &[("nats-msg-id", "same"), ("nats-expected-stream", "OTHER"), ("nats-rollup", "all"), ("nats-ttl", "1s")]
    }

    fn attributes() -> &'static str {
        "ce-"
    }
}

fn main() -> ExitCode {
    conformance::run_broker::<Server>()
}
