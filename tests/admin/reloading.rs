//! What is seen of a gateway goes on over reloads: counters, the access log, traces.

use std::fs;

use callgate_testkit::peers::{OtlpReceiver, present, until};

use crate::{
    exposition::Scrape,
    gateway::{Gateway, LIMIT},
};

/// A configuration whose every version replaces the upstream.
fn document(version: u32, more: &str) -> String {
    format!(
        "{more}upstreams: {{e: {{rest: {{url: 'http://127.0.0.1:9', connect_timeout: {version}s}}}}, own: {{echo: {{}}}}}}\n\
         routes:\n  - {{name: fine, match: 'GET /fine/{{n}}', to: own, response: {{headers: {{set: {{x-version: '{version}'}}}}}}}}\n  \
         - {{name: gone, match: GET /gone, to: e}}\n"
    )
}

struct Bed {
    gateway: Gateway,
    more: String,
}

impl Bed {
    async fn start(more: &str) -> Self {
        Self { gateway: Gateway::start(&document(1, more)).await, more: more.to_owned() }
    }

    /// Writes another version, and has it reloaded.
    async fn reload(&self, version: u32) {
        self.write(&document(version, &self.more));
        let answer = self.gateway.send("POST /reload", "", "").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let fine = self.gateway.get("/fine/0").await;
        assert!(fine.head.contains(&format!("x-version: {version}")), "{}", fine.head);
    }

    fn write(&self, yaml: &str) {
        let head = "admin: {address: '127.0.0.1:0'}\nlisteners: {public: {address: '127.0.0.1:0'}}\nshutdown: {lame_duck: 0s}\n";
        fs::write(self.gateway.folder().join("callgate.yaml"), format!("{head}{yaml}")).unwrap();
    }

    async fn scrape(&self) -> Scrape {
        Scrape::read(&self.gateway.ask("/metrics").await.body)
    }
}

#[tokio::test]
async fn counters_never_fall() {
    let bed = Bed::start("").await;
    let series = [
        "callgate_requests_total{route=\"fine\",upstream=\"own\",kind=\"echo\",status=\"2xx\"}",
        "callgate_requests_total{route=\"gone\",upstream=\"e\",kind=\"rest\",status=\"5xx\"}",
        "callgate_upstream_calls_total{route=\"fine\",upstream=\"own\",kind=\"echo\",outcome=\"replied\"}",
        "callgate_request_duration_seconds_count{route=\"fine\",upstream=\"own\",kind=\"echo\"}",
        "callgate_connections_accepted_total",
    ];
    let mut before = series.map(|_| 0.0);
    for version in 1..=4 {
        if version > 1 {
            bed.reload(version).await;
        }
        bed.gateway.get("/fine/1").await;
        bed.gateway.get("/gone").await;
        let scrape = bed.scrape().await;
        let now = series.map(|name| scrape.value(name));
        assert!(now.iter().zip(&before).all(|(now, before)| now > before), "{version}: {before:?} {now:?}");
        before = now;
    }
    assert_eq!(before[1], 4.0, "each request to the replaced upstream is counted once");
}

#[tokio::test]
async fn reloads_are_counted_and_timed() {
    let bed = Bed::start("").await;
    let scrape = bed.scrape().await;
    let since = scrape.value("callgate_configuration_since_seconds");
    assert_eq!(scrape.value("callgate_reload_last_succeeded"), 1.0);
    assert!(!scrape.has("callgate_reload_duration_seconds"), "there was none");
    bed.reload(2).await;
    bed.write("routes: [{match: nonsense}]\n");
    assert_eq!(bed.gateway.send("POST /reload", "", "").await.status, 422);
    let scrape = bed.scrape().await;
    // The file's own change may be noticed besides.
    assert!(scrape.value("callgate_reloads_total{outcome=\"succeeded\"}") >= 1.0);
    assert!(scrape.value("callgate_reloads_total{outcome=\"failed\"}") >= 1.0);
    assert_eq!(scrape.value("callgate_reload_last_succeeded"), 0.0);
    assert!(scrape.value("callgate_reload_duration_seconds") > 0.0);
    assert!(scrape.value("callgate_configuration_since_seconds") > since);
}

#[tokio::test]
async fn the_access_log_goes_on() {
    let bed = Bed::start("access_log: {template: '{{ path }}', to: access.log}\n").await;
    bed.gateway.get("/fine/1").await;
    bed.reload(2).await;
    bed.gateway.get("/fine/2").await;
    let file = bed.gateway.folder().join("access.log");
    let text = || fs::read_to_string(&file).unwrap_or_default();
    assert!(until(LIMIT, async || text() == "/fine/1\n/fine/0\n/fine/2\n").await, "{}", text());
}

#[tokio::test]
async fn traces_and_metrics_go_on_to_the_collector() {
    let Some(receiver) = present(OtlpReceiver::start().await) else { return };
    let telemetry = format!("telemetry: {{otlp: {{endpoint: '{}', metrics: 1s}}}}\n", receiver.http());
    let bed = Bed::start(&telemetry).await;
    bed.reload(2).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    bed.gateway.get_with("/fine/1", &format!("traceparent: 00-{trace}-00f067aa0ba902b7-01\r\n")).await;
    let wanted = [trace, "callgate_reloads"];
    let seen = until(LIMIT, async || wanted.iter().all(|text| receiver.log().contains(text)));
    assert!(seen.await, "{}\n{}", receiver.log(), bed.gateway.log());
}

#[tokio::test]
async fn connections_to_services_are_counted() {
    let service = Gateway::start("routes: [{match: GET /pong, respond: {body: {text: pong}}}]\n").await;
    let yaml = format!(
        "upstreams: {{s: {{rest: {{url: 'http://{}'}}}}, own: {{echo: {{}}}}}}\nroutes: [{{match: GET /pong, to: s}}]\n",
        service.public
    );
    let gateway = Gateway::start(&yaml).await;
    let scrape = async || Scrape::read(&gateway.ask("/metrics").await.body);
    assert_eq!(scrape().await.value("callgate_upstream_connections{upstream=\"s\"}"), 0.0);
    assert_eq!(gateway.get("/pong").await.status, 200);
    let idles = until(LIMIT, async || {
        let scrape = scrape().await;
        let value = |name: &str| scrape.value(&format!("{name}{{upstream=\"s\"}}"));
        value("callgate_upstream_connections") == 1.0 && value("callgate_upstream_connections_idle") == 1.0
    });
    assert!(idles.await, "{}", gateway.ask("/metrics").await.body);
    assert!(!scrape().await.has("callgate_upstream_connections{upstream=\"own\"}"), "an echo has none");
    drop(service);
    let closed = until(LIMIT, async || scrape().await.value("callgate_upstream_connections{upstream=\"s\"}") == 0.0);
    assert!(closed.await, "{}", gateway.ask("/metrics").await.body);
}
