//! What `callgate test` says of the tests in a configuration.

use super::{Ran, configured, on};

const SHOP: &str = r#"upstreams:
  shop: {echo: {}}
routes:
  - name: order
    match: POST /orders/{id}
    to: [shop, {upstream: shop, status: 201, request: {path: /second}}]
    request:
      path: "/v2/{{ headers['x-tenant'] }}/{{ params.id }}"
      query: {append: {page: "1"}}
      headers: {append: {x-by: gateway}, remove: [cookie]}
      body: {json: {sku: "{{ body.sku }}", total: "{{ body.price * body.quantity }}"}}
    response:
      - {when: status >= 500, body: {json: {error: "{{ error | default('none') }}"}}}
    tests:
      - name: it goes to its tenant with its total
        given:
          method: POST
          path: /orders/7?page=0
          headers: {x-tenant: acme, cookie: a=1, x-by: client}
          body: {json: {sku: 'a"b', price: 3, quantity: 2}}
        expect:
          request:
            method: POST
            path: /v2/acme/7
            query: {page: ["0", "1"], debug: {absent: true}}
            headers:
              x-by: [client, gateway]
              x-tenant: {regex: 'ac.*'}
              content-type: application/json
              cookie: {absent: true}
              x-request-id: {present: true}
            body: {json: {total: 6, sku: 'a"b'}}
      - given: {method: POST, path: /orders/7}
        expect: {response: {status: 400, headers: {callgate-error: bad_template_input}}}
      - name: a timeout is told in our words
        given: {method: POST, path: /orders/7, headers: {x-tenant: a}, body: {json: {sku: 1, price: 1, quantity: 1}}}
        error: upstream_timeout
        expect: {response: {status: 504, body: {json: {error: upstream_timeout}}}}
      - name: the second destination has its own path
        given: {method: POST, path: /orders/7, headers: {x-tenant: a}, body: {json: {sku: 1, price: 1, quantity: 1}}}
        destination: 2
        reply: {status: 201, headers: {set-cookie: [a=1, b=2]}, body: {text: made}}
        expect:
          request: {path: "/second?page=1"}
          response: {status: 201, headers: {set-cookie: [a=1, b=2]}, body: {text: made}}
  - {name: old, match: "/old/{*rest}", redirect: {path: "/new/{{ params.rest }}"}}
hosts:
  "*.example.com":
    routes:
      - match: GET /ping
        respond: {body: {text: "pong {{ client.ip }}"}}
        tests:
          - {given: {path: /ping, client: 203.0.113.7}, expect: {response: {body: {text: pong 203.0.113.7}}}}
tests:
  - given: GET /old/a/b
    expect: {route: old, response: {status: 302, headers: {location: /new/a/b}, body: none}}
"#;

const WRONG: &str = r#"upstreams: {shop: {echo: {}}}
routes:
  - name: order
    match: GET /orders/{id}
    to: shop
    request: {headers: {set: {x-id: "{{ params.id }}"}}, body: {json: {lines: [{sku: "{{ params.id }}"}], "a b": 1}}}
    response: {headers: {set: {x-tenant: "{{ headers['x-tenant'] }}"}}}
    tests:
      - name: everything differs
        given: /orders/7
        reply: {status: 200, headers: {x-tenant: t}, body: {text: "one\ntwo\nthree"}}
        expect:
          request:
            method: POST
            path: /orders/8
            query: {page: "1"}
            headers: {X-Id: "8", x-none: {present: true}, via: {absent: true}}
            body: {json: {lines: [{sku: "8"}, {sku: "9"}], more: true}}
          response: {status: 404, headers: {x-tenant: u}, body: {text: "one\n2\nthree"}}
      - {name: another path, given: /order/7, expect: {request: {}}}
      - {name: another method, given: POST /orders/7, expect: {request: {}}}
      - {name: a reply without what a template needs, given: /orders/7, reply: {}, expect: {response: {status: 200}}}
      - {name: no reply, given: /orders/7, expect: {response: {status: 200}}}
      - {name: no third destination, given: /orders/7, destination: 3, expect: {request: {}}}
      - {name: it passes, given: /orders/7, expect: {request: {headers: {x-id: 7}}}}
  - {name: ping, match: GET /ping, respond: {body: {text: pong}}}
tests:
  - {name: nothing is sent, given: /ping, expect: {route: ping, request: {method: GET}}}
"#;

fn tested(yaml: &str, after: &[&str]) -> Ran {
    let folder = configured(yaml);
    on(folder.path(), &["test"], after)
}

