//! How often clients may come to one gateway.

use crate::gateway::{Gateway, Reply};

const DOCUMENT: &str = r#"
upstreams: {e: {echo: {}}, slow: {echo: {}, rate_limit: {limit: 2/h, by: all}}}
defaults: {rate_limit: {headers: true}}
routes:
  - {match: GET /client, to: e, rate_limit: {limit: 2/h}}
  - {match: GET /header, to: e, rate_limit: {limit: 1/h, by: {header: x-tenant}}}
  - {match: GET /key, to: e, rate_limit: {limit: 1/h, by: api_key}, auth: {api_key: {keys: {a: key-a, b: key-b}}}}
  - {match: GET /guess, to: e, rate_limit: {limit: 2/h}, auth: {api_key: {keys: {a: key-a}}}}
  - {match: GET /two, to: e, rate_limit: {limits: [{limit: 3/h}, {limit: 1/h, by: {header: x-tenant}}]}}
  - {match: GET /quiet, to: e, rate_limit: {limit: 1/h, headers: false}}
  - {match: GET /slow/a, to: slow}
  - {match: GET /slow/b, to: slow}
  - {match: GET /free, to: e}
hosts:
  shop.example:
    rate_limit: {limit: 2/h, burst: 3}
    routes:
      - {match: GET /host/a, to: e}
      - {match: GET /host/b, to: e}
      - {match: GET /host/own, to: e, rate_limit: {limit: 1/h}}
      - {match: GET /host/free, to: e, rate_limit: {limit: none}}
"#;

async fn statuses(gateway: &Gateway, target: &str, headers: &[&[(&str, &str)]]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for headers in headers {
        statuses.push(gateway.get(target, headers).await.status);
    }
    statuses
}

fn told(reply: &Reply) -> [&str; 3] {
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"].map(|name| reply.header(name))
}

#[tokio::test]
async fn a_client_is_told_what_is_left_and_when_to_come_again() {
    let gateway = Gateway::start(DOCUMENT).await;
    assert_eq!(told(&gateway.get("/client", &[]).await), ["2", "1", "1800"]);
    let second = gateway.get("/client", &[]).await;
    assert_eq!((second.status, told(&second)[1]), (200, "0"));
    assert!(second.header("ratelimit").starts_with("\"2/h\";r=0;t=3"), "{second:?}");
    assert_eq!(second.header("ratelimit-policy"), "\"2/h\";q=2;w=3600");
    let third = gateway.get("/client", &[]).await;
    let (status, code, detail) = third.refusal();
    assert_eq!((status, &*code), (429, "rate_limited"));
    assert_eq!(detail, "This is more than 2/h, which is what is allowed here.");
    let wait: u64 = third.header("retry-after").parse().unwrap();
    assert!((1700..=1800).contains(&wait), "{wait}");
    assert_eq!(told(&third)[1], "0");
    let other = gateway.get("/client", &[("x-forwarded-for", "192.0.2.7")]).await;
    assert_eq!((other.status, told(&other)[1]), (200, "1"), "another client");
    let quiet = gateway.get("/quiet", &[]).await;
    assert_eq!((quiet.status, told(&quiet)), (200, [""; 3]));
    assert_eq!(gateway.get("/quiet", &[]).await.status, 429);
    assert_eq!(told(&gateway.get("/free", &[]).await), [""; 3]);
}

#[tokio::test]
async fn who_is_counted_is_told_by_the_limit() {
    let gateway = Gateway::start(DOCUMENT).await;
    let (acme, other): (&[_], &[_]) = (&[("x-tenant", "acme")], &[("x-tenant", "other")]);
    assert_eq!(statuses(&gateway, "/header", &[acme, acme, other, &[], &[]]).await, [200, 429, 200, 200, 429]);
    let (a, b): (&[_], &[_]) = (&[("x-api-key", "key-a")], &[("x-api-key", "key-b")]);
    assert_eq!(statuses(&gateway, "/key", &[a, a, b, &[]]).await, [200, 429, 200, 401]);
}

#[tokio::test]
async fn guessing_is_counted_before_it_is_looked_at() {
    let gateway = Gateway::start(DOCUMENT).await;
    let guess: &[_] = &[("x-api-key", "guess")];
    let good: &[_] = &[("x-api-key", "key-a")];
    assert_eq!(statuses(&gateway, "/guess", &[guess, guess, guess, good]).await, [401, 401, 429, 429]);
}

#[tokio::test]
async fn of_two_limits_both_hold_and_a_refusal_takes_nothing() {
    let gateway = Gateway::start(DOCUMENT).await;
    let (a, b, c): (&[_], &[_], &[_]) = (&[("x-tenant", "a")], &[("x-tenant", "b")], &[("x-tenant", "c")]);
    let d: &[_] = &[("x-tenant", "d")];
    assert_eq!(statuses(&gateway, "/two", &[a, a, a, a, b, c, d]).await, [200, 429, 429, 429, 200, 200, 429]);
}

#[tokio::test]
async fn a_limit_is_one_of_all_requests_that_reach_its_level() {
    let gateway = Gateway::start(DOCUMENT).await;
    let mut statuses = Vec::new();
    for target in ["/host/a", "/host/b", "/host/a", "/host/b", "/host/own", "/host/own", "/host/free", "/host/free"] {
        statuses.push(gateway.get(target, &[]).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 200, 429, 200, 200]);
    let mut statuses = Vec::new();
    for target in ["/slow/a", "/slow/b", "/slow/a"] {
        statuses.push(gateway.get(target, &[]).await.status);
    }
    assert_eq!(statuses, [200, 200, 429], "an upstream's limit is one of all its routes");
}
