//! The reference client sends the same.

use callgate_testkit::peers::{SoapService, Zeep, present};
use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn zeep_sends_the_same_body() {
    let Some(peer) = present(SoapService::start().await) else { return };
    let Some(zeep) = present(Zeep::start()) else { return };
    let routes =
        ["say_hello", "total", "kinds", "shape"].map(|name| format!("  - {{match: /{name}, to: shop/{name}}}\n"));
    for url in [peer.url11(), peer.url12()] {
        let wsdl = format!("{url}?wsdl");
        let stage = Stage::new(&format!("wsdl: \"{wsdl}\""), &routes.concat()).await;
        for (operation, input, arguments) in [
            ("say_hello", json!({"times": 1, "name": "a"}), json!({"name": "a", "times": 1})),
            ("total", json!({"item": {"qty": 2, "price": 1.5}}), json!({"item": {"qty": 2, "price": 1.5}})),
            (
                "kinds",
                json!({"value": {"@ident": "i", "tags": ["a", "b"], "flag": true, "colour": "red", "items": {"Item": [{"qty": 1}]}}}),
                json!({"value": {"ident": "i", "tags": ["a", "b"], "flag": true, "colour": "red", "items": {"Item": [{"qty": 1}]}}}),
            ),
            (
                "shape",
                json!({"value": {"@xsi:type": "Circle", "name": "c", "radius": 3}}),
                json!({"value": {"@type": "{urn:shop}Circle", "name": "c", "radius": 3}}),
            ),
        ] {
            let answer = stage.post(&format!("/{operation}"), &input).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let sent = peer.last().unwrap();
            let compared = zeep.compare(&wsdl, operation, &arguments, &sent).await.unwrap();
            assert_eq!(compared["ours"], compared["zeep"], "{operation}: {sent}");
        }
    }
}
