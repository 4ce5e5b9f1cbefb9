//! `--output json`: one document on standard output, whatever comes of a command, and in a shape that stays.

use serde_json::{Value, json};

use super::{Ran, callgate, configured, on, ran};

const SHOP: &str = "upstreams: {shop: {echo: {}}}
routes:
  - {match: 'GET /orders/{id}', to: shop, name: order}
  - {match: GET /old, redirect: {path: /orders/1, status: 308}}
tests:
  - {given: GET /old, expect: {response: {status: 308}}}
  - {name: wrong, given: GET /old, expect: {response: {status: 200}}}
";

/// The one document that a command prints.
fn told(ran: &Ran, code: i32) -> Value {
    assert_eq!((ran.code, ran.err.as_str()), (Some(code), ""), "{}", ran.out);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
}

fn of(command: &str, after: &[&str], code: i32) -> Value {
    let folder = configured(SHOP);
    told(&on(folder.path(), &[command, "--output", "json"], after), code)
}

#[test]
fn check_says_that_it_is_valid_and_what_deserves_attention() {
    let folder = configured("upstreams: {shop: {echo: {}}}\nroutes: []\n");
    let told = told(&on(folder.path(), &["check", "--output", "json", "--connect"], &[]), 0);
    assert_eq!(
        told,
        json!({
            "valid": true,
            "summary": "1 listener, 1 upstream, 0 routes",
            "warnings": [{
                "severity": "warning", "message": told["warnings"][0]["message"], "at": "callgate.yaml:2:9",
                "file": "callgate.yaml", "line": 2, "column": 9, "path": "routes", "hint": told["warnings"][0]["hint"],
            }],
            "ready": true,
            "upstreams": [{"name": "shop", "ready": true, "reason": null}],
            "triggers": [],
        })
    );
}

#[test]
fn check_says_which_upstream_is_not_ready() {
    let folder =
        configured("upstreams: {gone: {rest: {url: \"http://127.0.0.1:1\"}}}\nroutes: [{match: /a, to: gone}]\n");
    let told = told(&on(folder.path(), &["check", "--output", "json", "--connect"], &[]), 1);
    assert_eq!((&told["valid"], &told["ready"]), (&json!(true), &json!(false)));
    assert!(told["upstreams"][0]["reason"].as_str().is_some_and(|reason| reason.contains("127.0.0.1:1")), "{told}");
}

#[test]
fn what_is_wrong_is_told_flaw_by_flaw() {
    let folder = configured("upstreams: {shop: {ecco: {}}}\nroutes: [{match: /a, to: ship}]\n");
    for command in ["check", "config", "routes"] {
        let told = told(&on(folder.path(), &[command, "--output", "json"], &[]), 1);
        assert_eq!(told["error"]["code"], "invalid_configuration");
        let flaws = told["error"]["flaws"].as_array().expect("flaws");
        assert_eq!((&flaws[0]["line"], &flaws[0]["path"]), (&json!(1), &json!("upstreams.shop")), "{told}");
        assert!(told["error"]["message"].as_str().is_some_and(|text| text.contains("unknown kind")), "{told}");
    }
}

#[test]
fn a_wrong_argument_is_told_too() {
    let told = of("explain", &["G T", "/x"], 2);
    assert_eq!(told["error"]["code"], "usage");
    assert!(told["error"]["message"].as_str().is_some_and(|text| text.contains("no request method")), "{told}");
}

#[test]
fn a_command_line_that_can_not_be_read_is_told_too() {
    let wrong: [&[&str]; 4] = [
        &["check", "--output", "json"],
        &["render", "--output=json", "callgate.yaml", "--request", "r", "--destination", "0"],
        &["routes", "callgate.yaml", "--no-such-option", "--output", "json"],
        &["no-such-command", "--output", "json"],
    ];
    for arguments in wrong {
        let told = told(&ran(&mut callgate(arguments)), 2);
        assert_eq!(told["error"]["code"], "usage", "{told}");
        let message = told["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("try '--help'") && !message.starts_with("error"), "{told}");
    }
    let text = ran(&mut callgate(&["check", "--output", "text"]));
    assert!(text.code == Some(2) && text.out.is_empty() && text.err.starts_with("error: "), "{}", text.err);
}

#[test]
fn config_is_the_document_in_force_without_secrets() {
    let folder = configured("routes: [{match: /a, respond: {headers: {set: {x: '${TOKEN}'}}}}]\n");
    let mut command = callgate(&["config", "--output", "json", "callgate.yaml"]);
    let told = told(&ran(command.current_dir(folder.path()).env("TOKEN", "s3cr3t")), 0);
    assert_eq!(told["routes"][0]["respond"]["headers"]["set"]["x"], "${TOKEN}");
}

#[test]
fn routes_are_listed_in_their_order() {
    assert_eq!(
        of("routes", &[], 0),
        json!([
            {"host": "any", "match": "GET /old", "to": "redirect", "name": "GET /old"},
            {"host": "any", "match": "GET /orders/{id}", "to": "shop", "name": "order"},
        ])
    );
}

#[test]
fn explain_names_the_route_its_captures_and_the_others() {
    let told = of("explain", &["GET", "/orders/7"], 0);
    assert_eq!((&told["route"], &told["captures"]), (&json!("order"), &json!({"id": "7"})));
    assert_eq!(told["candidates"], json!([{"route": "order", "verdict": "chosen"}]));
    assert!(told["results"][0].as_str().is_some_and(|text| text.contains("GET /orders/7")), "{told}");
    assert_eq!(of("explain", &["GET", "/nothing"], 0)["route"], Value::Null);
}

#[test]
fn render_shows_what_is_sent_and_what_comes_back() {
    let folder = configured(SHOP);
    std::fs::write(folder.path().join("request"), "GET /orders/7\nx-a: 1\n").expect("written");
    std::fs::write(folder.path().join("reply"), "201\ncontent-type: text/plain\n\nhi").expect("written");
    let after = ["--request", "request", "--reply", "reply"];
    let told = told(&on(folder.path(), &["render", "--output", "json"], &after), 0);
    let request = &told["sent"]["request"];
    assert_eq!((&request["method"], &request["uri"]), (&json!("GET"), &json!("/orders/7")));
    assert!(request["headers"].as_array().is_some_and(|headers| headers.contains(&json!(["x-a", "1"]))), "{told}");
    let response = &told["response"];
    assert_eq!((&response["status"], &response["body"], &response["length"]), (&json!(201), &json!("hi"), &json!(2)));
    assert_eq!((&told["route"], &told["failure"]), (&json!("order"), &Value::Null));
}

#[test]
fn test_tells_each_test() {
    let told = of("test", &[], 1);
    assert_eq!(told["passed"], false);
    assert_eq!((&told["tests"][0]["passed"], &told["tests"][1]["name"]), (&json!(true), &json!("wrong")));
    let difference = &told["tests"][1]["differences"][0];
    assert_eq!(difference, &json!({"field": "response.status", "expected": "200", "got": "308"}));
}

#[test]
fn kinds_are_named_with_what_they_are() {
    let listed = told(&ran(&mut callgate(&["kinds", "--output", "json"])), 0);
    let echo = listed["upstreams"].as_array().and_then(|kinds| kinds.iter().find(|kind| kind["name"] == "echo"));
    assert!(echo.is_some_and(|echo| echo["summary"] == "answers with the request itself"), "{listed}");
    assert!(listed["triggers"].is_array(), "{listed}");
}
