//! What `callgate render` shows of a request and a reply.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use super::{Ran, callgate, configured, on};

const SHOP: &str = r#"
upstreams:
  shop: {echo: {}, functions: {teapot: {status: 418}}}
routes:
  - name: order
    match: POST /orders/{id}
    to: shop
    request:
      extract: {tenant: {header: x-tenant, required: true}}
      path: "/v2/{{ vars.tenant }}/orders/{{ params.id }}"
      headers: {remove: [cookie]}
      body: {json: {sku: "{{ body.sku }}", total: "{{ body.price * body.quantity }}"}}
    response:
      - when: status >= 500
        body: {json: {error: "{{ error | default('none') }}", order: "{{ params.id }}"}}
      - {when: status < 500, headers: {remove: ["x-internal-*"]}, body: {merge: {seen: true}}}
  - {name: latest, match: GET /orders/latest, to: [shop/teapot, {upstream: shop, weight: 3}]}
  - {name: any, match: "GET /orders/{id}", to: shop}
  - {match: "/old/{*rest}", redirect: {path: "/new/{{ params.rest }}", status: 308}}
hosts:
  api.example.com: {routes: [{name: ping, match: GET /ping, respond: {body: {text: pong}}}]}
"#;

const ORDER: &str = "POST /orders/7 HTTP/1.1\r\nhost: shop.test\r\nx-request-id: r1\r\nx-tenant: acme\r\ncookie: a=1\r\n\
     content-type: application/json\r\n\r\n{\"sku\": \"a\\\"b\", \"price\": 3, \"quantity\": 2}\r\n";

/// Renders a request, given through standard input, without what differs from run to run.
fn rendered(folder: &Path, request: &str, after: &[&str]) -> Ran {
    let mut arguments = vec!["render", "callgate.yaml", "--request", "-"];
    arguments.extend_from_slice(after);
    let mut command: Command = callgate(&arguments);
    command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    // A command that refuses its arguments reads nothing.
    child.stdin.take().expect("piped").write_all(request.as_bytes()).ok();
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let out = text(output.stdout);
    let stable: Vec<_> = out.lines().filter(|line| !line.contains("traceparent")).collect();
    Ran { code: output.status.code(), out: stable.join("\n"), err: text(output.stderr) }
}

