//! Messages of one schema with all that is rare in it.

use serde_json::{Value, json};

use super::{contract, encode, round_trip};

/// The body of the envelope that a value becomes, or why it does not.
fn body(wsdl: &str, operation: &str, value: &Value) -> Result<String, String> {
    let contract = contract(wsdl);
    let operation = contract.operation(operation, None).unwrap();
    let envelope = encode(&operation, value)?;
    let body = envelope.split_once("<soap:Body>").unwrap().1.strip_suffix("</soap:Body></soap:Envelope>").unwrap();
    Ok(body.to_owned())
}

fn back(wsdl: &str, operation: &str, value: &Value) -> Value {
    let contract = contract(wsdl);
    let operation = contract.operation(operation, None).unwrap();
    round_trip(&operation, value).unwrap()
}

fn order() -> Value {
    json!({
        "id": 7,
        "company": "Acme",
        "line": [{"@sku": "abc", "#text": 2.5}],
        "version": 2,
    })
}

#[test]
fn order_namespaces_and_forms_are_the_schemas() {
    let order = json!({"order": {
        "@mark": -1,
        "@xml:lang": "en",
        "line": [{"#text": 2.5, "@sku": "abc"}, {"@sku": "def", "#text": 1}],
        "days": ["tue", "mon"],
        "when": "never",
        "company": "Acme",
        "id": 7,
    }});
    // `version` is fixed, so nobody has to say it.
    assert_eq!(
        body("styles/wcf.wsdl", "Place", &order).unwrap(),
        "<n1:Place><n1:order n0:mark=\"-1\" xml:lang=\"en\"><id>7</id><company>Acme</company>\
         <n0:line sku=\"abc\">2.5</n0:line><n0:line sku=\"def\">1</n0:line><days>tue mon</days><when>never</when>\
         <version>2</version></n1:order></n1:Place>"
    );
}

#[test]
fn rpc_has_a_wrapper_and_parts_without_a_namespace() {
    let value = json!({"reason": "count", "level": {"count": 3, "sku": "x"}});
    let body = body("styles/axis.wsdl", "setLevel", &value).unwrap();
    assert!(
        body.ends_with(":setLevel>")
            && body.contains("<level><sku>x</sku><count>3</count></level><reason>count</reason>"),
        "{body}"
    );
}

#[test]
fn everything_comes_back() {
    let with = |name: &str, value: Value| {
        let mut order = order();
        order[name] = value;
        json!({"order": order})
    };
    for value in [
        json!({"order": order()}),
        json!({"order": null}),
        json!({"order": order(), "stamp": {"by": "me", "at": "2026-01-31T08:30:00Z"}}),
        with("when", json!("2026-01-31")),
        with("when", json!(5)),
        with("days", json!([])),
        with("@xsi:type", json!("RushOrder"))
            .as_object_mut()
            .map(|value| {
                value["order"]["until"] = "08:30:00".into();
                json!(value)
            })
            .unwrap(),
        with("parent", order()),
        with("note", json!({"@xmlns": "urn:x", "p": ["a", {"@q": "1", "#text": "b"}]})),
        with("x:note", json!({"@xmlns:x": "urn:x", "#text": "<&>"})),
    ] {
        let mut returned = back("styles/wcf.wsdl", "Place", &value);
        // What a prefix was declared for at the element itself is declared there again.
        if let Some(object) = returned["order"].as_object_mut() {
            object.retain(|key, _| !key.starts_with("@xmlns"));
        }
        assert_eq!(returned, value);
    }
}

#[test]
fn choices_repetitions_and_substitutes_find_their_place() {
    let value = json!({
        "Square": [{"name": "s"}],
        "Circle": [{"name": "c", "radius": 0.5}],
        "dot": [{"by": "b"}],
        "line": ["l", "m"],
        "x": [1.5, "INF"],
        "y": [2.5, 3.5],
    });
    let body = body("styles/wcf.wsdl", "Draw", &value).unwrap();
    let order = ["Circle", "Square", "line", "line", "dot", ":x>1.5", ":y>2.5", ":x>INF", ":y>3.5"];
    let mut rest = &*body;
    for part in order {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part} in {rest}"));
        rest = &rest[at + part.len()..];
    }
    assert_eq!(back("styles/wcf.wsdl", "Draw", &value), value);
}

#[test]
fn what_does_not_fit_is_told() {
    for (value, says) in [
        (json!({}), "`order` is missing."),
        (json!({"order": {"id": 1, "line": [], "company": "a"}}), "`order.line` is missing."),
        (json!({"order": {"id": 1, "line": [{"#text": 1}], "company": "a"}}), "`order.line[0].@sku` is missing."),
        (json!({"order": {"id": 0, "line": [], "company": "a"}}), "`order.id` has to be a whole number of at least 1."),
        (json!({"order": {"id": 1, "line": []}}), "`order` needs one of `person`, `company`, `contact`."),
        (
            json!({"order": {"id": 1, "person": "a", "company": "b", "line": [{"@sku": "abc", "#text": 1}]}}),
            "cannot stand beside the other members: the schema makes it a choice.",
        ),
        (
            json!({"order": {"id": 1, "company": "b", "line": [{"@sku": "ab", "#text": 1}]}}),
            "`order.line[0].@sku` has to be between 3 and 8 long.",
        ),
        (
            json!({"order": {"id": 1, "company": "b", "line": [{"@sku": "abc", "#text": 0}]}}),
            "`order.line[0].#text` has to be more than 0.",
        ),
        (
            json!({"order": {"id": 1, "company": "b", "line": [{"@sku": "abc", "#text": 1}], "version": 3}}),
            "`order.version` has to be `2`.",
        ),
        (
            json!({"order": {"id": 1, "company": "b", "line": [{"@sku": "abc", "#text": 1}], "q:x": "1"}}),
            "add the member `@xmlns:q` to it.",
        ),
        (
            json!({"order": {"id": 1, "company": "b", "line": [{"@sku": "abc", "#text": 1}], "a b": "1"}}),
            "`order.a b` is no name of XML.",
        ),
    ] {
        let told = body("styles/wcf.wsdl", "Place", &value).unwrap_err();
        assert!(told.ends_with(says), "{value}: {told}");
    }
    let told = body(
        "styles/wcf.wsdl",
        "Draw",
        &json!({"Circle": [{"name": "a", "radius": 1}], "x": [1, 2, 3, 4], "y": [1, 2, 3, 4]}),
    );
    assert_eq!(told.unwrap_err(), "`x` has too many items: at most 3.");
}

#[test]
fn what_no_schema_tells_is_taken_as_it_is() {
    let document = json!({"a": {"@b": "1", "c": ["2", "3"]}, "#text": "mixed"});
    let value = json!({"document": document, "extra": 5});
    let body = body("styles/asmx.wsdl", "Data", &value).unwrap();
    assert!(
        body.contains("mixed<a b=\"1\"><c>2</c><c>3</c></a>") && body.contains("xsi:type=\"xsd:long\">5<"),
        "{body}"
    );
    assert_eq!(back("styles/asmx.wsdl", "Data", &value), value);
    for extra in [
        json!("text"),
        json!(true),
        json!(1.5),
        json!({"@xsi:type": "Book", "@Id": 1, "Title": "t", "Price": 1.5, "Kind": "Poem"}),
    ] {
        let value = json!({"extra": extra});
        assert_eq!(back("styles/asmx.wsdl", "Data", &value), value);
    }
}
