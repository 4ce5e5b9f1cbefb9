//! Calls of a service of another library, in both versions.

use callgate_testkit::peers::{SoapService, present};
use http::Request;
use serde_json::{Value, json};

use crate::stage::{Stage, corpus};

const ROUTES: &str = r#"
  - {match: POST /hello, to: shop/say_hello}
  - {match: "GET /hello/{name}", to: {upstream: shop, operation: say_hello, input: {name: "{{ params.name }}", times: "{{ query.times }}"}}}
  - {match: POST /total, to: shop/total}
  - {match: POST /kinds, to: shop/kinds}
  - {match: POST /shape, to: shop/shape}
  - {match: POST /mirror, to: shop/mirror}
  - {match: POST /whoami, to: {upstream: shop, operation: whoami, input: {}, header: {Session: {token: "{{ body.token }}"}}}}
  - {match: GET /whoami, to: shop/whoami}
"#;

/// The service in both versions, each with the WSDL that is fetched from it, and the one that is a file.
async fn stages(peer: &SoapService) -> Vec<Stage> {
    let mut stages = Vec::new();
    for url in [peer.url11(), peer.url12()] {
        stages.push(Stage::new(&format!("wsdl: \"{url}?wsdl\""), ROUTES).await);
    }
    let file = format!("wsdl: \"{}\", url: \"{}\"", corpus("spyne/shop12.wsdl"), peer.url12());
    stages.push(Stage::new(&file, ROUTES).await);
    stages
}

fn kinds() -> Value {
    json!({
        "@ident": "k-1",
        "flag": true,
        "count": -9_007_199_254_740_993_i64,
        "ratio": 0.25,
        "amount": 12.5,
        "day": "2026-01-31",
        "moment": "2026-01-31T08:30:00+00:00",
        "data": "aGVsbG8=",
        "colour": "green",
        "tags": ["a", "<&>\"'", "ü\u{2028}"],
        "items": {"Item": [{"sku": "x", "qty": 2, "price": 1.5}, {"qty": 1}]},
        "nothing": null,
    })
}

#[tokio::test]
async fn json_in_and_json_out_need_no_template() {
    let Some(peer) = present(SoapService::start().await) else { return };
    for stage in stages(&peer).await {
        let answer = stage.post("/hello", &json!({"name": "Zoë", "times": 2})).await;
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.json(), json!({"say_helloResult": {"string": ["Hello, Zoë", "Hello, Zoë"]}}));
        let answer = stage.post("/total", &json!({"item": {"price": 1.25, "qty": 4, "sku": "x"}})).await;
        assert_eq!(answer.body, r#"{"totalResult":5.00}"#, "digits pass as they are");
    }
}