#[test]
fn tests_that_pass_are_one_line_each() {
    let done = tested(SHOP, &[]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    insta::assert_snapshot!("passed", done.out);
}

#[test]
fn tests_that_fail_say_what_was_expected_and_what_came() {
    let done = tested(WRONG, &[]);
    assert_eq!(done.code, Some(1), "{}", done.err);
    assert_eq!(done.err, "", "the report is what was asked for");
    insta::assert_snapshot!("failed", done.out);
}

#[test]
fn a_filter_picks_tests_by_their_name_or_their_routes() {
    let done = tested(SHOP, &["--filter", "timeout"]);
    assert_eq!(done.out, "ok      order: a timeout is told in our words\n\n1 test passed\n");
    let done = tested(SHOP, &["--filter", "order: "]);
    assert!(done.out.ends_with("\n4 tests passed\n"), "{}", done.out);
    let done = tested(SHOP, &["--filter", "nope"]);
    let nothing = "error: nothing was tested: no test has `nope` in its name, or in the name of its route\n";
    assert_eq!((done.code, &*done.out, &*done.err), (Some(1), "", nothing), "a typing error is no success");
}

#[test]
fn a_configuration_without_tests_fails_them() {
    let done = tested("routes: [{match: /a, respond: {status: 204}}]\n", &[]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.starts_with("error: nothing was tested: there are no tests"), "{}", done.err);
}

#[test]
fn tests_of_included_files_run_too() {
    let folder = configured(
        "include: [more.yaml]\nroutes: [{match: /a, respond: {status: 204}}]\n\
         tests: [{name: one, given: /a, expect: {response: {status: 204}}}]\n",
    );
    let more = "tests: [{name: two, given: /b, expect: {response: {status: 404}}}]\n";
    std::fs::write(folder.path().join("more.yaml"), more).expect("written");
    let done = on(folder.path(), &["test"], &[]);
    assert_eq!(done.out, "ok      one\nok      two\n\n2 tests passed\n");
}

#[test]
fn the_effective_document_leaves_tests_out() {
    let folder = configured(SHOP);
    let printed = on(folder.path(), &["config"], &[]);
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    assert!(!printed.out.contains("given"), "{}", printed.out);
}

#[test]
fn secrets_are_not_shown_by_a_difference() {
    let yaml = "upstreams: {shop: {echo: {}}}\nroutes:\n  - match: /a\n    to: shop\n    \
                request: {headers: {set: {x-key: \"${KEY}\"}}}\n    \
                tests: [{given: /a, expect: {request: {headers: {x-key: other}}}}]\n";
    let folder = configured(yaml);
    let done =
        super::ran(super::callgate(&["test", "callgate.yaml"]).current_dir(folder.path()).env("KEY", "s3cr3t-value"));
    assert_eq!(done.code, Some(1), "{}", done.err);
    assert!(done.out.contains("got      ${KEY}") && !done.out.contains("s3cr3t"), "{}", done.out);
}

#[test]
fn what_is_wrong_with_tests_is_told_with_its_place() {
    let folder = configured(
        r#"routes:
  - name: a
    match: /a
    respond: {status: 204}
    tests:
      - {given: GET a, expect: {response: {status: 700}}}
      - {given: {path: /a, headrs: {}}, expect: {}}
      - given: /a
        reply: {status: 200}
        error: upstream_timout
        expect: {request: {headers: {x-a: {regex: '('}}, bdy: none}}
tests:
  - {given: /a, reply: {}, error: function_error, expect: {route: b}}
  - {expect: {route: a}, destination: 0}
  - {given: /a, expect: {}}
  - {given: /a, expect: {response: {headers: {"x a": {absent: true}}}}}
"#,
    );
    let checked = on(folder.path(), &["check"], &[]);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    insta::assert_snapshot!("wrong", checked.err);
}

#[test]
fn the_schema_knows_tests() {
    let printed = super::ran(&mut super::callgate(&["schema"]));
    let schema: serde_json::Value = serde_json::from_str(&printed.out).expect("JSON");
    for tests in [&schema["properties"]["tests"], &schema["$defs"]["Route"]["properties"]["tests"]] {
        assert_eq!(tests["items"]["$ref"], "#/$defs/Test", "{tests}");
    }
    let test = &schema["$defs"]["Test"];
    assert_eq!(test["additionalProperties"], false);
    assert_eq!(test["required"], serde_json::json!(["given", "expect"]));
    let codes = test["properties"]["error"].to_string();
    assert!(codes.contains("upstream_timeout") && !codes.contains("no_route"), "{codes}");
}
