//! Operations of a document: what the service receives, to the byte.

use callgate_core::Body;
use http::{Request, StatusCode};
use serde_json::json;

use crate::{
    recorder::{Recorder, Reply},
    stage::{Raw, Stage},
};

const PETS: &str = r##"
openapi: 3.0.3
info: {title: pets, version: "1"}
paths:
  /pets:
    parameters:
      - {name: x-tenant, in: header, schema: {type: string}}
    get:
      operationId: listPets
      parameters:
        - {name: tags, in: query, style: form, explode: false, schema: {type: array, items: {type: string}}}
        - {name: status, in: query, schema: {type: array, items: {type: string}}}
        - {name: filter, in: query, style: deepObject, schema: {type: object, properties: {age: {type: integer}}}}
        - {name: limit, in: query, schema: {type: integer, minimum: 1}}
        - {name: session, in: cookie, schema: {type: string}}
        - {name: where, in: query, content: {application/json: {schema: {type: object}}}}
      responses: {"200": {description: ok, content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Pet"}}}}}}
    post:
      operationId: addPet
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: "#/components/schemas/Pet"}}
          application/xml: {schema: {$ref: "#/components/schemas/Pet"}}
      responses: {"201": {description: made}}
  /pets/{id}:
    get:
      operationId: getPet
      summary: One pet
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}}
    delete:
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"204": {description: gone}}
  /pets/{id}/photo:
    post:
      operationId: addPhoto
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      requestBody:
        content:
          multipart/form-data:
            schema: {type: object, properties: {title: {type: string}, photo: {type: string, format: binary}, meta: {type: object}}}
      responses: {"200": {description: ok}}
  /token:
    post:
      operationId: getToken
      requestBody: {content: {application/x-www-form-urlencoded: {schema: {type: object}}}}
      responses: {"200": {description: ok}}
  /note:
    put:
      operationId: putNote
      requestBody: {content: {text/plain: {schema: {type: string}}}}
      responses: {"200": {description: ok}}
components:
  schemas:
    Pet:
      type: object
      required: [name]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string}
        tag: {type: string, nullable: true}
        parent: {$ref: "#/components/schemas/Pet"}
"##;

async fn stage(recorder: &Recorder, routes: &str) -> Stage {
    Stage::with(PETS, &format!("{{url: \"{}/api\", openapi: openapi.yaml}}", recorder.url), routes).await
}

fn post(path: &str, content_type: &str, body: impl Into<String>) -> Request<Body> {
    Request::post(path).header("content-type", content_type).body(Body::from(body.into())).unwrap()
}

#[tokio::test]
async fn parameters_come_from_captures_query_headers_and_cookies_of_their_names() {
    let recorder = Recorder::start(Reply::ok("[]"));
    let stage = stage(
        &recorder,
        r#"
  - {match: "GET /animals/{id}", to: service/getPet}
  - {match: GET /animals, to: service/listPets}
"#,
    )
    .await;
    stage.get("/animals/7?ignored=1").await;
    assert_eq!(recorder.next().line, "GET /api/pets/7 HTTP/1.1");
    let request =
        Request::get("/animals?tags=a,b%2Cc&status=x&status=y&filter[age]=3&limit=5&where=%7B%22a%22%3A1%7D&more=1")
            .header("x-tenant", "acme")
            .header("cookie", "theme=dark; session=s1")
            .body(Body::empty())
            .unwrap();
    assert_eq!(stage.send(request).await.status(), StatusCode::OK);
    let received = recorder.next();
    assert_eq!(
        received.line,
        "GET /api/pets?tags=a,b,c&status=x&status=y&filter%5Bage%5D=3&limit=5&where=%7B%22a%22%3A1%7D HTTP/1.1"
    );
    assert_eq!((received.header("x-tenant"), received.header("cookie")), (Some("acme"), Some("session=s1")));
}

