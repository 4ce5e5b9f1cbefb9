//! `callgate import`: what it makes of the files in `import/`, which is valid and sends requests where the other gateway does.

mod kong;

use std::path::Path;

use serde_json::{Value, json};

use super::{
    callgate, configured, on, ran,
    serving::{Running, request},
};

/// The document that is made of a file, and the JSON of the same command.
fn imported(from: &str, file: &str) -> (String, Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/import");
    let run = |more: &[&str]| {
        let done = ran(callgate(&[&["import", from, file], more].concat()).current_dir(&folder));
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{}", done.out);
        done.out
    };
    let told = serde_json::from_str(&run(&["--output", "json"])).expect("JSON");
    (run(&[]), told)
}

/// What `explain` says that the first destination gets of a request: its text.
fn sent(yaml: &str, method: &str, url: &str, headers: &[&str]) -> String {
    let folder = configured(yaml);
    let checked = on(folder.path(), &["check"], &[]);
    assert_eq!(checked.code, Some(0), "{yaml}\n{}", checked.err);
    let after: Vec<_> = [method, url].into_iter().chain(headers.iter().flat_map(|header| ["-H", header])).collect();
    let told = on(folder.path(), &["explain", "--output", "json"], &after);
    let told: Value = serde_json::from_str(&told.out).expect("JSON");
    told["results"][0].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
}

