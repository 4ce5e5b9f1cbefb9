//! Entries of streams that invoke functions, through the binary.

use std::{net::SocketAddr, process::Command, time::Duration};

use callgate_testkit::peers::{Process, RedisServer, Wire, present, until};
use redis::{Cmd, FromRedisValue, aio::MultiplexedConnection};

/// How long anything may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

struct Gateway {
    process: Process,
    address: SocketAddr,
}

impl Gateway {
    async fn start(yaml: &str) -> Self {
        let folder = Process::folder("redis-gateway").unwrap();
        let yaml = format!("listeners: {{public: {{address: '127.0.0.1:0'}}}}\n{yaml}");
        std::fs::write(folder.path().join("callgate.yaml"), yaml).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate-redis"));
        command.args(["run", "callgate.yaml", "--workers", "1", "--log-format", "json"]);
        let process = Process::spawn("callgate-redis", command, folder).unwrap();
        let mut address = None;
        let listens = until(LIMIT, async || {
            let lines = process.lines();
            let line = lines.iter().find(|line| line["message"] == "Listening.");
            address = line.and_then(|line| line["address"].as_str()?.parse().ok());
            address.is_some()
        });
        assert!(listens.await, "it does not serve:\n{}", process.log());
        Self { process, address: address.unwrap() }
    }
}

struct Redis {
    server: RedisServer,
    connection: MultiplexedConnection,
}

impl Redis {
    async fn start() -> Option<Self> {
        let server = present(RedisServer::start().await)?;
        let connection = redis::Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
        Some(Self { server, connection })
    }

    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> redis::RedisResult<T> {
        command.query_async(&mut self.connection).await
    }

    async fn append(&mut self, stream: &str, payload: &str) {
        let mut add = redis::cmd("XADD");
        add.arg(stream).arg("*").arg("content-type").arg("text/plain").arg("payload").arg(payload);
        self.ask::<String>(&add).await.unwrap();
    }

    /// How many entries a stream has.
    async fn length(&mut self, stream: &str) -> u64 {
        self.ask(redis::cmd("XLEN").arg(stream)).await.unwrap()
    }

    /// How long ago each entry that was not acknowledged gave a sign, in milliseconds.
    async fn pending(&mut self, stream: &str) -> Vec<u64> {
        let mut pending = redis::cmd("XPENDING");
        pending.arg(stream).arg("gateway").arg("-").arg("+").arg(10);
        // Before the gateway has made the group there is none.
        let entries: Vec<(String, String, u64, u64)> = self.ask(&pending).await.unwrap_or_default();
        entries.into_iter().map(|(_, _, idle, _)| idle).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_go_through_a_function_or_to_the_dead_letter() {
    let Some(mut redis) = Redis::start().await else { return };
    let gateway = Gateway::start(&format!(
        "
upstreams:
  events: {{redis: {{url: '{url}'}}}}
  broken: {{echo: {{}}}}
triggers:
  orders: {{redis: {{url: '{url}', stream: orders, group: gateway}}, to: {{upstream: events, stream: done, create: true}}}}
  failing:
    redis: {{url: '{url}', stream: failing, group: gateway}}
    to: {{upstream: broken, status: 503}}
    retry: {{attempts: 2, backoff: {{initial: 10ms, max: 20ms}}}}
    dead_letter: {{to: {{upstream: events, stream: dead, create: true}}}}
",
        url = redis.server.url()
    ))
    .await;
    for payload in ["a", "b", "c"] {
        redis.append("orders", payload).await;
    }
    redis.append("failing", "d").await;
    let settled = until(LIMIT, async || redis.length("done").await == 3 && redis.length("dead").await == 1);
    assert!(settled.await, "{}", gateway.process.log());
    for stream in ["orders", "failing"] {
        let acknowledged = until(LIMIT, async || redis.pending(stream).await.is_empty());
        assert!(acknowledged.await, "{stream}:\n{}", gateway.process.log());
    }
    assert_eq!((redis.length("done").await, redis.length("dead").await), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_answers_who_asked_by_a_stream() {
    let Some(redis) = Redis::start().await else { return };
    let gateway = Gateway::start(&format!(
        "
upstreams:
  events: {{redis: {{url: '{url}'}}}}
  answers: {{echo: {{}}}}
routes:
  - {{match: POST /quote, to: {{upstream: events, stream: quotes, mode: request, create: true}}, timeout: 1m}}
triggers:
  quotes:
    redis: {{url: '{url}', stream: quotes, group: gateway}}
    to: {{upstream: answers, status: 203}}
",
        url = redis.server.url()
    ))
    .await;
    let mut wire = Wire::connect(gateway.address).await.unwrap();
    let request = "POST /quote HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 5\r\n\r\n2 EUR";
    wire.send(request).await.unwrap();
    let answer = wire.read_to_end(LIMIT).await;
    let text = answer.text();
    assert!(answer.status() == Some(203) && text.contains("2 EUR"), "{text}\n{}", gateway.process.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_kept_while_it_is_worked_on_and_another_has_it_once_its_gateway_is_killed() {
    let Some(mut redis) = Redis::start().await else { return };
    let document = |to: &str| {
        format!(
            "upstreams: {{events: {{redis: {{url: '{url}'}}}}, slow: {{echo: {{}}}}}}\n\
             triggers: {{orders: {{redis: {{url: '{url}', stream: orders, group: gateway, lease: 1s}}, to: {to}, timeout: 1h}}}}\n",
            url = redis.server.url()
        )
    };
    let (slow, done) =
        (document("{upstream: slow, delay: 1h}"), document("{upstream: events, stream: done, create: true}"));
    let mut first = Gateway::start(&slow).await;
    redis.append("orders", "a").await;
    let mut idle = 0;
    let renewed = until(LIMIT, async || {
        let now = redis.pending("orders").await.first().copied().unwrap_or_default();
        std::mem::replace(&mut idle, now) > now
    });
    assert!(renewed.await, "{}", first.process.log());
    first.process.kill();
    let second = Gateway::start(&done).await;
    assert!(until(LIMIT, async || redis.length("done").await == 1).await, "{}", second.process.log());
    assert!(until(LIMIT, async || redis.pending("orders").await.is_empty()).await, "{}", second.process.log());
}
