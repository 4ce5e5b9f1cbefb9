//! What discovery and `describe` tell.

use callgate_testkit::peers::{GrpcService, present};
use serde_json::json;
use tokio::runtime::Handle;

use crate::stage::plan;

const ROUTES: &str = "  - {match: POST /greet, to: shop/shop.v1.Shop/Greet}\n";

#[tokio::test]
async fn methods_are_listed_with_their_rules() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let options = format!("url: \"{}\", descriptors: \"{}\"", peer.url(), GrpcService::source().display());
    let listing = plan(&options, ROUTES).unwrap().discover("shop", &Handle::current()).await.unwrap().to_string();
    let greet = "shop.v1.Shop/Greet: {method: shop.v1.Shop/Greet}  # GET /v1/greet/{name}; POST /v1/greet; \
                 Greets someone, in words that the client may choose.\n";
    assert!(listing.contains(greet), "{listing}");
    assert!(listing.contains("# GET /v1/count/{to}; a stream of replies; Counts from one.\n"), "{listing}");
    assert!(!listing.contains("Sum") && !listing.contains("Chat"), "what JSON can't call is not listed: {listing}");
    let options = format!("url: \"{}\", reflection: true", peer.url());
    let listing = plan(&options, ROUTES).unwrap().discover("shop", &Handle::current()).await.unwrap().to_string();
    assert!(
        listing.contains("shop.v1.Shop/GetBook: {method: shop.v1.Shop/GetBook}  # GET /v1/{name=shelves/*/books/*}\n")
    );
    assert!(!listing.contains("reflection"), "{listing}");
}

#[tokio::test]
async fn a_method_is_described_with_an_example_that_it_takes() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let options = format!("url: \"{}\", descriptors: \"{}\"", peer.url(), GrpcService::source().display());
    let describe = async |name: &str| {
        plan(&options, ROUTES).unwrap().describe(&format!("shop/{name}"), &Handle::current()).await.unwrap()
    };
    let echo = describe("shop.v1.Shop/Echo").await;
    assert_eq!(echo.to_string().trim_end(), include_str!("golden/kinds.json").trim_end());
    let echo = echo.description();
    assert_eq!(echo.summary.as_deref(), Some("Answers with what it was sent."));
    let schema = echo.input();
    let properties = &schema["$defs"]["shop.v1.Kinds"]["properties"];
    assert_eq!(schema["$ref"], "#/$defs/shop.v1.Kinds");
    assert_eq!(properties["anInt64"], json!({"type": "string", "format": "int64"}));
    assert_eq!(properties["colours"]["items"]["enum"][2], "COLOUR_GREEN");
    assert_eq!(properties["byName"]["additionalProperties"], json!({"type": "string", "format": "int64"}));
    assert_eq!(properties["at"], json!({"type": "string", "format": "date-time"}));
    assert_eq!(properties["wrapped"], properties["anInt64"]);
    assert_eq!(properties["self"]["$ref"], "#/$defs/shop.v1.Kinds");
    let stage = crate::stage::Stage::new(&options, "  - {match: POST /echo, to: shop/shop.v1.Shop/Echo}\n").await;
    let example = echo.example.clone().unwrap();
    let answer = stage.post("/echo", &example).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, example));

    let greet = describe("shop.v1.Shop/Greet").await;
    let greet = greet.description();
    let input = greet.input();
    assert_eq!((&input["required"], &input["properties"]["times"]["format"]), (&json!(["name"]), &json!("int32")));
    assert!(input["properties"].get("style").is_none(), "what the query has no text for");
    assert_eq!(greet.example, Some(json!({"name": "text"})));
    let update = describe("shop.v1.Shop/UpdateBook").await;
    let update = update.description();
    assert_eq!(update.input()["required"], json!(["book.name"]));
    assert_eq!(update.body.as_ref().unwrap().schemas["application/json"]["$ref"], "#/$defs/shop.v1.Book");
    let list = describe("shop.v1.Shop/ListBooks").await;
    assert_eq!(list.description().output()["items"]["$ref"], "#/$defs/shop.v1.Book");
    let count = describe("shop.v1.Shop/Count").await;
    let forms: Vec<_> = count.description().replies["200"].schemas.keys().cloned().collect();
    assert_eq!(forms, ["application/x-ndjson", "text/event-stream"]);
}

#[tokio::test]
async fn a_service_that_nothing_describes_has_no_list() {
    let plan = plan("url: \"http://127.0.0.1:1\"", "  - {match: /a, to: shop/a.B/C}\n").unwrap();
    let error = plan.discover("shop", &Handle::current()).await.unwrap_err().to_string();
    assert!(error.contains("neither `descriptors` nor `reflection`"), "{error}");
}