#[tokio::test]
async fn every_type_comes_back_as_it_went() {
    let Some(peer) = present(SoapService::start().await) else { return };
    for stage in stages(&peer).await {
        let answer = stage.post("/kinds", &json!({"value": kinds()})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut back = answer.json()["kindsResult"].take();
        // The service leaves out what it was told is nil.
        back["nothing"] = json!(null);
        assert_eq!(back, kinds());
    }
}

#[tokio::test]
async fn one_item_and_none_are_lists_too() {
    let Some(peer) = present(SoapService::start().await) else { return };
    for stage in stages(&peer).await {
        for (tags, back) in [(json!(["one"]), json!(["one"])), (json!([]), json!([])), (json!("one"), json!(["one"]))] {
            let answer = stage.post("/kinds", &json!({"value": {"tags": tags}})).await.json();
            assert_eq!(answer["kindsResult"]["tags"], back, "{answer}");
        }
    }
}

#[tokio::test]
async fn a_derived_type_is_named_in_both_directions() {
    let Some(peer) = present(SoapService::start().await) else { return };
    for stage in stages(&peer).await {
        let circle = json!({"@xsi:type": "Circle", "name": "c", "radius": 3});
        let answer = stage.post("/shape", &json!({"value": circle})).await;
        assert_eq!(answer.json(), json!({"shapeResult": circle}), "{answer:?}");
        let plain = json!({"name": "s"});
        let answer = stage.post("/shape", &json!({"value": plain})).await;
        assert_eq!(answer.json(), json!({"shapeResult": plain}));
    }
}

#[tokio::test]
async fn input_can_come_from_anywhere() {
    let Some(peer) = present(SoapService::start().await) else { return };
    for stage in stages(&peer).await {
        let answer = stage.get("/hello/Ann?times=1").await;
        assert_eq!(answer.json(), json!({"say_helloResult": {"string": ["Hello, Ann"]}}), "{answer:?}");
        let form = Request::post("/hello").header("content-type", "application/x-www-form-urlencoded");
        let answer = stage.send(form.body("name=Bob&times=1".into()).unwrap()).await;
        assert_eq!(answer.json(), json!({"say_helloResult": {"string": ["Hello, Bob"]}}), "{answer:?}");
    }
}

#[tokio::test]
async fn headers_of_soap_are_sent_where_a_function_has_them() {
    let Some(peer) = present(SoapService::start().await) else { return };
    for stage in stages(&peer).await {
        assert_eq!(stage.get("/whoami").await.json(), json!({"whoamiResult": "anon"}));
        let answer = stage.post("/whoami", &json!({"token": "t<1>"})).await;
        assert_eq!(answer.json(), json!({"whoamiResult": "t<1>"}), "{answer:?}");
    }
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_named() {
    let Some(peer) = present(SoapService::start().await) else { return };
    let stage = Stage::new(&format!("wsdl: \"{}?wsdl\"", peer.url11()), ROUTES).await;
    for (path, input, detail) in [
        ("/total", json!({"item": {"price": 1}}), "`item.qty` is missing."),
        ("/total", json!({"item": {"qty": "many"}}), "`item.qty` has to be a whole number."),
        (
            "/total",
            json!({"item": {"qty": 1.5}}),
            "`item.qty` has to be a whole number, as text if it has more than 15 digits.",
        ),
        ("/total", json!({"item": {"qty": 1, "prize": 1}}), "`item.prize` is no part of `Item`; did you mean `price`?"),
        ("/total", json!({"item": [1]}), "`item` has to be an object."),
        ("/total", json!([]), "The input has to be an object."),
        ("/kinds", json!({"value": {"tags": ["a", {}]}}), "`value.tags[1]` has to be a single value."),
        ("/kinds", json!({"value": {"colour": "blue"}}), "`value.colour` has to be one of `red`, `green`."),
        ("/kinds", json!({"value": {"day": "today"}}), "`value.day` has to be a date as 2026-01-31."),
        ("/kinds", json!({"value": {"flag": "maybe"}}), "`value.flag` has to be true or false."),
        ("/kinds", json!({"value": {"@id": "x"}}), "`value.@id` is no part of `Kinds`, which has `@ident`."),
        ("/mirror", json!({"text": "\u{1}"}), "`text` has a character that XML cannot hold."),
        ("/mirror", json!({"text": 5}), "`text` has to be text."),
        ("/shape", json!({"value": {"@xsi:type": "Square"}}), "`value.@xsi:type` has to be one of the types `Circle`."),
    ] {
        let answer = stage.post(path, &input).await;
        assert_eq!(answer.failure(), (400, "bad_template_input"), "{input}: {answer:?}");
        assert_eq!(answer.json()["detail"], detail, "{input}");
    }
    let request = Request::post("/total").header("content-type", "application/json").body("{".into()).unwrap();
    let answer = stage.send(request).await;
    assert_eq!(answer.failure(), (400, "bad_template_input"));
    assert!(answer.json()["detail"].as_str().unwrap().starts_with("The body is no JSON: EOF"), "{answer:?}");
}
