//! Where documents come from, what is told of them before a request, and credentials.

use std::sync::atomic::{AtomicUsize, Ordering};

use callgate_core::Body;
use callgate_testkit::peers::until;
use http::{Request, StatusCode};
use serde_json::json;
use tokio::runtime::Handle;

use crate::{
    recorder::{Recorder, Reply},
    stage::{LONG, Stage, plan, plan_with, refusing},
};

const SECURED: &str = r##"
openapi: 3.1.0
info: {title: t, version: "1"}
servers: [{url: "http://{host}.test/v1", variables: {host: {enum: [a, b], default: a}}}]
security: [{key: []}]
paths:
  /open: {get: {operationId: open, security: []}}
  /optional: {get: {operationId: optional, security: [{}, {key: []}]}}
  /key: {get: {operationId: key}}
  /query: {get: {operationId: query, security: [{in_query: []}]}}
  /cookie: {get: {operationId: cookie, security: [{in_cookie: []}]}}
  /either: {get: {operationId: either, security: [{key: [], login: []}, {oauth: [read]}]}}
  /login: {get: {operationId: login, security: [{login: []}]}}
  /twice: {get: {operationId: twice, security: []}, post: {operationId: twice, security: []}}
  /broken: {get: {operationId: broken, security: [], parameters: [{$ref: "#/components/parameters/none"}]}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
    in_query: {type: apiKey, in: query, name: "api key"}
    in_cookie: {type: apiKey, in: cookie, name: sid}
    login: {type: http, scheme: Basic}
    oauth: {type: oauth2, flows: {}}
"##;

/// Routes to operations by their own names.
fn routes(operations: &[&str]) -> String {
    let route = |name: &&str| format!("\n  - {{match: \"/{}\", to: \"service/{name}\"}}", name.replace(' ', "-"));
    operations.iter().map(route).collect::<String>() + "\n"
}

fn reported(options: &str, operations: &[&str]) -> String {
    plan_with(SECURED, options, &routes(operations)).map(|_| "valid".to_owned()).unwrap_or_else(|report| report)
}

#[tokio::test]
async fn credentials_go_where_their_scheme_says_and_replace_the_clients() {
    let recorder = Recorder::start(Reply::ok(""));
    let credentials =
        r#"{key: "k1", in_query: {token: "q&1"}, in_cookie: c1, login: {user: ada, password: pw}, oauth: {token: t1}}"#;
    let options = format!("{{url: \"{}\", openapi: openapi.yaml, credentials: {credentials}}}", recorder.url);
    let stage =
        Stage::with(SECURED, &options, &routes(&["open", "optional", "key", "query", "cookie", "either", "login"]))
            .await;
    let call = async |name: &str| {
        let request = Request::get(format!("/{name}?api+key=mine&x=1"))
            .header("x-key", "mine")
            .header("authorization", "Bearer mine")
            .header("cookie", "sid=mine; a=b");
        assert_eq!(stage.send(request.body(Body::empty()).unwrap()).await.status(), StatusCode::OK);
        recorder.next()
    };
    let received = call("open").await;
    assert_eq!(received.line, "GET /open HTTP/1.1");
    assert_eq!(
        (received.header("x-key"), received.header("authorization"), received.header("cookie")),
        (Some("mine"), Some("Bearer mine"), None)
    );
    for name in ["optional", "key"] {
        assert_eq!(call(name).await.header("x-key"), Some("k1"), "{name}");
    }
    assert_eq!(call("query").await.line, "GET /query?api%20key=q%261 HTTP/1.1");
    assert_eq!(call("cookie").await.header("cookie"), Some("sid=c1"));
    assert_eq!(call("login").await.header("authorization"), Some("Basic YWRhOnB3"));
    let received = call("either").await;
    assert_eq!((received.header("x-key"), received.header("authorization")), (Some("k1"), Some("Basic YWRhOnB3")));
}

#[tokio::test]
async fn the_first_alternative_with_all_credentials_is_taken() {
    let recorder = Recorder::start(Reply::ok(""));
    let options =
        format!("{{url: \"{}\", openapi: openapi.yaml, credentials: {{key: k1, oauth: {{token: t1}}}}}}", recorder.url);
    let stage = Stage::with(SECURED, &options, &routes(&["either"])).await;
    let request = Request::get("/either").header("x-key", "mine").body(Body::empty()).unwrap();
    stage.send(request).await;
    let received = recorder.next();
    assert_eq!((received.header("x-key"), received.header("authorization")), (None, Some("Bearer t1")));
}

#[tokio::test]
async fn clients_may_bring_their_own_credentials() {
    let recorder = Recorder::start(Reply::ok(""));
    let credentials = "{key: {client: true}, in_query: {client: true}, in_cookie: {client: true}}";
    let options = format!("{{url: \"{}\", openapi: openapi.yaml, credentials: {credentials}}}", recorder.url);
    let stage = Stage::with(SECURED, &options, &routes(&["key", "query", "cookie"])).await;
    let mut received = Vec::new();
    for path in ["/key", "/query?api+key=mine", "/cookie"] {
        let request = Request::get(path).header("x-key", "mine").header("cookie", "sid=mine; a=b");
        stage.send(request.body(Body::empty()).unwrap()).await;
        received.push(recorder.next());
    }
    assert_eq!(received[0].header("x-key"), Some("mine"));
    assert_eq!(received[1].line, "GET /query?api%20key=mine HTTP/1.1");
    assert_eq!(received[2].header("cookie"), Some("sid=mine"));
}

#[test]
fn what_does_not_go_with_the_document_is_told_at_its_place() {
    let file = "openapi: openapi.yaml";
    for (options, operations, says) in [
        ("url: \"http://x\"", "opne", "the document has no operation `opne`"),
        ("url: \"http://x\"", "opne", "did you mean `open`?"),
        ("url: \"http://x\"", "opne", "routes[0].to"),
        ("url: \"http://x\"", "key", "`key` needs credentials for `key` (an apiKey in the header `X-Key`)"),
        ("url: \"http://x\"", "either", "and `login` (http basic), or for `oauth` (oauth2)"),
        ("url: \"http://x\"", "key", "add `credentials: {key: \"KEY\"}` to the upstream"),
        ("url: \"http://x\", credentials: {login: tok}", "login", "needs credentials for `login`"),
        ("url: \"http://x\", credentials: {kye: k}", "open", "the document has no security scheme `kye`"),
        ("url: \"http://x\", credentials: {kye: k}", "open", "did you mean `key`?"),
        ("url: \"http://x\", credentials: {key: {tokn: k}}", "open", "tokn"),
        ("url: \"http://x\", credentials: {key: {token: k, user: u}}", "open", "this is no credential"),
        ("url: \"http://x\"", "twice", "2 operations have the id `twice`"),
        ("url: \"http://x\"", "twice", "GET /twice"),
        ("url: \"http://x\"", "broken", "leads nowhere"),
        ("server_variables: {hots: b}", "open", "did you mean `host`?"),
        ("server_variables: {host: c}", "open", "none of the values of the variable `host`: `a`, `b`"),
        ("url: \"http://x\", server_variables: {host: b}", "open", "keep one of them"),
    ] {
        let report = reported(&format!("{{{file}, {options}}}"), &[operations]);
        assert!(report.contains(says), "{options} {operations}: {report}");
    }
    assert_eq!(reported("{openapi: openapi.yaml}", &["open", "GET /twice"]), "valid");
    let none = reported("{url: \"http://x\"}", &["open"]);
    assert!(none.contains("no OpenAPI document"), "{none}");
    let missing = reported("{url: \"http://x\", openapi: none.yaml}", &["open"]);
    assert!(missing.contains("upstreams.service.rest.openapi") && missing.contains("none.yaml"), "{missing}");
    let target = "\n  - {match: /a, to: {upstream: service, operation: open, parameters: {x: 1}, body: {}, content_type: a/b}}\n";
    let report = plan_with(SECURED, "{url: \"http://x\", openapi: openapi.yaml}", target).unwrap_err();
    for says in ["`open` has no parameter `x`", "takes no body", "does not take `a/b`"] {
        assert!(report.contains(says), "{says}: {report}");
    }
    let proxy =
        plan_with(SECURED, "{url: \"http://x\"}", "\n  - {match: /a, to: {upstream: service, validate: both}}\n")
            .unwrap_err();
    assert!(proxy.contains("none is named"), "{proxy}");
}

#[test]
fn secrets_are_not_shown() {
    let options =
        "{url: \"http://x\", openapi: openapi.yaml, credentials: {key: sesame, login: {user: ada, password: sesame}}}";
    let plan = plan_with(SECURED, options, &routes(&["key"])).unwrap();
    let shown = format!("{plan:?} {}", plan.effective());
    assert!(!shown.contains("sesame"), "{shown}");
}

/// A document whose only schema is in another file.
fn served(line: &str) -> Reply {
    if line.starts_with("GET /docs/openapi.json") {
        let operation = json!({"operationId": "one", "parameters": [{"$ref": "parts.yaml#/id"}]});
        Reply::ok(
            &json!({"openapi": "3.0.0", "servers": [{"url": "/v2"}], "paths": {"/one": {"get": operation}}})
                .to_string(),
        )
    } else if line.starts_with("GET /docs/parts.yaml") {
        Reply::of("200 OK", "application/yaml", "id: {name: id, in: query, required: true}\n")
    } else if line.starts_with("GET /v2/one") || line.starts_with("GET /one") {
        Reply::ok("[]")
    } else {
        Reply::of("404 Not Found", "text/plain", "no")
    }
}

#[tokio::test]
async fn a_document_at_a_url_is_fetched_with_its_parts_and_says_where_the_service_is() {
    let recorder = Recorder::serving(served);
    for options in [
        format!("{{openapi: \"{}/docs/openapi.json\"}}", recorder.url),
        format!("{{url: \"{}/v2\", openapi: \"{}/docs/openapi.json\"}}", recorder.url, recorder.url),
    ] {
        let stage = Stage::with(SECURED, &options, &routes(&["one"])).await;
        assert_eq!(stage.get("/one?id=7").await.status(), StatusCode::OK, "{options}");
        assert!(stage.ready().await);
        let lines: Vec<_> = (0..3).map(|_| recorder.next().line).collect();
        assert_eq!(
            lines,
            ["GET /docs/openapi.json HTTP/1.1", "GET /docs/parts.yaml HTTP/1.1", "GET /v2/one?id=7 HTTP/1.1"]
        );
    }
}

#[tokio::test]
async fn discover_probes_the_usual_paths() {
    let recorder = Recorder::serving(served);
    let options = format!("{{url: \"{}\", openapi: discover}}", recorder.url);
    let stage = Stage::with(SECURED, &options, &routes(&["one"])).await;
    assert_eq!(stage.get("/one?id=7").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_operation_of_a_fetched_document_fails_the_load() {
    let recorder = Recorder::serving(served);
    let options = format!("{{openapi: \"{}/docs/openapi.json\"}}", recorder.url);
    let plan = plan_with(SECURED, &options, &routes(&["on"])).unwrap();
    let error = callgate_core::Snapshot::load(plan, &Handle::current()).await.unwrap_err().to_string();
    assert!(error.contains("did you mean `one`?") && error.contains("routes[0].to"), "{error}");
}

#[tokio::test]
async fn while_a_document_can_not_be_had_its_operations_are_unavailable() {
    let options = format!("{{openapi: \"{}/openapi.json\"}}", refusing());
    let stage = Stage::with(SECURED, &options, &routes(&["one"])).await;
    let answer = stage.get("/one").await;
    assert_eq!(
        (answer.status(), answer.headers()["callgate-error"].to_str().unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, "upstream_unavailable")
    );
    assert!(!stage.ready().await);
}

#[tokio::test]
async fn a_document_that_came_late_and_lacks_an_operation_is_fetched_again() {
    let asked = AtomicUsize::new(0);
    let recorder = Recorder::serving(move |line| {
        if line.starts_with("GET /v2/one") {
            return Reply::ok("[]");
        }
        let document = |paths: &str| {
            Reply::ok(&format!(r#"{{"openapi": "3.0.0", "servers": [{{"url": "/v2"}}], "paths": {{{paths}}}}}"#))
        };
        match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::of("404 Not Found", "text/plain", "no"),
            1 => document(r#""/other": {"get": {"operationId": "other"}}"#),
            _ => document(r#""/one": {"get": {"operationId": "one"}}"#),
        }
    });
    let options = format!("{{openapi: \"{}/openapi.json\"}}", recorder.url);
    let stage = Stage::with(SECURED, &options, &routes(&["one"])).await;
    let mut seen = Vec::new();
    let works = async || {
        let answer = stage.get("/one").await;
        seen.extend(answer.headers().get("callgate-error").cloned());
        seen.dedup();
        answer.status() == StatusCode::OK
    };
    assert!(until(LONG, works).await, "{seen:?}");
    assert_eq!(seen, ["upstream_unavailable", "upstream_denied"]);
}

#[tokio::test]
async fn discovery_lists_the_operations_with_their_inputs_and_each_can_be_pasted() {
    let options = "{openapi: openapi.yaml}";
    let document = r#"
swagger: "2.0"
host: a.test
paths:
  /pets/{id}:
    get:
      operationId: getPet
      summary: One pet
      parameters: [{name: id, in: path, type: integer, required: true}, {name: page-size, in: query, type: integer}]
    delete: {parameters: [{name: id, in: path, type: integer, required: true}]}
"#;
    let read = plan_with(document, options, " []\n").unwrap();
    let listing = read.discover("service", &Handle::current()).await.unwrap().to_string();
    let expected = concat!(
        "functions:\n",
        "  DELETE /pets/{id}: {operation: \"DELETE /pets/{id}\", parameters: {\"id\":\"{{ params.id }}\"}}  # DELETE /pets/{id}\n",
        "  getPet: {operation: getPet, parameters: {\"id\":\"{{ params.id }}\",",
        "\"page-size\":\"{{ query['page-size'] if query['page-size'] is defined else none }}\"}}  # GET /pets/{id}: One pet\n",
    );
    assert_eq!(listing, expected);
    let recorder = Recorder::start(Reply::ok("{}"));
    let block = listing.trim_end().replace('\n', "\n    ");
    let options = format!("{{url: \"{}\", openapi: openapi.yaml}}\n    {block}", recorder.url);
    let stage = Stage::with(document, &options, "\n  - {match: \"/pets/{id}\", to: service/getPet}\n").await;
    assert_eq!(stage.get("/pets/7").await.status(), StatusCode::OK);
    assert_eq!(recorder.next().line, "GET /pets/7 HTTP/1.1");
    stage.get("/pets/7?page-size=2").await;
    assert_eq!(recorder.next().line, "GET /pets/7?page-size=2 HTTP/1.1");
    let none = plan("{url: \"http://a\"}").unwrap().discover("service", &Handle::current()).await.unwrap_err();
    assert!(none.to_string().contains("no OpenAPI document"), "{none}");
}

#[tokio::test]
async fn an_operation_is_described_with_an_example() {
    let document = r##"
openapi: 3.0.0
servers: [{url: "http://a.test"}]
paths:
  /pets/{id}:
    put:
      operationId: putPet
      summary: Puts a pet
      parameters: [{name: id, in: path, required: true, schema: {type: integer}, example: 7}]
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
      responses: {"200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}}
components: {schemas: {Pet: {type: object, required: [name], properties: {name: {type: string, example: Rex}, tag: {type: string, nullable: true}}}}}
"##;
    let plan = plan_with(document, "{openapi: openapi.yaml}", " []\n").unwrap();
    let described = plan.describe("service/putPet", &Handle::current()).await.unwrap().to_string();
    let described: serde_json::Value = serde_json::from_str(&described).unwrap();
    assert_eq!(
        described,
        json!({
            "function": "service/putPet",
            "summary": "Puts a pet",
            "input": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "body": {"$ref": "#/$defs/Pet"}},
                "required": ["id", "body"],
                "$defs": {"Pet": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string", "examples": ["Rex"]}, "tag": {"type": ["string", "null"]}},
                }},
            },
            "output": {
                "$ref": "#/$defs/Pet",
                "$defs": described["input"]["$defs"],
            },
            "example": {"id": 7, "body": {"name": "Rex"}},
            "sent": "PUT /pets/7\ncontent-type: application/json\n\n{\"name\":\"Rex\"}\n",
        })
    );
}

#[tokio::test]
async fn the_gateway_publishes_its_routes_with_the_schemas_of_their_operations() {
    let document = r##"
openapi: 3.0.0
paths:
  /pets/{id}:
    put:
      operationId: putPet
      summary: Puts a pet
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
        - {name: dry, in: query, schema: {type: boolean}}
        - {name: fixed, in: query, schema: {type: string}}
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
      responses: {"200": {description: It is put., content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}}
components: {schemas: {Pet: {type: object, properties: {name: {type: string}}}}}
"##;
    let routes = r#"
  - {name: put, match: "PUT /animals/{id}", to: {upstream: service, operation: putPet, parameters: {fixed: x}}}
  - {match: "GET /files/{*rest}", to: service}
  - {match: GET /openapi.json, openapi: {title: Animals, version: 2, servers: ["https://api.example.com"]}}
"#;
    let stage = Stage::with(document, "{url: \"http://127.0.0.1:1\", openapi: openapi.yaml}", routes).await;
    let answer = stage.get("/openapi.json").await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let published: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
    assert_eq!(published["info"], json!({"title": "Animals", "version": "2"}));
    assert_eq!(published["servers"], json!([{"url": "https://api.example.com"}]));
    let paths: Vec<_> = published["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/animals/{id}", "/files/{rest}", "/openapi.json"]);
    let put = &published["paths"]["/animals/{id}"]["put"];
    let reference = json!({"schema": {"$ref": "#/components/schemas/Pet"}});
    assert_eq!((&put["operationId"], &put["summary"]), (&json!("put"), &json!("Puts a pet")));
    assert_eq!(
        put["parameters"],
        json!([
            {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}},
            {"name": "dry", "in": "query", "required": false, "schema": {"type": "boolean"}},
        ]),
        "what the route fills in is no parameter of clients"
    );
    assert_eq!(put["requestBody"], json!({"required": true, "content": {"application/json": reference}}));
    assert_eq!(
        put["responses"]["200"],
        json!({"description": "It is put.", "content": {"application/json": reference}})
    );
    // What the gateway says of itself is a document that it can call.
    let again =
        plan_with(answer.body(), "{openapi: openapi.yaml}", "\n  - {match: \"PUT /a/{id}\", to: service/put}\n");
    assert!(again.is_ok(), "{again:?}");
}
