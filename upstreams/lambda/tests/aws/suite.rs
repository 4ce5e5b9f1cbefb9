//! What holds for every emulator that runs functions.

use callgate_core::Body;
use callgate_testkit::peers::AwsPeer;
use futures_util::future::join_all;
use http::Request;
use serde_json::json;

use crate::{functions, gateway::Bed};

const RUNTIME: &str = "python3.11";

/// Creates the functions, and a gateway with a route to each.
pub(crate) async fn start(peer: &AwsPeer) -> Bed {
    for (name, source) in [
        ("http", functions::HTTP),
        ("raw", functions::RAW),
        ("fails", functions::FAILS),
        ("garbage", functions::GARBAGE),
        ("throttled", functions::RAW),
    ] {
        peer.create_function(name, source, RUNTIME).await.unwrap();
    }
    peer.create_alias("raw", "live").await.unwrap();
    peer.set_reserved_concurrency("throttled", 0).await.unwrap();
    Bed::start(&document(peer)).await
}

/// The settings of an upstream at the peer, with these keys.
pub(crate) fn lambda(peer: &AwsPeer, key: &str, secret: &str) -> String {
    let (region, endpoint) = (&peer.region, &peer.endpoint);
    json!({"lambda": {
        "region": region,
        "endpoint": endpoint,
        "credentials": {"access_key_id": key, "secret_access_key": secret},
    }})
    .to_string()
}

fn document(peer: &AwsPeer) -> String {
    let upstream = lambda(peer, &peer.access_key_id, &peer.secret_access_key);
    let region = &peer.region;
    format!(
        r"
upstreams:
  aws: {upstream}
routes:
  - {{match: '/orders/{{id}}', to: aws/http}}
  - {{match: 'POST /v1/{{id}}', to: {{upstream: aws, function: raw, payload: apigateway_v1, reply: raw}}}}
  - {{match: POST /alb, to: {{upstream: aws, function: raw, payload: alb, reply: raw}}}}
  - {{match: POST /raw, to: {{upstream: aws, function: raw, payload: raw}}}}
  - {{match: POST /qualifier, to: {{upstream: aws, function: raw, qualifier: live, payload: raw}}}}
  - {{match: POST /name-with-qualifier, to: {{upstream: aws, function: 'raw:live', payload: raw}}}}
  - {{match: POST /arn, to: {{upstream: aws, function: 'arn:aws:lambda:{region}:000000000000:function:raw', payload: raw}}}}
  - {{match: POST /partial-arn, to: {{upstream: aws, function: '000000000000:function:raw:live', payload: raw}}}}
  - {{match: 'POST /named/{{name}}', to: {{upstream: aws, function: 'ra{{{{ params.name }}}}', payload: raw}}}}
  - {{match: POST /log, to: {{upstream: aws, function: raw, payload: raw, log_tail: true}}}}
  - {{match: POST /event, to: {{upstream: aws, function: raw, payload: raw, invocation: event}}}}
  - {{match: POST /dry-run, to: {{upstream: aws, function: raw, payload: raw, invocation: dry_run}}}}
  - match: POST /weighted
    to:
      - {{upstream: aws, function: raw, payload: raw, qualifier: live, weight: 50}}
      - {{upstream: aws, function: raw, payload: raw, weight: 50}}
  - {{match: GET /stream, to: {{upstream: aws, function: http, stream: true}}}}
  - {{match: GET /fails, to: aws/fails}}
  - {{match: GET /garbage, to: aws/garbage}}
  - {{match: GET /unknown, to: aws/unknown}}
  - {{match: GET /throttled, to: aws/throttled}}
"
    )
}

/// Runs every case that needs no checking of signatures.
pub(crate) async fn run(bed: &Bed) {
    a_request_makes_its_way_as_an_event_and_back(bed).await;
    binary_bodies_arrive_encoded(bed).await;
    events_have_the_shape_of_their_payload(bed).await;
    a_raw_payload_is_the_event(bed).await;
    names_and_qualifiers_choose_the_version(bed).await;
    weights_divide_calls_between_qualifiers(bed).await;
    a_name_may_come_from_the_request_as_far_as_allowed(bed).await;
    queued_events_and_dry_runs_are_answered_at_once(bed).await;
    failures_are_those_of_the_contract(bed).await;
    sizes_are_checked_before_the_call(bed).await;
    concurrent_calls_never_cross(bed).await;
}

async fn a_request_makes_its_way_as_an_event_and_back(bed: &Bed) {
    let request = Request::put("/orders/a%20b?x=1&x=2")
        .header("content-type", "application/json")
        .header("cookie", "s=1")
        // Headers that mean something to Lambda itself must not reach it from a client.
        .header("x-amz-invocation-type", "DryRun")
        .header("x-amz-security-token", "forged")
        .header("authorization", "Bearer of-the-client")
        .body(Body::from(r#"{"n":1}"#))
        .unwrap();
    let answer = bed.send(request).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("x-from"), Some("function"));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("x-amz")), "{answer:?}");
    let event = &answer.json()["event"];
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["rawQueryString"], "x=1&x=2");
    assert_eq!(event["pathParameters"]["id"], "a b");
    assert_eq!(event["cookies"], json!(["s=1"]));
    assert_eq!(event["headers"]["authorization"], "Bearer of-the-client");
    assert_eq!(event["requestContext"]["http"]["method"], "PUT");
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "203.0.113.7");
    assert_eq!(event["requestContext"]["domainName"], "api.example.com");
    assert_eq!(event["body"], r#"{"n":1}"#);
    assert_eq!(event["isBase64Encoded"], false);
}

