//! Orders that are placed with POST while gateways are lost: what is repeated and what never is.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use callgate_testkit::peers::{Process, until};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet, time::timeout};

use super::{
    client::{Answer, Client, answer},
    gateways::{Gateway, PATIENCE, haproxy},
    orders::{Orders, SIZE, body},
};

/// How many clients place orders, one after the other; every other one keeps its connection.
const CLIENTS: usize = 6;
/// How many orders have to be answered between two losses.
const BETWEEN: usize = 100;

/// Three gateways with a service behind them, and HAProxy before them.
struct Shop {
    orders: Orders,
    gateways: [Gateway; 3],
    port: u16,
    haproxy: Process,
}

impl Shop {
    async fn open() -> Self {
        let orders = Orders::start().await;
        let mut gateways = ["one", "two", "three"].map(|name| {
            Gateway::new(|text| {
                let (url, route) = ("10.0.1.10:9000", "{match: \"/orders/{*rest}\", to: orders}");
                assert!(text.contains(url) && text.contains(route), "{text}");
                let named = format!("request: {{headers: {{set: {{x-gateway: {name}}}}}}}");
                let routes = format!(
                    "{{match: \"/orders/{{*rest}}\", to: orders, {named}}}\n  - {{match: \"/again/{{*rest}}\", to: orders, \
                     retry: {{attempts: 3}}, {named}}}"
                );
                text.replace(url, &orders.address.to_string()).replace(route, &routes)
            })
        });
        for gateway in &mut gateways {
            gateway.start().await;
        }
        let (port, haproxy) = haproxy(&gateways).await;
        Self { orders, gateways, port, haproxy }
    }

    /// Places an order on a connection of its own.
    async fn post(&self, path: &str, order: &str, fields: &str) -> Answer {
        let mut client = Client::new(self.port, false);
        client.ask(&head(path, order, fields), &body(order, SIZE)).await.expect("an answer")
    }

    /// Which gateway has taken an order.
    async fn taken(&self, order: &str) -> usize {
        let taken = || self.orders.calls(order).first().map(|call| call.gateway.clone());
        assert!(until(PATIENCE, async || taken().is_some()).await, "the service is called for {order}");
        let names = ["one", "two", "three"];
        names.iter().position(|name| taken().as_deref() == Some(name)).expect("one of the three")
    }

    fn count(&self, order: &str) -> usize {
        self.orders.calls(order).len()
    }
}

fn head(path: &str, order: &str, fields: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nx-order: {order}\r\n{fields}")
}

