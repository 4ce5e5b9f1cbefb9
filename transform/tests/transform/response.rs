//! Steps on the way back to the client.

use callgate_transform::{Payload, Side};
use http::Response;
use serde_json::json;

use super::{exchange, request, response_steps, run_response};

#[test]
fn a_failed_response_is_reshaped() {
    let pipeline = response_steps(json!([
        {"when": "status >= 500", "status": 502,
            "body": {"json": {"error": "{{ body.errorMessage | default('upstream failed') }}"}}},
        {"headers": {"remove": ["x-amzn-*"]}},
    ]));
    let response =
        || Response::builder().status(500).header("x-amzn-trace", "1").header("content-type", "application/json");
    let shaped =
        run_response(&pipeline, response().body(r#"{"errorMessage":"no"}"#).unwrap(), exchange(), None).unwrap();
    assert_eq!(shaped.parts.status, 502);
    assert_eq!(shaped.json(), json!({"error": "no"}));
    assert!(!shaped.parts.headers.contains_key("x-amzn-trace"));
    let shaped = run_response(&pipeline, response().body("{}").unwrap(), exchange(), None).unwrap();
    assert_eq!(shaped.json(), json!({"error": "upstream failed"}));
    let fine = response().status(200).body("{}").unwrap();
    assert_eq!(run_response(&pipeline, fine, exchange(), None).unwrap().json(), json!({}));
}

#[test]
fn the_kept_request_is_in_reach() {
    let pipeline = response_steps(json!({"headers": {"set": {
        "a": "{{ request.method }} {{ request.path }} {{ request.query.page }} {{ request.headers.x_tenant }}",
        "b": "{{ method }} {{ path }}",
        "c": "{{ request.body.n }}",
    }}}));
    assert!(pipeline.reads_request() && pipeline.reads_request_body() && !pipeline.reads_body());
    let request = request().header("content-type", "application/json").body(()).unwrap();
    let mut exchange = exchange();
    exchange.keep_request(&request, &Payload::from(bytes::Bytes::from(r#"{"n":5}"#)));
    let headers = run_response(&pipeline, Response::new(""), exchange, None).unwrap().parts.headers;
    assert_eq!(headers["a"], "POST /orders/7 1 t-acme");
    assert_eq!(headers["b"], "POST /orders/7");
    assert_eq!(headers["c"], "5");
    let other = response_steps(json!({"headers": {"set": {"a": "{{ status }}"}}}));
    assert!(!other.reads_request() && !other.reads_request_body());
}

#[test]
fn a_failure_of_the_gateway_is_known_by_its_code() {
    let pipeline = response_steps(json!({"when": "error == 'upstream_timeout'", "status": "{{ 500 + 3 }}"}));
    let status = |error| run_response(&pipeline, Response::new(""), exchange(), error).unwrap().parts.status;
    assert_eq!(status(Some("upstream_timeout")), 503);
    assert_eq!(status(None), 200);
}

#[test]
fn what_fails_is_the_response() {
    let pipeline = response_steps(json!({"headers": {"set": {"a": "{{ body.missing }}"}}}));
    let response = Response::builder().header("content-type", "application/json").body("{}").unwrap();
    let error = run_response(&pipeline, response, exchange(), None).unwrap_err();
    assert_eq!(error.side, Side::Response);
    assert_eq!(error.message, "header `a`: `body.missing` is undefined");
}
