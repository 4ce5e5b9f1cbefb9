//! Reloads of the configuration, through the real binary.

use std::{
    net::SocketAddr,
    os::unix::fs::symlink,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use callgate_testkit::peers::{Process, Wire, until};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Semaphore,
};

use crate::{
    gate::SOON,
    running::{Running, ask},
};

/// A route that answers with this text.
fn says(text: &str) -> String {
    format!("{{match: /a, respond: {{body: {{text: {text}}}}}}}")
}

/// An HTTP service that tells of its connections. `/slow` is answered in two halves, the second once it is let.
struct Service {
    address: SocketAddr,
    opened: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Self {
            address: listener.local_addr().unwrap(),
            opened: Arc::default(),
            open: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        };
        let (opened, open, gate) = (Arc::clone(&service.opened), Arc::clone(&service.open), Arc::clone(&service.gate));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                opened.fetch_add(1, SeqCst);
                open.fetch_add(1, SeqCst);
                let (open, gate) = (Arc::clone(&open), Arc::clone(&gate));
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while let Ok(1..) = stream.read_buf(&mut head).await {
                        if !head.ends_with(b"\r\n\r\n") {
                            continue;
                        }
                        let slow = head.starts_with(b"GET /slow");
                        head.clear();
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf").await.ok();
                        if slow {
                            gate.acquire().await.unwrap().forget();
                        }
                        stream.write_all(b"half").await.ok();
                    }
                    open.fetch_sub(1, SeqCst);
                });
            }
        });
        service
    }

    fn upstream(&self, name: &str) -> String {
        format!("{name}: {{rest: {{url: 'http://{}'}}}}", self.address)
    }
}

#[tokio::test]
async fn a_changed_file_is_in_force_soon_and_a_broken_one_changes_nothing() {
    let mut running = Running::start(&format!("routes: [{}]\n", says("one"))).await;
    running.answers("/a", "one").await;
    running.configure(&format!("routes: [{}]\n", says("two")));
    running.answers("/a", "two").await;
    let line = running.says_that("the reload", |line| line["cause"] == "files").await;
    assert!(line["message"].as_str().unwrap().ends_with("1 listener, 0 upstreams, 1 route."), "{line}");

    running.configure("routes: [{match: /a, respnd: {}}]\n");
    let line = running.says("The configuration can't be reloaded; the former one stays in force.").await;
    let report = line["report"].as_str().unwrap();
    assert!(report.contains("did you mean `respond`?") && report.contains("callgate.yaml:"), "{line}");
    assert!(!report.contains("match: /a"), "a line of the document may hold a secret: {line}");
    running.answers("/a", "two").await;
    running.configure(&format!("routes: [{}]\n", says("three")));
    running.answers("/a", "three").await;
}

#[tokio::test]
async fn every_file_that_the_document_names_counts() {
    let yaml = "include: ['routes/*.yaml']\nroutes: [{match: /key, respond: {body: {text: 'key ${file:key}'}}}]\n";
    let part = |text: &str| format!("routes: [{}]\n", says(text));
    let mut running = Running::start_with(yaml, &[("key", "one\n"), ("routes/a.yaml", &part("part"))]).await;
    running.answers("/a", "part").await;
    running.answers("/key", "key one").await;
    running.write("key", "two\n");
    running.answers("/key", "key two").await;
    running.write("routes/a.yaml", part("other"));
    running.answers("/a", "other").await;
    running.write("routes/b.yaml", "routes: [{match: /b, respond: {body: {text: new}}}]\n");
    running.answers("/b", "new").await;
    std::fs::remove_file(running.path("routes/b.yaml")).unwrap();
    let mut status = None;
    let gone = until(SOON * 3, async || {
        status = running.get("/b").await.status();
        status == Some(404)
    });
    assert!(gone.await, "{status:?}");
}

#[tokio::test]
async fn a_file_of_keys_counts_too() {
    let keys = |id: &str| {
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": id, "alg": "EdDSA",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})
        .to_string()
    };
    let yaml = "routes: [{match: /a, respond: {}, auth: {jwt: {issuer: i, audience: a, jwks: keys.json}}}]\n";
    let mut running = Running::start_with(yaml, &[("keys.json", &keys("one"))]).await;
    running.write("keys.json", keys("two"));
    running.says_that("the reload", |line| line["cause"] == "files").await;
}

