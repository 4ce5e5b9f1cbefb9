//! The connections of a gateway's workers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread,
    time::Duration,
};

use callgate_core::{metrics::count_apart, part_from_brokers};
use callgate_testkit::peers::{Permissions, until};
use http::Request;
use tokio::{runtime::Builder, sync::oneshot};

use crate::{bed::Bed, stage::Stage};

/// A node may take long on a busy machine, and a worker that gets no connection waits for up to half a minute.
const LIMIT: Duration = Duration::from_secs(120);
/// More than a connection without messages sends.
const LARGE: usize = 100_000;

const FUNCTIONS: &[(&str, &str)] = &[("new", "routing_key: a, exchange: amq.topic, mandatory: false")];

/// Does something as a worker of the gateway, on a thread with a runtime of its own.
async fn worker<T: Send + 'static, F: Future<Output = T>>(
    number: usize,
    work: impl FnOnce() -> F + Send + 'static,
) -> T {
    let (done, result) = oneshot::channel();
    thread::spawn(move || {
        count_apart(number);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let all = async {
            let result = work().await;
            part_from_brokers().await;
            result
        };
        drop(done.send(runtime.block_on(all)));
    });
    result.await.expect("the worker panicked")
}

/// A gateway whose connections have a name of their own, with a function that publishes.
async fn stage(bed: &Bed, name: &str, options: &str) -> Arc<Stage> {
    Arc::new(Stage::new(bed, &format!(", name: {name}{options}"), FUNCTIONS).await)
}

/// By which connections messages leave that are published now: the clients' ports.
async fn used(bed: &Bed, stage: &Stage, name: &str) -> Vec<u16> {
    const MESSAGES: u64 = 4;
    let before = connections(bed, name).await;
    for _ in 0..MESSAGES {
        stage.send(Request::post("/new/x"), vec![b'x'; LARGE]).await.succeeds(202);
    }
    let bytes = |all: &BTreeMap<u16, u64>, port: &u16| all.get(port).copied().unwrap_or_default();
    let mut after = BTreeMap::new();
    let counted = async || {
        after = connections(bed, name).await;
        let grown: u64 = after.keys().map(|port| bytes(&after, port) - bytes(&before, port)).sum();
        grown >= MESSAGES * LARGE as u64
    };
    assert!(until(LIMIT, counted).await);
    let grown = |port: &u16| bytes(&after, port) - bytes(&before, port) >= LARGE as u64;
    after.keys().copied().filter(grown).collect()
}

async fn connections(bed: &Bed, name: &str) -> BTreeMap<u16, u64> {
    let mut all = BTreeMap::new();
    // One that ends meanwhile can't be looked at.
    let looked = async || match bed.node().await.connections(name).await {
        Ok(found) => {
            all = found;
            true
        }
        Err(_) => false,
    };
    assert!(until(LIMIT, looked).await);
    all
}

async fn has(bed: &Bed, name: &str, count: usize) {
    let has = async || connections(bed, name).await.len() == count;
    assert!(until(LIMIT, has).await, "{:?}", connections(bed, name).await);
}

/// What the node's log says of connections that are over.
fn ended(log: &str, name: &str) -> Vec<String> {
    let ends = log.split("closing AMQP connection").skip(1);
    ends.filter(|end| end.contains(&format!("{name},"))).map(str::to_owned).collect()
}

/// The port of the common connection, which is there before workers have calls.
async fn common(bed: &Bed, name: &str) -> u16 {
    has(bed, name, 1).await;
    *connections(bed, name).await.keys().next().unwrap()
}

/// Publishes until a connection of the worker's own is used, and gives its port.
async fn own(bed: &Bed, stage: &Stage, name: &str, common: u16) -> u16 {
    let mut own = Vec::new();
    let is_used = async || {
        own = used(bed, stage, name).await;
        own.len() == 1 && own[0] != common
    };
    assert!(until(LIMIT, is_used).await, "{:?}", connections(bed, name).await);
    own[0]
}

