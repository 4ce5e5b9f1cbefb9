//! The examples of the documentation work as they are written.

use std::{io, path::Path};

use callgate_core::{
    Registry,
    document::{Document, References},
    plan::Plan,
};
use callgate_testkit::peers::{SoapService, present};
use http::Request;
use serde_json::json;

use crate::stage::Stage;

/// The variables that the pages read.
struct Variables(String);

impl References for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "SHOP_URL" => Some(self.0.clone()),
            "SHOP_PASSWORD" => Some("secret".to_owned()),
            _ => None,
        }
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

fn examples(page: &str) -> Vec<&str> {
    page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

async fn stage(example: &str, peer: &SoapService) -> Stage {
    let variables = Variables(format!("http://{}", peer.address()));
    let document = Document::parse("page.yaml", example, &variables).unwrap();
    Stage::of(Plan::read(&document, &Registry::new().with::<callgate_soap::Soap>()).unwrap()).await
}

#[tokio::test]
async fn the_complete_example_serves() {
    let Some(peer) = present(SoapService::start().await) else { return };
    let page = include_str!("../../../../docs/upstreams/soap.md");
    let stage = stage(examples(page)[0], &peer).await;
    let answer = stage.post("/totals", &json!({"item": {"qty": 2, "price": 1.25}})).await;
    assert_eq!(answer.body, r#"{"totalResult":2.50}"#);
    let answer = stage.get("/hello/Ann?times=2").await;
    assert_eq!(answer.body, r#"{"say_helloResult":{"string":["Hello, Ann","Hello, Ann"]}}"#);
    let request = Request::get("/whoami").header("x-token", "t-1").body(callgate_core::Body::empty()).unwrap();
    assert_eq!(stage.send(request).await.json(), json!({"whoamiResult": "t-1"}));
}

#[tokio::test]
async fn the_guide_works_step_by_step() {
    let Some(peer) = present(SoapService::start().await) else { return };
    let page = include_str!("../../../../docs/guides/soap-json-front.md");
    let [_, first, whole, credentials, header] = examples(page)[..] else { panic!("the guide has five examples") };
    let answer = stage(first, &peer).await.post("/totals", &json!({"item": {"price": 1.25}})).await;
    assert_eq!((answer.status, &answer.json()["detail"]), (400, &json!("`item.qty` is missing.")));
    let gateway = stage(whole, &peer).await;
    assert_eq!(gateway.get("/items/apple/total?quantity=4&price=0.5").await.body, r#"{"total":2.0}"#);
    assert_eq!(gateway.get("/greetings/Ann").await.body, r#"{"greeting":"Hello, Ann"}"#);
    for (code, status) in [("Client.NoSuchItem", 400), ("Server.Down", 502)] {
        let answer = gateway.post(&format!("/failures/{code}"), &json!({})).await;
        assert_eq!((answer.status, &*answer.body), (status, r#"{"error":"bad thing","code":"42"}"#));
    }
    stage(credentials, &peer).await;
    let request = Request::get("/whoami").header("x-token", "t-2").body(callgate_core::Body::empty()).unwrap();
    assert_eq!(stage(header, &peer).await.send(request).await.json(), json!({"whoamiResult": "t-2"}));
}

#[tokio::test]
async fn an_operation_is_listed_with_its_input_and_described() {
    let Some(peer) = present(SoapService::start().await) else { return };
    let page = include_str!("../../../../docs/guides/soap-json-front.md");
    let variables = Variables(format!("http://{}", peer.address()));
    let plan = || {
        let document = Document::parse("page.yaml", examples(page)[0], &variables).unwrap();
        Plan::read(&document, &Registry::new().with::<callgate_soap::Soap>()).unwrap()
    };
    let runtime = tokio::runtime::Handle::current();
    let listing = plan().discover("shop", &runtime).await.unwrap().to_string();
    assert!(listing.contains("total:") && listing.contains("{{ body.item | default(none) }}"), "{listing}");
}
