//! Traces and metrics for a collector, which a real receiver of OTLP decodes.

use callgate_testkit::peers::{OtlpReceiver, present, until};

use crate::gateway::{Gateway, LIMIT};

const ROUTES: &str = "
upstreams: {e: {echo: {}}}
routes:
  - {name: orders, match: 'GET /orders/{id}', to: e}
  - {name: bad, match: GET /bad, to: {upstream: e, fail: upstream_timeout}}
";

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn telemetry(endpoint: &str, protocol: &str, sample: &str) -> String {
    format!(
        "telemetry: {{otlp: {{endpoint: '{endpoint}', protocol: {protocol}, sample: {sample}, metrics: 1s}}}}\n{ROUTES}"
    )
}

/// The trace and the parent that the function was told.
fn told(body: &str) -> (String, String) {
    let echo: serde_json::Value = serde_json::from_str(body).unwrap();
    let headers = echo["headers"].as_array().unwrap();
    let header = headers.iter().find(|pair| pair[0] == "traceparent").unwrap()[1].as_str().unwrap();
    let mut parts = header.split('-').skip(1).map(ToOwned::to_owned);
    (parts.next().unwrap(), parts.next().unwrap())
}

async fn received(protocol: &str, endpoint: fn(&OtlpReceiver) -> String) {
    let Some(receiver) = present(OtlpReceiver::start().await) else { return };
    let gateway = Gateway::start(&telemetry(&endpoint(&receiver), protocol, "100%")).await;
    let answer = gateway.get_with("/orders/7?key=s3cr3t", &format!("traceparent: {PARENT}\r\n")).await;
    let (trace, call) = told(&answer.body);
    assert_eq!(trace, "4bf92f3577b34da6a3ce929d0e0e4736", "the caller's trace goes on");
    assert_ne!(call, "00f067aa0ba902b7", "the call is the function's parent");
    gateway.get("/bad").await;
    let wanted = [
        trace.as_str(),
        call.as_str(),
        "00f067aa0ba902b7",
        "GET /orders/{id}",
        "callgate.request_id",
        "upstream_timeout",
        "service.name",
        "callgate_requests",
        "callgate_request_duration",
    ];
    let all = until(LIMIT, async || wanted.iter().all(|text| receiver.log().contains(text)));
    let all = all.await;
    let log = receiver.log();
    let missing: Vec<_> = wanted.iter().filter(|text| !log.contains(**text)).collect();
    assert!(all, "not received: {missing:?}\n{log}\n{}", gateway.log());
    assert!(!log.contains("s3cr3t"), "a query may hold secrets");
}

#[tokio::test]
async fn a_receiver_reads_traces_and_metrics_over_http() {
    received("http", OtlpReceiver::http).await;
}

#[tokio::test]
async fn a_receiver_reads_traces_and_metrics_over_grpc() {
    received("grpc", OtlpReceiver::grpc).await;
}

#[tokio::test]
async fn a_caller_decides_whether_its_trace_is_recorded_and_the_share_of_all_others() {
    let Some(receiver) = present(OtlpReceiver::start().await) else { return };
    let gateway = Gateway::start(&telemetry(&receiver.http(), "http", "0%")).await;
    let unsampled = PARENT.replace("4bf92f35", "11111111").replace("-01", "-00");
    gateway.get_with("/orders/7", &format!("traceparent: {unsampled}\r\n")).await;
    let (own, _) = told(&gateway.get("/orders/7").await.body);
    gateway.get_with("/orders/7", &format!("traceparent: {PARENT}\r\n")).await;
    assert!(until(LIMIT, async || receiver.log().contains("4bf92f3577b34da6a3ce929d0e0e4736")).await);
    // What waits is sent at the end.
    gateway.end().await;
    let log = receiver.log();
    assert!(!log.contains("11111111") && !log.contains(&own), "{log}");
}

#[tokio::test]
async fn an_absent_collector_is_told_once_and_keeps_nobody_waiting() {
    let port = callgate_testkit::peers::free_port().unwrap();
    let gateway = Gateway::start(&telemetry(&format!("http://127.0.0.1:{port}"), "grpc", "100%")).await;
    let trouble = "The collector of traces and metrics does not take them; what it misses is lost.";
    assert_eq!(gateway.get("/orders/7").await.status, 200);
    assert!(until(LIMIT, async || gateway.log().contains(trouble)).await, "{}", gateway.log());
    gateway.get("/orders/7").await;
    let lost = "callgate_spans_lost_total";
    let counted = until(LIMIT, async || {
        let metrics = gateway.ask("/metrics").await.body;
        metrics.lines().any(|line| line.strip_prefix(lost).is_some_and(|count| count.trim() == "4"))
    });
    assert!(counted.await, "two requests with a call each are four spans");
    let log = gateway.end().await;
    assert_eq!(log.matches(trouble).count(), 1, "{log}");
}
