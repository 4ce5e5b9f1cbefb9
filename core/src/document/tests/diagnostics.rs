//! What users read when something is wrong.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde::Deserialize;

use super::{Given, folder, misfit, refused};
use crate::document::{DocPath, Document, Flaw, Period, Secret, Size, from_node};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only whether it can be read matters")]
struct Gateway {
    #[serde(default)]
    upstreams: BTreeMap<String, Upstream>,
    #[serde(default)]
    routes: Vec<Route>,
    #[serde(default)]
    hosts: BTreeMap<String, Host>,
    #[serde(default)]
    weights: Vec<std::num::NonZeroU64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only whether it can be read matters")]
struct Upstream {
    lambda: Lambda,
    timeout: Option<Period>,
    max_body: Option<Size>,
    attempts: Option<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only whether it can be read matters")]
struct Lambda {
    region: String,
    endpoint: Option<String>,
    key: Option<Secret>,
    payload: Option<Payload>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "only whether it can be read matters")]
enum Payload {
    V1,
    V2,
    Raw { content_type: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only whether it can be read matters")]
struct Route {
    r#match: String,
    to: String,
    #[serde(default)]
    enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only whether it can be read matters")]
struct Host {
    routes: Vec<Route>,
}

fn wrong(text: &str) -> String {
    misfit::<Gateway>(text, &[])
}

#[test]
fn an_unknown_field_is_shown_with_the_one_that_is_meant() {
    assert_snapshot!(wrong("
upstreams:
  orders:
    lambda: {regoin: eu-west-1}
"), @r"
    error: unknown field `regoin`
      --> callgate.yaml:4:14 in upstreams.orders.lambda
       |
     4 |     lambda: {regoin: eu-west-1}
       |              ^^^^^^ expected one of `region`, `endpoint`, `key`, `payload`
       = help: did you mean `region`?

    1 error in callgate.yaml
    ");
}

#[test]
fn an_unknown_field_without_likeness_lists_what_is_expected() {
    assert_snapshot!(wrong("
routes: []
plugins: []
"), @r"
    error: unknown field `plugins`
      --> callgate.yaml:3:1
       |
     3 | plugins: []
       | ^^^^^^^ expected one of `upstreams`, `routes`, `hosts`, `weights`

    1 error in callgate.yaml
    ");
}

#[test]
fn wrong_types_are_told_in_terms_of_yaml() {
    assert_snapshot!(wrong("
upstreams:
  a: {lambda: {region: 1.10, endpoint: [x]}, attempts: fast}
  b: {lambda: eu, attempts: 300}
routes:
  - {match: /, to: a/b, enabled: yes}
  - just text
hosts: [x]
weights: [-1, 0, 1.5, x]
"), @r#"
    error: expected text, found the number `1.10`
      --> callgate.yaml:3:24 in upstreams.a.lambda.region
       |
     3 |   a: {lambda: {region: 1.10, endpoint: [x]}, attempts: fast}
       |                        ^^^^
       = help: quote it: "1.10"

    error: expected text, found a list
      --> callgate.yaml:3:40 in upstreams.a.lambda.endpoint
       |
     3 |   a: {lambda: {region: 1.10, endpoint: [x]}, attempts: fast}
       |                                        ^

    error: expected a whole number, found text `fast`
      --> callgate.yaml:3:56 in upstreams.a.attempts
       |
     3 |   a: {lambda: {region: 1.10, endpoint: [x]}, attempts: fast}
       |                                                        ^^^^

    error: expected a mapping, found text `eu`
      --> callgate.yaml:4:15 in upstreams.b.lambda
       |
     4 |   b: {lambda: eu, attempts: 300}
       |               ^^

    error: expected a whole number from 0 to 255, found the number `300`
      --> callgate.yaml:4:29 in upstreams.b.attempts
       |
     4 |   b: {lambda: eu, attempts: 300}
       |                             ^^^

    error: expected true or false, found text `yes`
      --> callgate.yaml:6:34 in routes[0].enabled
       |
     6 |   - {match: /, to: a/b, enabled: yes}
       |                                  ^^^
       = help: write `true`

    error: expected a mapping, found text `just text`
      --> callgate.yaml:7:5 in routes[1]
       |
     7 |   - just text
       |     ^^^^^^^^^

    error: expected a mapping, found a list
      --> callgate.yaml:8:8 in hosts
       |
     8 | hosts: [x]
       |        ^

    error: expected a whole number, 0 or more, found the number `-1`
      --> callgate.yaml:9:11 in weights[0]
       |
     9 | weights: [-1, 0, 1.5, x]
       |           ^^

    error: expected a whole number other than 0, found the number `0`
      --> callgate.yaml:9:15 in weights[1]
       |
     9 | weights: [-1, 0, 1.5, x]
       |               ^

    error: expected a whole number, found the number `1.5`
      --> callgate.yaml:9:18 in weights[2]
       |
     9 | weights: [-1, 0, 1.5, x]
       |                  ^^^

    error: expected a whole number, found text `x`
      --> callgate.yaml:9:23 in weights[3]
       |
     9 | weights: [-1, 0, 1.5, x]
       |                       ^

    12 errors in callgate.yaml
    "#);
}

#[test]
fn durations_and_sizes_without_unit_are_told_what_to_write() {
    assert_snapshot!(wrong("
upstreams:
  a: {lambda: {region: x}, timeout: 5, max_body: 1024}
  b: {lambda: {region: x}, timeout: 5 minutes, max_body: 10mb}
"), @r"
    error: expected a duration such as `250ms`, `5s`, `2m` or `1h`, found `5`
      --> callgate.yaml:3:37 in upstreams.a.timeout
       |
     3 |   a: {lambda: {region: x}, timeout: 5, max_body: 1024}
       |                                     ^
       = help: write `5s` for seconds

    error: expected a size such as `512B`, `64KiB` or `10MiB`, found `1024`
      --> callgate.yaml:3:50 in upstreams.a.max_body
       |
     3 |   a: {lambda: {region: x}, timeout: 5, max_body: 1024}
       |                                                  ^^^^
       = help: write `1024B` for bytes

    error: expected a duration such as `250ms`, `5s`, `2m` or `1h`, found `5 minutes`
      --> callgate.yaml:4:37 in upstreams.b.timeout
       |
     4 |   b: {lambda: {region: x}, timeout: 5 minutes, max_body: 10mb}
       |                                     ^^^^^^^^^

    error: expected a size such as `512B`, `64KiB` or `10MiB`, found `10mb`
      --> callgate.yaml:4:58 in upstreams.b.max_body
       |
     4 |   b: {lambda: {region: x}, timeout: 5 minutes, max_body: 10mb}
       |                                                          ^^^^

    4 errors in callgate.yaml
    ");
}

#[test]
fn variants_are_suggested() {
    assert_snapshot!(wrong("
upstreams:
  a: {lambda: {region: x, payload: v3}}
  b: {lambda: {region: x, payload: {rwa: {content_type: x}}}}
  c: {lambda: {region: x, payload: {raw: {content_typ: x}}}}
  d: {lambda: {region: x, payload: {raw: {content_type: x}, v1: ~}}}
  e: {lambda: {region: x, payload: raw}}
  f: {lambda: {region: x, payload: {v1: 5}}}
"), @r"
    error: unknown value `v3`
      --> callgate.yaml:3:36 in upstreams.a.lambda.payload
       |
     3 |   a: {lambda: {region: x, payload: v3}}
       |                                    ^^ expected one of `v1`, `v2`, `raw`

    error: unknown name `rwa`
      --> callgate.yaml:4:37 in upstreams.b.lambda.payload
       |
     4 |   b: {lambda: {region: x, payload: {rwa: {content_type: x}}}}
       |                                     ^^^ expected one of `v1`, `v2`, `raw`
       = help: did you mean `raw`?

    error: unknown field `content_typ`
      --> callgate.yaml:5:43 in upstreams.c.lambda.payload.raw
       |
     5 |   c: {lambda: {region: x, payload: {raw: {content_typ: x}}}}
       |                                           ^^^^^^^^^^^ expected `content_type`
       = help: did you mean `content_type`?

    error: expected exactly one of `v1`, `v2`, `raw`, found `raw`, `v1`
      --> callgate.yaml:6:36 in upstreams.d.lambda.payload
       |
     6 |   d: {lambda: {region: x, payload: {raw: {content_type: x}, v1: ~}}}
       |                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: `raw` needs a value
      --> callgate.yaml:7:36 in upstreams.e.lambda.payload
       |
     7 |   e: {lambda: {region: x, payload: raw}}
       |                                    ^^^
       = help: write `{raw: ...}`

    error: `v1` takes no value
      --> callgate.yaml:8:41 in upstreams.f.lambda.payload.v1
       |
     8 |   f: {lambda: {region: x, payload: {v1: 5}}}
       |                                         ^

    6 errors in callgate.yaml
    ");
}

#[test]
fn missing_fields_name_the_field_and_the_mapping() {
    assert_snapshot!(wrong("
upstreams:
  a: {timeout: 5s}
hosts:
  api.example.com:
    routes:
      - match: GET /
        to: a/b
      - to: a/b
      - {enabled: true}
      - {to: 5}
"), @r#"
    error: the field `lambda` is required and not there
      --> callgate.yaml:3:6 in upstreams.a
       |
     3 |   a: {timeout: 5s}
       |      ^^^^^^^^^^^^^

    error: the field `match` is required and not there
      --> callgate.yaml:9:9 in hosts["api.example.com"].routes[1]
       |
     9 |       - to: a/b
       |         ^^

    error: the field `match` is required and not there
       --> callgate.yaml:10:9 in hosts["api.example.com"].routes[2]
        |
     10 |       - {enabled: true}
        |         ^^^^^^^^^^^^^^^

    error: the field `to` is required and not there
       --> callgate.yaml:10:9 in hosts["api.example.com"].routes[2]
        |
     10 |       - {enabled: true}
        |         ^^^^^^^^^^^^^^^

    error: the field `match` is required and not there
       --> callgate.yaml:11:9 in hosts["api.example.com"].routes[3]
        |
     11 |       - {to: 5}
        |         ^^^^^^^

    error: expected text, found the number `5`
       --> callgate.yaml:11:14 in hosts["api.example.com"].routes[3].to
        |
     11 |       - {to: 5}
        |              ^
        = help: quote it: "5"

    6 errors in callgate.yaml
    "#);
}

#[test]
fn consequences_of_other_errors_are_not_reported() {
    let report = wrong("upstreams: {a: {lambda: {region: [1]}, timeout: 5}}");
    assert!(report.ends_with("2 errors in callgate.yaml") && !report.contains("required"), "{report}");
    let report = wrong("upstreams: {a: {lambda: {regoin: x}}}");
    assert!(report.ends_with("1 error in callgate.yaml"), "{report}");
}

#[test]
fn a_value_out_of_a_reference_is_shown_as_the_reference() {
    assert_snapshot!(misfit::<Gateway>("
upstreams:
  a: {lambda: {region: x}, attempts: \"${ATTEMPTS}\", timeout: \"${TIMEOUT}\"}
", &[("ATTEMPTS", "hunter2"), ("TIMEOUT", "letmein")]), @r#"
    error: expected a whole number, found what `${ATTEMPTS}` gives
      --> callgate.yaml:3:38 in upstreams.a.attempts
       |
     3 |   a: {lambda: {region: x}, attempts: "${ATTEMPTS}", timeout: "${TIMEOUT}"}
       |                                      ^^^^^^^^^^^^^

    error: expected a duration such as `250ms`, `5s`, `2m` or `1h`, found `${TIMEOUT}`
      --> callgate.yaml:3:62 in upstreams.a.timeout
       |
     3 |   a: {lambda: {region: x}, attempts: "${ATTEMPTS}", timeout: "${TIMEOUT}"}
       |                                                              ^^^^^^^^^^^^

    2 errors in callgate.yaml
    "#);
}

#[test]
fn missing_references_are_reported_all_at_once() {
    assert_snapshot!(refused("
upstreams:
  a: {lambda: {region: \"${REGION}-${ZONE}\", key: \"${file:/run/secrets/key}\"}}
  b: |
    text
    ${LATER} ${not a name}
"), @r#"
    error: the environment variable `REGION` is not set
      --> callgate.yaml:3:25 in upstreams.a.lambda.region
       |
     3 |   a: {lambda: {region: "${REGION}-${ZONE}", key: "${file:/run/secrets/key}"}}
       |                         ^^^^^^^^^
       = help: set REGION, or give a default: `${REGION:-...}`

    error: the environment variable `ZONE` is not set
      --> callgate.yaml:3:35 in upstreams.a.lambda.region
       |
     3 |   a: {lambda: {region: "${REGION}-${ZONE}", key: "${file:/run/secrets/key}"}}
       |                                   ^^^^^^^
       = help: set ZONE, or give a default: `${ZONE:-...}`

    error: cannot read the file `/run/secrets/key`: no such file
      --> callgate.yaml:3:51 in upstreams.a.lambda.key
       |
     3 |   a: {lambda: {region: "${REGION}-${ZONE}", key: "${file:/run/secrets/key}"}}
       |                                                   ^^^^^^^^^^^^^^^^^^^^^^^^
       = help: a path is relative to the folder of the document that names it

    error: the environment variable `LATER` is not set
      --> callgate.yaml:6:5 in upstreams.b
       |
     6 |     ${LATER} ${not a name}
       |     ^^^^^^^^
       = help: set LATER, or give a default: `${LATER:-...}`

    error: `${not a name}` is not a reference
      --> callgate.yaml:6:14 in upstreams.b
       |
     6 |     ${LATER} ${not a name}
       |              ^^^^^^^^^^^^^
       = help: write `${NAME}`, `${NAME:-default}` or `${file:/path}`; a literal `${` is `$${`

    5 errors in callgate.yaml
    "#);
}

#[test]
fn missing_references_can_be_reported_together_with_the_remaining_flaws() {
    let folder =
        folder(&[("callgate.yaml", "upstreams:\n  a: {lambda: {region: x}, attempts: \"${NO}\", timeout: 5}\n")]);
    let (document, mut flaws) = Document::survey(&folder.path().join("callgate.yaml"), &Given::default()).unwrap();
    flaws.extend(from_node::<Gateway>(document.root(), &DocPath::root()).unwrap_err());
    let messages: Vec<String> = document.report(flaws).flaws().iter().map(|flaw| flaw.message.clone()).collect();
    assert_eq!(
        messages,
        [
            "the environment variable `NO` is not set",
            "expected a duration such as `250ms`, `5s`, `2m` or `1h`, found `5`",
        ]
    );
}

#[test]
fn a_duplicate_key_names_both_places() {
    assert_snapshot!(refused("
upstreams:
  orders: {a: 1}
  orders: {a: 2}
"), @r"
    error: the key `orders` is there twice
      --> callgate.yaml:4:3 in upstreams
       |
     4 |   orders: {a: 2}
       |   ^^^^^^
       = note: it is there first: callgate.yaml:3:3

    1 error in callgate.yaml
    ");
}

#[test]
fn errors_of_the_syntax_look_like_all_others() {
    assert_snapshot!(refused("routes:\n  - match: GET /\n   to: x\n"), @r"
    error: this is not valid YAML: while parsing a block collection, did not find expected '-' indicator
      --> callgate.yaml:3:4 in routes[1]
       |
     3 |    to: x
       |    ^

    1 error in callgate.yaml
    ");
    assert_snapshot!(refused("a: *nowhere\n"), @r"
    error: this is not valid YAML: while parsing node, found unknown anchor
      --> callgate.yaml:1:4 in a
       |
     1 | a: *nowhere
       |    ^

    1 error in callgate.yaml
    ");
    assert_snapshot!(refused("a: 1\n---\nb: 2\n"), @r"
    error: a file holds one document, and here a second one begins
      --> callgate.yaml:2:1
       |
     2 | ---
       | ^^^

    1 error in callgate.yaml
    ");
    assert_snapshot!(refused("a: !secret x\n? [b]\n: 1\n"), @r#"
    error: the tag `!secret` has no meaning here
      --> callgate.yaml:1:12 in a
       |
     1 | a: !secret x
       |            ^
       = help: leave it out; `!!str`, `!!int`, `!!float`, `!!bool` and `!!null` are understood

    error: a key must be text, not a collection
      --> callgate.yaml:2:3
       |
     2 | ? [b]
       |   ^
       = help: a template that begins with its braces must be quoted: "{{ ... }}"

    2 errors in callgate.yaml
    "#);
}

#[test]
fn braces_that_must_be_quoted_are_told_so() {
    assert_snapshot!(refused("path: {{ params.id }}\n"), @r#"
    error: a key must be text, not a collection
      --> callgate.yaml:1:8 in path
       |
     1 | path: {{ params.id }}
       |        ^
       = help: a template that begins with its braces must be quoted: "{{ ... }}"

    1 error in callgate.yaml
    "#);
    assert!(refused("routes: [{match: GET /a/{id}, to: a/b}]\n").contains("must be quoted: \"GET /items/{id}\""));
    assert_snapshot!(refused("a: {port: ${PORT}}\n"), @r#"
    error: this is not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
      --> callgate.yaml:1:12 in a
       |
     1 | a: {port: ${PORT}}
       |            ^
       = help: within `{...}` and `[...]` a reference must be quoted: "${NAME}"

    1 error in callgate.yaml
    "#);
}

#[test]
fn a_document_that_is_no_mapping_is_refused() {
    assert_snapshot!(refused("- routes\n"), @r"
    error: a configuration is a mapping, with `routes`, `upstreams` and so on as its keys
      --> callgate.yaml:1:1
       |
     1 | - routes
       | ^

    1 error in callgate.yaml
    ");
}

#[test]
fn warnings_are_counted_beside_errors() {
    let document = super::parse("routes: [a, b]\n").unwrap();
    let routes = document.root().get("routes").unwrap().items();
    let path = DocPath::root().key("routes");
    let flaws = vec![
        Flaw::warning(routes[1].at, &path.index(1), "this route can never be reached")
            .with_related(routes[0].at, "this route hides it")
            .with_label("hidden"),
        Flaw::error(routes[0].at, &path.index(0), "there is no upstream `a`"),
    ];
    assert_snapshot!(document.report(flaws).to_string(), @r"
    error: there is no upstream `a`
      --> callgate.yaml:1:10 in routes[0]
       |
     1 | routes: [a, b]
       |          ^

    warning: this route can never be reached
      --> callgate.yaml:1:13 in routes[1]
       |
     1 | routes: [a, b]
       |             ^ hidden
       = note: this route hides it: callgate.yaml:1:10

    1 error, 1 warning in callgate.yaml
    ");
}