#[test]
fn a_request_is_shown_as_the_upstream_gets_it() {
    let folder = configured(SHOP);
    let shown = rendered(folder.path(), ORDER, &["--route", "order"]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    insta::assert_snapshot!("request", shown.out);
}

#[test]
fn a_reply_is_shown_as_the_client_gets_it() {
    let folder = configured(SHOP);
    std::fs::write(
        folder.path().join("reply.http"),
        "201\ncontent-type: application/json\nx-internal-host: h1\nconnection: close\n\n{\"id\": 7}\n",
    )
    .expect("written");
    let shown = rendered(folder.path(), ORDER, &["--reply", "reply.http"]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    let (_, reply) = shown.out.split_once("the client gets").expect("a reply");
    insta::assert_snapshot!("reply", reply);
}

#[test]
fn a_failure_is_shown_as_the_route_reshapes_it() {
    let folder = configured(SHOP);
    let shown = rendered(folder.path(), ORDER, &["--error", "upstream_timeout"]);
    let (_, reply) = shown.out.split_once("the gateway answers").expect("a failure");
    insta::assert_snapshot!("error", reply);
    let shown = rendered(folder.path(), ORDER, &["--error", "upstream_timout"]);
    assert_eq!(shown.code, Some(2));
    assert!(shown.err.contains("'upstream_timeout'"), "{}", shown.err);
}

#[test]
fn a_missing_value_is_told_with_the_place_of_what_needs_it() {
    let folder = configured(SHOP);
    let shown = rendered(folder.path(), "POST /orders/7\nx-request-id: r1\n\n{}", &["--route", "order"]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    insta::assert_snapshot!("missing-value", shown.out);
}

#[test]
fn the_gateways_own_answers_are_shown() {
    let folder = configured(SHOP);
    for (name, request, after) in [
        ("respond", "GET /ping\nhost: api.example.com\nx-request-id: r1", &[][..]),
        ("redirect", "/old/a/b?x=1\nx-request-id: r1", &[]),
        ("no-route", "DELETE /orders/7\nx-request-id: r1", &[]),
        ("named-without-host", "GET /ping\nx-request-id: r1", &["--route", "ping"]),
    ] {
        let shown = rendered(folder.path(), request, after);
        assert_eq!(shown.code, Some(0), "{}", shown.err);
        insta::assert_snapshot!(name, shown.out);
    }
}

#[test]
fn one_of_several_destinations_can_be_chosen() {
    let folder = configured(SHOP);
    let shown = |number| rendered(folder.path(), "GET /orders/latest", &["--destination", number]);
    assert!(shown("1").out.contains("(1 of 4 requests)"), "{}", shown("1").out);
    assert!(shown("2").out.contains("(3 of 4 requests)"), "{}", shown("2").out);
    assert_eq!(shown("3").err, "error: the route `latest` has 2 destinations\n");
}

#[test]
fn a_request_that_is_not_the_routes_is_an_error_that_says_why() {
    let folder = configured(SHOP);
    for (request, route, expected) in [
        ("GET /orders/7", "order", "the request does not match the route `order`: it takes POST, not GET"),
        ("GET /x", "any", "its path is `/x`, and the route takes `/orders/{id}`"),
        ("GET http://shop.test/ping", "ping", "its host is `shop.test`, and the route is one of `api.example.com`"),
        ("GET /x", "latst", "no route is named `latst`: did you mean `latest`?"),
    ] {
        let shown = rendered(folder.path(), request, &["--route", route]);
        assert_eq!(shown.code, Some(1), "{}", shown.out);
        assert!(shown.err.contains(expected), "{}", shown.err);
    }
    let shown = rendered(folder.path(), "GET /orders/latest", &["--route", "any"]);
    assert!(shown.out.contains("note: the gateway gives this request to the route `latest`"), "{}", shown.out);
}

#[test]
fn a_file_that_is_no_message_is_a_usage_error() {
    let folder = configured(SHOP);
    let shown = rendered(folder.path(), "GET /\nnonsense", &[]);
    assert_eq!(
        (shown.code, &*shown.err),
        (Some(2), "error: -: line 2: `nonsense` is no header: write `name: value`\n")
    );
    let missing = on(folder.path(), &["render"], &["--request", "no-such.http"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("no-such.http can't be read"), "{}", missing.err);
}

#[test]
fn the_kinds_own_shaping_is_shown() {
    let folder = configured(
        "upstreams: {fn: {lambda: {region: eu-west-1}}}\nroutes:\n  - {match: \"POST /o/{id}\", to: fn/create, request: {path: \"/p/{{ params.id }}\"}}\n",
    );
    let shown = rendered(folder.path(), "POST /o/7?a=1\ncontent-type: text/plain\n\nhello", &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    let (_, event) = shown.out.split_once("sent as").expect("an event");
    assert!(event.contains("\"/p/7\"") && event.contains("hello") && event.contains("\"a=1\""), "{event}");
}

#[test]
fn secrets_are_not_shown() {
    let folder = configured(
        "upstreams: {shop: {echo: {}}}\nroutes:\n  - {match: /a, to: shop, request: {headers: {set: {x-key: \"${KEY}\"}}}}\n",
    );
    std::fs::write(folder.path().join("a.http"), "/a").expect("written");
    for arguments in
        [&["render", "callgate.yaml", "--request", "a.http"][..], &["explain", "callgate.yaml", "GET", "/a"]]
    {
        let shown = super::ran(callgate(arguments).current_dir(folder.path()).env("KEY", "s3cr3t-value"));
        assert_eq!(shown.code, Some(0), "{}", shown.err);
        assert!(shown.out.contains("x-key: ${KEY}") && !shown.out.contains("s3cr3t"), "{}", shown.out);
    }
}

/// An OpenAPI document, a WSDL and a source of protobuf, with an upstream and routes for each.
fn described() -> tempfile::TempDir {
    let folder = configured(
        r#"
upstreams:
  pets:
    rest: {url: "http://pets.test/v1", openapi: pets.yaml, credentials: {key: {token: s3cret}, session: {token: s3cret}}}
  shop:
    soap:
      {url: "http://shop.test/soap", wsdl: shop.wsdl, credentials: {username_token: {user: me, password: s3cret}}}
  greeter: {grpc: {url: "http://greeter.test", descriptors: greeter.proto}}
routes:
  - {name: greet, match: "GET /greet/{name}", to: greeter/shop.v1.Greeter/Greet}
  - {name: pet, match: "GET /pets/{id}", to: pets/pet}
  - {name: total, match: POST /totals, to: shop/total}
"#,
    );
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write(
        "pets.yaml",
        r#"
openapi: 3.0.3
info: {title: Pets, version: "1"}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: x-key}
    session: {type: apiKey, in: query, name: session}
paths:
  /pets/{id}:
    get:
      operationId: pet
      security: [{key: [], session: []}]
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
        - {name: fields, in: query, required: true, explode: false, schema: {type: array, items: {type: string}}}
      responses: {"200": {description: ok}}
"#,
    );
    write(
        "greeter.proto",
        "syntax = \"proto3\"; package shop.v1; message Greet { string name = 1; repeated int64 at = 2; }
        service Greeter { rpc Greet(Greet) returns (Greet); }",
    );
    write(
        "shop.wsdl",
        r#"<definitions name="Shop" targetNamespace="urn:shop" xmlns="http://schemas.xmlsoap.org/wsdl/"
  xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:shop" xmlns:x="http://www.w3.org/2001/XMLSchema">
  <types><x:schema targetNamespace="urn:shop" elementFormDefault="qualified">
    <x:element name="total"><x:complexType><x:sequence>
      <x:element name="sku" type="x:string"/><x:element name="quantity" type="x:int"/>
    </x:sequence></x:complexType></x:element>
    <x:element name="totalResponse" type="x:decimal"/>
  </x:schema></types>
  <message name="in"><part name="parameters" element="t:total"/></message>
  <message name="out"><part name="parameters" element="t:totalResponse"/></message>
  <portType name="Shop"><operation name="total"><input message="t:in"/><output message="t:out"/></operation></portType>
  <binding name="Shop" type="t:Shop">
    <soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="total"><soap:operation soapAction="urn:shop:total"/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>
  </binding>
  <service name="Shop"><port name="Shop" binding="t:Shop"><soap:address location="http://other.test/"/></port></service>
</definitions>"#,
    );
    folder
}

#[test]
fn the_request_of_an_operation_is_shown_without_its_credentials() {
    let folder = described();
    let shown = rendered(folder.path(), "GET /pets/7?fields=name,age\nx-request-id: r1\n\n", &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    insta::assert_snapshot!("operation", shown.out);
    let total = "POST /totals\nx-request-id: r1\ncontent-type: application/json\n\n{\"sku\": \"a<b\", \"quantity\": 2}";
    let shown = rendered(folder.path(), total, &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    insta::assert_snapshot!("envelope", shown.out);
    let shown = rendered(folder.path(), "GET /greet/Ann%20B?at=7&at=8\nx-request-id: r1\n\n", &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    insta::assert_snapshot!("message", shown.out);
}

#[test]
fn what_an_operation_does_not_take_is_answered_as_the_gateway_would() {
    let folder = described();
    let shown = rendered(folder.path(), "GET /pets/7\nx-request-id: r1\n\n", &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    assert!(shown.out.contains("400 with the error bad_template_input"), "{}", shown.out);
    assert!(shown.out.contains("fields"), "{}", shown.out);
    let wrong = "POST /totals\nx-request-id: r1\ncontent-type: application/json\n\n{\"sku\": \"a\"}";
    let shown = rendered(folder.path(), wrong, &[]);
    assert!(shown.out.contains("quantity"), "{}", shown.out);
    let shown = rendered(folder.path(), "GET /greet/Ann?at=noon\nx-request-id: r1\n\n", &[]);
    assert!(shown.out.contains("400 with the error bad_template_input"), "{}", shown.out);
    assert!(shown.out.contains("`at` has to be a whole number of 64 bits."), "{}", shown.out);
}
