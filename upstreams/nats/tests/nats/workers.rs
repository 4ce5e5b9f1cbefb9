//! Workers that have connections of their own: the server tells which connections there are, and what came in by each.

use std::{cell::Cell, collections::BTreeMap, thread, time::Duration};

use async_nats::{Client, ConnectOptions};
use callgate_core::metrics::count_apart;
use callgate_testkit::peers::{NatsServer, until};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Handle};

use crate::{
    bursts,
    stage::{Stage, server},
};

const LIMIT: Duration = Duration::from_secs(60);
const FUNCTIONS: &[(&str, &str)] = &[("new", "subject: a"), ("ask", "subject: b, mode: request")];
/// Who may send to some subjects only.
const LIMITED: &str =
    "permissions: {publish: {allow: [\"ok.>\", \"_INBOX.>\", \"$JS.API.>\"]}, subscribe: \"_INBOX.>\"}";

/// Two accounts, so that who watches is told from the gateway; and further settings, of the gateway's user and in all.
fn accounts(user: &str, more: &str) -> String {
    format!(
        "accounts: {{
  SYS: {{users: [{{user: watcher, password: pw}}]}}
  GATEWAY: {{jetstream: enabled, users: [{{user: gateway, password: pw, {user}}}, {{user: admin, password: pw}}]}}
}}
system_account: SYS
no_auth_user: admin
{more}"
    )
}

/// Who sees the server's connections.
struct Watcher(Client);

impl Watcher {
    async fn new(server: &NatsServer) -> Self {
        let options = ConnectOptions::new().user_and_password("watcher".to_owned(), "pw".to_owned());
        Self(options.connect(server.url()).await.unwrap())
    }

    async fn ask(&self, subject: String, what: Value) -> Value {
        let reply = self.0.request(subject, what.to_string().into()).await.unwrap();
        serde_json::from_slice::<Value>(&reply.payload).unwrap()
    }

    async fn seen(&self) -> Value {
        let seen = self.ask("$SYS.REQ.SERVER.PING.CONNZ".to_owned(), json!({"acc": "GATEWAY", "auth": true}));
        seen.await["data"].take()
    }

    /// How many messages came in by each of the gateway's connections. The first one is the oldest.
    async fn connections(&self) -> BTreeMap<u64, u64> {
        let seen = self.seen().await;
        let all = seen["connections"].as_array().into_iter().flatten();
        all.map(|one| (one["cid"].as_u64().unwrap(), one["in_msgs"].as_u64().unwrap())).collect()
    }

    /// Waits until calls go through a worker's own connection.
    async fn used(&self, stage: &Stage, path: &str) {
        let used = async || {
            stage.post(path, "").await.succeeds(202);
            self.connections().await.values().nth(1).is_some_and(|sent| *sent > 0)
        };
        assert!(until(LIMIT, used).await);
    }

    async fn counts(&self, connections: usize) -> bool {
        self.connections().await.len() == connections
    }

    /// Cuts a connection.
    async fn cut(&self, connection: u64) {
        let server = self.seen().await["server_id"].as_str().unwrap().to_owned();
        self.ask(format!("$SYS.REQ.SERVER.{server}.KICK"), json!({"cid": connection})).await;
    }
}

/// What a test has, whose own thread is a worker: what lives beside the workers is driven by a runtime of its own.
struct Site {
    server: NatsServer,
    stage: Stage,
    beside: Handle,
}

/// Runs a test on a worker.
fn on_a_worker(settings: &str, options: &str, test: impl AsyncFnOnce(Site, Watcher) + Send) {
    worker_of(&accounts("", settings), options, FUNCTIONS, test);
}

fn worker_of(settings: &str, options: &str, functions: &[(&str, &str)], test: impl AsyncFnOnce(Site, Watcher) + Send) {
    let beside = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let Some(server) = beside.block_on(server(settings)) else { return };
    let stage = beside.block_on(Stage::new(&server, options, functions));
    let site = Site { server, stage, beside: beside.handle().clone() };
    worker(0, async || {
        let watcher = Watcher::new(&site.server).await;
        test(site, watcher).await;
    });
}

/// A thread that is the gateway's worker of this number, for as long as the work takes.
fn worker(number: usize, work: impl AsyncFnOnce() + Send) {
    elsewhere(async || {
        count_apart(number);
        work().await;
    });
}

/// Another thread, with a runtime of its own.
fn elsewhere(work: impl AsyncFnOnce() + Send) {
    let run = || Builder::new_current_thread().enable_all().build().unwrap().block_on(work());
    thread::scope(|scope| scope.spawn(run).join().unwrap());
}

impl Stage {
    async fn publishes(&self, times: usize) {
        for _ in 0..times {
            self.post("/new/x", "").await.succeeds(202);
        }
    }
}

#[test]
fn a_worker_sends_by_a_connection_of_its_own() {
    on_a_worker("", "", async |site, watcher| {
        assert!(watcher.counts(1).await, "there is none before the worker has calls");
        let own = async || {
            site.stage.publishes(1).await;
            watcher.counts(2).await
        };
        assert!(until(LIMIT, own).await);
        site.stage.publishes(1).await;
        let before = watcher.connections().await;
        site.stage.publishes(10).await;
        // The server's answer, that nobody listens, comes back the same way.
        site.stage.post("/ask/x", "").await.fails(503, "upstream_unavailable");
        let after: Vec<_> = watcher.connections().await.into_iter().map(|(id, now)| now - before[&id]).collect();
        assert!(after[0] == 0 && after[1] > 10, "{after:?}");
    });
}

