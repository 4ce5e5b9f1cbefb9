//! Where a call goes: prefix, route, tail and query.

use callgate_core::Body;
use callgate_testkit::peers::{AzureHost, present};
use http::Request;
use serde_json::json;

use crate::bed::Bed;

async fn bed(host: &AzureHost, azure: &str, routes: &str) -> Bed {
    let key = AzureHost::HOST_KEY;
    Bed::start(&format!(
        "upstreams:\n  fns: {{azure: {{url: \"{}\", credentials: {{host_key: \"{key}\"}}{azure}}}}}\nroutes:\n{routes}",
        host.url
    ))
    .await
}

/// Path and query as the function saw them.
async fn seen(bed: &Bed, target: &str) -> String {
    let answer = bed.get(target).await;
    assert!(answer.status.is_success(), "{target}: {answer:?}");
    let url = answer.json()["url"].as_str().unwrap().to_owned();
    url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap()
}

#[tokio::test]
async fn the_tail_and_the_query_go_with_the_call() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let routes = r#"
  - {match: "/a/{*rest}", to: fns/open}
  - {match: "/f/{*rest}", to: {upstream: fns, function: open, path: fixed}}
  - {match: "/exact", to: fns/open}
"#;
    let bed = bed(&host, "", routes).await;
    assert_eq!(seen(&bed, "/a/b%20c/d%2Fe?x=1&x=2&y=%2F").await, "/api/open/b%20c/d%2Fe?x=1&x=2&y=%2F");
    assert_eq!(seen(&bed, "/a?flag").await, "/api/open?flag");
    assert_eq!(seen(&bed, "/a/").await, "/api/open");
    assert_eq!(seen(&bed, "/f/b/c?x=1").await, "/api/open?x=1");
    assert_eq!(seen(&bed, "/exact?q").await, "/api/open?q");
}

#[tokio::test]
async fn a_tail_cannot_leave_the_function() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let bed = bed(&host, "", "  - {match: \"/a/{*rest}\", to: fns/open}\n").await;
    for tail in ["..%2F..%2Fadmin%2Ffunctions", "%2e%2e%2f%2e%2e%2fadm", "x/..%5C..%5Cadm", "%252e%252e/adm"] {
        bed.get(&format!("/a/{tail}")).await.is_problem(400, "bad_template_input");
    }
    // What the path's own normalisation resolves stays on this side.
    bed.get("/a/../../adm").await.is_problem(404, "no_route");
}

#[tokio::test]
async fn the_prefix_is_the_apps_own() {
    let Some(host) = present(AzureHost::start().await) else { return };
    for (prefix, path) in [("", "/open/x"), ("v1/fn", "/v1/fn/open/x")] {
        host.behave(json!({"prefix": prefix})).await.unwrap();
        let azure = format!(", route_prefix: \"{prefix}\"");
        let bed = bed(&host, &azure, "  - {match: \"/a/{*rest}\", to: fns/open}\n").await;
        assert_eq!(seen(&bed, "/a/x").await, path);
    }
}

#[tokio::test]
async fn a_route_may_be_other_than_the_name_and_come_from_the_request() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let routes = r#"
  - match: "/orders/{id}/things/{*rest}"
    to: {upstream: fns, function: items, route: "orders/{{ params.id }}/items"}
  - match: POST /by-body
    to: {upstream: fns, function: items, route: "orders/{{ body.id }}/items"}
  - match: "/listed/{id}"
    to: {upstream: fns, function: items, route: "{{ 'orders' }}/{{ params.id }}/items", allow: ["orders/7/*"]}
"#;
    let bed = bed(&host, "", routes).await;
    assert_eq!(seen(&bed, "/orders/7/things/a/b?x=1").await, "/api/orders/7/items/a/b?x=1");
    let answer = bed.get("/orders/%C3%A9%3F/things/a").await;
    assert_eq!(answer.json()["route"], json!({"id": "é?", "rest": "a"}));
    for id in ["..", "a%2Fb", "%2e%2e", "a%20b"] {
        let status = bed.get(&format!("/orders/{id}/things/a")).await.status.as_u16();
        assert!([400, 404].contains(&status), "{id}: {status}");
    }
    bed.get("/orders/a%2Fb/things/x").await.is_problem(400, "bad_template_input");
    assert_eq!(seen(&bed, "/listed/7").await, "/api/orders/7/items");
    bed.get("/listed/8").await.is_problem(400, "bad_template_input");
    let request = Request::post("/by-body").header("content-type", "application/json");
    let answer = bed.send(request.body(Body::from(r#"{"id": 9}"#)).unwrap()).await;
    let seen = answer.json();
    assert_eq!((&seen["route"]["id"], &seen["body"]), (&json!("9"), &json!(r#"{"id": 9}"#)), "the body goes on too");
}

#[tokio::test]
async fn method_body_and_headers_go_with_the_call() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let bed = bed(&host, "", "  - {match: \"/a/{*rest}\", to: fns/hello}\n").await;
    let request = Request::post("/a/ada").header("authorization", "Bearer of-the-client").header("x-many", "one");
    let request = request.header("x-ms-client-principal-name", "forged").body(Body::from("text")).unwrap();
    let answer = bed.send(request).await;
    answer.is_reply(201);
    let seen = answer.json();
    assert_eq!(
        (&seen["method"], &seen["body"], &seen["route"]["name"]),
        (&json!("POST"), &json!("text"), &json!("ada"))
    );
    let headers = &seen["headers"];
    assert_eq!((&headers["authorization"], &headers["x-many"]), (&json!("Bearer of-the-client"), &json!("one")));
    assert_eq!(
        (&headers["x-forwarded-for"], &headers["x-forwarded-host"]),
        (&json!("203.0.113.7"), &json!("api.example.com"))
    );
    assert_eq!(headers["x-ms-client-principal-name"], json!(null), "it says who signed in, which no client may");
    assert!(host.url.ends_with(headers["host"].as_str().unwrap()), "{headers}");
}
