//! The endpoints of the admin, beside those that unit tests ask.

use std::time::Duration;

use callgate_testkit::peers::until;
use serde_json::json;

use crate::gateway::Gateway;

const DOCUMENT: &str = "
upstreams: {e: {echo: {}}}
routes:
  - name: tried
    match: POST /orders/{id}
    to: e
    request: {headers: {set: {x-order: '{{ params.id }}', x-key: '${KEY}'}}}
    response: {status: 201}
  - {name: bad, match: GET /bad, to: {upstream: e, fail: upstream_timeout}}
";

#[tokio::test]
async fn a_request_is_tried_step_by_step_and_no_secret_is_shown() {
    let gateway = Gateway::start(DOCUMENT).await;
    let attempt = json!({"method": "POST", "url": "/orders/7?a=b", "headers": [["x-a", "1"]], "body": "{}"});
    let answer = gateway.send("POST /try", "content-type: application/json\r\n", &attempt.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!answer.body.contains("s3cr3t-value"), "{}", answer.body);
    let trial = answer.json();
    assert_eq!((&trial["route"], &trial["captures"]), (&json!("tried"), &json!([["id", "7"]])));
    let sent = &trial["calls"][0]["sent"];
    assert_eq!((&sent["line"], &sent["text"]), (&json!("POST /orders/7?a=b"), &json!("{}")));
    assert!(sent["headers"].as_array().unwrap().contains(&json!(["x-order", "7"])), "{sent}");
    assert_eq!(trial["calls"][0]["reply"]["line"], "200 OK");
    assert_eq!(trial["response"]["line"], "201 Created");

    let answer = gateway.send("POST /try", "content-type: text/plain\r\n", &attempt.to_string()).await;
    assert_eq!(answer.status, 415, "a page of another site could send it: {}", answer.body);
    let answer = gateway.send("POST /try", "content-type: application/json\r\n", "{\"url\": \"x\"}").await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str().unwrap()),
        (400, "`x` is no URL: write /path, or http://host/path")
    );
}

#[tokio::test]
async fn failures_are_told_with_their_reasons() {
    let gateway = Gateway::start(DOCUMENT).await;
    let answer = gateway.get("/bad").await;
    let id = answer.head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    let failures = gateway.ask("/failures").await.json();
    let failure = &failures[0];
    assert_eq!((&failure["request_id"], &failure["error"]), (&json!(id), &json!("upstream_timeout")));
    assert_eq!((&failure["route"], &failure["upstream"]), (&json!("bad"), &json!("e")));
    assert!(!failure["reason"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn the_token_comes_from_the_configuration_and_is_shown_nowhere() {
    let gateway = Gateway::guarded(DOCUMENT, "open-sesame").await;
    assert_eq!(gateway.ask("/live").await.status, 200);
    assert_eq!(gateway.ask("/").await.status, 200);
    assert_eq!(gateway.ask("/config").await.status, 401);
    let answer = gateway.send("GET /config", "authorization: Bearer open-sesame\r\n", "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!answer.body.contains("open-sesame"), "{}", answer.body);
    assert!(!gateway.log().contains("open-sesame"));
}

#[tokio::test]
async fn the_level_of_the_log_changes_while_it_runs() {
    let gateway = Gateway::start(DOCUMENT).await;
    let refused = |log: String| log.matches("A request was refused.").count();
    gateway.get("/nowhere").await;
    assert_eq!(refused(gateway.log()), 0);
    let answer = gateway.send("PUT /log?level=debug", "", "").await;
    assert!(answer.json()["filter"].as_str().unwrap().starts_with("debug,callgate::access=off"), "{}", answer.body);
    gateway.get("/nowhere").await;
    // Lines are written by a thread of their own.
    assert!(until(Duration::from_secs(10), async || refused(gateway.log()) == 1).await, "{}", gateway.log());
    gateway.send("DELETE /log", "", "").await;
    gateway.get("/nowhere").await;
    assert_eq!(refused(gateway.log()), 1);
}
