//! Steps on the way to the function.

use std::sync::Arc;

use callgate_transform::{Payload, Side};
use serde_json::json;

use super::{exchange, request, run, steps};

#[test]
fn headers_are_set_appended_and_removed_by_glob() {
    let pipeline = steps(json!({"headers": {
        "set": {"x-user": "{{ claims.sub }}", "x-city": "Köln {{ method }}", "accept": "application/json", "x-retries": 3, "x-many": ["a", "b"]},
        "append": {"x-tenant": "{{ headers.x_tenant }}-2"},
        "remove": ["cookie", "X-Internal-*"],
    }}));
    let headers = run(&pipeline, request().body("").unwrap()).unwrap().parts.headers;
    let all = |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(all("x-user"), ["ann"]);
    assert_eq!(all("accept"), ["application/json"]);
    assert_eq!(all("x-retries"), ["3"]);
    assert_eq!(all("x-many"), ["a", "b"]);
    assert_eq!(all("x-tenant"), ["t-acme", "t-acme-2"]);
    assert_eq!(headers["x-city"].as_bytes(), "Köln POST".as_bytes());
    assert_eq!(headers.len(), 8);
}

#[test]
fn query_is_edited_in_the_order_set_append_remove() {
    let pipeline = steps(json!({"query": {
        "set": {"page": "{{ query.page }}&x"}, "append": {"tag": ["a", "b"]}, "remove": ["debug"],
    }}));
    let shaped = run(&pipeline, request().body("").unwrap()).unwrap();
    assert_eq!(shaped.parts.uri, "/orders/7?page=1%26x&tag=a&tag=b");
}

#[test]
fn method_and_path_are_replaced_and_the_query_kept() {
    let pipeline =
        steps(json!({"method": "{{ 'put' | upper }}", "path": "/v2/tenants/{{ params.id | urlencode }}/é x"}));
    let shaped = run(&pipeline, request().body("").unwrap()).unwrap();
    assert_eq!(shaped.parts.method, "PUT");
    assert_eq!(shaped.parts.uri, "/v2/tenants/a%2Fb%20c/%C3%A9%20x?page=1&debug=1&page=2");
}

#[test]
fn a_tail_capture_keeps_its_slashes_in_a_path() {
    let path = |template: &str| {
        let shaped = run(&steps(json!({"path": template})), request().uri("/").body("").unwrap()).unwrap();
        shaped.parts.uri.to_string()
    };
    assert_eq!(path("/new/{{ params.rest }}"), "/new/x/y%20z%3F");
    assert_eq!(path("/new/{{ params.id | safe }}"), "/new/a/b%20c");
    assert_eq!(path("/new/{{ params.id | urlencode }}"), "/new/a%2Fb%20c");
    assert_eq!(path("/s{% if params.rest == 'x/y z?' %}ame{% endif %}"), "/same");
}

#[test]
fn a_json_tree_keeps_types_and_needs_no_escaping() {
    let pipeline = steps(json!({"body": {"json": {
        "total": "{{ body.price * body.quantity }}",
        "note": "for {{ body.name }}",
        "name": "{{ body.name }}",
        "tags": ["{{ body.tags[0] }}", 1, null, true],
        "all": "{{ body.tags }}",
        "nothing": "{{ body.nothing }}",
        "user": {"roles": "{{ claims.roles }}"},
    }}}));
    assert!(pipeline.reads_body() && pipeline.writes_body());
    let body = json!({"price": 2.5, "quantity": 2, "name": "a\"b\\\n\u{1}é", "tags": ["x"], "nothing": null});
    let request = request().header("content-type", "application/json; charset=utf-8").body(body.to_string()).unwrap();
    let shaped = run(&pipeline, request).unwrap();
    assert_eq!(
        shaped.json(),
        json!({
            "total": 5.0, "note": "for a\"b\\\n\u{1}é", "name": "a\"b\\\n\u{1}é", "tags": ["x", 1, null, true],
            "all": ["x"], "nothing": null, "user": {"roles": ["admin"]},
        })
    );
    assert_eq!(shaped.parts.headers["content-type"], "application/json");
}

