//! What the commands print.

use super::{callgate, configured, on, ran};

const SHOP: &str = r#"
upstreams:
  shop: {echo: {}, functions: {slow: {delay: 2s}}}
routes:
  - {match: "GET /orders/{id}", to: shop}
  - {match: GET /orders/latest, to: shop/slow, name: latest}
  - match: {path: /orders, methods: [POST], headers: {x-tier: gold}}
    to: [{upstream: shop, weight: 3}, {upstream: shop, status: 201}]
  - {match: "/old/{*rest}", redirect: {path: "/new/{{ params.rest }}", status: 308}}
hosts:
  api.example.com:
    timeout: 2s
    routes: [{match: GET /ping, respond: {body: {text: pong}}}]
"#;

#[test]
fn routes_are_listed_in_the_order_in_which_they_are_tried() {
    let folder = configured(SHOP);
    let listed = on(folder.path(), &["routes"], &[]);
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    insta::assert_snapshot!("routes", listed.out);
}

#[test]
fn explain_says_which_route_why_and_what_the_function_gets() {
    let folder = configured(SHOP);
    let explained = on(folder.path(), &["explain"], &["GET", "http://shop.test/orders/latest?page=2", "-H", "x-a: 1"]);
    assert_eq!(explained.code, Some(0), "{}", explained.err);
    let stable: Vec<_> =
        explained.out.lines().filter(|line| !line.contains("x-request-id") && !line.contains("traceparent")).collect();
    insta::assert_snapshot!("explain", stable.join("\n"));
}

#[test]
fn explain_says_how_the_gateway_itself_answers() {
    let folder = configured(SHOP);
    let explained = on(folder.path(), &["explain"], &["DELETE", "/orders/7"]);
    insta::assert_snapshot!("explain-wrong-method", explained.out);
    let explained = on(folder.path(), &["explain"], &["GET", "/orders/%zz"]);
    insta::assert_snapshot!("explain-bad-path", explained.out);
}

#[test]
fn explain_refuses_a_wrong_request_as_a_usage_error() {
    let folder = configured(SHOP);
    for (after, expected) in [(["G T", "/x"], "`G T` is no request method"), (["GET", "orders"], "`orders` is no URL")]
    {
        let explained = on(folder.path(), &["explain"], &after);
        assert_eq!(explained.code, Some(2));
        assert!(explained.err.contains(expected), "{}", explained.err);
    }
    let explained = on(folder.path(), &["explain"], &["GET", "/", "-H", "no colon"]);
    assert_eq!(explained.code, Some(2));
}

#[test]
fn config_prints_the_effective_document_without_secrets() {
    let folder = configured(
        "routes:\n  - match: /a\n    respond: {headers: {set: {authorization: \"Bearer ${TOKEN}\"}}, status: 204}\n  - {match: /b, to: x}\nupstreams: {x: {echo: {}}}\n",
    );
    let printed = ran(callgate(&["config", "callgate.yaml"]).current_dir(folder.path()).env("TOKEN", "s3cr3t-value"));
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    assert!(!printed.out.contains("s3cr3t"), "{}", printed.out);
    insta::assert_snapshot!("config", printed.out);
}

#[test]
fn the_effective_document_is_a_valid_configuration() {
    let folder = configured(SHOP);
    let printed = on(folder.path(), &["config"], &[]);
    let again = configured(&printed.out);
    let reprinted = on(again.path(), &["config"], &[]);
    assert_eq!(reprinted.out, printed.out, "{}", reprinted.err);
}

#[test]
fn kinds_are_listed() {
    let listed = ran(&mut callgate(&["kinds"]));
    assert_eq!(listed.code, Some(0));
    for kind in ["amqp", "azure", "echo", "gcf", "grpc", "lambda", "local", "nats", "openfaas", "rest", "soap"] {
        assert!(listed.out.lines().any(|line| line.starts_with(kind)), "{}", listed.out);
    }
}

#[test]
fn the_schema_knows_every_kind_and_refuses_unknown_fields() {
    let printed = ran(&mut callgate(&["schema"]));
    assert_eq!(printed.code, Some(0));
    let schema: serde_json::Value = serde_json::from_str(&printed.out).expect("JSON");
    assert_eq!(schema["additionalProperties"], false);
    let kinds: Vec<_> = schema["$defs"]["Upstream"]["oneOf"]
        .as_array()
        .expect("one shape for each kind")
        .iter()
        .filter_map(|shape| shape["required"][0].as_str())
        .collect();
    assert_eq!(kinds, ["amqp", "azure", "echo", "gcf", "grpc", "lambda", "local", "nats", "openfaas", "rest", "soap"]);
    assert!(schema["$defs"]["Route"]["properties"]["to"]["anyOf"].is_array());
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for arguments in [&["rum"][..], &[], &["check"], &["routes", "--nope", "x.yaml"]] {
        let failed = ran(&mut callgate(arguments));
        assert_eq!(failed.code, Some(2), "{arguments:?}: {}", failed.err);
    }
}

#[test]
fn a_missing_configuration_is_named() {
    let failed = ran(&mut callgate(&["check", "no-such.yaml"]));
    assert_eq!(failed.code, Some(1));
    assert!(failed.err.contains("no-such.yaml"), "{}", failed.err);
}

#[test]
fn a_folder_is_one_configuration() {
    let folder = configured("upstreams: {shop: {echo: {}}}\n");
    std::fs::write(folder.path().join("routes.yaml"), "routes: [{match: /a, to: shop}]\n").expect("written");
    let checked = ran(callgate(&["check", "."]).current_dir(folder.path()));
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    assert!(checked.out.contains("1 upstream, 1 route"), "{}", checked.out);
}

#[test]
fn check_with_connect_asks_whether_upstreams_are_ready() {
    let folder =
        configured("upstreams: {gone: {rest: {url: \"http://127.0.0.1:1\"}}}\nroutes: [{match: /a, to: gone}]\n");
    let checked = on(folder.path(), &["check"], &["--connect"]);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    assert!(checked.err.contains("upstream gone is not ready"), "{}", checked.err);
    let folder = configured(SHOP);
    let checked = on(folder.path(), &["check"], &["--connect"]);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    assert!(checked.out.contains("upstream shop is ready"), "{}", checked.out);
}

#[test]
fn describe_needs_a_function_that_something_describes() {
    let folder = configured(SHOP);
    for (function, expected) in
        [("shop/slow", "nothing describes it"), ("ship/slow", "did you mean `shop`?"), ("shop/slaw", "shop/slow")]
    {
        let described = on(folder.path(), &["describe"], &[function]);
        assert_ne!(described.code, Some(0), "{}", described.out);
        assert!(described.err.contains(expected), "{}", described.err);
    }
}