fn left(told: &Value) -> String {
    told["left"].as_array().expect("a list").iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

#[test]
fn services_and_routes_of_kong() {
    let (yaml, told) = imported("kong", "kong.yaml");
    let upstreams = &told["configuration"]["upstreams"];
    assert_eq!(upstreams["orders"]["rest"]["endpoints"], json!(["http://10.0.1.4:9000", "http://10.0.1.5:9000"]));
    assert_eq!(upstreams["orders"]["retry"], json!({"attempts": 3, "on": ["connect"]}));
    assert!(sent(&yaml, "GET", "/orders/7?a=1", &[]).contains("  GET /v2/7?a=1\n"), "the prefix is stripped");
    assert!(sent(&yaml, "DELETE", "/pets/7", &[]).contains("  DELETE /7\n"));
    for (path, expected) in [("/x", "/v2/x"), ("/reports/12", "/v2/reports/12")] {
        let exported = sent(&yaml, "GET", &format!("http://exports.example.com{path}"), &["x-tier: gold"]);
        assert!(exported.contains(&format!("  GET {expected}\n")), "{exported}");
    }
    let route = &told["configuration"]["routes"][0];
    assert_eq!((&route["rate_limit"]["limit"], &route["limits"]["max_body"]), (&json!("60/m"), &json!("2MiB")));
    let left = left(&told);
    for expected in ["service pets: the plugin `key-auth`", "the document: `consumers`", "prefixes: `/a` takes"] {
        assert!(left.contains(expected) && yaml.contains(expected), "{expected}: {left}");
    }
}

#[test]
fn endpoints_of_krakend() {
    let (yaml, told) = imported("krakend", "krakend.json");
    assert!(sent(&yaml, "GET", "/users/7", &[]).contains("  GET /api/v1/users/7\n"));
    assert!(sent(&yaml, "GET", "/files/a/b", &[]).contains("  GET /store/a/b\n"));
    assert!(sent(&yaml, "POST", "/orders", &[]).contains("  PUT /orders\n"));
    assert_eq!(told["configuration"]["routes"][0]["timeout"], "800ms");
    assert_eq!(told["configuration"]["routes"][1]["timeout"], "3s");
    let left = left(&told);
    for expected in ["GET /home: 2 backends", "the port 8000"] {
        assert!(left.contains(expected), "{expected}: {left}");
    }
}

#[test]
fn upstreams_and_virtual_services_of_gloo() {
    let (yaml, told) = imported("gloo", "gloo.yaml");
    let created = sent(&yaml, "POST", "http://shop.example.com/orders", &[]);
    assert!(created.contains("create-order") && created.contains("95 of 100"), "{created}");
    let pets = sent(&yaml, "GET", "http://shop.example.com/pets/7", &["x-tier: gold"]);
    assert!(pets.contains("  GET /api/pets/7\n"), "{pets}");
    assert_eq!(told["configuration"]["upstreams"]["functions"]["lambda"]["region"], "eu-west-1");
    let routes = &told["configuration"]["hosts"]["shop.example.com"]["routes"];
    assert_eq!(routes[2]["redirect"], json!({"path": "/new", "status": 302}));
    assert_eq!(routes[3]["respond"], json!({"status": 200, "body": {"text": "fine"}}));
    let left = left(&told);
    for expected in ["`secretRef`", "route 4, its options: `cors`", "route 2: on what it is tried again"] {
        assert!(left.contains(expected), "{expected}: {left}");
    }
}

#[test]
fn an_export_of_kong_with_all_its_defaults() {
    let (yaml, told) = imported("kong", "kong-export.yaml");
    let tiers = ["x-tier: silver", "x-beta: ON"];
    assert!(sent(&yaml, "GET", "http://shop.example.com/orders/7", &tiers).contains("  GET /orders/7\n"));
    let upstreams = &told["configuration"]["upstreams"];
    assert_eq!(upstreams["stock"]["rest"], json!({"http2": true, "url": "http://stock.example.com:50051"}));
    assert!(upstreams["retired"].is_null() && upstreams["stream"].is_null());
    let function = &told["configuration"]["routes"][1]["to"];
    assert_eq!((&function["function"], &function["payload"]), (&json!("resize-prod"), &json!("apigateway_v1")));
    let defaults = &told["configuration"]["defaults"];
    assert_eq!(defaults["cors"]["max_age"], "3600s");
    assert_eq!(defaults["rate_limit"]["limits"], json!([{"limit": "5/s"}, {"limit": "1000/h"}]));
    let left = left(&told);
    for expected in [
        "service retired: it is not enabled",
        "service stream is left out: its protocol is tcp",
        "route by-expression is left out",
        "`/(?!internal).*` is left out",
        "every route: the plugin `jwt`, which may decide who is let in. It is CLOSED",
        "route one-order: it took HTTPS only",
    ] {
        assert!(left.contains(expected), "{expected}: {left}");
    }
    assert!(!left.contains("regex_priority") && !left.contains("write_timeout"), "what is usual is no news: {left}");
}

#[test]
fn what_krakend_puts_beside_its_endpoints() {
    let (yaml, told) = imported("krakend", "krakend-extra.json");
    assert!(sent(&yaml, "GET", "/market/eur", &[]).contains("  GET /v3/coins?vs_currency=eur&ids=a%2Cb\n"));
    assert!(sent(&yaml, "POST", "/resize", &[]).contains("resize-prod"));
    let private = &told["configuration"]["routes"][1];
    assert_eq!(private["auth"]["jwt"]["claims"]["http://example.com/roles"], json!({"any": ["user", "admin"]}));
    assert_eq!(private["rate_limit"]["limits"][1], json!({"limit": "5/s", "by": "client"}));
    assert_eq!(told["configuration"]["defaults"]["cors"]["origins"], json!(["http://localhost:3000"]));
    let left = left(&told);
    for expected in
        ["GET /shared: `auth/validator`", "GET /claims is left out", "the timeout \"150us\"", "`telemetry/logging`"]
    {
        assert!(left.contains(expected), "{expected}: {left}");
    }
}

#[test]
fn what_gloo_says_in_other_ways() {
    let (yaml, told) = imported("gloo", "gloo-export.yaml");
    assert!(sent(&yaml, "GET", "http://shop.example.com/api/x", &[]).contains("  GET /api/x\n"));
    let upstreams = &told["configuration"]["upstreams"];
    assert_eq!(upstreams["pets"]["rest"], json!({"endpoints": ["https://pets.example.com:443"], "http2": true}));
    assert_eq!(upstreams["shop"]["rest"]["url"], "http://shop.web:8080");
    let routes = told["configuration"]["hosts"]["shop.example.com"]["routes"].as_array().expect("routes");
    assert_eq!(routes.len(), 2, "no route takes more than it did: {routes:?}");
    assert_eq!(routes[1]["match"]["headers"], json!({"authorization": {"present": true}}));
    let left = left(&told);
    for expected in ["the port 8080", "route 3 is left out: its conditions on `headers`", "route 4 is left out"] {
        assert!(left.contains(expected), "{expected}: {left}");
    }
}

#[test]
fn an_export_of_api_gateway() {
    let (yaml, told) = imported("api-gateway", "api-gateway.yaml");
    let configuration = &told["configuration"];
    let order = &configuration["routes"][0];
    assert_eq!(order["to"]["function"], "arn:aws:lambda:eu-west-1:123456789012:function:orders:live");
    assert_eq!((&order["to"]["payload"], &order["timeout"]), (&json!("apigateway_v2"), &json!("29000ms")));
    let issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc";
    assert_eq!(order["auth"]["oidc"]["issuer"], issuer);
    let folder = configured(&yaml);
    let unset = on(folder.path(), &["check"], &[]);
    assert!(unset.code == Some(1) && unset.err.contains("files"), "a stage variable has no default: {}", unset.err);
    let yaml = yaml.replace("${files}", "files-prod");
    assert!(sent(&yaml, "PUT", "/files/a/b", &[]).contains("function:files-prod"));
    assert!(sent(&yaml, "GET", "/pets/7", &[]).contains("  GET /v2/pets/7\n"));
    assert_eq!(configuration["routes"][2]["auth"]["oidc"]["claims"], json!({"scope": {"any": ["read"]}}));
    assert_eq!(configuration["defaults"]["cors"]["max_age"], "300s");
    let left = left(&told);
    for expected in [
        "GET /pets/{petId}: its authorizer `key`. It is CLOSED",
        "OPTIONS /orders/{id}: a mock",
        "the stage variable `files`",
        "`/a/{*proxy}` takes `/a` and `/a/` too",
        "POST /mapped is left out",
    ] {
        assert!(left.contains(expected), "{expected}: {left}");
    }
}

/// The answer's head to a GET of each path that a file's routes have, of the gateway that serves what is made of the file.
fn answers(from: &str, file: &str) -> Vec<(String, String)> {
    let (yaml, told) = imported(from, file);
    let folder =
        configured(&format!("listeners: {{public: {{address: '127.0.0.1:0'}}}}\nshutdown: {{lame_duck: 0s}}\n{yaml}"));
    let mut running = Running::start(folder.path(), &[]);
    let address = running.address("Listening.");
    let routes = told["configuration"]["routes"].as_array().expect("routes").iter();
    let paths = routes.filter_map(|route| route["match"]["path"].as_str());
    let paths = paths.map(|path| path.replace("{*rest}", "x")).collect::<Vec<_>>();
    paths.into_iter().map(|path| (path.clone(), request(address, &format!("GET {path}")).0)).collect()
}

#[test]
fn whom_the_other_gateway_kept_out_is_kept_out() {
    for (from, file, closed, open) in [
        ("kong", "guarded/kong.yaml", 6, 2),
        ("krakend", "guarded/krakend.json", 5, 1),
        ("krakend", "guarded/krakend-whole.json", 2, 0),
        ("gloo", "guarded/gloo.yaml", 3, 1),
        ("api-gateway", "guarded/api-gateway.yaml", 4, 1),
        ("api-gateway", "guarded/api-gateway-whole.yaml", 1, 0),
    ] {
        let answers = answers(from, file);
        let (guarded, free): (Vec<_>, Vec<_>) = answers.iter().partition(|(path, _)| path.starts_with("/closed"));
        assert_eq!((guarded.len(), free.len()), (closed, open), "{file}: {answers:?}");
        for (path, head) in guarded {
            assert!(head.starts_with("HTTP/1.1 401 "), "{file}: {path}: {head}");
        }
        for (path, head) in free {
            // Nothing listens behind it.
            assert!(head.starts_with("HTTP/1.1 502 "), "{file}: {path}: {head}");
        }
    }
}

#[test]
fn what_is_closed_says_so_where_somebody_has_to_write() {
    let (yaml, told) = imported("kong", "guarded/kong.yaml");
    assert!(yaml.contains(" # CLOSED: write here who may call\n"), "{yaml}");
    let left = left(&told);
    assert_eq!(left.matches("CLOSED, 401 for everyone, until you write its `auth`").count(), 6, "{left}");
    assert!(!left.contains("EVERYONE"), "{left}");
}

/// The document that is made of a text, and what is left; it is valid.
fn made(from: &str, text: &str) -> (Value, String) {
    let folder = configured(text);
    let done = ran(callgate(&["import", from, "callgate.yaml", "--output", "json"]).current_dir(folder.path()));
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{}", done.out);
    let told: Value = serde_json::from_str(&done.out).expect("JSON");
    (told["configuration"].clone(), left(&told))
}

#[test]
fn options_of_what_is_taken_over_are_told_where_they_are_not() {
    for (from, text, expected) in [
        (
            "kong",
            r#"
_format_version: "3.0"
services:
  - name: a
    url: http://a.example.com
    routes: [{name: a, paths: [/a]}]
    plugins:
      - {name: rate-limiting, config: {minute: 6, month: 90, policy: redis, redis_host: r.example.com, error_code: 429}}
      - {name: cors, config: {origins: ["*"], preflight_continue: true, private_network: false}}
      - {name: request-size-limiting, config: {allowed_payload_size: 2, require_content_length: true}}
"#,
            "the plugin `rate-limiting`: `month`|the plugin `cors`: `preflight_continue`|: `require_content_length`",
        ),
        (
            "krakend",
            r#"{"version": 3, "timeout": "1.5s", "host": ["http://a.example.com"], "endpoints": [
                {"endpoint": "/a", "backend": [{"url_pattern": "/a"}], "concurrent_calls": 3, "extra_config":
                    {"qos/ratelimit/router": {"max_rate": 0.5, "client_max_rate": 5, "strategy": "header", "key": "x-id"}}},
                {"endpoint": "/b/{name}", "backend": [{"host": ["http://dummy"], "url_pattern": "/",
                    "extra_config": {"backend/lambda": {"function_param_name": "Name", "region": "eu-west-1"}}}]}],
                "extra_config": {"security/cors": {"allow_origins": ["*"], "allow_private_network": true, "debug": false}}}"#,
            "the timeout \"1.5s\"|GET /a: `concurrent_calls`|`max_rate`|`strategy`|`key`|`output_encoding` other than|GET /b/{name} is left out: a client names|`allow_private_network`",
        ),
        (
            "gloo",
            r"
kind: Upstream
metadata: {name: a}
spec: {static: {hosts: [{addr: a.example.com, port: 80, healthCheckConfig: {path: /up}}], autoSniRewrite: true}}
---
kind: Upstream
metadata: {name: b}
spec: {kube: {serviceName: b, serviceNamespace: shop, servicePort: 80, selector: {version: v2}}}
---
kind: VirtualService
metadata: {name: shop}
spec:
  virtualHost:
    domains: ['*']
    routes:
      - matchers: [{prefix: /a}]
        routeAction: {multi: {destinations: [{weight: 1, destination: {upstream: {name: a}}, options: {headerManipulation: {}, x: 1}}]}}
        options: {retries: {numRetries: 2, retryOn: 5xx, perTryTimeout: 1s}}
      - {matchers: [{prefix: /b}], routeAction: {single: {upstream: {name: b}}}}
",
            "`healthCheckConfig`|its `static`: `autoSniRewrite`|its `kube`: `selector`|one of its destinations: `options`|its `retries`: `perTryTimeout`",
        ),
        (
            "api-gateway",
            r"
openapi: 3.0.1
paths:
  /a:
    post:
      x-amazon-apigateway-request-validator: all
      x-amazon-apigateway-integration:
        type: aws_proxy
        uri: arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:a/invocations
        requestParameters: {integration.request.header.tenant: method.request.header.origin}
",
            "POST /a: `x-amazon-apigateway-request-validator`|POST /a: its parameter: `integration.request.header.tenant`",
        ),
    ] {
        let (_, left) = made(from, text);
        for expected in expected.split('|') {
            assert!(left.contains(expected), "{from}: {expected} is lost: {left}");
        }
        for usual in ["`error_code`", "`private_network`", "`debug`", "`redis_host`"] {
            assert!(!left.contains(usual), "{from}: {usual} is no news: {left}");
        }
    }
}