#[tokio::test]
async fn templates_give_parameters_and_null_leaves_one_out() {
    let recorder = Recorder::start(Reply::ok("[]"));
    let stage = stage(
        &recorder,
        r#"
  - match: POST /search
    to:
      upstream: service
      operation: listPets
      parameters:
        tags: ["{{ body.tag }}", cat]
        limit: "{{ body.limit if body.limit is defined else none }}"
        filter: {age: "{{ body.age }}"}
        header.x-tenant: "t-{{ body.tenant }}"
"#,
    )
    .await;
    let body = json!({"tag": "a b", "age": 3, "tenant": "acme"}).to_string();
    let answer = stage.send(post("/search", "application/json", body)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let received = recorder.next();
    assert_eq!(received.line, "GET /api/pets?tags=a%20b,cat&filter%5Bage%5D=3 HTTP/1.1");
    assert_eq!((received.header("x-tenant"), received.body.as_str()), (Some("t-acme"), ""));
    assert_eq!(received.header("content-length"), None);
}

#[tokio::test]
async fn fields_of_a_json_body_are_parameters_too() {
    let recorder = Recorder::start(Reply::ok("{}"));
    let stage = stage(&recorder, "\n  - {match: POST /one, to: service/getPet}\n").await;
    let answer = stage.send(post("/one", "application/json", r#"{"id": 12}"#)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(recorder.next().line, "GET /api/pets/12 HTTP/1.1");
    let answer = stage.answer(post("/one", "application/json", "{}")).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(answer.body().contains("the parameter `id` (path) is missing"), "{}", answer.body());
    assert_eq!(answer.headers()["callgate-error"], "bad_template_input");
}

#[tokio::test]
async fn a_body_of_the_operations_own_media_type_passes_as_it_is() {
    let recorder = Recorder::start(Reply::ok(""));
    let stage = stage(&recorder, "\n  - {match: POST /animals, to: service/addPet}\n").await;
    for (content_type, body) in
        [("application/json; charset=utf-8", "{ \"name\" : \"Rex\" }"), ("application/xml", "<pet/>")]
    {
        assert_eq!(stage.send(post("/animals", content_type, body)).await.status(), StatusCode::OK);
        let received = recorder.next();
        assert_eq!(received.line, "POST /api/pets HTTP/1.1");
        assert_eq!((received.header("content-type"), received.body.as_str()), (Some(content_type), body));
    }
    let answer = stage.answer(post("/animals", "text/csv", "a")).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(answer.body().contains("the operation takes application/json, application/xml"), "{}", answer.body());
    let answer = stage.answer(Request::post("/animals").body(Body::empty()).unwrap()).await;
    assert!(answer.body().contains("the request's body is missing"), "{}", answer.body());
}

#[tokio::test]
async fn json_becomes_the_media_type_that_the_operation_takes() {
    let recorder = Recorder::start(Reply::ok(""));
    let stage = stage(
        &recorder,
        r#"
  - {match: POST /token, to: service/getToken}
  - {match: POST /note, to: {upstream: service, operation: putNote, body: "{{ body.text }}"}}
  - {match: "POST /animals/{id}/photo", to: service/addPhoto}
"#,
    )
    .await;
    let form = json!({"grant": "a&b", "scopes": ["x", "y"], "meta": {"a": 1}, "none": null}).to_string();
    stage.send(post("/token", "application/json", form)).await;
    let received = recorder.next();
    assert_eq!(received.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(received.body, "grant=a%26b&scopes=x&scopes=y&meta=%7B%22a%22%3A1%7D");
    stage.send(post("/note", "application/json", r#"{"text": "hello"}"#)).await;
    let received = recorder.next();
    assert_eq!(
        (received.line.as_str(), received.header("content-type")),
        ("PUT /api/note HTTP/1.1", Some("text/plain"))
    );
    assert_eq!((received.body.as_str(), received.header("content-length")), ("hello", Some("5")));
    let photo = json!({"title": "me", "photo": {"filename": "m\".png", "content_type": "image/png", "base64": "aGVsbG8="}, "meta": {"a": 1}});
    stage.send(post("/animals/7/photo", "application/json", photo.to_string())).await;
    let received = recorder.next();
    let boundary = received
        .header("content-type")
        .and_then(|given| given.strip_prefix("multipart/form-data; boundary="))
        .unwrap()
        .to_owned();
    let expected = "--B\r\ncontent-disposition: form-data; name=\"title\"\r\n\r\nme\r\n\
        --B\r\ncontent-disposition: form-data; name=\"photo\"; filename=\"m%22.png\"\r\ncontent-type: image/png\r\n\r\nhello\r\n\
        --B\r\ncontent-disposition: form-data; name=\"meta\"\r\ncontent-type: application/json\r\n\r\n{\"a\":1}\r\n--B--\r\n";
    assert_eq!(received.body.replace(&boundary, "B"), expected);
}

#[tokio::test]
async fn a_value_can_not_leave_its_segment() {
    let recorder = Recorder::start(Reply::ok(""));
    let stage = stage(
        &recorder,
        r#"
  - {match: "DELETE /animals/{id}", to: {upstream: service, operation: "DELETE /pets/{id}"}}
  - {match: "PUT /animals/{id}", to: {upstream: service, operation: "DELETE /pets/{id}", slashes: encode}}
"#,
    )
    .await;
    for (path, says) in [("a%2Fb", "a slash"), ("%2E%2E%2Fx", "a slash"), ("a%5Cb", "a backslash")] {
        let request = Request::delete(format!("/animals/{path}")).body(Body::empty()).unwrap();
        let answer = stage.answer(request).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
        assert!(answer.body().contains(says), "{}", answer.body());
    }
    stage.send(Request::put("/animals/a%2F%3Fb").body(Body::empty()).unwrap()).await;
    assert_eq!(recorder.next().line, "DELETE /api/pets/a%2F%3Fb HTTP/1.1");
}

#[tokio::test]
async fn requests_are_held_against_the_schemas() {
    let recorder = Recorder::start(Reply::ok("[]"));
    let stage = stage(
        &recorder,
        r#"
  - {match: POST /animals, to: {upstream: service, operation: addPet, validate: request}}
  - {match: GET /animals, to: {upstream: service, operation: listPets, validate: request}}
"#,
    )
    .await;
    let body = json!({"tag": null, "parent": {"name": 1}}).to_string();
    let answer = stage.answer(post("/animals", "application/json", body)).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let problem: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/body", "/body/parent/name"], "{problem:#}");
    assert!(problem["detail"].as_str().unwrap().contains("/body/parent/name: "), "{problem:#}");
    let answer = stage.answer(post("/animals", "application/json", "{")).await;
    assert!(answer.body().contains("not JSON"), "{}", answer.body());
    let body = json!({"name": "Rex", "tag": null, "parent": {"name": "Max"}}).to_string();
    assert_eq!(stage.send(post("/animals", "application/json", body.clone())).await.status(), StatusCode::OK);
    assert_eq!(recorder.next().body, body);
    let answer = stage.get("/animals?limit=0").await;
    assert!(answer.body().contains("/limit: "), "{}", answer.body());
    assert!(stage.get("/animals?limit=x").await.body().contains("/limit: "));
    assert_eq!(stage.get("/animals?limit=01").await.status(), StatusCode::OK);
    assert_eq!(recorder.next().line, "GET /api/pets?limit=01 HTTP/1.1");
}

#[tokio::test]
async fn replies_are_held_against_the_schemas() {
    let route =
        "\n  - {match: \"GET /animals/{id}\", to: {upstream: service, operation: getPet, validate: response}}\n";
    for (reply, status) in [
        (Reply::ok(r#"{"id": 1, "name": "Rex", "tag": null}"#), StatusCode::OK),
        (Reply::ok(r#"{"id": 1}"#), StatusCode::BAD_GATEWAY),
        (Reply::ok("{"), StatusCode::BAD_GATEWAY),
        (Reply::of("200 OK", "text/plain", "{}"), StatusCode::BAD_GATEWAY),
        (Reply::of("202 Accepted", "application/json", "{}"), StatusCode::BAD_GATEWAY),
        (Reply::of("404 Not Found", "application/json", "{}"), StatusCode::NOT_FOUND),
    ] {
        let shown = format!("{reply:?}");
        let recorder = Recorder::start(reply);
        let stage = stage(&recorder, route).await;
        let request = Request::get("/animals/1").header("accept-encoding", "gzip").body(Body::empty()).unwrap();
        let answer = stage.answer(request).await;
        assert_eq!(answer.status(), status, "{shown}");
        if status == StatusCode::BAD_GATEWAY {
            assert_eq!(answer.headers()["callgate-error"], "bad_upstream_reply");
            assert!(!answer.body().contains("name"), "the service's mistakes are for the log: {}", answer.body());
        }
        assert_eq!(recorder.next().header("accept-encoding"), None);
    }
}

#[tokio::test]
async fn an_operation_is_repeated_by_its_own_method_and_not_by_the_routes() {
    let routes = "
  - {match: GET /note, to: service/addPet}
  - {match: POST /pets, to: service/listPets}
";
    for (method, path, key, attempts) in
        [("GET", "/note", false, 1), ("GET", "/note", true, 2), ("POST", "/pets", false, 2)]
    {
        let hangs = Raw::start(|mut peer| while peer.head().is_some() {});
        let options = format!("{{url: \"{}\", openapi: openapi.yaml}}", hangs.url);
        let policies = "timeout: {attempt: 100ms}\n    retry: {attempts: 2, backoff: {initial: 0ms}}";
        let stage = Stage::with(PETS, &format!("{options}\n    {policies}"), routes).await;
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if key {
            request = request.header("idempotency-key", "k");
        }
        let answer = stage.answer(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT, "{}", answer.body());
        assert_eq!(hangs.requests(), attempts, "{method} {path} {key}");
    }
}
