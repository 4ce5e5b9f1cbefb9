//! The conformance suite against redis-server and a worker that reads its streams.

#[path = "conformance/server.rs"]
mod server;
#[path = "conformance/worker.rs"]
mod worker;

use std::process::ExitCode;

use callgate_core::Registry;
use callgate_redis::Redis;
use callgate_testkit::{
    conformance::{self, Abilities, Broker, Fixture, Place, Remote, Taken},
    peers::{PeerError, absent},
};
use server::Server;
use worker::Worker;

type Fields = Vec<(String, Vec<u8>)>;

struct Streams {
    server: Server,
    worker: Option<Worker>,
}

impl Fixture for Streams {
    fn registry() -> Registry {
        Registry::new().with::<Redis>()
    }

    fn abilities() -> Abilities {
        // A worker's failure is a status, and passes as it is.
        Abilities { function_errors: false, ..Abilities::default() }
    }

    async fn start() -> Result<Option<Self>, String> {
        let server = match Server::start().await {
            Ok(server) => server,
            Err(missing @ PeerError::Missing { .. }) => {
                absent(missing);
                return Ok(None);
            }
            Err(error) => return Err(error.to_string()),
        };
        let worker = Some(Worker::start(&server).await?);
        Ok(Some(Self { server, worker }))
    }

    fn upstream(&self) -> String {
        let (url, password) = (self.server.url(), Server::PASSWORD);
        format!("{{redis: {{url: \"{url}\", password: {password}, max_payload: 8MiB}}}}")
    }

    fn to(&self, remote: Remote) -> String {
        format!("{{upstream: remote, stream: {}, mode: request, payload: http}}", remote.name())
    }

    fn secrets(&self) -> Vec<String> {
        vec![Server::PASSWORD.to_owned()]
    }

    fn typo() -> Option<(&'static str, &'static str)> {
        Some(("ulr", "url"))
    }

    async fn kill(&mut self) {
        self.worker = None;
        self.server.kill();
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.server.restart().await.map_err(|error| error.to_string())?;
        self.worker = Some(Worker::start(&self.server).await?);
        Ok(())
    }
}

impl Broker for Streams {
    fn at(&self, place: Place) -> String {
        let function = match place {
            Place::Kept => "stream: kept",
            Place::Named => "stream: 'kept:{{ params.v }}', create: true",
            Place::Nowhere => "stream: nowhere",
            Place::Echo => "stream: echo, mode: request",
            Place::Late => "stream: late, mode: request",
            Place::Silent => "stream: silent, mode: request",
            Place::Unanswered => "stream: unanswered, mode: request",
        };
        format!("upstream: remote, {function}")
    }

    async fn taken(&mut self) -> Result<Vec<Taken>, String> {
        let mut client = self.server.client().await?;
        let told = |error: redis::RedisError| error.to_string();
        let names: Vec<String> = redis::cmd("KEYS").arg("kept*").query_async(&mut client).await.map_err(told)?;
        let mut taken = Vec::new();
        for name in names {
            let mut range = redis::cmd("XRANGE");
            range.arg(name).arg("-").arg("+");
            let entries: Vec<(String, Fields)> = range.query_async(&mut client).await.map_err(told)?;
            taken.extend(entries.into_iter().map(|(_, fields)| message(fields)));
        }
        Ok(taken)
    }

    fn largest() -> usize {
        8 << 20
    }

    fn special() -> &'static [&'static str] {
        &["a:b", "a%7Bb%7D", "%2A", "a%20b", "a%0D%0AXADD"]
    }

    fn reserved() -> &'static [(&'static str, &'static str)] {
        &[("payload", "forged"), ("callgate-reply-to", "elsewhere"), ("callgate-call", "1")]
    }

    fn attributes() -> &'static str {
        "ce-"
    }
}

fn message(fields: Fields) -> Taken {
    let mut taken = Taken::default();
    for (name, value) in fields {
        if name == "payload" {
            taken.payload = value;
        } else {
            taken.headers.push((name, String::from_utf8_lossy(&value).into_owned()));
        }
    }
    taken
}

fn main() -> ExitCode {
    conformance::run_broker::<Streams>()
}
