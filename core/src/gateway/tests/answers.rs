//! What every answer of a route gets, the gateway's own failures included.

use std::io::Read;

use super::*;

const SHOP: &str = r#"
defaults:
  headers: {request: {set: {x-env: test}}, response: {set: {strict-transport-security: max-age=60}, remove: [server]}}
upstreams: {e: {echo: {}}}
routes:
- {match: GET /open, to: e, cors: {origins: ["https://app.test"], credentials: true}}
- {match: POST /open, to: e, cors: {origins: ["https://app.test"], methods: [POST]}}
- {match: GET /closed, to: e}
- {match: /any, to: e, cors: {origins: ["*"]}}
- {match: "/all/{*rest}", to: e, cors: {origins: ["*"]}}
- {match: DELETE /all/closed, to: e}
- {match: GET /broken, to: {upstream: e, fail: upstream_timeout}, cors: {origins: ["https://app.test"]}}
- {match: GET /long, respond: {body: {text: "{{ 'hello ' * 1000 }}"}}, compression: true}
- {match: GET /plain, respond: {body: {text: "{{ 'hello ' * 1000 }}"}}}
"#;

async fn asked(gateway: &Gateway, method: &str, target: &str, headers: &[(&str, &str)]) -> http::Response<Body> {
    let mut request = Request::builder().method(method).uri(target).header("host", "shop.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    gateway.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

const ORIGIN: (&str, &str) = ("origin", "https://app.test");

#[tokio::test]
async fn a_preflight_is_answered_for_the_route_that_it_asks_for() {
    let gateway = gateway(SHOP).await;
    let preflight = async |target: &str, method: &str| {
        asked(&gateway, "OPTIONS", target, &[ORIGIN, ("access-control-request-method", method)]).await
    };
    let get = preflight("/open", "GET").await;
    assert_eq!((get.status().as_u16(), &get.headers()["access-control-allow-methods"]), (204, &"GET".parse().unwrap()));
    assert_eq!(get.headers()["access-control-allow-credentials"], "true");
    assert!(!preflight("/open", "POST").await.headers().contains_key("access-control-allow-credentials"));
    assert_eq!(preflight("/open", "DELETE").await.status(), 405);
    assert_eq!(preflight("/closed", "GET").await.status(), 405);
    assert_eq!(preflight("/nowhere", "GET").await.status(), 404);
    // A route of all methods has preflights too, and they are not the function's. What it lets in is not for others.
    assert_eq!(preflight("/all/closed", "DELETE").await.status(), 200);
    assert!(!preflight("/all/closed", "DELETE").await.headers().contains_key("access-control-allow-origin"));
    assert_eq!(preflight("/all/else", "DELETE").await.status(), 204);
    assert_eq!(preflight("/any", "PUT").await.status(), 204);
    let options = asked(&gateway, "OPTIONS", "/any", &[]).await;
    assert_eq!(options.status(), 200);
}

#[tokio::test]
async fn a_page_may_read_failures_too() {
    let gateway = gateway(SHOP).await;
    let broken = asked(&gateway, "GET", "/broken", &[ORIGIN]).await;
    assert_eq!(
        (broken.status().as_u16(), &broken.headers()["access-control-allow-origin"]),
        (504, &"https://app.test".parse().unwrap())
    );
    let other = asked(&gateway, "GET", "/broken", &[("origin", "https://evil.test")]).await;
    assert!(!other.headers().contains_key("access-control-allow-origin"));
    assert_eq!(other.headers()["vary"], "origin");
}

#[tokio::test]
async fn headers_are_set_on_requests_and_on_every_answer() {
    let gateway = gateway(SHOP).await;
    let answer = get(&gateway, "/closed").await;
    assert_eq!(answer.seen("x-env"), ["test"]);
    assert_eq!(answer.header("strict-transport-security"), "max-age=60");
    assert_eq!(get(&gateway, "/broken").await.header("strict-transport-security"), "max-age=60");
}

#[tokio::test]
async fn long_answers_are_compressed_where_the_route_says_so() {
    let gateway = gateway(SHOP).await;
    let gzip = [("accept-encoding", "gzip")];
    let response = asked(&gateway, "GET", "/long", &gzip).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let bytes = response.into_body().collect(1 << 20).await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello ".repeat(1000));
    assert!(!asked(&gateway, "GET", "/long", &[]).await.headers().contains_key("content-encoding"));
    assert!(!asked(&gateway, "GET", "/plain", &gzip).await.headers().contains_key("content-encoding"));
    let head = asked(&gateway, "HEAD", "/long", &gzip).await;
    assert_eq!(
        (head.headers()["content-length"].to_str().unwrap(), &head.headers()["vary"]),
        ("6000", &"accept-encoding".parse().unwrap())
    );
}
