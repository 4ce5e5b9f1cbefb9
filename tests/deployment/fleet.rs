//! Three gateways behind a real HAProxy, of which each is killed, and each is ended, in turn while clients ask.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use callgate_testkit::peers::until;
use tokio::task::JoinSet;

use super::{
    client::Client,
    gateways::{Gateway, PATIENCE, haproxy},
};

/// How many clients ask, one request after the other; every other one keeps its connection.
const CLIENTS: usize = 6;
/// How many answers there have to be between two losses.
const BETWEEN: usize = 100;

/// What the clients got.
#[derive(Default)]
pub(crate) struct Load {
    over: AtomicBool,
    served: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Clients that ask until it is over.
    pub(crate) fn begin(port: u16) -> (Arc<Self>, JoinSet<()>) {
        let load = Arc::new(Self::default());
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(ask(Client::new(port, number % 2 == 0), Arc::clone(&load)));
        }
        (load, clients)
    }

    /// Waits until more is served; nothing may have failed.
    pub(crate) async fn more(&self, what: &str, log: impl Fn() -> String) {
        let goal = self.served.load(Ordering::Relaxed) + BETWEEN;
        let failures = || self.failures.lock().expect("no panic").clone();
        let served = || self.served.load(Ordering::Relaxed) >= goal;
        let going = until(PATIENCE, async || served() || !failures().is_empty()).await;
        assert!(failures().is_empty(), "{what}: {:#?}\n{}", failures(), log());
        assert!(going, "{what}: nothing is served any more\n{}", log());
    }

    /// Lets the clients end; nothing may have failed.
    pub(crate) async fn end(&self, clients: JoinSet<()>) {
        self.over.store(true, Ordering::Relaxed);
        clients.join_all().await;
        assert_eq!(*self.failures.lock().expect("no panic"), [""; 0], "no request failed");
    }
}

/// Asks until it is over.
async fn ask(mut client: Client, load: Arc<Load>) {
    while !load.over.load(Ordering::Relaxed) {
        match client.ask("GET /ping HTTP/1.1\r\n", "").await {
            Ok(answer) if answer.status == 200 && answer.text == "pong" => {
                load.served.fetch_add(1, Ordering::Relaxed);
            }
            other => load.failures.lock().expect("no panic").push(format!("{other:?}")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_gateways_behind_haproxy_lose_no_request_when_each_is_killed_and_ended_in_turn() {
    let mut gateways = [(); 3].map(|()| Gateway::new(std::convert::identity));
    for gateway in &mut gateways {
        gateway.start().await;
    }
    let (port, haproxy) = haproxy(&gateways).await;
    let (load, clients) = Load::begin(port);
    let more = async |what| load.more(what, || haproxy.log()).await;
    more("with all three").await;
    for gateway in &mut gateways {
        gateway.kill();
        more("with one killed").await;
        gateway.start().await;
        more("with it back").await;
    }
    for gateway in &mut gateways {
        assert_eq!(gateway.end().await, Some(0), "it drained by itself");
        more("with one ended").await;
        gateway.start().await;
        more("with it back").await;
    }
    load.end(clients).await;
}
