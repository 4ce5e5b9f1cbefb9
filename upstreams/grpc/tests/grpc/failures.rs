//! What a client gets when a call fails.

use callgate_core::Body;
use callgate_testkit::peers::{Fault, FaultProxy, GrpcService, http::Server, present};
use http::Request;
use serde_json::json;

use crate::stage::{Stage, read};

const ROUTES: &str = r#"
  - {match: POST /fail, to: shop/shop.v1.Shop/Fail}
  - {match: POST /echo, to: shop/shop.v1.Shop/Echo, limits: {max_body: 2KiB}}
  - {match: POST /greet, to: shop/shop.v1.Shop/Greet}
  - {match: POST /large, to: shop/shop.v1.Remote/Large, limits: {max_body: 1KiB}}
  - {match: GET /slow, to: shop/shop.v1.Remote/Slow, timeout: 400ms}
  - match: POST /reshaped
    to: shop/shop.v1.Shop/Fail
    response: {when: error == "grpc_status", status: 418, body: {json: {was: "{{ body.grpc_status }}"}}}
"#;

async fn stage(peer: &GrpcService) -> Stage {
    Stage::new(&format!("url: \"{}\", reflection: true", peer.url()), ROUTES).await
}

#[tokio::test]
async fn every_status_is_a_problem_with_its_http_status() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = stage(&peer).await;
    for (code, status) in [
        (1, 499),
        (2, 500),
        (3, 400),
        (4, 504),
        (5, 404),
        (6, 409),
        (7, 403),
        (8, 429),
        (9, 400),
        (10, 409),
        (11, 400),
        (12, 501),
        (13, 500),
        (14, 503),
        (15, 500),
        (16, 401),
    ] {
        let answer = stage.post("/fail", &json!({"code": code, "message": "nö, 100%"})).await;
        assert_eq!(answer.failure(), (status, "grpc_status"), "{code}");
        let problem = answer.json();
        assert_eq!((&problem["grpc_status"], &problem["status"]), (&json!(code), &json!(status)));
        assert_eq!((&problem["grpc_message"], &problem["detail"]), (&json!("nö, 100%"), &json!("nö, 100%")));
        assert_eq!(problem["type"], "urn:callgate:error:grpc_status");
        assert!(problem.get("details").is_none());
    }
}

#[tokio::test]
async fn details_are_decoded() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = stage(&peer).await;
    let answer = stage.post("/fail", &json!({"code": 14, "message": "sold out", "details": true})).await;
    assert_eq!(answer.headers["retry-after"], "7", "{answer:?}");
    assert_eq!(
        answer.json()["details"],
        json!([
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SOLD_OUT", "domain": "shop.test", "metadata": {"sku": "7"}},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"},
            {"@type": "type.googleapis.com/shop.v1.Book", "name": "b", "pages": "3"},
            {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"},
            {"@type": "type.example.com/nobody.Knows", "value": "AQ=="},
        ])
    );
}

#[tokio::test]
async fn a_failure_can_be_reshaped() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let answer = stage(&peer).await.post("/reshaped", &json!({"code": 5})).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (418, json!({"was": 5})));
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = stage(&peer).await;
    for (path, input, detail) in [
        ("/echo", json!({"kinds": [{}, {"anInt32": "x"}]}), "`kinds[1].anInt32` has to be a whole number of 32 bits."),
        ("/echo", json!({"aStrin": ""}), "`aStrin` is no field of `shop.v1.Kinds`; did you mean `aString`?"),
        (
            "/echo",
            json!({"self": {"colour": "COLOUR_GREN"}}),
            "`self.colour` is no value of `shop.v1.Colour`; did you mean `COLOUR_GREEN`?",
        ),
        ("/echo", json!({"word": "a", "figure": 1}), "`figure` excludes `word`, which is given too."),
        ("/echo", json!({"an_int32": 1, "anInt32": 1}), "`anInt32` is given twice, by both of its names."),
        (
            "/echo",
            json!({"byNumber": {"x": "y"}}),
            "`byNumber.x` has to be a key that is a whole number within the bounds of its type.",
        ),
        ("/echo", json!([]), "The message has to be an object."),
        ("/echo?style.loud=yes", json!({}), "`style` is no field of `shop.v1.Kinds`; did you mean `empty`?"),
        ("/greet?style.loud=yes", json!({}), "`style.loud` has to be true or false."),
        ("/greet?times=1&times=2", json!({}), "`times` is given more than once in the query."),
        ("/greet?style=x", json!({}), "`style` can't be given as text."),
        ("/greet?name.x=1", json!({}), "`name` has no fields that could be named."),
        ("/greet?name=%ff", json!({}), "`name` in the query has an invalid escape."),
    ] {
        let answer = stage.post(path, &input).await;
        assert_eq!(answer.failure(), (400, "bad_template_input"), "{path} {input}: {answer:?}");
        let told = answer.json()["detail"].as_str().unwrap().to_owned();
        let same = told == detail || (path.starts_with("/echo?") && told.starts_with("`style` is no field of"));
        assert!(same, "{path} {input}: {told}");
    }
    for body in ["{", r#"{"aString": "a", "aString": "b"}"#] {
        let request = Request::post("/echo").header("content-type", "application/json").body(body.into()).unwrap();
        let answer = stage.send(request).await;
        assert_eq!(answer.failure(), (400, "bad_template_input"));
        assert!(answer.json()["detail"].as_str().unwrap().starts_with("The body is no JSON: "), "{answer:?}");
    }
}

