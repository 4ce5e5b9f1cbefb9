//! The conformance suite of sources against a stream of redis-server.

#[path = "conformance/server.rs"]
mod server;

use std::process::ExitCode;

use callgate_core::Registry;
use callgate_redis::RedisTrigger;
use callgate_testkit::{
    conformance::{Source, run_source},
    peers::{PeerError, absent},
};
use server::Server;

struct Stream(Server);

const STREAM: &str = "orders";
const GROUP: &str = "gateway";

impl Stream {
    async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, String> {
        command.query_async(&mut self.0.client().await?).await.map_err(|error| error.to_string())
    }
}

impl Source for Stream {
    fn registry() -> Registry {
        Registry::new().with_trigger::<RedisTrigger>()
    }

    async fn start() -> Result<Option<Self>, String> {
        match Server::start().await {
            Ok(server) => Ok(Some(Self(server))),
            Err(missing @ PeerError::Missing { .. }) => {
                absent(missing);
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn trigger(&self) -> String {
        let (url, password) = (self.0.url(), Server::PASSWORD);
        format!("redis: {{url: \"{url}\", password: {password}, stream: {STREAM}, group: {GROUP}}}")
    }

    async fn put(&mut self, payload: &str) -> Result<(), String> {
        self.ask::<String>(redis::cmd("XADD").arg(STREAM).arg("*").arg("payload").arg(payload)).await.map(drop)
    }

    /// Those that nobody has read, and those that are pending.
    async fn left(&mut self) -> Result<usize, String> {
        let groups: Vec<std::collections::HashMap<String, redis::Value>> =
            self.ask(redis::cmd("XINFO").arg("GROUPS").arg(STREAM)).await?;
        let group = groups.into_iter().next().ok_or("the stream has no group")?;
        let number = |field: &str| {
            let value = group.get(field).cloned().ok_or_else(|| format!("a group has no `{field}`"))?;
            redis::from_redis_value::<Option<usize>>(value).map_err(|error| error.to_string())
        };
        Ok(number("lag")?.unwrap_or_default() + number("pending")?.unwrap_or_default())
    }

    async fn kill(&mut self) {
        self.0.kill();
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.0.restart().await.map_err(|error| error.to_string())
    }
}

fn main() -> ExitCode {
    run_source::<Stream>()
}
