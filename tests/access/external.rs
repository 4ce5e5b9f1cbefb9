//! A service that decides: the HTTP server of the test kit, by its paths.

use callgate_testkit::peers::http::Server;
use serde_json::json;

use crate::gateway::Gateway;

async fn gateway(external: &str) -> Gateway {
    Gateway::start(&format!(
        "upstreams: {{e: {{echo: {{}}}}}}\n\
         routes: [{{match: 'GET /{{*rest}}', to: e, auth: {{external: {{{external}}}}}}}]"
    ))
    .await
}

#[tokio::test]
async fn a_status_decides() {
    let server = Server::start().await.unwrap();
    for (status, answered, code) in [
        (200, 200, ""),
        (204, 200, ""),
        (401, 401, "unauthenticated"),
        (403, 403, "forbidden"),
        (404, 403, "forbidden"),
        (429, 429, "rate_limited"),
        (500, 503, "upstream_unavailable"),
        (302, 503, "upstream_unavailable"),
    ] {
        let gateway = gateway(&format!("url: '{}/status/{status}'", server.url())).await;
        let reply = gateway.get("/a", &[("authorization", "Bearer x")]).await;
        assert_eq!((reply.status, reply.header("callgate-error")), (answered, code), "{status}");
    }
    let lenient = gateway(&format!("url: '{}/status/500', on_failure: allow", server.url())).await;
    assert_eq!(lenient.get("/a", &[]).await.status, 200);
}

#[tokio::test]
async fn it_is_asked_about_the_request_and_its_headers_reach_the_function() {
    let server = Server::start().await.unwrap();
    let url = server.url();
    // `/multi` answers with `x-multi` twice.
    let gateway = gateway(&format!("url: '{url}/multi', headers: {{add: [x-multi]}}")).await;
    let echoed = gateway.get("/a", &[("x-multi", "forged")]).await.json();
    let told: Vec<_> = echoed["headers"].as_array().unwrap().iter().filter(|pair| pair[0] == "x-multi").collect();
    assert_eq!(told.len(), 2, "{echoed}");
    assert!(told.iter().all(|pair| pair[1] != "forged"), "{echoed}");

    let seen = Recorder::start().await;
    let forward = "headers: {forward: [x-token]}";
    let gateway = self::gateway(&format!("url: 'http://{}/check?by=gateway', {forward}", seen.address)).await;
    assert_eq!(gateway.get("/a/b?c=1", &[("x-token", "t"), ("x-other", "o")]).await.status, 200);
    let head = seen.head().await.to_lowercase();
    assert!(head.starts_with("get /check?by=gateway http/1.1\r\n"), "{head}");
    for line in ["x-token: t", "x-forwarded-method: get", "x-forwarded-uri: /a/b?c=1", "x-forwarded-host: shop.example"]
    {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
    }
    assert!(!head.contains("x-other"), "{head}");
}

#[tokio::test]
async fn one_that_is_slow_or_gone_does_not_hold_requests_up() {
    let server = Server::start().await.unwrap();
    let url = server.url();
    let slow = gateway(&format!("url: '{url}/hang', timeout: 100ms")).await;
    let started = std::time::Instant::now();
    let (status, code, _) = slow.get("/a", &[]).await.refusal();
    assert_eq!((status, &*code), (503, "upstream_unavailable"));
    assert!(started.elapsed() < std::time::Duration::from_secs(10));
    let lenient = gateway(&format!("url: '{url}/hang', timeout: 100ms, on_failure: allow")).await;
    assert_eq!(lenient.get("/a", &[]).await.status, 200);
    // The body of the decision does not end; its head is enough.
    let endless = gateway(&format!("url: '{url}/steps?count=3', timeout: 5s")).await;
    assert_eq!(endless.get("/a", &[]).await.status, 200);
    server.stop().await;
    assert_eq!(slow.get("/a", &[]).await.status, 503);
}

#[tokio::test]
async fn it_stands_beside_other_methods() {
    let server = Server::start().await.unwrap();
    let external = format!("{{external: {{url: '{}/status/204'}}}}", server.url());
    let gateway = Gateway::start(&format!(
        "routes: [{{match: GET /a, respond: {{body: {{json: {{sub: '{{{{ claims.sub }}}}'}}}}}},\n\
         auth: {{all: [{{api_key: {{keys: {{shop: k}}}}}}, {external}]}}}}]"
    ))
    .await;
    assert_eq!(gateway.get("/a", &[("x-api-key", "k")]).await.json(), json!({"sub": "shop"}));
    let asked = server.requests();
    assert_eq!(gateway.get("/a", &[]).await.status, 401);
    assert_eq!(server.requests(), asked, "who shows nothing is not asked about");
}

/// A service that keeps the first request's head and answers 204.
struct Recorder {
    address: std::net::SocketAddr,
    head: tokio::task::JoinSet<String>,
}

impl Recorder {
    async fn start() -> Self {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut head = tokio::task::JoinSet::new();
        head.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                assert!(stream.read_buf(&mut head).await.unwrap() > 0);
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            String::from_utf8(head).unwrap()
        });
        Self { address, head }
    }

    async fn head(mut self) -> String {
        self.head.join_next().await.unwrap().unwrap()
    }
}