#[test]
fn functions_get_the_event_that_they_got_there() {
    let (kong, _) = made(
        "kong",
        r#"
_format_version: "3.0"
routes:
  - name: a
    paths: [/a]
    plugins: [{name: aws-lambda, config: {function_name: a, aws_region: eu-west-1, awsgateway_compatible: true,
      awsgateway_compatible_payload_version: "2.0", is_proxy_integration: true}}]
"#,
    );
    assert_eq!(kong["routes"][0]["to"]["payload"], "apigateway_v2");
    assert!(kong["routes"][0]["to"]["reply"].is_null(), "as it is for that payload");
    let (krakend, left) = made(
        "krakend",
        r#"{"version": 3, "endpoints": [{"endpoint": "/a", "backend": [
            {"extra_config": {"backend/lambda": {"function_name": "a", "region": "eu-west-1", "max_retries": 2}}}]}]}"#,
    );
    assert_eq!(krakend["routes"][0]["to"]["payload"], "raw");
    assert!(left.contains("GET /a: the event of its function was its parameters"), "{left}");
    assert!(left.contains("GET /a: its `backend/lambda`: `max_retries`"), "{left}");
    let (gloo, _) = made(
        "gloo",
        r"
kind: Upstream
metadata: {name: f}
spec: {aws: {region: eu-west-1, lambdaFunctions: [{logicalName: a, lambdaFunctionName: a-prod}]}}
---
kind: VirtualService
metadata: {name: shop}
spec:
  virtualHost:
    routes:
      - {matchers: [{exact: /a}], routeAction: {single: {upstream: {name: f}, destinationSpec: {aws: {logicalName: a}}}}}
      - matchers: [{exact: /b}]
        routeAction: {single: {upstream: {name: f}, destinationSpec: {aws: {logicalName: a, wrapAsApiGateway: true, unwrapAsApiGateway: true}}}}
      - matchers: [{exact: /c}]
        routeAction: {single: {upstream: {name: f}, destinationSpec: {aws: {logicalName: a, unwrapAsAlb: true}}}}
",
    );
    let to = |index: usize| &gloo["routes"][index]["to"];
    assert_eq!(*to(0), json!({"upstream": "f", "function": "a", "payload": "raw"}));
    assert_eq!(*to(1), json!({"upstream": "f", "function": "a", "payload": "apigateway_v1"}));
    assert_eq!(*to(2), json!({"upstream": "f", "function": "a", "payload": "raw", "reply": "http"}));
}

