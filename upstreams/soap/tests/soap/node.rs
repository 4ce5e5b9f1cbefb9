//! A service of another library, npm's soap, takes what the gateway makes of JSON by each WSDL, and its answers are read.

use std::path::Path;

use callgate_core::Description;
use callgate_testkit::peers::{NodeSoapService, present};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::stage::{Stage, corpus, plan};

/// WSDLs with the operations that the library can take. It knows no SOAP body whose element's type comes from several imports
/// (ONVIF), and answers one-way calls of rpc with an error.
const TAKEN: [(&str, &[&str]); 11] = [
    ("fedex/AddressValidationService_v4.wsdl", &["addressValidation"]),
    ("fedex/CountryService_v8.wsdl", &["validatePostal"]),
    ("fedex/TrackService_v16.wsdl", &["getTrackingDocuments", "sendNotifications", "track"]),
    ("fedex/UploadDocumentService_v11.wsdl", &["uploadDocuments", "uploadImages"]),
    ("spyne/shop11.wsdl", &["say_hello", "total", "kinds"]),
    ("spyne/shop12.wsdl", &["say_hello", "total", "kinds"]),
    ("styles/asmx.wsdl", &["Find"]),
    ("styles/axis.wsdl", &["setLevel"]),
    ("styles/wcf.wsdl", &["Draw", "Place"]),
    ("zeep/hello_world_recursive.wsdl", &["greetMe", "sayHi"]),
    ("zeep/hello_world_recursive_import.wsdl", &["greetMe", "sayHi"]),
];

async fn described(options: &str, operation: &str) -> Description {
    let described = plan(options, "  []\n").unwrap().describe(&format!("shop/{operation}"), &Handle::current()).await;
    described.unwrap_or_else(|error| panic!("{operation}: {error}")).description().clone()
}

/// The values of a tree as texts, sorted: names of attributes and single items of lists are the library's own.
fn values(tree: &Value) -> Vec<String> {
    fn collect(tree: &Value, found: &mut Vec<String>) {
        match tree {
            Value::Null => {}
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Object(members) => members.values().for_each(|member| collect(member, found)),
            // It makes a moment of every date.
            Value::String(text) => {
                let day = text.strip_suffix("T00:00:00.000Z").unwrap_or(text);
                found.push(day.replace(".000Z", "Z"));
            }
            other => found.push(other.to_string()),
        }
    }
    let mut found = Vec::new();
    collect(tree, &mut found);
    found.sort();
    found
}

#[tokio::test]
async fn each_wsdls_inputs_arrive_as_they_were() {
    for (wsdl, operations) in TAKEN {
        let file = corpus(wsdl);
        let Some(peer) = present(NodeSoapService::start(Path::new(&file)).await) else { return };
        let options = format!("wsdl: \"{file}\", url: \"{}\"", peer.url());
        let route = |name: &&str| format!("  - {{match: /{name}, to: shop/{name}}}\n");
        let stage = Stage::new(&options, &operations.iter().map(route).collect::<String>()).await;
        for operation in operations {
            let example = described(&options, operation).await.example.unwrap();
            let answer = stage.post(&format!("/{operation}"), &example).await;
            assert!(answer.status == 200, "{wsdl} {operation}: {answer:?}");
            let last = peer.last().unwrap();
            assert_eq!(last["operation"], *operation, "{wsdl}");
            assert_eq!(values(&last["input"]), values(&example), "{wsdl} {operation}: {last} {example}");
        }
    }
}

#[tokio::test]
async fn its_answers_are_typed_and_its_faults_are_problems() {
    let file = corpus("styles/asmx.wsdl");
    let Some(peer) = present(NodeSoapService::start(Path::new(&file)).await) else { return };
    let options = format!("wsdl: \"{file}\", url: \"{}\"", peer.url());
    let stage = Stage::new(&options, "  - {match: /find, to: shop/Find}\n").await;
    let find = async || stage.post("/find", &json!({"query": "moby", "limit": 2, "since": null})).await;
    let book = json!({"attributes": {"Id": 7}, "Title": "Moby Dick & Co.", "Price": 12.5, "Kind": "Novel"});
    peer.answers(&json!({"reply": {"FindResult": {"Book": [book]}}})).unwrap();
    let answer = find().await;
    let book = json!({"@Id": 7, "Title": "Moby Dick & Co.", "Price": 12.5, "Kind": "Novel"});
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), json!({"FindResult": {"Book": [book]}}));

    let of11 = json!({"faultcode": "soap:Client", "faultstring": "no <such> book", "detail": {"shelf": "B"}});
    // The library writes faults in this form into envelopes of SOAP 1.1 too.
    let of12 = json!({"Code": {"Value": "soap:Sender"}, "Reason": {"Text": "no <such> book"}});
    for (fault, code, detail) in [(of11, "Client", json!({"shelf": "B"})), (of12, "Sender", Value::Null)] {
        peer.answers(&json!({"fault": fault})).unwrap();
        let answer = find().await;
        assert_eq!(answer.failure(), (400, "soap_fault"), "{answer:?}");
        let expected = json!({"code": code, "reason": "no <such> book", "detail": detail});
        assert_eq!(answer.json()["fault"], expected);
    }
    peer.answers(&json!({"fault": {"faultcode": "soap:Server", "faultstring": "down"}})).unwrap();
    assert_eq!(find().await.failure(), (502, "soap_fault"));
}