#[tokio::test]
async fn messages_have_bounds_in_both_directions() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = stage(&peer).await;
    assert_eq!(stage.post("/large", &json!({"bytes": 1000})).await.status, 200);
    assert_eq!(stage.post("/large", &json!({"bytes": 1100})).await.failure(), (502, "bad_upstream_reply"));
    let answer = stage.post("/echo", &json!({"aString": "x".repeat(3000)})).await;
    assert_eq!(answer.failure(), (413, "body_too_large"));
}

#[tokio::test]
async fn the_deadline_is_the_gateways_own_failure() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = stage(&peer).await;
    for _ in 0..3 {
        assert_eq!(stage.get("/slow?ms=20000").await.failure(), (504, "upstream_timeout"));
    }
}

#[tokio::test]
async fn a_reply_that_is_cut_is_no_status() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let proxy = FaultProxy::start(peer.address()).await.unwrap();
    let routes = "  - {match: POST /large, to: shop/shop.v1.Remote/Large}\n";
    let options = format!("url: \"http://{}\", descriptors: \"{}\"", proxy.address(), peer.descriptors().display());
    let stage = Stage::new(&options, routes).await;
    proxy.set(Fault::CutAfter(10_000));
    assert_eq!(stage.post("/large", &json!({"bytes": 100_000})).await.failure(), (502, "bad_upstream_reply"));
    proxy.set(Fault::None);
    assert_eq!(
        stage.post("/large", &json!({"bytes": 100_000})).await.status,
        200,
        "the next call has a new connection"
    );
}

#[tokio::test]
async fn what_is_no_grpc_service_is_told() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let other = Server::start().await.unwrap();
    let options = format!("url: \"{}\", descriptors: \"{}\"", other.url(), peer.descriptors().display());
    let stage = Stage::new(&options, ROUTES).await;
    let answer = stage.send(Request::post("/greet").body(Body::empty()).unwrap()).await;
    assert!(matches!(answer.failure(), (502, "upstream_denied" | "bad_upstream_reply")), "{answer:?}");
}

#[tokio::test]
async fn a_status_opens_the_circuit_as_a_failure_of_its_kind_would() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    for (code, failure) in [(14, (503, "upstream_unavailable")), (13, (500, "grpc_status")), (5, (404, "grpc_status"))]
    {
        let yaml = format!(
            "upstreams:
  shop:
    grpc: {{url: \"{}\", descriptors: \"{}\"}}
    circuit_breaker: {{failures: 2}}
routes:
  - {{match: POST /fail, to: shop/shop.v1.Shop/Fail}}
",
            peer.url(),
            peer.descriptors().display()
        );
        let stage = Stage::of(read(&yaml).unwrap()).await;
        for _ in 0..2 {
            assert_eq!(stage.post("/fail", &json!({"code": code})).await.failure().1, "grpc_status");
        }
        assert_eq!(stage.post("/fail", &json!({"code": code})).await.failure(), failure, "{code}");
    }
}
