//! The recipes of `docs/transformations.md`, each run as it is printed there.

#![allow(clippy::expect_used, clippy::panic, reason = "tests end where something unexpected happens")]

mod guide;
mod message;

use callgate_core::{Body, Gateway, Registry, Snapshot, document::Document, document::System, plan::Plan};
use serde_json::Value;
use tower::ServiceExt;

use guide::Recipe;
use message::Printed;

/// A test for each recipe, by its heading.
macro_rules! recipes {
    ($($test:ident: $title:literal,)*) => {
        const TESTED: &[&str] = &[$($title),*];
        $(#[tokio::test] async fn $test() { follow($title).await; })*
    };
}

recipes! {
    rename_a_header: "Rename a header",
    api_key: "Send the service's API key, not the client's",
    prefix: "Strip a prefix",
    slashes: "A name with slashes in one segment",
    choice: "Let a client choose among paths",
    cookie_to_header: "Turn a cookie into a header",
    reshape: "Reshape a JSON body",
    merge: "Add to a JSON body, and remove from it",
    form_to_json: "Form to JSON",
    json_to_form: "JSON to form",
    json_to_soap: "JSON to SOAP",
    soap_to_json: "SOAP to JSON",
    json_to_xml: "JSON to XML, whole",
    xml_to_json: "XML to JSON, whole",
    upload: "A file upload as a base64 payload",
    base64: "Unpack a base64 payload",
    body_to_query: "Body to query",
    query_to_body: "Query to body",
    errors: "Map a service's errors",
    own_failures: "The gateway's own failures in the house's style",
    pagination: "Pagination links",
    filtering: "Let only some fields out",
    redaction: "Redact what looks like a card number",
    routing_key: "A computed routing key",
    signature: "Sign what is sent",
    compressed: "Read a compressed body",
    dates: "Another date format",
}

#[test]
fn every_recipe_is_tested() {
    let titles: Vec<_> = guide::recipes().into_iter().map(|recipe| recipe.title).collect();
    assert_eq!(titles, TESTED);
}

/// What the guide says of values in paths and hosts.
#[tokio::test]
async fn a_value_that_would_leave_its_place_is_refused() {
    let yaml = "upstreams: {e: {echo: {}}}\nroutes:\n  - match: '/a/{id}'\n    to: e\n    request: {path: '/b/{{ params.id }}'}\n  \
                - match: /host\n    to: e\n    request: {headers: {set: {host: '{{ headers.x_tenant }}.example.com'}}}\n  \
                - match: /listed\n    to: e\n    request: {path: {template: '/{{ headers.x_tenant }}', allow: [/eu]}}";
    let gateway = gateway(yaml).await;
    for (start, tenant, status) in [
        ("GET /a/b", "", 200),
        ("GET /a/b%2Fc", "", 400),
        ("GET /a/..%2Fc", "", 400),
        ("GET /host", "acme", 200),
        ("GET /host", "evil.test/", 400),
        ("GET /listed", "eu", 200),
        ("GET /listed", "us", 400),
    ] {
        let headers = vec![("x-tenant".to_owned(), tenant.to_owned())];
        let sent = Printed { start: start.to_owned(), headers, body: String::new() };
        let answer = gateway.clone().oneshot(sent.to_request()).await.expect("infallible");
        assert_eq!(answer.status(), status, "{start} {tenant}");
    }
}

/// What the guide says of bodies that decode to more than may be buffered.
#[tokio::test]
async fn a_body_over_the_limit_once_decoded_is_too_large() {
    let yaml = "upstreams: {e: {echo: {}}}\nroutes:\n  - match: POST /\n    to: e\n    limits: {max_body: 64KiB}\n    \
                request: {headers: {set: {x-size: '{{ text | length }}'}}}";
    let gateway = gateway(yaml).await;
    for (size, status) in [(64 << 10, 200), ((64 << 10) + 1, 413)] {
        let headers = vec![("content-encoding".to_owned(), "gzip".to_owned())];
        let sent = Printed { start: "POST /".to_owned(), headers, body: "x".repeat(size) };
        let answer = gateway.clone().oneshot(sent.to_request()).await.expect("infallible");
        assert_eq!(answer.status(), status, "{size}");
    }
}

async fn gateway(yaml: &str) -> Gateway {
    let document = Document::parse("recipe.yaml", yaml, &System).unwrap_or_else(|report| panic!("{report}"));
    let plan = Plan::read(&document, &Registry::new()).unwrap_or_else(|report| panic!("{report}"));
    Gateway::new(Snapshot::load(plan, &tokio::runtime::Handle::current()).await.expect("a snapshot"))
}

async fn follow(title: &str) {
    let recipe: Recipe = guide::recipes().into_iter().find(|recipe| recipe.title == title).expect("a recipe");
    let answer = gateway(&recipe.yaml).await.oneshot(recipe.sent.to_request()).await.expect("infallible");
    let (parts, body): (_, Body) = answer.into_parts();
    let body = body.collect(1 << 20).await.expect("a body");
    let text = std::str::from_utf8(&body).expect("text").to_owned();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().expect("a header of ASCII").to_owned()));
    let answered = Printed { start: format!("HTTP/1.1 {}", parts.status), headers: headers.collect(), body: text };
    if recipe.expected.start.starts_with("HTTP/") {
        answered.assert_has(&recipe.expected);
    } else {
        assert!(parts.status.is_success(), "{answered:?}");
        received(&answered.body).assert_is(&recipe.expected);
    }
}

/// The request that the echo tells of.
fn received(echo: &str) -> Printed {
    let echo: Value = serde_json::from_str(echo).expect("the echo's JSON");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let query = echo["query"].as_str().map(|query| format!("?{query}")).unwrap_or_default();
    let headers = echo["headers"].as_array().expect("headers").iter();
    Printed {
        start: format!("{} {}{query}", text(&echo["method"]), text(&echo["path"])),
        headers: headers.map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
        body: text(&echo["body"]),
    }
}
