//! What templates and clients cannot do.

use std::io::Write;

use callgate_transform::{Content, Payload};
use serde_json::json;

use super::{exchange, request, run, steps};

fn failure(step: serde_json::Value, request: http::Request<&'static str>) -> String {
    run(&steps(step.clone()), request).map(|shaped| panic!("{step}: {shaped:?}")).unwrap_err().to_string()
}

#[test]
fn an_undefined_value_is_an_error_that_names_it() {
    let request = || request().header("content-type", "application/json").body(r#"{"a":{}}"#).unwrap();
    for (step, name) in [
        (json!({"headers": {"set": {"x": "{{ headers['x-none'] }}"}}}), "x-none"),
        (json!({"headers": {"set": {"x": "a{{ body.a.b }}"}}}), "body.a.b"),
        (json!({"body": {"json": {"x": "{{ body.a.b }}"}}}), "body.a.b"),
        (json!({"body": {"json": {"x": "{{ body.a.b.c }}"}}}), "body.a.b"),
        (json!({"body": {"json": {"x": "{{ {'y': body.none} }}"}}}), "undefined"),
        (json!({"body": {"text": "{{ vars.none }}"}}), "vars.none"),
        (json!({"path": "/{{ params.none }}"}), "params.none"),
        (json!({"when": "query.none > 1"}), "query.none"),
        (json!({"when": "query.none"}), "query.none"),
    ] {
        let message = failure(step.clone(), request());
        assert!(message.contains(name), "{step}: {message}");
    }
}

#[test]
fn no_template_can_run_for_long() {
    let endless = "{% for a in range(9000) %}{% for b in range(9000) %}{% for c in range(9000) %}x{% endfor %}{% endfor %}{% endfor %}";
    assert!(failure(json!({"body": {"text": endless}}), request().body("").unwrap()).contains("too much work"));
    let huge = "{{ 'x' * 1000000000 }}";
    failure(json!({"body": {"text": huge}}), request().body("").unwrap());
    let recursive = "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}";
    failure(json!({"body": {"text": recursive}}), request().body("").unwrap());
}

#[test]
fn a_clients_pattern_cannot_grow_without_bound() {
    for (template, told) in [
        ("{{ text | regex_match('(' * 100000) }}", "a regular expression has at most 4096 bytes"),
        ("{{ text | regex_replace('', 'x' * 10000000) }}", "regex_replace gives at most 64 MiB"),
        ("{{ ('x' * 10000) | regex_replace('x+', '$0' * 10000) }}", "regex_replace gives at most 64 MiB"),
        ("{{ {'a': 1} | jsonpath('$' ~ '.a' * 10000) }}", "a JSONPath has at most 4096 bytes"),
    ] {
        let message = failure(json!({"body": {"text": template}}), request().body("0123456789").unwrap());
        assert!(message.contains(told), "{template}: {message}");
    }
    let replaced = json!({"body": {"text": "{{ text | regex_replace('(\\d)(?<b>\\d)', '${b}$1-') }}"}});
    assert_eq!(run(&steps(replaced), request().body("x1234y").unwrap()).unwrap().body(), b"x21-43-y");
}

/// The engine would make a repeated list without counting what it costs.
#[test]
fn a_client_cannot_have_a_list_repeated() {
    let json = || request().header("content-type", "application/json");
    for step in [
        json!({"body": {"json": {"total": "{{ body.price * body.quantity }}"}}}),
        json!({"body": {"text": "total: {{ body.quantity * body.price }}"}}),
        json!({"headers": {"set": {"x": "{{ 'total ' ~ body.price * body.quantity }}"}}}),
        json!({"when": "('a' ~ (body.quantity * body['price'])) == 'b'"}),
        json!({"body": {"text": "{% set total = 1 * body.quantity * [1] %}{{ total ~ '' }}"}}),
    ] {
        let message = failure(step.clone(), json().body(r#"{"price":["x"],"quantity":100000000}"#).unwrap());
        assert!(message.contains("`*` multiplies numbers, and a value is a sequence"), "{step}: {message}");
    }
    let product = json!({"body": {"json": {"total": "{{ body.price * body.quantity }}", "line": "{{ '-' * 3 }}"}}});
    let shaped = run(&steps(product), json().body(r#"{"price":1.5,"quantity":2}"#).unwrap()).unwrap();
    assert_eq!(shaped.body(), br#"{"total":3.0,"line":"---"}"#);
}

#[test]
fn a_value_cannot_add_segments_or_leave_its_place_in_a_path() {
    let path = |value: &'static str| {
        let request = request().uri("/").header("x-id", value).body("").unwrap();
        run(&steps(json!({"path": "/users/{{ headers.x_id }}/orders"})), request)
            .map(|shaped| shaped.parts.uri.to_string())
            .map_err(|error| error.to_string())
    };
    for value in ["a/../b", "a/b", "/"] {
        assert!(path(value).unwrap_err().contains("a value has a `/`"), "{value}");
    }
    assert_eq!(path("a?b#c%2F").unwrap(), "/users/a%3Fb%23c%252F/orders");
    assert_eq!(path("%2e%2e").unwrap(), "/users/%252e%252e/orders");
    assert!(path("..").unwrap_err().contains("segments"));
    assert!(path(".").unwrap_err().contains("segments"));
}

#[test]
fn a_slash_can_be_meant() {
    let path = |template: &str, value: &'static str| {
        let request = request().uri("/").header("x-id", value).body("").unwrap();
        run(&steps(json!({"path": template})), request)
            .map(|shaped| shaped.parts.uri.to_string())
            .map_err(|error| error.to_string())
    };
    assert_eq!(path("/users/{{ headers.x_id | urlencode }}", "a/b").unwrap(), "/users/a%2Fb");
    assert_eq!(path("/users/{{ headers.x_id | safe }}", "a/b").unwrap(), "/users/a/b");
    assert_eq!(path("/{{ params.rest }}", "").unwrap(), "/x/y%20z%3F", "the tail capture keeps its slashes");
    for value in ["../b", "a/../b", "..\\b"] {
        assert!(path("/users/{{ headers.x_id | urlencode }}", value).unwrap_err().contains("segments"), "{value}");
    }
}

#[test]
fn a_path_is_confined_by_its_beginning_or_by_a_list() {
    let compile = |path: serde_json::Value| {
        let steps: callgate_transform::RequestSteps = serde_json::from_value(json!({"path": path})).unwrap();
        steps.compile().map_err(|flaws| flaws[0].to_string())
    };
    for confined in ["/a{{ query.page }}", "/a/{{ query.page }}", "/{{ params.id }}", "/{{ params['rest'] | lower }}/x"]
    {
        compile(json!(confined)).unwrap();
    }
    for open in [
        "{{ query.page }}",
        "/{{ query.page }}",
        "//{{ vars.x }}",
        "{% if true %}/a{% endif %}",
        "/{{ params.id ~ vars.x }}",
        "{{ path | safe }}",
    ] {
        assert!(compile(json!(open)).unwrap_err().contains("allow"), "{open}");
        compile(json!({"template": open, "allow": ["/a/*"]})).unwrap();
    }
    assert!(compile(json!({"template": "/a", "allow": ["/a"]})).unwrap_err().contains("nothing to confine"));
    let listed = steps(json!({"path": {"template": "/{{ query.page }}", "allow": ["/1*"]}}));
    assert_eq!(run(&listed, request().body("").unwrap()).unwrap().parts.uri.path(), "/1");
    let other = steps(json!({"path": {"template": "/{{ query.page }}", "allow": ["/2", "/3/*"]}}));
    assert!(run(&other, request().body("").unwrap()).unwrap_err().to_string().contains("not one of those allowed"));
}

#[test]
fn a_host_is_confined_to_one_label() {
    let host = |template: &str, value: &'static str| {
        let steps: callgate_transform::RequestSteps =
            serde_json::from_value(json!({"headers": {"set": {"host": template}}})).unwrap();
        let compiled = steps.compile().map_err(|flaws| flaws[0].to_string())?;
        let request = request().header("x-id", value).header("x-forwarded-host", "a.test:81").body("").unwrap();
        let shaped = run(&callgate_transform::RequestPipeline::new([compiled]), request);
        shaped
            .map(|shaped| shaped.parts.headers["host"].to_str().unwrap().to_owned())
            .map_err(|error| error.to_string())
    };
    assert_eq!(host("{{ headers.x_id }}.example.com", "acme").unwrap(), "acme.example.com");
    assert_eq!(host("shop-{{ headers.x_id }}:81", "acme").unwrap(), "shop-acme:81");
    assert_eq!(host("{{ headers.x_forwarded_host }}", "acme").unwrap(), "a.test:81");
    for value in ["evil.test/", "a.b", "a:1", "a@b", "", "a b", "*"] {
        assert!(host("{{ headers.x_id }}.example.com", value).is_err(), "{value}");
    }
    for open in ["{{ headers.x_id }}", "{{ headers.x_id }}:81", "{{ headers.x_id }}{% if true %}{% endif %}.a"] {
        assert!(host(open, "acme").unwrap_err().contains("example.com"), "{open}");
    }
}

#[test]
fn a_value_cannot_add_a_header() {
    let request = request().header("content-type", "application/json").body(r#"{"a":"x\r\ny: 1"}"#).unwrap();
    let message = failure(json!({"headers": {"set": {"x": "{{ body.a }}"}}}), request);
    assert_eq!(message, "header `x`: the rendered value has characters that no header can hold");
}

#[test]
fn an_invalid_escape_in_the_query_matters_only_to_its_reader() {
    let request = || request().uri("/?a=%zz&b=1").body("").unwrap();
    let pipeline = steps(json!({"headers": {"set": {"x": "{{ query.b }}"}}}));
    assert_eq!(run(&pipeline, request()).unwrap().parts.uri, "/?a=%zz&b=1");
    assert!(failure(json!({"headers": {"set": {"x": "{{ query.a }}"}}}), request()).contains("percent-escape"));
}

#[test]
fn a_step_that_fails_leaves_the_message_whole() {
    let pipeline = steps(json!([
        {"headers": {"set": {"x-first": "1"}}},
        {"headers": {"set": {"x-second": "1", "y": "{{ headers.none }}"}}, "method": "PUT"},
    ]));
    let mut request = request().body(()).unwrap();
    let mut payload = callgate_transform::Payload::Streaming;
    pipeline.apply(&mut request, &mut payload, &mut super::exchange()).unwrap_err();
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri().path(), "/orders/7");
    assert!(request.headers().contains_key("x-first") && !request.headers().contains_key("x-second"));
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_encoded_body_is_read_decoded_and_written_plain() {
    let request = |bytes: Vec<u8>| {
        request().header("content-encoding", "gzip").header("content-type", "application/json").body(bytes).unwrap()
    };
    let merge = steps(json!({"body": {"merge": {"b": "{{ body.a }}{{ text | length }}"}}}));
    let shaped = run(&merge, request(gzip(br#"{"a":1}"#))).unwrap();
    assert_eq!(shaped.json(), json!({"a": 1, "b": "17"}));
    assert!(!shaped.parts.headers.contains_key("content-encoding"));
    let reading = steps(json!({"headers": {"set": {"x": "{{ body.a }}"}}}));
    let shaped = run(&reading, request(gzip(br#"{"a":1}"#))).unwrap();
    assert_eq!(
        (&shaped.parts.headers["x"], &shaped.parts.headers["content-encoding"]),
        (&"1".parse().unwrap(), &"gzip".parse().unwrap())
    );
    assert_eq!(shaped.body(), gzip(br#"{"a":1}"#), "a body that is only read goes on as it came");
    let error = run(&reading, request(b"{}".to_vec())).unwrap_err();
    assert!(error.message.contains("not gzip") && error.over_limit.is_none(), "{error}");
}

/// A few kilobytes that decode to far more than may be buffered.
#[test]
fn a_bomb_does_not_go_off() {
    let bomb = gzip(&vec![b' '; 8 << 20]);
    let twice = gzip(&bomb);
    assert!(bomb.len() < 10_000 && twice.len() < 1_000);
    for (bytes, codings) in [(bomb, "gzip"), (twice, "gzip, gzip")] {
        for step in [
            json!({"body": {"text": "{{ text }}"}}),
            json!({"body": {"json": "{{ body.a | default(1) }}"}}),
            json!({"extract": {"a": {"body": "$.a", "default": 1}}}),
        ] {
            let mut request = request().header("content-encoding", codings).body(()).unwrap();
            let mut payload = Payload::Buffered(Content::new(bytes.clone().into(), 1 << 20));
            let error = steps(step.clone()).apply(&mut request, &mut payload, &mut exchange()).unwrap_err();
            assert_eq!(error.over_limit, Some(1 << 20), "{step}");
        }
    }
}

#[test]
fn debug_output_shows_no_template() {
    let pipeline = steps(json!({"headers": {"set": {"x": "s3cret{{ method }}"}}, "when": "'s3cret' == method"}));
    assert!(!format!("{pipeline:?}").contains("s3cret"));
}
