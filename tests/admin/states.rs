//! What keeps calls from upstreams, what triggers do and what upstreams have, in `/metrics` and in `/upstreams`.

use std::net::TcpListener;

use callgate_testkit::peers::{GoogleTokens, NatsServer, Wire, http::Server, present, until};
use serde_json::{Value, json};

use crate::{
    exposition::Scrape,
    gateway::{Gateway, LIMIT},
};

const CONTRACT: &str = "
openapi: 3.1.0
info: {title: shop, version: '1'}
paths:
  /echo: {get: {operationId: good, responses: {'200': {description: fine}}}}
  /bad: {get: {operationId: bad, parameters: [{$ref: '#/components/parameters/none'}]}}
";

/// An upstream in the list of the admin.
async fn upstream(gateway: &Gateway, name: &str) -> Value {
    let all = gateway.ask("/upstreams").await.json();
    let own = all.as_array().unwrap().iter().find(|upstream| upstream["name"] == name).cloned();
    own.unwrap_or_else(|| panic!("{name} is not in {all}"))
}

async fn scraped(gateway: &Gateway) -> Scrape {
    Scrape::read(&gateway.ask("/metrics").await.body)
}

#[tokio::test]
async fn an_open_circuit_is_shown() {
    let gateway = Gateway::start(
        "
upstreams:
  broken: {echo: {}, circuit_breaker: {failures: 1, open: 1h}}
  whole: {echo: {}, circuit_breaker: {failures: 1, open: 1h}}
routes:
  - {match: GET /broken, to: {upstream: broken, fail: upstream_unreachable}}
  - {match: GET /whole, to: whole}
",
    )
    .await;
    let statuses = [gateway.get("/broken").await.status, gateway.get("/broken").await.status];
    assert_eq!((statuses, gateway.get("/whole").await.status), ([502, 503], 200));
    let scrape = scraped(&gateway).await;
    let state = |name: &str| scrape.value(&format!("callgate_circuit_state{{upstream=\"{name}\",set=\"0\"}}"));
    assert_eq!((state("broken"), state("whole")), (2.0, 0.0));
    let circuit = &upstream(&gateway, "broken").await["circuits"][0];
    let left = circuit["left_ms"].as_u64().unwrap();
    assert!(circuit["state"] == "open" && left > 3_000_000 && left <= 3_600_000, "{circuit}");
    assert_eq!(upstream(&gateway, "whole").await["circuits"], json!([{"state": "closed"}]));
}

#[tokio::test]
async fn places_of_calls_are_shown() {
    let gateway = Gateway::start(
        "
upstreams: {slow: {echo: {}, concurrency: {limit: 1, queue: 1, wait: 1h}, timeout: 1h}}
routes: [{match: GET /slow, to: {upstream: slow, delay: 1h}}]
",
    )
    .await;
    let mut clients = Vec::new();
    for expected in [(1, 0), (1, 1)] {
        let mut client = Wire::connect(gateway.public).await.unwrap();
        client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        clients.push(client);
        let came = async || {
            let places = &upstream(&gateway, "slow").await["concurrency"][0];
            (places["running"].as_u64().unwrap(), places["waiting"].as_u64().unwrap()) == expected
        };
        assert!(until(LIMIT, came).await, "{expected:?}");
    }
    assert_eq!(gateway.get("/slow").await.status, 503);
    let shown = &upstream(&gateway, "slow").await["concurrency"];
    assert_eq!(*shown, json!([{"limit": 1, "running": 1, "waiting": 1, "refused": 1}]));
    let scrape = scraped(&gateway).await;
    for name in ["running", "waiting", "refused_total"] {
        assert_eq!(scrape.value(&format!("callgate_concurrency_{name}{{upstream=\"slow\",set=\"0\"}}")), 1.0, "{name}");
    }
}

#[tokio::test]
async fn endpoints_and_functions_are_shown_and_what_is_broken_is_told_by_its_operation() {
    let server = Server::start().await.unwrap();
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let contract = folder.path().join("openapi.yaml");
    std::fs::write(&contract, CONTRACT).unwrap();
    let gateway = Gateway::start(&format!(
        "
upstreams:
  shop:
    rest:
      endpoints: ['http://{dead}', '{}']
      ejection: {{initial: 1h, max: 1h}}
      openapi: '{}'
    discover: true
routes: [{{match: GET /good, to: shop/good}}]
",
        server.url(),
        contract.display()
    ))
    .await;
    for _ in 0..2 {
        assert_eq!(gateway.get("/good").await.status, 200);
    }
    let scrape = scraped(&gateway).await;
    let healthy =
        |address: &str| scrape.value(&format!("callgate_endpoint_healthy{{upstream=\"shop\",endpoint=\"{address}\"}}"));
    assert_eq!((healthy(&dead.to_string()), healthy(&server.address().to_string())), (0.0, 1.0));
    let listed = async || upstream(&gateway, "shop").await["discovery"] == "listed";
    assert!(until(LIMIT, listed).await, "{}", upstream(&gateway, "shop").await);
    let shown = upstream(&gateway, "shop").await;
    let endpoints = &shown["endpoints"];
    assert!(endpoints[0]["health"] == "ejected" && endpoints[0]["left_ms"].as_u64() > Some(3_000_000), "{endpoints}");
    assert_eq!(endpoints[1], json!({"address": server.address().to_string(), "health": "healthy"}));
    let names: Vec<_> = shown["functions"].as_array().unwrap().iter().map(|function| &function["name"]).collect();
    assert!(names.contains(&&json!("good")), "{names:?}");
    let log = gateway.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("An operation can't be used")).collect();
    assert!(told.len() == 1 && told[0].contains("bad: the reference") && told[0].contains("leads nowhere"), "{log}");
}