async fn binary_bodies_arrive_encoded(bed: &Bed) {
    let request = Request::post("/orders/1").header("content-type", "application/octet-stream");
    let answer = bed.send(request.body(Body::from(vec![0, 255, 1])).unwrap()).await;
    let event = &answer.json()["event"];
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("AP8B"), &json!(true)));
}

async fn events_have_the_shape_of_their_payload(bed: &Bed) {
    let event = &bed.post("/v1/7?q=1", &json!({})).await.json()["got"];
    assert_eq!(event["httpMethod"], "POST");
    assert_eq!(event["pathParameters"], json!({"id": "7"}));
    assert_eq!(event["multiValueQueryStringParameters"], json!({"q": ["1"]}));
    assert_eq!(event["requestContext"]["identity"]["sourceIp"], "203.0.113.7");
    let event = &bed.post("/alb", &json!({})).await.json()["got"];
    assert!(event["requestContext"]["elb"].is_object(), "{event}");
    assert_eq!(event["path"], "/alb");
}

async fn a_raw_payload_is_the_event(bed: &Bed) {
    let answer = bed.post("/raw", &json!({"deep": [1, {"a": null}]})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["got"], json!({"deep": [1, {"a": null}]}));
    let empty = bed.send(Request::post("/raw").body(Body::empty()).unwrap()).await;
    assert_eq!(empty.json()["got"], json!({}));
    assert_eq!(bed.post("/log", &json!({})).await.status, 200);
}

async fn names_and_qualifiers_choose_the_version(bed: &Bed) {
    for (path, version) in [
        ("/raw", "$LATEST"),
        ("/arn", "$LATEST"),
        ("/qualifier", "1"),
        ("/name-with-qualifier", "1"),
        ("/partial-arn", "1"),
    ] {
        let answer = bed.post(path, &json!({})).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.json()["version"], version, "{path}");
    }
}

async fn weights_divide_calls_between_qualifiers(bed: &Bed) {
    let answers = join_all((0..40).map(|_| async { bed.post("/weighted", &json!({})).await })).await;
    let versions: std::collections::BTreeSet<_> =
        answers.iter().map(|answer| answer.json()["version"].as_str().unwrap().to_owned()).collect();
    // One of them alone comes once in 2^39 runs.
    assert_eq!(versions.into_iter().collect::<Vec<_>>(), ["$LATEST", "1"]);
}

async fn a_name_may_come_from_the_request_as_far_as_allowed(bed: &Bed) {
    assert_eq!(bed.post("/named/w", &json!({})).await.json()["version"], "$LATEST");
    bed.post("/named/w:live", &json!({})).await.is_problem(400, "bad_template_input");
    bed.post("/named/w%2F..%2Fx", &json!({})).await.is_problem(400, "bad_template_input");
}

async fn queued_events_and_dry_runs_are_answered_at_once(bed: &Bed) {
    let answer = bed.post("/event", &json!({})).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.json()["request_id"].as_str(), answer.header("x-request-id"));
    let answer = bed.post("/dry-run", &json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0), "{answer:?}");
}

async fn failures_are_those_of_the_contract(bed: &Bed) {
    let answer = bed.get("/fails").await;
    answer.is_problem(502, "function_error");
    assert!(!answer.text().contains("the inner reason"), "{answer:?}");
    bed.get("/garbage").await.is_problem(502, "bad_upstream_reply");
    let answer = bed.get("/unknown").await;
    answer.is_problem(502, "upstream_denied");
    assert!(!answer.text().contains("unknown:") && !answer.text().contains("arn:"), "{answer:?}");
    let answer = bed.get("/throttled").await;
    answer.is_problem(503, "upstream_throttled");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

async fn sizes_are_checked_before_the_call(bed: &Bed) {
    let post = async |path: &str, size: usize| bed.post(path, &json!("x".repeat(size))).await;
    post("/raw", 6 * 1024 * 1024).await.is_problem(413, "body_too_large");
    post("/event", 1024 * 1024).await.is_problem(413, "body_too_large");
    assert_eq!(post("/event", 1024 * 1024 - 2).await.status, 202, "just as much as Lambda takes");
}

async fn concurrent_calls_never_cross(bed: &Bed) {
    let answers = join_all((0..24).map(|n| async move { (n, bed.post("/raw", &json!({"n": n})).await) })).await;
    for (n, answer) in answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["got"]["n"], n);
    }
}