#[tokio::test]
async fn a_description_of_a_service_counts_too() {
    let service = Service::start().await;
    let operation = |name: &str| {
        json!({"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {
            "/x": {"get": {"operationId": name, "responses": {"200": {"description": "ok"}}}}}})
        .to_string()
    };
    let yaml = |name: &str| {
        format!(
            "upstreams: {{s: {{rest: {{url: 'http://{}', openapi: s.json}}}}}}\nroutes: [{{match: /a, to: s/{name}}}]\n",
            service.address
        )
    };
    let mut running = Running::start_with(&yaml("old"), &[("s.json", &operation("old"))]).await;
    running.answers("/a", "halfhalf").await;
    // The route names what the description lacks: nothing changes.
    running.configure(&yaml("new"));
    running.says("The configuration can't be reloaded; the former one stays in force.").await;
    running.answers("/a", "halfhalf").await;
    running.write("s.json", operation("new"));
    let line = running.says_that("the reload", |line| line["upstreams_opened"] == 1).await;
    assert_eq!(line["upstreams_closed"], 1, "{line}");
    running.answers("/a", "halfhalf").await;
}

#[tokio::test]
async fn an_import_that_comes_counts_too() {
    let source = "syntax = \"proto3\"; package a; import \"b.proto\"; service S { rpc Call(M) returns (M); }\n";
    let files = [("a.proto", source)];
    let mut running = Running::start_with(&format!("routes: [{}]\n", says("one")), &files).await;
    running.answers("/a", "one").await;
    let upstream = "upstreams: {g: {grpc: {url: 'http://127.0.0.1:1', descriptors: a.proto}}}";
    running.configure(&format!("{upstream}\nroutes: [{}]\n", says("two")));
    running.says("The configuration can't be reloaded; the former one stays in force.").await;
    running.answers("/a", "one").await;
    running.write("b.proto", "syntax = \"proto3\"; package a; message M {}\n");
    running.answers("/a", "two").await;
}

#[tokio::test]
async fn a_volume_of_kubernetes_that_is_swapped_counts() {
    let folder = Process::folder("gateway").unwrap();
    let root = folder.path().to_owned();
    let version = |name: &str, text: &str| {
        std::fs::create_dir(root.join(name)).unwrap();
        let yaml = format!(
            "listeners: {{public: {{address: '127.0.0.1:0'}}}}\nadmin: {{address: '127.0.0.1:0'}}\nroutes: [{}]\n",
            says(text)
        );
        std::fs::write(root.join(name).join("callgate.yaml"), yaml).unwrap();
    };
    version("..1", "one");
    symlink("..1", root.join("..data")).unwrap();
    symlink("..data/callgate.yaml", root.join("callgate.yaml")).unwrap();
    let mut running = Running::run(folder, "callgate.yaml").await;
    running.answers("/a", "one").await;
    for (number, text) in [("..2", "two"), ("..3", "three")] {
        version(number, text);
        symlink(number, root.join("..new")).unwrap();
        std::fs::rename(root.join("..new"), root.join("..data")).unwrap();
        running.answers("/a", text).await;
    }
}

#[tokio::test]
async fn a_hangup_reloads() {
    let mut running = Running::start(&format!("routes: [{}]\n", says("one"))).await;
    running.signal("-HUP");
    let line = running.says_that("the reload", |line| line["cause"] == "signal").await;
    assert_eq!(line["level"], "INFO", "{line}");
    running.answers("/a", "one").await;
}

