//! `/metrics`.

use crate::{exposition::Scrape, gateway::Gateway};

const DOCUMENT: &str = "
upstreams: {e: {echo: {}}}
routes:
  - {name: fine, match: GET /fine, to: e}
  - {name: bad, match: GET /bad, to: {upstream: e, fail: upstream_unreachable}}
  - {name: 'a \"quoted\" \\ name', match: GET /own, respond: {status: 204}}
";

async fn scraped(gateway: &Gateway) -> (Scrape, String) {
    let answer = gateway.ask("/metrics").await;
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    (Scrape::read(&answer.body), answer.body)
}

#[tokio::test]
async fn requests_calls_and_connections_are_counted() {
    let gateway = Gateway::start(DOCUMENT).await;
    for path in ["/fine", "/fine", "/fine", "/bad", "/own", "/nowhere"] {
        gateway.get(path).await;
    }
    let (scrape, _) = scraped(&gateway).await;
    let fine = "route=\"fine\",upstream=\"e\",kind=\"echo\"";
    let bad = "route=\"bad\",upstream=\"e\",kind=\"echo\"";
    for (series, value) in [
        (format!("callgate_requests_total{{{fine},status=\"2xx\"}}"), 3.0),
        (format!("callgate_requests_total{{{bad},status=\"5xx\"}}"), 1.0),
        (format!("callgate_request_errors_total{{{bad},error=\"upstream_unreachable\"}}"), 1.0),
        ("callgate_request_errors_total{route=\"\",upstream=\"\",kind=\"\",error=\"no_route\"}".to_owned(), 1.0),
        (
            "callgate_requests_total{route=\"a \\\"quoted\\\" \\\\ name\",upstream=\"\",kind=\"respond\",status=\"2xx\"}"
                .to_owned(),
            1.0,
        ),
        (format!("callgate_requests_in_flight{{{fine}}}"), 0.0),
        (format!("callgate_request_duration_seconds_count{{{fine}}}"), 3.0),
        (format!("callgate_gateway_duration_seconds_count{{{fine}}}"), 3.0),
        (format!("callgate_upstream_head_duration_seconds_count{{{fine}}}"), 3.0),
        (format!("callgate_upstream_duration_seconds_count{{{fine}}}"), 3.0),
        (format!("callgate_upstream_calls_total{{{fine},outcome=\"replied\"}}"), 3.0),
        (format!("callgate_upstream_calls_total{{{bad},outcome=\"upstream_unreachable\"}}"), 1.0),
        ("callgate_upstream_ready{upstream=\"e\",kind=\"echo\"}".to_owned(), 1.0),
        ("callgate_connections_accepted_total".to_owned(), 6.0),
        ("callgate_ready".to_owned(), 1.0),
    ] {
        assert_eq!(scrape.value(&series), value, "{series}");
    }
    assert!(scrape.value("callgate_received_bytes_total") > 6.0 * 40.0);
    assert!(scrape.value("callgate_sent_bytes_total") > 6.0 * 40.0);
    assert!(scrape.value("process_resident_memory_bytes") > 1e6 && scrape.value("process_open_fds") > 3.0);
    assert!(scrape.has(&format!("callgate_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))));
}
