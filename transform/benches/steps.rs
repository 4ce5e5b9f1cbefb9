//! What the steps of a request cost: `cargo bench -p callgate-transform`.
//!
//! The goals are those of `docs/performance.md`: three headers by template under 3 us, a JSON body of 1 KB with ten
//! fields under 14 us.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints")]
#![allow(missing_docs, reason = "a benchmark has no callers")]

use std::{hint::black_box, time::Instant};

use bytes::Bytes;
use callgate_transform::{Exchange, Facts, Params, Payload, RequestPipeline, RequestSteps};
use http::Request;
use serde_json::{Value, json};

const ROUNDS: u32 = 20_000;
const REPEATS: usize = 9;

fn main() {
    let headers = json!({"headers": {"set": {
        "x-user": "{{ claims.sub }}",
        "x-tenant-name": "tenant-{{ headers['x-tenant'] }}",
        "x-order": "{{ params.id }}",
    }}});
    let fields: serde_json::Map<String, Value> =
        (0..10).map(|n| (format!("field{n}"), json!(format!("{{{{ body.in{n} }}}}")))).collect();
    let body = json!({"body": {"json": fields}});
    let path = json!({"path": "/v2/orders/{{ params.id }}", "query": {"set": {"page": "{{ query.page }}"}}});
    let extract = json!({
        "extract": {"tenant": {"header": "x-tenant", "regex": "^t-(\\w+)$"}, "first": {"body": "$.in1"}},
        "headers": {"set": {"x-t": "{{ vars.tenant }}"}},
    });
    measure("three headers by template", &headers);
    measure("path and query by template", &path);
    measure("JSON body, 1 KB, ten fields", &body);
    measure("extraction by regex and JSONPath", &extract);
}

fn measure(name: &str, steps: &Value) {
    let steps: RequestSteps = serde_json::from_value(steps.clone()).unwrap();
    let pipeline = RequestPipeline::new([steps.compile().unwrap()]);
    let input: serde_json::Map<String, Value> =
        (0..10).map(|n| (format!("in{n}"), json!(format!("value {n} {}", "x".repeat(80))))).collect();
    let input = Bytes::from(serde_json::to_vec(&input).unwrap());
    let claims = std::sync::Arc::new(json!({"sub": "ann"}));
    let mut rounds: Vec<_> = (0..REPEATS)
        .map(|_| {
            let mut spent = std::time::Duration::ZERO;
            for _ in 0..ROUNDS {
                let mut request = Request::post("/orders/7?page=1&debug=1")
                    .header("x-tenant", "t-acme")
                    .header("content-type", "application/json")
                    .header("accept", "*/*")
                    .header("user-agent", "bench")
                    .body(())
                    .unwrap();
                let mut exchange = Exchange::new(Facts {
                    route: "orders".into(),
                    request_id: http::HeaderValue::from_static("r"),
                    client_ip: None,
                    params: Params::new(vec![("id".into(), "7".into())].into(), None),
                    claims: Some(claims.clone()),
                });
                let mut payload = Payload::from(input.clone());
                let start = Instant::now();
                pipeline.apply(&mut request, &mut payload, &mut exchange).unwrap();
                black_box((&request, &payload));
                spent += start.elapsed();
            }
            spent / ROUNDS
        })
        .collect();
    rounds.sort();
    println!("{name}: {:?} (median of {REPEATS} x {ROUNDS}; with two reads of the clock)", rounds[REPEATS / 2]);
}
