//! What the function learns of a request, and the client of a reply's head.

use callgate_core::Body;
use http::Request;
use libtest_mimic::Failed;
use serde_json::Value;

use super::{
    super::{Fixture, Harness},
    ensure,
};

/// The values of a header that the function saw.
fn values(described: &Value, name: &str) -> Vec<String> {
    let pairs = described["headers"].as_array().into_iter().flatten();
    pairs
        .filter(|pair| pair[0].as_str().is_some_and(|found| found.eq_ignore_ascii_case(name)))
        .filter_map(|pair| pair[1].as_str().map(str::to_owned))
        .collect()
}

async fn described<F: Fixture>(harness: &Harness<F>, request: Request<Body>) -> Result<Value, Failed> {
    let answer = harness.send(request).await?;
    ensure(answer.status == 200, || format!("{answer:?}"))?;
    answer.json()
}

pub(super) async fn method_path_and_query_arrive<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    for method in ["GET", "PUT", "POST", "DELETE", "PATCH"] {
        let request = Request::builder().method(method).uri("/describe/a/b%20c?x=1&x=2&y=%2F").body(Body::empty())?;
        let seen = described(&harness, request).await?;
        ensure(seen["method"] == method, || format!("{method}: {seen}"))?;
        let path = seen["path"].as_str().unwrap_or_default();
        ensure(path.ends_with("/a/b%20c") || path.ends_with("/a/b c"), || format!("{seen}"))?;
        let query = seen["query"].as_str().unwrap_or_default();
        ensure(query == "x=1&x=2&y=%2F", || format!("{seen}"))?;
    }
    Ok(())
}

pub(super) async fn a_repeated_header_keeps_its_values<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let request = Request::get("/describe/x").header("x-many", "one").header("x-many", "two").body(Body::empty())?;
    let seen = described(&harness, request).await?;
    let found = values(&seen, "x-many");
    ensure(found == ["one", "two"] || found == ["one,two"] || found == ["one, two"], || format!("{seen}"))
}

pub(super) async fn hop_by_hop_headers_do_not_pass<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let request = Request::get("/describe/x")
        .header("connection", "x-private")
        .header("x-private", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-authorization", "Basic eA==")
        .header("te", "gzip")
        .body(Body::empty())?;
    let seen = described(&harness, request).await?;
    for name in ["x-private", "keep-alive", "proxy-authorization", "te", "transfer-encoding"] {
        ensure(values(&seen, name).is_empty(), || format!("{name} passed: {seen}"))?;
    }
    Ok(())
}

pub(super) async fn forwarding_headers_are_set_by_the_gateway<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let request =
        Request::get("http://shop.test/describe/x").header("x-forwarded-for", "6.6.6.6").body(Body::empty())?;
    let seen = described(&harness, request).await?;
    let one = |name: &str| values(&seen, name).join(",");
    ensure(one("x-forwarded-for") == "192.0.2.1", || format!("{seen}"))?;
    ensure(one("x-forwarded-proto") == "http", || format!("{seen}"))?;
    ensure(one("x-forwarded-host") == "shop.test", || format!("{seen}"))?;
    ensure(one("traceparent").len() == 55, || format!("{seen}"))
}

pub(super) async fn the_functions_status_passes<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    for status in [201, 204, 404, 418, 503] {
        let answer = harness.get(&format!("/status/x?status={status}")).await?;
        ensure(answer.status == status && answer.code().is_none(), || format!("{status}: {answer:?}"))?;
    }
    Ok(())
}
