use std::time::Duration;

use http::Request;
use serde_json::{Value, json};

use super::*;
use crate::{Facts, Params};

fn exchange() -> Exchange {
    Exchange::new(Facts {
        route: "POST /orders/{id}".into(),
        request_id: http::HeaderValue::from_static("r-1"),
        client_ip: None,
        params: Params::new(vec![("id".into(), "7".into())].into(), None),
        claims: None,
    })
}

fn parts(headers: &[(&str, &str)]) -> Parts {
    let request =
        headers.iter().fold(Request::post("/orders/7?x=1"), |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

fn events(settings: Value, structured: bool) -> CloudEvents {
    CloudEvents::new(&serde_json::from_value(settings).unwrap(), structured).unwrap()
}

/// What is sent: the headers, and the body where it is another than the request's.
fn sent(events: &CloudEvents, headers: &[(&str, &str)], body: &str) -> Result<(HeaderMap, Option<Bytes>), String> {
    let mut parts = parts(headers);
    let whole = events.reads_body(&parts.headers);
    let payload = if whole { Payload::from(Bytes::from(body.to_owned())) } else { Payload::Streaming };
    let received = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let body = events.apply(&mut parts, &payload, &exchange(), received).map_err(|error| error.to_string())?;
    Ok((parts.headers, body))
}

fn document(events: &CloudEvents, headers: &[(&str, &str)], body: &str) -> Value {
    let (headers, document) = sent(events, headers, body).unwrap();
    assert_eq!(headers["content-type"], "application/cloudevents+json; charset=utf-8");
    serde_json::from_slice(&document.unwrap()).unwrap()
}

#[test]
fn a_request_becomes_a_binary_event_whose_data_streams() {
    let events = events(json!({}), false);
    assert!(!events.reads_body(&parts(&[]).headers));
    let (headers, body) =
        sent(&events, &[("content-type", "application/json"), ("ce-extra", "spoofed")], "{}").unwrap();
    assert_eq!(body, None, "the body is the data as it is");
    let of = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!((of("ce-specversion"), of("ce-id")), ("1.0".to_owned(), "r-1".to_owned()));
    assert_eq!((of("ce-type"), of("ce-subject")), ("callgate.http.request".to_owned(), "/orders/7".to_owned()));
    assert_eq!(of("ce-source"), "/callgate/POST%2520/orders/%257Bid%257D", "escaped as URI, then as header");
    assert_eq!((of("ce-time"), of("content-type")), ("2023-11-14T22:13:20Z".to_owned(), "application/json".to_owned()));
    assert!(!headers.contains_key("ce-extra"), "an attribute that belongs to no event");
}

#[test]
fn every_attribute_has_a_template() {
    let settings = json!({
        "type": "orders.{{ method | lower }}", "source": "/shop", "subject": "order {{ params.id }}", "id": "{{ body.id }}",
    });
    let events = events(settings, false);
    assert!(events.reads_body(&parts(&[]).headers), "a template reads the body");
    let json = [("content-type", "application/json")];
    let (headers, body) = sent(&events, &json, r#"{"id": 12}"#).unwrap();
    assert_eq!(body, None);
    assert_eq!(
        (&headers["ce-type"], &headers["ce-source"]),
        (&HeaderValue::from_static("orders.post"), &HeaderValue::from_static("/shop"))
    );
    assert_eq!(
        (&headers["ce-subject"], &headers["ce-id"]),
        (&HeaderValue::from_static("order%207"), &HeaderValue::from_static("12"))
    );
    assert!(sent(&events, &json, "{}").unwrap_err().starts_with("id: "));
}

#[test]
fn an_empty_subject_is_left_out_and_an_empty_type_refused() {
    let events = |settings| events(settings, false);
    assert!(!sent(&events(json!({"subject": ""})), &[], "").unwrap().0.contains_key("ce-subject"));
    assert!(sent(&events(json!({"type": ""})), &[], "").unwrap_err().contains("`type`"));
}

#[test]
fn a_wrong_template_names_its_attribute() {
    let settings = serde_json::from_value(json!({"type": "{{ oops", "id": "{{ params.id }}"})).unwrap();
    let flaws = CloudEvents::new(&settings, false).unwrap_err();
    assert_eq!(flaws.len(), 1);
    assert!(flaws[0].message.starts_with("type: "), "{}", flaws[0]);
    serde_json::from_value::<CloudEventSettings>(json!({"tpye": "x"})).unwrap_err();
}

#[test]
fn structured_data_is_json_text_or_bytes() {
    let events = events(json!({}), true);
    let big = r#"{"n": 12345678901234567890.10}"#;
    let (_, bytes) = sent(&events, &[("content-type", "application/json")], big).unwrap();
    let text = String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    assert!(text.contains(r#""data":{"n": 12345678901234567890.10}"#), "the digits stay: {text}");
    let plain = document(&events, &[("content-type", "text/plain; charset=utf-8")], "Zoë");
    assert_eq!((&plain["data"], &plain["datacontenttype"]), (&json!("Zoë"), &json!("text/plain; charset=utf-8")));
    assert_eq!(document(&events, &[("content-type", "image/png")], "\u{1}")["data_base64"], "AQ==");
    assert_eq!(document(&events, &[("content-type", "application/json")], "{oops")["data_base64"], "e29vcHM=");
    let empty = document(&events, &[], "");
    assert_eq!((empty.get("data"), empty.get("data_base64"), empty.get("datacontenttype")), (None, None, None));
    assert_eq!((&empty["source"], &empty["id"]), (&json!("/callgate/POST%20/orders/%7Bid%7D"), &json!("r-1")));
}

#[test]
fn encoded_bodies_are_decoded_for_a_document() {
    use std::io::Write;

    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(br#"{"a":1}"#).unwrap();
    let packed = Bytes::from(writer.finish().unwrap());
    let mut parts = parts(&[("content-type", "application/json"), ("content-encoding", "gzip")]);
    let events = events(json!({}), true);
    let body = events.apply(&mut parts, &packed.into(), &exchange(), SystemTime::UNIX_EPOCH).unwrap();
    let document: Value = serde_json::from_slice(&body.unwrap()).unwrap();
    assert_eq!(document["data"], json!({"a": 1}));
    assert!(!parts.headers.contains_key("content-encoding"));
    let broken = sent(&events, &[("content-encoding", "gzip")], "no gzip").unwrap_err();
    assert!(broken.contains("decoded"), "{broken}");
}

const BINARY: [(&str, &str); 6] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "e-1"),
    ("ce-source", "//shop/eu"),
    ("ce-type", "order.created"),
    ("ce-region", "K%C3%B6ln"),
    ("content-type", "text/plain"),
];

#[test]
fn an_incoming_binary_event_keeps_its_attributes() {
    let ours = json!({"type": "mine", "id": "mine"});
    let (headers, body) = sent(&events(ours.clone(), false), &BINARY, "data").unwrap();
    assert_eq!(body, None);
    for (name, value) in BINARY {
        assert_eq!(headers[name], value);
    }
    let document = document(&events(ours, true), &BINARY, "data");
    let expected = json!({
        "specversion": "1.0", "id": "e-1", "source": "//shop/eu", "type": "order.created", "region": "Köln",
        "datacontenttype": "text/plain", "data": "data",
    });
    assert_eq!(document, expected);
}

#[test]
fn an_incoming_document_keeps_its_attributes() {
    let headers = [("content-type", "Application/CloudEvents+JSON; charset=utf-8"), ("ce-id", "stray")];
    let document =
        r#"{"specversion":"1.0","id":"e","source":"s","type":"t","n":5,"flag":true,"none":null,"data":{"a":1.10}}"#;
    let (kept, body) = sent(&events(json!({}), true), &headers, document).unwrap();
    assert_eq!((body, &kept["content-type"]), (None, &HeaderValue::from_static(headers[0].1)));
    assert!(!kept.contains_key("ce-id"));
    let (headers, body) = sent(&events(json!({}), false), &headers, document).unwrap();
    assert_eq!(body.unwrap(), r#"{"a":1.10}"#);
    for (name, value) in [("ce-id", "e"), ("ce-source", "s"), ("ce-type", "t"), ("ce-n", "5"), ("ce-flag", "true")] {
        assert_eq!(headers[name], value);
    }
    assert_eq!(headers["content-type"], "application/json");
    assert!(!headers.contains_key("ce-none"));
}

#[test]
fn the_data_of_a_document_becomes_the_body() {
    let with = |rest: &str| {
        let document = format!(r#"{{"specversion":"1.0","id":"e","source":"s","type":"t"{rest}}}"#);
        let (headers, body) = sent(&events(json!({}), false), &[("content-type", STRUCTURED)], &document).unwrap();
        (headers.get("content-type").map(|value| value.to_str().unwrap().to_owned()), body.unwrap())
    };
    let kind = |kind: &str| Some(kind.to_owned());
    assert_eq!(with(r#","datacontenttype":"text/plain","data":"a\nb""#), (kind("text/plain"), Bytes::from("a\nb")));
    assert_eq!(with(r#","data":"text""#), (kind("application/json"), Bytes::from("\"text\"")));
    assert_eq!(
        with(r#","datacontenttype":"image/png","data_base64":"AQI=""#),
        (kind("image/png"), Bytes::from("\u{1}\u{2}"))
    );
    assert_eq!(with(""), (None, Bytes::new()));
}

#[test]
fn malformed_events_are_the_clients_fault() {
    let binary = |headers: &[(&str, &str)]| sent(&events(json!({}), false), headers, "").unwrap_err();
    assert!(binary(&BINARY[..3]).contains("`type`"));
    assert!(binary(&[("ce-specversion", "0.3")]).contains("specversion"));
    let structured =
        |document: &str| sent(&events(json!({}), false), &[("content-type", STRUCTURED)], document).unwrap_err();
    assert!(structured("{").contains("line 1"));
    assert!(structured("[]").contains("no JSON object"));
    assert!(structured(r#"{"id":"e","source":"s","type":"t"}"#).contains("specversion"));
    let whole = |rest: &str| structured(&format!(r#"{{"specversion":"1.0","id":"e","source":"s","type":"t",{rest}}}"#));
    assert!(whole(r#""data":1,"data_base64":"""#).contains("both"));
    assert!(whole(r#""data_base64":"?""#).contains("base64"));
    assert!(whole(r#""Upper":"x""#).contains("lower-case"));
    assert!(whole(r#""list":[1]"#).contains("`list`"));
    assert!(whole(r#""datacontenttype":"a\nb""#).contains("datacontenttype"));
}
