//! A service of another library, npm's soap, takes what the gateway makes of JSON by each WSDL, and its answers are read.

use std::path::Path;

use callgate_core::Description;
use callgate_testkit::peers::{NodeSoapService, present};
use serde_json::{Map, Value, json};
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

/// The values of a tree with where they stand, sorted. How attributes, texts beside them and single items of lists are
/// written is the library's own.
fn values(tree: &Value) -> Vec<String> {
    fn collect(tree: &Value, at: &str, found: &mut Vec<String>) {
        match tree {
            Value::Null => {}
            Value::Array(items) => items.iter().for_each(|item| collect(item, at, found)),
            Value::Object(members) => {
                for (name, member) in members {
                    // A prefix is as good as another.
                    match name.rsplit([':', '@']).next().unwrap_or_default() {
                        "attributes" | "$value" | "#text" => collect(member, at, found),
                        name => collect(member, &format!("{at}/{name}"), found),
                    }
                }
            }
            // It makes a moment of every date.
            Value::String(text) => {
                let day = text.strip_suffix("T00:00:00.000Z").unwrap_or(text);
                found.push(format!("{at}: {}", day.replace(".000Z", "Z")));
            }
            other => found.push(format!("{at}: {other}")),
        }
    }
    let mut found = Vec::new();
    collect(tree, "", &mut found);
    found.sort();
    found
}

/// The library's service of a WSDL, the options of an upstream that is this service, and a route to each operation.
async fn served(wsdl: &str, operations: &[&str]) -> Option<(NodeSoapService, String, Stage)> {
    let file = corpus(wsdl);
    let peer = present(NodeSoapService::start(Path::new(&file)).await)?;
    let options = format!("wsdl: \"{file}\", url: \"{}\"", peer.url());
    let route = |name: &&str| format!("  - {{match: /{name}, to: shop/{name}}}\n");
    let stage = Stage::new(&options, &operations.iter().map(route).collect::<String>()).await;
    Some((peer, options, stage))
}

#[tokio::test]
async fn each_wsdls_inputs_arrive_as_they_were() {
    for (wsdl, operations) in TAKEN {
        let Some((peer, options, stage)) = served(wsdl, operations).await else { return };
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

/// A value of a schema with all that it may have, down to where types have themselves in them.
fn instance(schema: &Value, definitions: &Map<String, Value>, depth: usize) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return instance(&definitions[name.trim_start_matches("#/$defs/")], definitions, depth + 1);
    }
    if let Some(first) = schema["anyOf"].as_array().and_then(|any| any.first()) {
        return instance(first, definitions, depth);
    }
    if let Some(only) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return only.clone();
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("object"), _) => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let members = properties.filter(|(name, _)| depth < 6 && *name != "@xsi:type");
            members.map(|(name, schema)| (name.clone(), instance(schema, definitions, depth + 1))).collect()
        }
        (Some("array"), _) => json!([instance(&schema["items"], definitions, depth)]),
        (Some("integer"), _) => json!(7),
        (Some("number"), _) => json!(1.5),
        (Some("boolean"), _) => json!(true),
        (_, Some("date")) => json!("2024-05-06"),
        (_, Some("date-time")) => json!("2024-05-06T07:08:09Z"),
        (_, Some("time")) => json!("07:08:09Z"),
        (Some("string"), _) if schema.get("contentEncoding").is_some() => json!("AQID"),
        (Some("string"), _) if schema.get("pattern").is_some() => json!("0A"),
        (Some("string"), _) => json!("<text> & more"),
        _ => Value::Null,
    }
}

/// A value as the library has it.
fn of_the_library(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(of_the_library).collect(),
        Value::Object(members) => {
            let (mut own, mut attributes) = (Map::new(), Map::new());
            for (name, member) in members {
                match name.strip_prefix('@') {
                    Some(name) => attributes.insert(name.to_owned(), member.clone()),
                    None if name == "#text" => own.insert("$value".to_owned(), member.clone()),
                    None => own.insert(name.clone(), of_the_library(member)),
                };
            }
            if !attributes.is_empty() {
                own.insert("attributes".to_owned(), Value::Object(attributes));
            }
            Value::Object(own)
        }
        other => other.clone(),
    }
}

/// A value without what may as well not be there.
fn bare(value: &Value) -> Value {
    let is_nothing = |value: &Value| value.is_null() || *value == json!([]) || *value == json!({});
    match value {
        Value::Array(items) => items.iter().map(bare).filter(|item| !is_nothing(item)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| (name.clone(), bare(member)));
            members.filter(|(_, member)| !is_nothing(member)).collect()
        }
        other => other.clone(),
    }
}

#[tokio::test]
async fn each_wsdls_outputs_are_typed_and_its_faults_are_problems() {
    for (wsdl, operations) in TAKEN {
        let Some((peer, options, stage)) = served(wsdl, operations).await else { return };
        for operation in operations {
            let description = described(&options, operation).await;
            let (path, input) = (format!("/{operation}"), description.example.unwrap());
            peer.answers(&json!({"fault": {"faultcode": "soap:Client", "faultstring": "no"}})).unwrap();
            let answer = stage.post(&path, &input).await;
            assert_eq!(answer.failure(), (400, "soap_fault"), "{wsdl} {operation}: {answer:?}");
            let Some(reply) = description.replies.get("200") else { continue };
            let output = instance(&reply.schemas["application/json"], &description.definitions, 0);
            assert!(!values(&output).is_empty(), "{wsdl} {operation}: {reply:?}");
            peer.answers(&json!({"reply": of_the_library(&output)})).unwrap();
            let answer = stage.post(&path, &input).await;
            assert_eq!(answer.status, 200, "{wsdl} {operation}: {answer:?}");
            assert_eq!(bare(&answer.json()), bare(&output), "{wsdl} {operation}");
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