fn done(order: &str) -> Answer {
    Answer { status: 200, text: format!("done {order}") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_is_repeated_only_where_it_reached_no_gateway_or_has_a_key() {
    let mut shop = Shop::open().await;
    let (breaks, key) = ("x-do: break\r\n", "idempotency-key: k\r\n");
    // The service ends the connection with no answer: it may have done it.
    for (path, order, fields, expected, calls) in [
        ("/orders/new", "plain", breaks.to_owned(), 502, 1),
        ("/orders/new", "with-a-key-and-no-retry", format!("{breaks}{key}"), 502, 1),
        ("/again/new", "with-no-key", breaks.to_owned(), 502, 1),
        ("/again/new", "with-a-key", format!("{breaks}{key}"), 200, 2),
    ] {
        let answer = shop.post(path, order, &fields).await;
        assert_eq!(
            (answer.status, shop.count(order)),
            (expected, calls),
            "{order}: {answer:?}\n{}",
            shop.haproxy.log()
        );
        let gateways: Vec<_> = shop.orders.calls(order).into_iter().map(|call| call.gateway).collect();
        assert!(gateways.iter().all(|gateway| *gateway == gateways[0]), "the gateway repeats, and HAProxy never");
    }

    // A gateway is killed that works on a GET and another one that works on a POST.
    let port = shop.port;
    let hold = "x-do: hold\r\n";
    let get = tokio::spawn(async move {
        let head = format!("GET /orders/1 HTTP/1.1\r\nx-order: got\r\n{hold}");
        Client::new(port, false).ask(&head, "").await
    });
    let its = shop.taken("got").await;
    shop.gateways[its].kill();
    assert!(until(PATIENCE, async || shop.count("got") == 2).await, "HAProxy asks another one\n{}", shop.haproxy.log());
    shop.gateways[its].start().await;
    let post = tokio::spawn(async move {
        let body = body("put", SIZE);
        Client::new(port, false).ask(&head("/orders/new", "put", &format!("{hold}{key}")), &body).await
    });
    let its = shop.taken("put").await;
    shop.gateways[its].kill();
    let lost = timeout(PATIENCE, post).await.expect("in time").expect("no panic");
    assert!(!matches!(&lost, Ok(answer) if answer.status < 500), "its client learns that nobody knows: {lost:?}");
    shop.orders.release();
    if let Ok(Ok(got)) = timeout(PATIENCE, get).await.expect("in time") {
        assert_eq!(got, done("got"));
    } else {
        panic!("the GET is answered\n{}", shop.haproxy.log());
    }

    // It is gone, and whoever is sent there is sent on.
    for number in 0..12 {
        let order = format!("after-{number}");
        assert_eq!(shop.post("/orders/new", &order, "").await, done(&order), "{}", shop.haproxy.log());
        assert_eq!(shop.count(&order), 1);
    }
    assert_eq!(shop.count("put"), 1, "nobody repeats what may have been done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_still_coming_is_taken_by_a_gateway_that_ends() {
    let mut shop = Shop::open().await;
    let (order, size) = ("slow", 512 << 10);
    let body = body(order, size);
    let mut connection = TcpStream::connect(("127.0.0.1", shop.port)).await.expect("it listens");
    let head = head("/orders/new", order, &format!("host: shop.test\r\ncontent-length: {size}\r\n\r\n"));
    let (first, rest) = body.split_at(size / 2);
    connection.write_all((head + first).as_bytes()).await.expect("sent");
    let its = shop.taken(order).await;
    shop.gateways[its].terminate();
    let public = shop.gateways[its].public;
    let closed = async || TcpStream::connect(("127.0.0.1", public)).await.is_err();
    assert!(until(PATIENCE, closed).await, "it takes no more connections");
    assert!(!shop.orders.calls(order)[0].whole, "the order is not complete yet");
    connection.write_all(rest.as_bytes()).await.expect("sent");
    let (answer, _) = timeout(PATIENCE, answer(&mut connection)).await.expect("in time").expect("an answer");
    assert_eq!((answer, shop.count(order)), (done(order), 1), "{}", shop.haproxy.log());
    assert_eq!(shop.gateways[its].ended().await, Some(0), "nothing was cut");
}

/// What became of the orders.
#[derive(Default)]
struct Ledger {
    over: AtomicBool,
    placed: AtomicUsize,
    answered: Mutex<Vec<String>>,
    failed: Mutex<Vec<(String, String)>>,
}

impl Ledger {
    fn answered(&self) -> Vec<String> {
        self.answered.lock().expect("no panic").clone()
    }

    fn failed(&self) -> Vec<(String, String)> {
        self.failed.lock().expect("no panic").clone()
    }
}

/// Places orders until it is over.
async fn place(mut client: Client, ledger: Arc<Ledger>) {
    while !ledger.over.load(Ordering::Relaxed) {
        let order = format!("order-{}", ledger.placed.fetch_add(1, Ordering::Relaxed));
        match client.ask(&head("/orders/new", &order, ""), &body(&order, SIZE)).await {
            Ok(answer) if answer == done(&order) => ledger.answered.lock().expect("no panic").push(order),
            other => ledger.failed.lock().expect("no panic").push((order, format!("{other:?}"))),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_post_is_done_twice_when_gateways_are_killed_and_none_is_lost_when_they_are_ended() {
    let mut shop = Shop::open().await;
    let ledger = Arc::new(Ledger::default());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(place(Client::new(shop.port, number % 2 == 0), Arc::clone(&ledger)));
    }
    let more = async |what: &str, log: String| {
        let goal = ledger.answered().len() + BETWEEN;
        assert!(
            until(PATIENCE, async || ledger.answered().len() >= goal).await,
            "{what}: {:?}\n{log}",
            ledger.failed()
        );
    };
    more("with all three", shop.haproxy.log()).await;
    for number in 0..3 {
        let before = ledger.failed().len();
        shop.gateways[number].kill();
        more("with one killed", shop.haproxy.log()).await;
        shop.gateways[number].start().await;
        more("with it back", shop.haproxy.log()).await;
        let lost = ledger.failed().split_off(before);
        assert!(lost.len() <= CLIENTS, "only what it was working on is lost: {lost:#?}\n{}", shop.haproxy.log());
    }
    let lost = ledger.failed();
    for number in 0..3 {
        assert_eq!(shop.gateways[number].end().await, Some(0), "it drained by itself");
        more("with one ended", shop.haproxy.log()).await;
        shop.gateways[number].start().await;
        more("with it back", shop.haproxy.log()).await;
    }
    ledger.over.store(true, Ordering::Relaxed);
    clients.join_all().await;
    assert_eq!(ledger.failed(), lost, "none is lost by an end that was announced\n{}", shop.haproxy.log());
    for order in ledger.answered() {
        assert_eq!(shop.count(&order), 1, "{order} was answered");
    }
    for (order, why) in &lost {
        assert!(shop.count(order) <= 1, "{order} was done twice: {why}");
    }
    let unknown = shop.orders.count().saturating_sub(ledger.answered().len() + lost.len());
    assert_eq!(unknown, 0, "orders that nobody placed");
}
