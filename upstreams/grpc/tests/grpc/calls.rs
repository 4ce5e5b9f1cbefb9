//! Unary calls from JSON, with descriptions from everywhere.

use std::time::Duration;

use callgate_core::Body;
use callgate_testkit::peers::{GrpcOptions, GrpcReflection, GrpcService, present};
use http::Request;
use serde_json::{Value, json};

use crate::stage::{Stage, plan, read};

const ROUTES: &str = r#"
  - {match: POST /greet, to: shop/shop.v1.Shop/Greet}
  - {match: "GET /greet/{name}", to: shop/shop.v1.Shop/Greet}
  - {match: "POST /for/{name}", to: {upstream: shop, method: shop.v1.Shop/Greet, message: {name: "{{ params.name }}", times: "{{ body.n }}"}}}
  - {match: POST /echo, to: shop/shop.v1.Shop/Echo}
  - {match: GET /whoami, to: shop/shop.v1.Shop/Whoami, timeout: 7s}
"#;

#[tokio::test]
async fn a_service_is_described_by_files_and_by_itself() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let Some(older) =
        present(GrpcService::with(GrpcOptions { reflection: GrpcReflection::Alpha, ..GrpcOptions::default() }).await)
    else {
        return;
    };
    let source = GrpcService::source();
    let (folder, name) = (source.parent().unwrap().display(), source.file_name().unwrap().to_str().unwrap());
    for options in [
        format!("url: \"{}\", reflection: true", peer.url()),
        format!("url: \"{}\", reflection: true", older.url()),
        format!("url: \"{}\", descriptors: \"{}\"", peer.url(), peer.descriptors().display()),
        format!("url: \"{}\", descriptors: \"{}\"", peer.url(), source.display()),
        format!("url: \"{}\", include: \"{folder}\", descriptors: [\"{folder}/{name}\"]", peer.url()),
    ] {
        let stage = Stage::new(&options, ROUTES).await;
        let answer = stage.post("/greet", &json!({"name": "Zoë", "times": 2})).await;
        assert_eq!(answer.status, 200, "{options}: {answer:?}");
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.text(), r#"{"greeting":"Hello, Zoë. Hello, Zoë."}"#);
        let answer = stage.get("/greet/Ann%20B?tags=x&tags=y&style.words=Hi&style.loud=true&times=1").await;
        assert_eq!(answer.json(), json!({"greeting": "Hi, Ann B!", "tags": ["x", "y"]}), "{options}");
    }
}

#[tokio::test]
async fn the_message_comes_from_body_path_and_query_or_from_templates() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = Stage::new(&format!("url: \"{}\", reflection: true", peer.url()), ROUTES).await;
    let answer = stage.post("/greet?times=2&style.words=Hi", &json!({"name": "a", "style": {"loud": true}})).await;
    assert_eq!(answer.json()["greeting"], "Hi, a! Hi, a!");
    let answer = stage.post("/for/Bob", &json!({"n": 2, "else": "is not looked at"})).await;
    assert_eq!(answer.json()["greeting"], "Hello, Bob. Hello, Bob.");
    let form = Request::post("/greet").header("content-type", "application/x-www-form-urlencoded");
    let answer = stage.send(form.body("name=Form&times=1".into()).unwrap()).await;
    assert_eq!(answer.json()["greeting"], "Hello, Form.", "{answer:?}");
    let empty = stage.send(Request::post("/greet").body(Body::empty()).unwrap()).await;
    assert_eq!(empty.json()["greeting"], "Hello, .");
}

/// A value of every type, as the mapping writes it.
fn kinds() -> Value {
    json!({
        "aDouble": 0.1, "aFloat": 1.5, "anInt32": -1, "anInt64": "-9223372036854775808", "aUint32": 4_294_967_295_u32,
        "aUint64": "18446744073709551615", "aSint32": -2, "aSint64": "-3", "aFixed32": 4, "aFixed64": "5",
        "aSfixed32": -6, "aSfixed64": "-7", "aBool": true, "aString": "ü\u{2028}\u{0}", "aBytes": "AAEC/w==",
        "colour": "COLOUR_GREEN", "maybe": 0, "numbers": ["1", "9007199254740993"],
        "colours": ["COLOUR_RED", "COLOUR_UNSPECIFIED"], "kinds": [{"aString": "in"}, {}],
        "byName": {"a": "1"}, "byNumber": {"-1": "x"}, "byFlag": {"true": "COLOUR_RED"},
        "nothing": null,
        "at": "2026-01-31T08:30:00.123Z", "took": "-1.500s", "mask": "aDouble,self.aString",
        "object": {"x": [1.5, null, {"y": false}]}, "value": null, "list": ["a", 2.0],
        "any": {"@type": "type.googleapis.com/shop.v1.Book", "pages": "7"},
        "wrapped": "12", "wrappedText": "", "wrappedFlag": false, "wrappedBytes": "AQ==", "wrappedDouble": 2.5,
        "empty": {}, "self": {"self": {"anInt32": 1}},
    })
}

#[tokio::test]
async fn every_type_comes_back_as_it_went() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = Stage::new(&format!("url: \"{}\", reflection: true", peer.url()), ROUTES).await;
    let answer = stage.post("/echo", &kinds()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), kinds());
}

