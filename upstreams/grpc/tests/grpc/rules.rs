//! `google.api.http`: bindings of named methods, and all methods at once.

use callgate_core::Body;
use callgate_testkit::peers::{GrpcService, present};
use http::Request;
use serde_json::{Value, json};

use crate::stage::{Answer, Stage};

/// Routes that name methods, at the places that their rules have.
const NAMED: &str = r#"
  - {match: "GET /v1/greet/{who}", to: shop/shop.v1.Shop/Greet}
  - {match: POST /v1/greet, to: shop/shop.v1.Shop/Greet}
  - {match: "GET /v1/shelves/{shelf}/books/{id}", to: shop/shop.v1.Shop/GetBook}
  - {match: "PATCH /v1/{*rest}", to: shop/shop.v1.Shop/UpdateBook}
  - {match: "GET /v1/{*rest}", to: shop/shop.v1.Shop/ListBooks}
"#;

/// One route for all of them.
const ALL: &str = "  - {match: \"/{*rest}\", to: {upstream: shop}}\n";

async fn stages(peer: &GrpcService) -> [Stage; 2] {
    let options = format!("url: \"{}\", reflection: true", peer.url());
    [Stage::new(&options, NAMED).await, Stage::new(&options, ALL).await]
}

async fn patch(stage: &Stage, path: &str, body: &Value) -> Answer {
    let request = Request::patch(path).header("content-type", "application/json").body(body.to_string().into());
    stage.send(request.unwrap()).await
}

#[tokio::test]
async fn path_body_and_query_are_where_the_rule_says() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    for stage in stages(&peer).await {
        let answer = stage.get("/v1/greet/Ann%2FB?times=2&style.words=Hi").await;
        assert_eq!(answer.json(), json!({"greeting": "Hi, Ann/B. Hi, Ann/B."}), "{answer:?}");
        let answer = stage.post("/v1/greet", &json!({"name": "Bob"})).await;
        assert_eq!(answer.json()["greeting"], "Hello, Bob.", "an additional binding");
        let answer = stage.get("/v1/shelves/1/books/a%20b?fields=title,pages").await;
        let book = json!({"name": "shelves/1/books/a b", "title": "title,pages", "pages": "1152921504606846976"});
        assert_eq!(answer.json(), book);
        let answer =
            patch(&stage, "/v1/shelves/1/books/2?update_mask=title&dry_run=true", &json!({"title": "T"})).await;
        assert_eq!(answer.json(), json!({"name": "shelves/1/books/2", "title": "T (title dry)"}), "{answer:?}");
        let answer = stage.get("/v1/shelves/1/books?pageSize=2").await;
        let books = json!([{"name": "shelves/1/books/0"}, {"name": "shelves/1/books/1"}]);
        assert_eq!(answer.json(), books, "the reply is one of its fields");
    }
}

#[tokio::test]
async fn what_a_rule_does_not_allow_is_refused() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    for stage in stages(&peer).await {
        let answer = stage.post("/v1/greet?times=2", &json!({"name": "Bob"})).await;
        assert_eq!(answer.failure(), (400, "bad_template_input"));
        assert_eq!(answer.json()["detail"], "`times` can't be in the query, as the body is the whole message.");
        let answer = patch(&stage, "/v1/shelves/1/books/2?book.pages=7", &json!({"title": "T"})).await;
        assert_eq!(answer.json()["detail"], "`book.pages` can't be in the query, as it is in the body.");
        let answer = patch(&stage, "/v1/shelves/1/books/2", &json!({"titel": "T"})).await;
        assert_eq!(answer.json()["detail"], "`book.titel` is no field of `shop.v1.Book`; did you mean `title`?");
    }
}

#[tokio::test]
async fn without_a_method_its_path_says_which_one_is_meant() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let [_, all] = stages(&peer).await;
    let answer = all.post("/shop.v1.Shop/Greet", &json!({"name": "a"})).await;
    assert_eq!(answer.json()["greeting"], "Hello, a.");
    let answer = all.get("/v1/count/2").await;
    assert_eq!(answer.text(), "{\"number\":\"1\"}\n{\"number\":\"2\"}\n");
    let answer = all.get("/v2/count/2").await;
    assert_eq!((answer.failure(), &answer.json()["grpc_status"]), ((404, "grpc_status"), &json!(5)));
    let request = Request::delete("/v1/greet/a").body(Body::empty()).unwrap();
    assert_eq!(all.send(request).await.failure(), (404, "grpc_status"));
    let answer = all.post("/shop.v1.Shop/Sum", &json!({})).await;
    assert_eq!(answer.failure(), (415, "bad_template_input"), "JSON is no stream");
}