pub(crate) async fn each_worker_publishes_by_a_connection_of_its_own(bed: Arc<Bed>) {
    let name = bed.name("workers");
    let stage = stage(&bed, &name, "").await;
    let common = common(&bed, &name).await;
    assert_eq!(used(&bed, &stage, &name).await, [common], "no worker");
    let both = [0, 1].map(|number| {
        let (bed, stage, name) = (Arc::clone(&bed), Arc::clone(&stage), name.clone());
        worker(number, move || async move {
            let own = own(&bed, &stage, &name, common).await;
            assert_eq!(used(&bed, &stage, &name).await, [own]);
            own
        })
    });
    // One after the other, as the bytes of all connections are looked at.
    let mut own = BTreeSet::new();
    for one in both {
        own.insert(one.await);
    }
    assert_eq!(own.len(), 2);
    // A worker that has ended leaves none behind, and has said goodbye.
    has(&bed, &name, 1).await;
    let mut ends = Vec::new();
    let told = async || {
        ends = ended(&bed.node().await.log(), &name);
        ends.len() == 2
    };
    assert!(until(LIMIT, told).await, "{ends:?}");
    assert!(!ends.iter().any(|end| end.contains("unexpectedly")), "{ends:?}");
    stage.close().await;
    has(&bed, &name, 0).await;
}

pub(crate) async fn with_the_option_off_there_is_one_connection(bed: Arc<Bed>) {
    let name = bed.name("common");
    let stage = stage(&bed, &name, ", connection_per_worker: false").await;
    let common = common(&bed, &name).await;
    let (to, at, of) = (Arc::clone(&stage), Arc::clone(&bed), name.clone());
    let used = worker(0, move || async move {
        let first = used(&at, &to, &of).await;
        (first, used(&at, &to, &of).await)
    });
    assert_eq!(used.await, (vec![common], vec![common]));
    assert_eq!(connections(&bed, &name).await.len(), 1);
}

/// The broker allows one connection, which the common one takes.
pub(crate) async fn calls_go_on_while_a_worker_gets_no_connection(bed: Arc<Bed>) {
    let (name, user) = (bed.name("limited"), bed.name("limited"));
    let may = Permissions { configure: "^$", write: ".*", read: "^$" };
    bed.node().await.add_user(&user, "secret", may).await.unwrap();
    bed.node().await.limit_connections(&user, 1).await.unwrap();
    let upstream = format!("{{url: \"amqp://{user}:secret@{}\", name: {name}}}", bed.address);
    let stage = Arc::new(Stage::of(&upstream, FUNCTIONS).await);
    let common = common(&bed, &name).await;
    let (to, at, of) = (Arc::clone(&stage), Arc::clone(&bed), name.clone());
    worker(0, move || async move {
        let refused = async || {
            assert_eq!(used(&at, &to, &of).await, [common]);
            at.node().await.log().contains(&format!("user '{user}'"))
        };
        assert!(until(LIMIT, refused).await);
        at.node().await.limit_connections(&user, 2).await.unwrap();
        let first = own(&at, &to, &of, common).await;
        at.node().await.limit_connections(&user, 1).await.unwrap();
        at.node().await.cut(first).await.unwrap();
        has(&at, &of, 1).await;
        // Its end may be seen a moment later than the broker does.
        let goes_on = async || to.post("/new/x", "").await.status == 202;
        assert!(until(LIMIT, goes_on).await);
        assert_eq!(used(&at, &to, &of).await, [common]);
        at.node().await.limit_connections(&user, 2).await.unwrap();
        assert_ne!(own(&at, &to, &of, common).await, first);
        to.close().await;
        has(&at, &of, 0).await;
    })
    .await;
}

/// The broker tells those only that publish, which the common connection does not.
pub(crate) async fn a_blocked_worker_makes_the_upstream_unready(bed: Arc<Bed>) {
    let name = bed.name("blocked");
    let stage = stage(&bed, &name, "").await;
    let common = common(&bed, &name).await;
    let (to, at, of) = (Arc::clone(&stage), Arc::clone(&bed), name.clone());
    worker(0, move || async move {
        own(&at, &to, &of, common).await;
        at.node().await.evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.000001)").await.unwrap();
        let throttled = async || to.post("/quick/new/x", "").await.code.as_deref() == Some("upstream_throttled");
        assert!(until(LIMIT, throttled).await);
        let unready = async || to.ready().await.is_err_and(|told| told.contains("blocks"));
        assert!(until(LIMIT, unready).await);
        let watermark = "vm_memory_monitor:set_vm_memory_high_watermark({absolute, 1000000000})";
        at.node().await.evaluate(watermark).await.unwrap();
        let works = async || to.post("/new/x", "").await.status == 202;
        assert!(until(LIMIT, works).await);
        let ready = async || to.ready().await.is_ok();
        assert!(until(LIMIT, ready).await);
    })
    .await;
}