#[test]
fn json_keeps_the_order_of_its_keys() {
    let pipeline = steps(json!({"body": {"json": {"z": "{{ body }}", "a": "{{ method }}"}}}));
    let request = request().header("content-type", "application/json").body(r#"{"y":1,"b":2}"#).unwrap();
    assert_eq!(run(&pipeline, request).unwrap().body(), br#"{"z":{"y":1,"b":2},"a":"POST"}"#);
}

#[test]
fn merge_patches_the_json_body() {
    let pipeline =
        steps(json!({"body": {"merge": {"b": null, "c": "{{ vars.c }}"}}, "extract": {"c": {"body": "$.a"}}}));
    let shaped = run(&pipeline, request().body(r#"{"a":1,"b":2}"#).unwrap()).unwrap();
    assert_eq!(shaped.json(), json!({"a": 1, "c": 1}));
}

#[test]
fn a_written_body_sets_content_type_unless_the_step_does_and_drops_what_described_the_old() {
    let written = |step| {
        let request = request()
            .header("content-type", "image/png")
            .header("content-length", "3")
            .header("content-encoding", "identity");
        run(&steps(step), request.body("abc").unwrap()).unwrap()
    };
    let shaped = written(json!({"body": {"text": "{{ route }} {{ request_id }} {{ client.ip }}"}}));
    assert_eq!(shaped.body(), b"orders r-1 192.0.2.7");
    assert_eq!(shaped.parts.headers["content-type"], "text/plain; charset=utf-8");
    assert!(!shaped.parts.headers.contains_key("content-length"));
    assert!(!shaped.parts.headers.contains_key("content-encoding"));
    let shaped = written(json!({"body": {"text": "<a/>"}, "headers": {"set": {"content-type": "application/xml"}}}));
    assert_eq!(shaped.parts.headers["content-type"], "application/xml");
    let shaped = written(json!({"body": "none"}));
    assert!(shaped.body().is_empty() && !shaped.parts.headers.contains_key("content-type"));
}

#[test]
fn a_clients_certificate_is_in_reach_and_its_absence_can_be_told() {
    let pipeline = steps(json!({"body": {"json": {
        "name": "{{ client.certificate.common_name | default('nobody') }}",
        "first": "{{ client.certificate.san.dns[0] if client.certificate else 'none' }}",
        "known": "{{ client.certificate is defined }}",
    }}}));
    let shaped = |certificate: Option<serde_json::Value>| {
        let mut request = request().body(()).unwrap();
        let (mut payload, mut exchange) = (Payload::from(bytes::Bytes::new()), exchange());
        if let Some(certificate) = certificate {
            exchange = exchange.with_client_certificate(Arc::new(certificate));
        }
        pipeline.apply(&mut request, &mut payload, &mut exchange).unwrap();
        serde_json::from_slice::<serde_json::Value>(payload.content().unwrap().bytes()).unwrap()
    };
    let certificate = json!({"common_name": "billing", "san": {"dns": ["billing.internal"]}});
    assert_eq!(shaped(Some(certificate)), json!({"name": "billing", "first": "billing.internal", "known": true}));
    assert_eq!(shaped(None)["name"], "nobody");
    assert_eq!(shaped(None)["first"], "none");
}

#[test]
fn extraction_takes_values_from_every_source() {
    let pipeline = steps(json!([
        {"extract": {
            "tenant": {"header": "x-tenant", "regex": r"^t-(\w+)$"},
            "whole": {"header": "x-tenant", "regex": r"^t-\w+"},
            "named": {"header": "x-tenant", "regex": r"^(?<kind>\w)-(?<name>\w+)$"},
            "page": {"query": "page"},
            "id": {"param": "id"},
            "session": {"cookie": "session"},
            "path": {"path": true, "regex": r"^/(\w+)/"},
            "sku": {"body": "$.items[0].sku", "required": true},
            "skus": {"body": "$.items[*].sku"},
            "missing": {"body": "$.none", "default": "{{ headers.x_tenant }}!"},
            "raw": {"text": true, "regex": "\"items\""},
        }},
        {"body": {"json": "{{ vars }}"}},
    ]));
    let shaped = run(&pipeline, request().body(r#"{"items":[{"sku":"s1"},{"sku":2}]}"#).unwrap()).unwrap();
    assert_eq!(
        shaped.json(),
        json!({
            "tenant": "acme", "whole": "t-acme", "named": {"kind": "t", "name": "acme"}, "page": "1", "id": "a/b c",
            "session": "s3", "path": "orders", "sku": "s1", "skus": ["s1", 2], "missing": "t-acme!", "raw": "\"items\"",
        })
    );
}

#[test]
fn a_missing_required_value_is_named() {
    let pipeline = steps(json!({"extract": {"sku": {"body": "$.sku", "required": true}}}));
    for (body, reason) in [("{}", "required"), ("", "required"), ("{", "not JSON")] {
        let error = run(&pipeline, request().body(body).unwrap()).unwrap_err();
        assert_eq!(error.side, Side::Request);
        assert!(error.message.contains("`sku`") && error.message.contains(reason), "{}", error.message);
    }
}

#[test]
fn steps_are_ordered_and_see_the_message_as_it_was_when_each_began() {
    let pipeline = steps(json!([
        {"headers": {"set": {"a": "{{ method }}", "b": "{{ headers.a | default('none') }}"}}, "method": "PUT"},
        {"headers": {"set": {"c": "{{ headers.a }}-{{ method }}"}}},
    ]));
    let headers = run(&pipeline, request().body("").unwrap()).unwrap().parts.headers;
    assert_eq!(
        (&headers["a"], &headers["b"], &headers["c"]),
        (&"POST".parse().unwrap(), &"none".parse().unwrap(), &"POST-PUT".parse().unwrap())
    );
}

#[test]
fn when_decides_whether_a_step_runs() {
    let pipeline = steps(json!([
        {"when": "method == 'GET'", "headers": {"set": {"a": "1"}}},
        {"when": "'text/plain' in headers_all.accept and query.page | int > 0", "headers": {"set": {"b": "1"}}},
    ]));
    let headers = run(&pipeline, request().body("").unwrap()).unwrap().parts.headers;
    assert!(!headers.contains_key("a") && headers.contains_key("b"));
}

#[test]
fn vars_outlive_the_request() {
    let pipeline = steps(json!({"extract": {"page": {"query": "page"}}}));
    let shaped = run(&pipeline, request().body("").unwrap()).unwrap();
    let response = super::response_steps(json!({"headers": {"set": {"x-page": "{{ vars.page }}"}}}));
    let answered = super::run_response(&response, http::Response::new(""), shaped.exchange, None).unwrap();
    assert_eq!(answered.parts.headers["x-page"], "1");
}

#[test]
fn a_body_that_no_step_reads_streams() {
    let pipeline = steps(json!({"headers": {"set": {"x": "{{ headers['x-tenant'] }}"}}, "path": "/p"}));
    assert!(!pipeline.reads_body() && !pipeline.writes_body());
    let mut request = request().body(()).unwrap();
    let mut payload = Payload::Streaming;
    pipeline.apply(&mut request, &mut payload, &mut exchange()).unwrap();
    assert!(matches!(payload, Payload::Streaming));
    for reading in [
        json!({"when": "body.a"}),
        json!({"headers": {"set": {"x": "{% if text %}1{% endif %}"}}}),
        json!({"extract": {"x": {"body": "$.a"}}}),
        json!({"body": {"merge": {}}}),
        json!({"query": {"append": {"x": "{{ body }}"}}}),
        json!({"body": {"text": "{% set body = body.a %}{{ body }}"}}),
    ] {
        assert!(steps(reading.clone()).reads_body(), "{reading}");
    }
    let writing = steps(json!({"body": {"json": {"a": 1}}}));
    assert!(!writing.reads_body() && writing.writes_body());
}

#[test]
fn bodies_are_parsed_by_their_type() {
    let body = |content_type: &str, body: &'static str| {
        let pipeline = steps(json!({"body": {"json": "{{ body }}"}}));
        run(&pipeline, request().header("content-type", content_type).body(body).unwrap()).map(|shaped| shaped.json())
    };
    assert_eq!(body("application/problem+json", "[1]").unwrap(), json!([1]));
    assert_eq!(
        body("application/x-www-form-urlencoded", "a=1&b=x+y&a=2").unwrap(),
        json!({"a": ["1", "2"], "b": "x y"})
    );
    assert_eq!(body("text/plain", "[1]").unwrap(), json!("[1]"));
    assert!(body("application/json", "{").unwrap_err().message.contains("not JSON"));
    assert!(body("application/json", "").unwrap_err().message.contains("undefined"));
}

#[test]
fn a_body_that_is_not_there_is_undefined_and_has_a_default() {
    let text = |template: &str| {
        let pipeline = steps(json!({"body": {"text": template}}));
        run(&pipeline, request().body("").unwrap()).map(|shaped| String::from_utf8(shaped.body().to_vec()).unwrap())
    };
    assert_eq!(text("{{ body.a | default('none') }}").unwrap(), "none");
    assert_eq!(text("{{ body | default('none') }}").unwrap(), "none");
    assert_eq!(text("{% if body is defined or body %}1{% else %}2{% endif %}").unwrap(), "2");
    assert_eq!(text("[{{ text }}]").unwrap(), "[]");
    for template in ["{{ body }}", "{{ body.a }}", "x{{ body }}", "x{{ body.a }}", "x{{ [body] }}"] {
        assert!(text(template).unwrap_err().message.contains("undefined"), "{template}");
    }
}

#[test]
fn filters_and_functions_work() {
    for (expression, expected) in [
        ("'a?b' | base64_encode", json!("YT9i")),
        ("'YT9i' | base64_decode", json!("a?b")),
        ("'~~~?' | base64url_encode", json!("fn5-Pw")),
        ("'fn5-Pw' | base64url_decode", json!("~~~?")),
        ("'abc' | sha256", json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
        (
            "hmac_sha256('key', 'The quick brown fox jumps over the lazy dog')",
            json!("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"),
        ),
        ("uuid() | length", json!(36)),
        ("random_hex(4) | length", json!(8)),
        ("{'a': [1, none]} | to_json", json!(r#"{"a":[1,null]}"#)),
        ("('{\"a\":1}' | from_json).a", json!(1)),
        ("'a b&c/é' | urlencode", json!("a%20b%26c%2F%C3%A9")),
        ("'a%20b+c' | urldecode", json!("a b c")),
        ("{'a': 'b c', 'd': 1} | urlencode", json!("a=b%20c&d=1")),
        ("'abc' | regex_match('^a.c$')", json!(true)),
        ("'a1b2' | regex_replace('[0-9]', '-')", json!("a-b-")),
        ("'a,b' | split(',')", json!(["a", "b"])),
        ("'héllo' | substring(1, 3)", json!("éll")),
        ("'héllo' | substring(-2)", json!("lo")),
        ("'hi' | substring(5)", json!("")),
        ("{'a': [{'b': 1}, {'b': 2}]} | jsonpath('$.a[*].b')", json!([1, 2])),
        ("{'a': 1} | jsonpath('$.a')", json!(1)),
        ("{'a': 1} | jsonpath('$.b') | default('none')", json!("none")),
        ("0 | format_time", json!("1970-01-01T00:00:00Z")),
        ("86400.5 | format_time('[year]/[month]/[day]')", json!("1970/01/02")),
        ("now() > 1700000000", json!(true)),
        ("env('NO_SUCH_VARIABLE') | default('x')", json!("x")),
        ("'one two  three' | word_count", json!(3)),
        ("{'a': {'@b': 1, 'c': ['<', none]}} | to_xml", json!("<a b=\"1\"><c>&lt;</c><c/></a>")),
        ("[1 | as_list, [1] | as_list, none | as_list, query.none | as_list]", json!([[1], [1], [], []])),
        ("5 | to_xml('n')", json!("<n>5</n>")),
        ("('<a><b>1</b></a>' | from_xml).a.b", json!("1")),
    ] {
        let pipeline = steps(json!({"body": {"json": format!("{{{{ {expression} }}}}")}}));
        let shaped =
            run(&pipeline, request().body("").unwrap()).unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert_eq!(shaped.json(), expected, "{expression}");
    }
}

fn xml_request(body: &'static str) -> http::Request<&'static str> {
    request().header("content-type", "application/soap+xml; charset=utf-8").body(body).unwrap()
}

#[test]
fn an_xml_body_is_an_object() {
    let order = "<o:order xmlns:o='urn:o' id='7'><item>a</item><item>b</item><note/></o:order>";
    let pipeline = steps(json!({
        "extract": {
            "items": {"xml": "order/item"}, "id": {"xml": "/order/@id"}, "none": {"xml": "order/x", "default": 0},
        },
        "body": {"json": {"all": "{{ body }}", "id": "{{ body['o:order']['@id'] }}", "vars": "{{ vars }}"}},
    }));
    assert_eq!(
        run(&pipeline, xml_request(order)).unwrap().json(),
        json!({
            "all": {"o:order": {"@id": "7", "item": ["a", "b"], "note": ""}}, "id": "7",
            "vars": {"items": ["a", "b"], "id": "7", "none": 0},
        })
    );
    for refused in ["<a>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"] {
        assert!(run(&pipeline, xml_request(refused)).unwrap_err().message.contains("not well-formed"), "{refused}");
    }
}

#[test]
fn an_xml_template_escapes_its_values() {
    let pipeline = steps(json!({"body": {"xml": "<a b=\"{{ body.v }}\">{{ body.v }}{{ body.o | to_xml('o') }}</a>"}}));
    let body = json!({"v": "<&\"'>\n", "o": {"x": [1, "<"]}}).to_string();
    let shaped = run(&pipeline, request().header("content-type", "application/json").body(body).unwrap()).unwrap();
    let escaped = "&lt;&amp;&quot;&#39;&gt;&#10;";
    let expected = format!("<a b=\"{escaped}\">{escaped}<o><x>1</x><x>&lt;</x></o></a>");
    assert_eq!(std::str::from_utf8(shaped.body()).unwrap(), expected);
    assert_eq!(shaped.parts.headers["content-type"], "application/xml");
    let broken = steps(json!({"body": {"xml": "<a>{{ body.v | safe }}</a>"}}));
    let body = json!({"v": "</a>"}).to_string();
    let error = run(&broken, request().header("content-type", "application/json").body(body).unwrap()).unwrap_err();
    assert!(error.message.contains("`xml`: the XML is not well-formed"), "{error}");
}

#[test]
fn a_form_is_written_from_a_mapping() {
    let form = |form| {
        let pipeline = steps(json!({"body": {"form": form}}));
        let body = json!({"a": "x y&", "tags": [1, "b"], "none": null}).to_string();
        let request = request().header("content-type", "application/json").body(body).unwrap();
        run(&pipeline, request).map(|shaped| {
            assert_eq!(shaped.parts.headers["content-type"], "application/x-www-form-urlencoded");
            String::from_utf8(shaped.body().to_vec()).unwrap()
        })
    };
    assert_eq!(form(json!("{{ body }}")).unwrap(), "a=x%20y%26&tags=1&tags=b");
    assert_eq!(form(json!({"q": "<{{ body.a }}>", "n": 5})).unwrap(), "q=%3Cx%20y%26%3E&n=5");
    assert_eq!(form(json!({"constant": ["a", true]})).unwrap(), "constant=a&constant=true");
    assert!(form(json!("{{ body.a }}")).unwrap_err().message.contains("mapping"));
}

#[test]
fn form_fields_are_read_from_both_kinds_of_forms() {
    let pipeline = steps(json!({
        "extract": {"a": {"form": "a", "required": true}, "f": {"form": "f", "default": null}},
        "body": {"json": {"a": "{{ vars.a }}", "f": "{{ body.f.bytes | base64_encode if body.f else none }}"}},
    }));
    let with = |media: &str, body: &'static str| {
        run(&pipeline, request().header("content-type", media).body(body).unwrap()).map(|shaped| shaped.json())
    };
    let urlencoded = with("application/x-www-form-urlencoded", "a=1&a=2&f");
    assert_eq!(urlencoded.unwrap(), json!({"a": "1", "f": null}));
    let part = "--b\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b\r\n\
                content-disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\nhi\r\n--b--\r\n";
    assert_eq!(with("multipart/form-data; boundary=b", part).unwrap(), json!({"a": "1", "f": "aGk="}));
    assert!(with("multipart/form-data", part).unwrap_err().message.contains("no boundary"));
    assert!(with("text/plain", "a=1").unwrap_err().message.contains("not a form"));
    assert!(with("application/x-www-form-urlencoded", "a=%zz").unwrap_err().message.contains("percent-escape"));
}

#[test]
fn a_regex_may_replace_what_it_finds() {
    let pipeline = steps(json!({
        "extract": {
            "day": {"header": "x-day", "regex": r"^(?<d>\d+)\.(?<m>\d+)\.(?<y>\d+)$", "replace": "${y}-$m-${d}$$"},
            "other": {"header": "x-tenant", "regex": r"^(\d)", "replace": "$1", "default": "none"},
        },
        "body": {"json": "{{ vars }}"},
    }));
    let shaped = run(&pipeline, request().header("x-day", "24.12.2026").body("").unwrap()).unwrap();
    assert_eq!(shaped.json(), json!({"day": "2026-12-24$", "other": "none"}));
}