#[tokio::test]
async fn tokens_are_shown_with_their_renewals_and_their_ends() {
    let Some(issuer) = present(GoogleTokens::start().await) else { return };
    let server = Server::start().await.unwrap();
    issuer.set_life(1800).await.unwrap();
    let gateway = Gateway::start(&format!(
        "
upstreams: {{functions: {{gcf: {{url: '{url}/echo', credentials: {{file: '{}'}}}}}}}}
routes:
  - {{match: GET /fine, to: functions}}
  - {{match: GET /refused, to: {{upstream: functions, url: '{url}/other'}}}}
",
        issuer.credentials("service_account").display(),
        url = server.url(),
    ))
    .await;
    for _ in 0..2 {
        assert_eq!(gateway.get("/fine").await.status, 200);
    }
    issuer.set_trouble(json!({"path": "/token", "status": 403})).await.unwrap();
    assert_ne!(gateway.get("/refused").await.status, 200);
    let labels = |path: &str| format!("upstream=\"functions\",token=\"{}{path}\"", server.url());
    let scrape = scraped(&gateway).await;
    let renewals = |path: &str, outcome: &str| {
        scrape.value(&format!("callgate_token_renewals_total{{{},outcome=\"{outcome}\"}}", labels(path)))
    };
    assert_eq!((renewals("/echo", "succeeded"), renewals("/echo", "failed")), (1.0, 0.0));
    assert!(renewals("/other", "succeeded") == 0.0 && renewals("/other", "failed") >= 1.0);
    let left = scrape.value(&format!("callgate_token_expires_seconds{{{}}}", labels("/echo")));
    assert!((1700.0..=1800.0).contains(&left), "{left}");
    assert!(
        !scrape.has(&format!("callgate_token_expires_seconds{{{}}}", labels("/other"))),
        "there is none that could end"
    );
}

#[tokio::test]
async fn triggers_are_counted() {
    let Some(server) = present(NatsServer::start("").await) else { return };
    let gateway = Gateway::start(&format!(
        "
upstreams: {{e: {{echo: {{}}}}}}
routes: []
triggers: {{asked: {{nats: {{servers: '{}', subject: ask, queue: gateways}}, to: e}}}}
",
        server.url()
    ))
    .await;
    let client = async_nats::connect(server.url()).await.unwrap();
    // A subscription begins some time after the start; nobody takes what comes before.
    assert!(until(LIMIT, async || client.request("ask", "a".into()).await.is_ok()).await);
    let labels = "trigger=\"asked\",source=\"nats\"";
    let settled = format!("callgate_trigger_settled_total{{{labels},outcome=\"acknowledged\"}}");
    assert!(until(LIMIT, async || scraped(&gateway).await.value(&settled) > 0.0).await);
    let scrape = scraped(&gateway).await;
    for (series, value) in [
        (format!("callgate_trigger_taken_total{{{labels}}}"), 1.0),
        (settled, 1.0),
        (format!("callgate_trigger_settled_total{{{labels},outcome=\"dropped\"}}"), 0.0),
        (format!("callgate_trigger_retried_total{{{labels}}}"), 0.0),
        (format!("callgate_trigger_running{{{labels}}}"), 0.0),
        (format!("callgate_trigger_waiting{{{labels}}}"), 0.0),
        ("callgate_trigger_ready{trigger=\"asked\"}".to_owned(), 1.0),
    ] {
        assert_eq!(scrape.value(&series), value, "{series}");
    }
}

#[tokio::test]
async fn why_an_upstream_is_not_ready_shows_no_value_of_a_reference() {
    let gateway = Gateway::start(
        "
upstreams: {gone: {rest: {url: 'http://${KEY}.invalid'}}}
routes: [{match: 'POST /hooks/${KEY}', to: gone}]
",
    )
    .await;
    let path = "POST /hooks/s3cr3t-value";
    assert_eq!(gateway.send_public(path).await, 502);
    for place in ["/ready", "/upstreams", "/routes", "/traffic", "/failures", "/metrics"] {
        let told = gateway.ask(place).await.body;
        assert!(told.contains("${KEY}") && !told.contains("s3cr3t"), "{place}: {told}");
    }
}
