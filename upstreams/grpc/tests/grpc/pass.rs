//! Clients of gRPC: a client of another library through the gateway.

use callgate_core::Body;
use callgate_testkit::peers::{GrpcClient, GrpcService, present};
use http::Request;
use serde_json::{Value, json};

use crate::stage::{Edge, Stage};

/// Every method by one route, and some by their names; no descriptors are needed.
const ROUTES: &str = r#"
  - {match: "/{*rest}", to: {upstream: shop}}
  - {match: /shop.v1.Shop/Chat, to: shop/shop.v1.Shop/Chat}
  - {match: /shop.v1.Shop/Whoami, to: shop/shop.v1.Shop/Whoami, timeout: 6s}
  - {match: /shop.v1.Shop/Fail, to: nowhere}
"#;

struct Bed {
    _stage: Stage,
    edge: Edge,
    client: GrpcClient,
    _peer: GrpcService,
}

impl Bed {
    async fn start() -> Option<Self> {
        let peer = present(GrpcService::start().await)?;
        let client = present(GrpcClient::start(&peer))?;
        let yaml = format!(
            "upstreams:\n  shop: {{grpc: {{url: \"{}\"}}}}\n  nowhere: {{grpc: {{url: \"http://127.0.0.1:1\"}}}}\nroutes:{ROUTES}",
            peer.url()
        );
        let stage = Stage::of(crate::stage::read(&yaml).unwrap()).await;
        let edge = stage.listen().await;
        Some(Self { _stage: stage, edge, client, _peer: peer })
    }

    async fn call(&self, kind: &str, arguments: Value) -> Value {
        self.client.call(self.edge.address, kind, arguments).await.unwrap()
    }
}

fn has(pairs: &Value, name: &str, value: &str) -> bool {
    pairs.as_array().unwrap().contains(&json!([name, value]))
}

#[tokio::test]
async fn all_four_kinds_of_calls_go_through() {
    let Some(bed) = Bed::start().await else { return };
    let unary = bed.call("unary", json!({"method": "Greet", "message": {"name": "a", "gzip": true}})).await;
    assert_eq!((&unary["code"], &unary["replies"]), (&json!(0), &json!(["Hello, a."])), "{unary}");
    let count = bed.call("count", json!({"message": {"to": 3}})).await;
    assert_eq!((&count["code"], &count["replies"]), (&json!(0), &json!([1, 2, 3])));
    let sum = bed.call("collect", json!({"numbers": [1, 2, 3]})).await;
    assert_eq!((&sum["code"], &sum["replies"]), (&json!(0), &json!([6])));
    let chat = bed.call("chat", json!({"texts": ["a", "b", "c"]})).await;
    assert_eq!((&chat["code"], &chat["replies"]), (&json!(0), &json!(["a?", "b?", "c?"])));
}

#[tokio::test]
async fn metadata_goes_both_ways_and_trailers_stay_trailers() {
    let Some(bed) = Bed::start().await else { return };
    let greet = bed.call("unary", json!({"method": "Greet", "message": {"name": "a"}})).await;
    assert!(has(&greet["head"], "x-early", "1") && has(&greet["head"], "x-bytes-bin", "000102"), "{greet}");
    assert!(has(&greet["trailers"], "x-late", "2") && has(&greet["trailers"], "x-many", "b"), "{greet}");
    assert!(!has(&greet["head"], "x-late", "2"), "{greet}");
    let seen = bed
        .call("unary", json!({"method": "Whoami", "message": {}, "metadata": [["x-own", "1"]], "timeout": 60}))
        .await;
    let values = &seen["replies"][0];
    assert_eq!((&values["x-own"], &values["x-forwarded-for"]), (&json!("1"), &json!("192.0.2.1")));
    let left: f64 = values[":left"].as_str().unwrap().parse().unwrap();
    assert!(left < 6.2, "the route's time is shorter than the client's: {left}");
}

#[tokio::test]
async fn a_status_goes_through_and_the_gateways_own_failures_are_statuses() {
    let Some(bed) = Bed::start().await else { return };
    let lost = bed.call("count", json!({"message": {"to": 3, "fails_at": 2}})).await;
    assert_eq!((&lost["code"], &lost["message"], &lost["replies"]), (&json!(15), &json!("lost at 2"), &json!([1])));
    let gone = bed.call("unary", json!({"method": "Fail", "message": {"code": 5}})).await;
    assert_eq!(gone["code"], 14, "{gone}");
    assert!(
        has(&gone["head"], "callgate-error", "upstream_unreachable")
            || has(&gone["trailers"], "callgate-error", "upstream_unreachable"),
        "{gone}"
    );
}

#[tokio::test]
async fn others_are_told_that_this_is_for_grpc() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage =
        Stage::new(&format!("url: \"{}\"", peer.url()), "  - {match: \"/{*rest}\", to: {upstream: shop}}\n").await;
    let answer = stage.post("/shop.v1.Shop/Greet", &json!({})).await;
    assert_eq!(answer.failure(), (415, "bad_template_input"));
    let request =
        Request::post("/shop.v1.Shop/None").header("content-type", "application/grpc").header("te", "trailers");
    let answer = stage.send(request.body(Body::from(vec![0; 5])).unwrap()).await;
    let status = answer.headers.get("grpc-status").or(answer.trailers.get("grpc-status"));
    assert_eq!(
        (answer.status.as_u16(), status.unwrap()),
        (200, &"12".parse().unwrap()),
        "the service's own answer: {answer:?}"
    );
}
