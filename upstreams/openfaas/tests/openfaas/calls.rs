//! Synchronous calls: what the function gets, and what the client gets of its reply.

use callgate_core::Body;
use callgate_testkit::peers::OpenFaas;
use http::Request;
use http_body_util::BodyExt;

use crate::stage::{LONG, Stage, header, plan};

const ROUTES: &str = r#"
  - {match: "/describe/{*rest}", to: faas/describe}
  - {match: "/exact/{id}", to: faas/describe}
  - {match: "/made/{id}", to: faas/describe, request: {path: "/v2/{{ params.id }}"}}
  - {match: "/staging", to: faas/describe.staging}
  - {match: "/fn/{name}", to: {upstream: faas, name: "{{ params.name }}", allow: ["describe", "status", "orders-*"]}}
  - {match: "/staged/{name}", to: {upstream: faas, name: "d{{ params.name }}.staging"}}
  - {match: "/steps", to: faas/steps}
"#;

#[tokio::test]
async fn the_function_gets_what_the_tail_capture_took() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", ROUTES).await;
    for (path, seen, query) in [
        ("/describe/a/b%20c?x=1&x=%2F", "/a/b%20c", "x=1&x=%2F"),
        ("/describe/", "/", ""),
        ("/describe", "/", ""),
        ("/exact/7?x=1", "/", "x=1"),
        ("/made/7?x=1", "/v2/7", "x=1"),
    ] {
        let described = stage.get(path).await.json();
        assert_eq!((&described["path"], &described["query"]), (&seen.into(), &query.into()), "{path}");
    }
}

#[tokio::test]
async fn a_base_path_comes_before_the_gateways_own() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::new(&format!("{}/function/describe/", faas.url()), "", ROUTES).await;
    assert_eq!(stage.get("/describe/a").await.json()["path"], "/function/describe/a");
}

#[tokio::test]
async fn a_function_of_another_namespace_is_called_there() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", ROUTES).await;
    assert_eq!(stage.get("/staging").await.failure(), (502, "upstream_denied"));
    faas.deploy("staging", "describe");
    assert_eq!(stage.get("/staging").await.status, 200);
    faas.remove(OpenFaas::NAMESPACE, "describe");
    assert_eq!(stage.get("/exact/1").await.failure(), (502, "upstream_denied"));
    let staging = Stage::before(&faas, ", namespace: staging", ROUTES).await;
    assert_eq!(staging.get("/exact/1").await.status, 200);
}

#[tokio::test]
async fn a_name_that_is_a_template_stays_among_those_allowed() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", ROUTES).await;
    assert_eq!(stage.get("/fn/describe").await.status, 200);
    for name in ["mirror", "describe.staging", "orders-%2F..%2Fmirror", "orders-%3Fx", "orders-a.b"] {
        let answer = stage.get(&format!("/fn/{name}")).await;
        assert_eq!(answer.failure(), (400, "bad_template_input"), "{name}: {answer:?}");
    }
    assert_eq!(stage.get("/fn/orders-x").await.failure(), (502, "upstream_denied"));
    assert_eq!(stage.get("/staged/escribe").await.failure(), (502, "upstream_denied"));
    faas.deploy("staging", "describe");
    assert_eq!(stage.get("/staged/escribe").await.status, 200);
}

#[tokio::test]
async fn the_admins_password_and_a_clients_callback_reach_no_function() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", ROUTES).await;
    let request = Request::get("/exact/1").header("x-callback-url", "http://evil.test/");
    let seen = stage.send(request.body(Body::empty()).unwrap()).await;
    assert!(header(&seen, "authorization").is_empty() && header(&seen, "x-callback-url").is_empty(), "{seen:?}");
    let request = Request::get("/exact/1").header("authorization", "Bearer mine").body(Body::empty()).unwrap();
    assert_eq!(header(&stage.send(request).await, "authorization"), ["Bearer mine"]);
}

#[tokio::test]
async fn the_reply_has_the_call_id_and_no_address_of_the_cluster() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", ROUTES).await;
    let answer = stage.get("/exact/1").await;
    assert_eq!(header(&answer, "x-call-id"), [answer.headers["x-call-id"].to_str().unwrap()]);
    for name in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"] {
        assert!(!answer.headers.contains_key(name), "{answer:?}");
    }
}

#[tokio::test]
async fn a_reply_streams_chunk_by_chunk() {
    let faas = OpenFaas::start().await.unwrap();
    let stage = Stage::before(&faas, "", ROUTES).await;
    faas.release(1);
    let mut body = stage.begin(Request::get("/steps?count=2").body(Body::empty()).unwrap()).await.into_body();
    let mut next =
        async || tokio::time::timeout(LONG, body.frame()).await.unwrap().unwrap().unwrap().into_data().unwrap();
    // The second one is not written yet.
    assert_eq!(next().await, "step 0\n");
    faas.release(1);
    assert_eq!(next().await, "step 1\n");
}

#[test]
fn wrong_options_are_told_at_their_place() {
    let url = "http://gateway:8080";
    for (options, routes, place, says) in [
        (", namespce: a", "", "upstreams.faas.openfaas", "did you mean `namespace`?"),
        (
            ", credentials: {basic: {user: admin}}",
            "",
            "upstreams.faas.openfaas.credentials.basic",
            "password is missing",
        ),
        ("", "  - {match: /a, to: faas/a.b.c}\n", "routes[0].to", "NAME.NAMESPACE"),
        ("", "  - {match: /a, to: {upstream: faas, name: '{{ query.x }}'}}\n", "routes[0].to.name", "allow"),
        ("", "  - {match: /a, to: {upstream: faas, name: a, mode: later}}\n", "routes[0].to.mode", "later"),
        (
            "",
            "  - {match: /a, to: {upstream: faas, name: a, callback_url: 'http://b/'}}\n",
            "routes[0].to.callback_url",
            "mode: async",
        ),
        ("", "  - {match: /a, to: faas}\n", "routes[0].to", "whose functions have names"),
    ] {
        let report = plan(url, options, routes).unwrap_err();
        assert!(report.contains(place) && report.contains(says), "{options}{routes}: {report}");
    }
}
