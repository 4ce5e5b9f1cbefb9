//! The conformance suite against RabbitMQ, a queue that keeps messages and consumers that answer them.

#[path = "conformance/consumer.rs"]
mod consumer;
#[path = "conformance/keeper.rs"]
mod keeper;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use callgate_amqp::Amqp;
use callgate_core::Registry;
use callgate_testkit::{
    conformance::{self, Abilities, Broker, Fixture, Place, Remote, Taken},
    peers::{PeerError, Permissions, RabbitMq, absent},
};
use consumer::Consumers;
use keeper::Keeper;
use tokio::sync::Mutex;

/// The largest message that the node takes, in bytes.
const LARGEST: usize = 16_000_000;

/// One node for all trials; each has names of its own there.
static NODE: Mutex<Option<Arc<Mutex<RabbitMq>>>> = Mutex::const_new(None);
static NAMES: AtomicUsize = AtomicUsize::new(0);

struct Node {
    node: Arc<Mutex<RabbitMq>>,
    address: String,
    name: usize,
    keeper: Keeper,
    _consumers: Consumers,
}

async fn node() -> Result<Arc<Mutex<RabbitMq>>, PeerError> {
    let mut known = NODE.lock().await;
    if let Some(node) = &*known {
        let mut started = node.lock().await;
        if !started.is_running() {
            started.restart().await?;
        }
        return Ok(Arc::clone(node));
    }
    let node = RabbitMq::start(&format!("max_message_size = {LARGEST}"), &[]).await?;
    // The least that the gateway needs.
    let may = Permissions { configure: "^$", write: "^(kept-.*|amq.default)$", read: "^$" };
    node.add_user("gateway", "hush-hush", may).await?;
    Ok(Arc::clone(known.insert(Arc::new(Mutex::new(node)))))
}

impl Fixture for Node {
    const SHARES_REMOTE: bool = true;

    fn registry() -> Registry {
        Registry::new().with::<Amqp>()
    }

    fn abilities() -> Abilities {
        // A consumer's error is a status, and passes as it is.
        Abilities { function_errors: false, ..Abilities::default() }
    }

    async fn start() -> Result<Option<Self>, String> {
        let node = match node().await {
            Ok(node) => node,
            Err(missing @ PeerError::Missing { .. }) => {
                absent(missing);
                return Ok(None);
            }
            Err(error) => return Err(error.to_string()),
        };
        let (url, address) = {
            let node = node.lock().await;
            (node.url(), node.address())
        };
        let name = NAMES.fetch_add(1, Ordering::Relaxed);
        let keeper = Keeper::start(&url, name).await?;
        let consumers = Consumers::start(&url, name).await?;
        Ok(Some(Self { node, address, name, keeper, _consumers: consumers }))
    }

    fn upstream(&self) -> String {
        format!("{{amqp: {{url: \"amqp://gateway:hush-hush@{}\"}}}}", self.address)
    }

    fn to(&self, _remote: Remote) -> String {
        format!("{{upstream: remote, function: remote-{}, mode: request, payload: http}}", self.name)
    }

    fn secrets(&self) -> Vec<String> {
        vec!["hush-hush".to_owned()]
    }

    fn typo() -> Option<(&'static str, &'static str)> {
        Some(("exchnage", "exchange"))
    }

    async fn kill(&mut self) {
        self.node.lock().await.kill();
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.node.lock().await.restart().await.map_err(|error| error.to_string())
    }
}

impl Broker for Node {
    fn at(&self, place: Place) -> String {
        let name = self.name;
        let function = match place {
            Place::Kept => format!("routing_key: all, exchange: kept-{name}"),
            Place::Named => format!("routing_key: 'named.{{{{ params.v }}}}', exchange: kept-{name}"),
            Place::Nowhere => format!("routing_key: nowhere-{name}"),
            Place::Echo => format!("routing_key: echo-{name}, mode: request"),
            Place::Late => format!("routing_key: late-{name}, mode: request"),
            Place::Silent => format!("routing_key: silent-{name}, mode: request"),
            Place::Unanswered => format!("routing_key: unanswered-{name}, mode: request"),
        };
        format!("upstream: remote, {function}")
    }

    async fn taken(&mut self) -> Result<Vec<Taken>, String> {
        self.keeper.taken().await
    }

    fn largest() -> usize {
        LARGEST
    }

    fn special() -> &'static [&'static str] {
        &["a.b", "%2A", "%23", "a%20b", "a%0D%0Ab"]
    }

    fn reserved() -> &'static [(&'static str, &'static str)] {
        &[("x-death", "forged"), ("x-delivery-count", "9"), ("x-delay", "100000"), ("x-match", "all")]
    }

    fn attributes() -> &'static str {
        "cloudEvents:"
    }
}

fn main() -> ExitCode {
    let code = conformance::run_broker::<Node>();
    // What is static is never dropped by itself, and its folders would stay.
    drop(NODE.blocking_lock().take());
    code
}