#[tokio::test]
async fn the_admin_reloads_and_tells_what_changed_or_what_is_wrong() {
    let service = Service::start().await;
    let yaml = |upstreams: &[&str], routes: &str| {
        let upstreams: Vec<_> = upstreams.iter().map(|name| service.upstream(name)).collect();
        format!("upstreams: {{{}}}\nroutes: [{routes}]\n", upstreams.join(", "))
    };
    let mut running = Running::start(&yaml(&["a", "b"], "{match: /a, to: a}")).await;
    running.configure(&yaml(&["a", "c"], "{match: /a, to: a}, {match: /c, to: c}"));
    let (status, told) = running.reload().await;
    assert_eq!((status, &told["outcome"]), (200, &json!("reloaded")), "{told}");
    assert!(told["at"].as_str().unwrap().ends_with('Z') && told["took_ms"].is_u64(), "{told}");
    // The change of the file may have been faster: it is one of the two.
    let turnover = json!({"reused": ["a"], "opened": ["c"], "closed": ["b"]});
    let (_, history) = running.admin("GET /reload", "").await;
    let known: Value = serde_json::from_str(&history).unwrap();
    let of_both: Vec<_> = known["last"].as_array().unwrap().iter().map(|reload| &reload["upstreams"]).collect();
    assert!(of_both.contains(&&turnover), "{history}");
    running.answers("/c", "halfhalf").await;

    running.configure(&yaml(&["a"], "{match: /a, to: b}"));
    let (status, told) = running.reload().await;
    assert_eq!((status, &told["outcome"]), (422, &json!("invalid")), "{told}");
    assert_eq!(told["flaws"][0]["severity"], "error");
    assert_eq!(told["flaws"][0]["path"], "routes[0].to", "{told}");
    assert!(told["flaws"][0]["at"].as_str().unwrap().starts_with("callgate.yaml:"), "{told}");
    let (status, text) = running.admin("POST /reload", "accept: text/plain\r\n").await;
    assert_eq!(status, 422);
    assert!(text.starts_with("error: ") && text.ends_with("The former configuration stays in force.\n"), "{text}");
    running.answers("/c", "halfhalf").await;

    let (_, history) = running.admin("GET /reload", "").await;
    let history: Value = serde_json::from_str(&history).unwrap();
    assert!(history["succeeded"].as_u64() >= Some(1) && history["failed"].as_u64() >= Some(2), "{history}");
    assert_eq!(history["last"][0]["outcome"], "invalid");
    let (_, routes) = running.admin("GET /routes", "").await;
    assert!(routes.contains("/c"), "what is shown is what is in force: {routes}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_and_changes_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut running = Running::start(&format!("routes: [{}]\n", says("one"))).await;
    running.answers("/a", "one").await;
    running.configure(&format!(
        "listeners: {{public: {{address: '127.0.0.1:0'}}, other: {{address: '{}'}}}}\nroutes: [{}]\n",
        taken.local_addr().unwrap(),
        says("two")
    ));
    let (status, told) = running.reload().await;
    assert_eq!((status, &told["outcome"]), (409, &json!("impossible")), "{told}");
    assert!(told["report"].as_str().unwrap().contains("listener `other` can't listen on"), "{told}");
    running.answers("/a", "one").await;
}

#[tokio::test]
async fn an_unchanged_upstream_keeps_its_connection() {
    let service = Service::start().await;
    let yaml = |rest: &str| format!("upstreams: {{{}}}\nroutes: [{{match: /a, to: s}}{rest}]\n", service.upstream("s"));
    let mut running = Running::start(&yaml("")).await;
    let address = running.address("public").await;
    // One connection of a client, so that one worker asks.
    let mut client = Wire::connect(address).await.unwrap();
    for number in 0..5 {
        client.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let received = client.read_until(SOON, |bytes| bytes.ends_with(b"halfhalf")).await;
        assert_eq!(received.statuses(), [200], "{}", received.text());
        running.configure(&yaml(&format!(", {{match: /b{number}, respond: {{status: 204}}}}")));
        let (status, told) = running.reload().await;
        assert_eq!((status, &told["upstreams"]["reused"]), (200, &json!(["s"])), "{told}");
    }
    assert_eq!((service.opened.load(SeqCst), service.open.load(SeqCst)), (1, 1));
}

#[tokio::test]
async fn an_upstream_that_is_gone_finishes_what_it_streams_and_is_closed_then() {
    let service = Service::start().await;
    let mut running = Running::start(&format!(
        "upstreams: {{{}}}\nroutes: [{{match: '/{{*rest}}', to: s}}]\n",
        service.upstream("s")
    ))
    .await;
    let address = running.address("public").await;
    let mut client = Wire::connect(address).await.unwrap();
    client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let received = client.read_until(SOON, |bytes| bytes.ends_with(b"half")).await;
    assert_eq!(received.statuses(), [200]);
    running.configure(&format!("routes: [{}]\n", says("gone")));
    let (status, _) = running.reload().await;
    assert_eq!(status, 200);
    running.answers("/a", "gone").await;
    assert_eq!(service.open.load(SeqCst), 1, "it was closed while it was used");
    service.gate.add_permits(1);
    let rest = client.read_until(SOON, |bytes| bytes.ends_with(b"half")).await;
    assert!(rest.bytes.ends_with(b"half") && !rest.closed, "{}", rest.text());
    assert!(until(SOON, async || service.open.load(SeqCst) == 0).await, "it was not closed");
}

#[tokio::test]
async fn listeners_come_go_and_change_while_the_gateway_serves() {
    let mut running = Running::start(&format!(
        "listeners: {{public: {{address: '127.0.0.1:0'}}, going: {{address: '127.0.0.1:0'}}}}\nroutes: [{}]\n",
        says("one")
    ))
    .await;
    let (public, going) = (running.address("public").await, running.address("going").await);
    let mut kept = Wire::connect(public).await.unwrap();
    let mut left = Wire::connect(going).await.unwrap();
    for wire in [&mut kept, &mut left] {
        wire.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert_eq!(wire.read_until(SOON, |bytes| bytes.ends_with(b"one")).await.statuses(), [200]);
    }
    let echo = "{match: /e, to: e}";
    running.configure(&format!(
        "listeners: {{public: {{address: '127.0.0.1:0', trusted_proxies: [127.0.0.1]}}, coming: {{address: '127.0.0.1:0'}}}}\n\
         upstreams: {{e: {{echo: {{}}}}}}\nroutes: [{}, {echo}]\n",
        says("two")
    ));
    let (status, told) = running.reload().await;
    assert_eq!(status, 200, "{told}");
    let coming = running.address("coming").await;
    assert!(ask(coming, "GET /a", "").await.text().ends_with("two"));
    assert!(until(SOON, async || Wire::connect(going).await.is_err()).await, "a listener that is gone accepts");
    assert!(left.read_to_end(SOON).await.closed, "its idle connections are closed");
    kept.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let received = kept.read_until(SOON, |bytes| bytes.ends_with(b"two")).await;
    assert_eq!(received.statuses(), [200], "a connection of a listener that stays goes on");
    // The proxies of a listener that stays hold for new connections.
    let echoed = ask(public, "GET /e", "x-forwarded-for: 192.0.2.7\r\n").await.text();
    assert!(echoed.contains("192.0.2.7"), "{echoed}");
}

#[tokio::test]
async fn an_admin_token_that_is_replaced_is_refused_from_then_on() {
    let yaml = |token: &str| format!("admin: {{address: '127.0.0.1:0', token: {token}}}\nroutes: [{}]\n", says("one"));
    let mut running = Running::start(&yaml("old")).await;
    running.configure(&yaml("new"));
    let (status, told) = running.admin("POST /reload", "authorization: Bearer old\r\n").await;
    // 401 where the change of the file was faster.
    let needs_restart = |told: &str| serde_json::from_str::<Value>(told).unwrap()["needs_restart"].clone();
    assert!(status == 401 || (status == 200 && needs_restart(&told) == json!([])), "{status} {told}");
    assert_eq!(running.admin("GET /reload", "authorization: Bearer old\r\n").await.0, 401);
    assert_eq!(running.admin("GET /reload", "authorization: Bearer new\r\n").await.0, 200);
}

#[tokio::test]
async fn what_needs_a_restart_is_told() {
    let mut running = Running::start(&format!("admin: {{address: '127.0.0.1:0'}}\nroutes: [{}]\n", says("one"))).await;
    running.configure(&format!("admin: {{address: 'localhost:0'}}\nroutes: [{}]\n", says("one")));
    let (status, told) = running.reload().await;
    assert_eq!((status, &told["needs_restart"]), (200, &json!([])), "{told}");
    running.configure(&format!("admin: {{address: '127.0.0.2:0'}}\nroutes: [{}]\n", says("one")));
    let (status, told) = running.reload().await;
    assert_eq!((status, &told["needs_restart"]), (200, &json!(["admin"])), "{told}");
}