#[test]
fn each_worker_has_one_and_who_is_no_worker_has_none() {
    on_a_worker("", "", async |site, watcher| {
        let called = async |connections| {
            site.stage.publishes(1).await;
            watcher.counts(connections).await
        };
        assert!(until(LIMIT, async || called(2).await).await);
        worker(1, async || {
            let watcher = Watcher::new(&site.server).await;
            let called = async || {
                site.stage.publishes(1).await;
                watcher.counts(3).await
            };
            assert!(until(LIMIT, called).await);
        });
        // With the worker's thread its connection is gone.
        assert!(until(LIMIT, async || watcher.counts(2).await).await);
        elsewhere(async || site.stage.publishes(10).await);
        assert!(watcher.counts(2).await);
    });
}

#[test]
fn an_upstream_can_keep_to_one_connection() {
    on_a_worker("", ", connection_per_worker: false", async |site, watcher| {
        for _ in 0..20 {
            site.stage.publishes(1).await;
            assert!(watcher.counts(1).await);
        }
    });
}

#[test]
fn calls_go_through_the_common_connection_while_the_server_allows_no_more() {
    on_a_worker("max_connections: 2", "", async |mut site, watcher| {
        let refused = async || {
            site.stage.publishes(1).await;
            site.server.log().contains("maximum connections exceeded")
        };
        assert!(until(LIMIT, refused).await, "{}", site.server.log());
        site.stage.publishes(10).await;
        site.stage.ready().await.unwrap();
        assert!(watcher.counts(1).await);
        site.server.reload(&accounts("", "max_connections: 3")).await.unwrap();
        assert!(until(LIMIT, async || watcher.counts(2).await).await);
        let by_its_own = async || {
            let before = watcher.connections().await;
            site.stage.publishes(5).await;
            let after = watcher.connections().await;
            after.first_key_value() == before.first_key_value()
        };
        assert!(until(LIMIT, by_its_own).await);
    });
}

#[test]
fn calls_go_on_when_a_workers_connection_is_cut() {
    on_a_worker("", "", async |site, watcher| {
        let own = async || {
            site.stage.publishes(1).await;
            watcher.counts(2).await
        };
        assert!(until(LIMIT, own).await);
        let common = async || *watcher.connections().await.first_entry().unwrap().get();
        let (before, lost) = (common().await, Cell::new(0));
        let by_the_common_one = async || {
            let own = *watcher.connections().await.last_key_value().unwrap().0;
            watcher.cut(own).await;
            let (outcome, after) = (site.stage.post("/new/x", "").await, site.stage.post("/new/x", "").await);
            // What was on its way is not known to have come.
            lost.set(lost.get() + u32::from(outcome.status == 504));
            assert!(matches!(outcome.status, 202 | 504) && after.status == 202, "{outcome:?} {after:?}");
            assert!(until(LIMIT, async || watcher.counts(2).await).await, "it is made again");
            common().await > before
        };
        assert!(until(LIMIT, by_the_common_one).await, "{} were lost", lost.get());
    });
}

#[test]
fn an_upstream_that_is_replaced_or_closed_leaves_no_connection() {
    on_a_worker("", "", async |site, watcher| {
        let own = async || {
            site.stage.publishes(1).await;
            watcher.counts(2).await
        };
        assert!(until(LIMIT, own).await);
        let former = watcher.connections().await;
        let options = ", name: other";
        site.stage.reload(&site.server, options, FUNCTIONS, &site.beside).await;
        let replaced = async || {
            site.stage.publishes(1).await;
            let now = watcher.connections().await;
            now.len() == 2 && now.keys().all(|one| !former.contains_key(one))
        };
        assert!(until(LIMIT, replaced).await, "{former:?} {:?}", watcher.connections().await);
        site.stage.close().await;
        assert!(until(LIMIT, async || watcher.counts(0).await).await);
    });
}

#[test]
fn a_silent_server_leaves_the_outcome_unknown_on_a_worker_too() {
    on_a_worker("", "", async |site, watcher| {
        watcher.used(&site.stage, "/new/x").await;
        site.server.pause();
        for path in ["/quick/new/x", "/quick/ask/x"] {
            let answer = site.stage.post(path, "").await;
            answer.fails(504, "upstream_timeout");
            assert!(answer.json()["detail"].as_str().unwrap().contains("unknown"), "{answer:?}");
        }
        site.server.resume();
        assert!(until(LIMIT, async || site.stage.post("/new/x", "").await.status == 202).await);
    });
}

#[test]
fn a_burst_of_answers_loses_none_on_a_worker_too() {
    worker_of(&accounts("", ""), "", bursts::KEEPING, async |site, watcher| {
        watcher.used(&site.stage, "/tell/x").await;
        bursts::answers(&site.server, &site.stage).await;
    });
}

#[test]
fn a_burst_of_refusals_hides_none_on_a_worker_too() {
    worker_of(&accounts(LIMITED, ""), bursts::GATEWAY, bursts::REFUSED, async |site, watcher| {
        watcher.used(&site.stage, "/ok/x").await;
        bursts::refusals(&site.server, &site.stage).await;
        site.stage.post("/ok/x", "").await.succeeds(202);
        site.stage.post("/no/x", "").await.fails(502, "upstream_denied");
    });
}

/// Permissions that are taken away from a connected user: what is trusted is told of the server's refusal.
#[test]
fn a_subject_that_is_refused_later_is_denied() {
    worker_of(&accounts(LIMITED, ""), bursts::GATEWAY, bursts::REFUSED, async |mut site, watcher| {
        watcher.used(&site.stage, "/ok/x").await;
        let denied = LIMITED.replace("ok.>", "other.>");
        site.server.reload(&accounts(&denied, "")).await.unwrap();
        let refused = async || site.stage.post("/ok/x", "").await.failure() == (502, "upstream_denied");
        assert!(until(LIMIT, refused).await);
        assert!(refused().await);
    });
}