#[tokio::test]
async fn replies_are_written_as_the_settings_say() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let options = format!(
        "url: \"{}\", reflection: true, json: {{proto_names: true, enum_numbers: true, defaults: true, ignore_unknown: true}}",
        peer.url()
    );
    let stage = Stage::new(&options, ROUTES).await;
    let answer =
        stage.post("/echo?unknown=1", &json!({"anInt32": 1, "colour": 2, "else": 1, "colours": ["BLUE"]})).await;
    let back = answer.json();
    assert_eq!(
        (&back["an_int32"], &back["colour"], &back["a_string"], &back["numbers"]),
        (&json!(1), &json!(2), &json!(""), &json!([]))
    );
    assert_eq!((&back["colours"], back.get("maybe"), back.get("self")), (&json!([]), Option::None, Option::None));
}

#[tokio::test]
async fn headers_are_metadata_and_metadata_is_headers() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = Stage::new(&format!("url: \"{}\", reflection: true", peer.url()), ROUTES).await;
    let answer = stage.post("/greet", &json!({"name": "a"})).await;
    assert_eq!((answer.values("x-early"), answer.values("x-late")), (vec!["1"], vec!["2"]));
    assert_eq!((answer.values("x-many"), answer.values("x-bytes-bin")), (vec!["a", "b"], vec!["AAEC"]));
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("grpc-")), "{answer:?}");
    let request = Request::get("/whoami")
        .header("x-own", "1")
        .header("x-own", "2")
        .header("authorization", "Bearer x")
        .header("x-data-bin", "AP8=")
        .header("accept", "application/json")
        .header("grpc-timeout", "1n")
        .header("cookie", "a=b");
    let seen = stage.send(request.body(Body::empty()).unwrap()).await.json();
    let seen = &seen["values"];
    assert_eq!(
        (&seen["x-own"], &seen["authorization"], &seen["x-data-bin"]),
        (&json!("1|2"), &json!("Bearer x"), &json!("00ff"))
    );
    assert_eq!((&seen["x-forwarded-for"], &seen["cookie"]), (&json!("192.0.2.1"), &json!("a=b")));
    assert!(seen["traceparent"].as_str().unwrap().len() == 55 && seen.get("accept").is_none(), "{seen}");
    let left: f64 = seen[":left"].as_str().unwrap().parse().unwrap();
    assert!(left > 1.0 && left < 7.2, "the route's own time is told: {left}");
    let wrong =
        stage.send(Request::get("/whoami").header("x-data-bin", "no base64").body(Body::empty()).unwrap()).await;
    assert_eq!(wrong.failure(), (400, "bad_template_input"));
}

#[tokio::test]
async fn a_compressed_reply_is_read() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = Stage::new(&format!("url: \"{}\", reflection: true", peer.url()), ROUTES).await;
    let answer = stage.post("/greet", &json!({"name": "a".repeat(2000), "times": 3, "gzip": true})).await;
    assert_eq!(answer.json()["greeting"].as_str().unwrap().len(), 2008 * 3 + 2, "{answer:?}");
}

#[tokio::test]
async fn a_service_that_is_not_there_yet_is_asked_again() {
    let Some(mut peer) = present(GrpcService::start().await) else { return };
    let url = peer.url();
    peer.kill();
    let routes = "  - {match: POST /greet, to: shop/shop.v1.Shop/Greet}\n  - {match: POST /none, to: shop/shop.v1.Shop/Nothing}\n";
    let stage = Stage::of(plan(&format!("url: \"{url}\", reflection: true"), routes).unwrap()).await;
    assert_eq!(stage.post("/greet", &json!({"name": "a"})).await.failure(), (502, "upstream_unreachable"));
    assert!(stage.snapshot().ready().await["shop"].is_err());
    peer.restart().await.unwrap();
    let there = callgate_testkit::peers::until(Duration::from_secs(60), async || {
        stage.post("/greet", &json!({"name": "a"})).await.status == 200
    });
    assert!(there.await);
    assert!(stage.snapshot().ready().await["shop"].is_ok());
    assert_eq!(stage.post("/none", &json!({})).await.failure(), (502, "upstream_denied"));
}

#[tokio::test]
async fn tls_is_spoken_where_the_url_says() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, signed.cert.pem()).unwrap();
    std::fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
    let options = GrpcOptions { tls: Some((certificate.clone(), key)), ..GrpcOptions::default() };
    let Some(peer) = present(GrpcService::with(options).await) else { return };
    let trusting = format!("url: \"{}\", reflection: true, tls: {{ca: \"{}\"}}", peer.url(), certificate.display());
    let stage = Stage::new(&trusting, ROUTES).await;
    assert_eq!(stage.post("/greet", &json!({"name": "a"})).await.json()["greeting"], "Hello, a.");
    let yaml =
        format!("upstreams: {{shop: {{grpc: {{url: \"{}\", reflection: true}}}}}}\nroutes:\n{ROUTES}", peer.url());
    let distrusting = Stage::of(read(&yaml).unwrap()).await;
    assert_eq!(distrusting.post("/greet", &json!({})).await.failure(), (502, "upstream_unreachable"));
}