#[test]
fn what_cloudformation_fills_in_is_found() {
    let (document, left) = made(
        "api-gateway",
        r#"
openapi: 3.0.1
paths:
  /posts/{id}:
    get:
      x-amazon-apigateway-integration:
        type: aws_proxy
        uri: {"Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Posts.Arn}/invocations"}
"#,
    );
    assert_eq!(document["routes"][0]["to"]["function"], "Posts");
    assert_eq!(document["upstreams"]["functions"]["lambda"]["region"], "${AWS_REGION}");
    assert!(left.contains("`AWS_REGION` in the environment"), "{left}");
}

#[test]
fn a_route_that_is_left_out_no_longer_stands_before_broader_ones_and_that_is_told() {
    let (yaml, _) = imported("kong", "kong-export.yaml");
    assert!(yaml.contains("requests to a route that is left out reach a broader one"), "{yaml}");
}

#[test]
fn what_is_no_such_configuration_is_told() {
    let folder = configured("routes: []\n");
    for gateway in ["api-gateway", "gloo", "kong", "krakend"] {
        let refused = ran(callgate(&["import", gateway, "callgate.yaml"]).current_dir(folder.path()));
        assert_eq!(refused.code, Some(1));
        assert!(refused.err.contains("is no configuration of"), "{}", refused.err);
    }
    std::fs::write(folder.path().join("broken.yaml"), "a: [\n").expect("written");
    let refused = ran(callgate(&["import", "kong", "broken.yaml"]).current_dir(folder.path()));
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("broken.yaml: line"), "{}", refused.err);
}
