//! A fleet that has its configuration from a bucket of NATS, behind a real HAProxy.

use async_nats::jetstream::{self, kv};
use callgate_testkit::peers::{NatsServer, present, until};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use super::{
    client::{Answer, answer},
    fleet::Load,
    gateways::{Gateway, PATIENCE, haproxy},
};

/// What all gateways have; where each listens is its own affair.
fn document(text: &str) -> String {
    format!(
        "listeners: {{public: {{address: '127.0.0.1:${{PUBLIC}}', trusted_proxies: [127.0.0.1/32], proxy_protocol: true}}}}\n\
         admin: {{address: '127.0.0.1:${{ADMIN}}', token: '${{ADMIN_TOKEN}}'}}\n\
         shutdown: {{lame_duck: 5s, grace: 30s}}\n\
         routes:\n\
         \x20 - {{match: GET /ping, respond: {{body: {{text: pong}}}}}}\n\
         \x20 - {{match: GET /said, respond: {{body: {{text: {text}}}}}}}\n"
    )
}

/// Asks a gateway itself, past HAProxy; `before` is what comes before the request.
async fn ask(port: u16, before: &str, request: &str) -> std::io::Result<Answer> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("{before}GET {request} HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n");
    let request = request + "authorization: Bearer hush-hush\r\n\r\n";
    connection.write_all(request.as_bytes()).await?;
    let read = timeout(PATIENCE, answer(&mut connection)).await;
    read.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map(|(answer, _)| answer)
}

/// Waits until each of the gateways says this.
async fn all_say(gateways: &[Gateway], text: &str) {
    let proxy = "PROXY TCP4 192.0.2.1 127.0.0.1 1 1\r\n";
    for gateway in gateways {
        let says = async || ask(gateway.public, proxy, "/said").await.is_ok_and(|answer| answer.text == text);
        assert!(until(PATIENCE, says).await, "{text}: {:?}", ask(gateway.public, proxy, "/said").await);
    }
}

/// The last reload of a gateway.
async fn last_reload(gateway: &Gateway) -> Value {
    let told = ask(gateway.admin, "", "/reload").await.expect("an answer").text;
    let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}"));
    told["last"][0].clone()
}

/// The reload of a revision, which is told a moment after it is in force.
async fn reload_of(gateway: &Gateway, revision: u64) -> Value {
    let told = async || last_reload(gateway).await["revision"] == revision;
    assert!(until(PATIENCE, told).await, "{}", last_reload(gateway).await);
    last_reload(gateway).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_gateways_follow_one_put_and_serve_on_through_it() {
    let Some(mut nats) = present(NatsServer::start("").await) else { return };
    let client = async_nats::ConnectOptions::new()
        .reconnect_delay_callback(|_| std::time::Duration::from_millis(20))
        .connect(nats.url())
        .await
        .expect("it connects");
    let config = kv::Config { bucket: "config".to_owned(), ..kv::Config::default() };
    let bucket = jetstream::new(client).create_key_value(config).await.expect("a bucket");
    let put = async |text: String| {
        let mut put = bucket.put("callgate.yaml", text.clone().into()).await;
        // The connection of the test heals by itself as well.
        for _ in 0..100 {
            if put.is_ok() {
                break;
            }
            put = bucket.put("callgate.yaml", text.clone().into()).await;
        }
        put.expect("it is put")
    };
    put(document("one")).await;
    let mut gateways = [(); 3].map(|()| Gateway::of(&format!("{}/config", nats.url())));
    for gateway in &mut gateways {
        gateway.start().await;
    }
    let (port, haproxy) = haproxy(&gateways).await;
    let (load, clients) = Load::begin(port);
    let more = async |what| load.more(what, || haproxy.log()).await;
    more("with the first configuration").await;

    let revision = put(document("two")).await;
    all_say(&gateways, "two").await;
    for gateway in &gateways {
        let reload = reload_of(gateway, revision).await;
        assert_eq!((&reload["revision"], &reload["outcome"]), (&revision.into(), &"reloaded".into()), "{reload}");
    }
    more("after one put").await;

    let revision = put("routes: [{match: GET /said, respnd: {}}]\n".to_owned()).await;
    for gateway in &gateways {
        let reload = reload_of(gateway, revision).await;
        assert!(reload["outcome"] == "invalid" && reload.to_string().contains("respnd"), "{reload}");
    }
    all_say(&gateways, "two").await;
    more("with what is wrong in the bucket").await;

    // One is away when the next one is put; then NATS is, and comes back with another.
    gateways[0].kill();
    put(document("three")).await;
    all_say(&gateways[1..], "three").await;
    gateways[0].start().await;
    all_say(&gateways, "three").await;
    nats.kill();
    more("without NATS").await;
    all_say(&gateways, "three").await;
    assert!(gateways.iter().all(Gateway::is_ready), "they serve on");
    nats.restart().await.expect("it starts");
    put(document("four")).await;
    all_say(&gateways, "four").await;
    more("with NATS back").await;
    load.end(clients).await;
}
