//! What needs the inside of the crate: descriptions of different stacks, and messages by them.

mod bombs;
mod corpus;
mod messages;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::{documents::Documents, envelope, operation::Operation, reply, tree::Tree, wsdl::Contract};

/// A file of the corpus.
fn corpus(name: &str) -> String {
    format!("{}/tests/corpus/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Reads a description with the files that it refers to; nothing of it is elsewhere.
fn read(file: &str) -> Result<Contract, String> {
    let mut documents = Documents::new(file);
    while let Some(location) = documents.wanted() {
        let text = std::fs::read_to_string(&*location).map_err(|error| error.to_string());
        documents.give(location, text);
    }
    Contract::new(&documents)
}

/// Reads a description that is one text.
fn read_text(text: &str) -> Contract {
    let mut documents = Documents::new("a.wsdl");
    let location = documents.wanted().unwrap();
    documents.give(location, Ok(text.to_owned()));
    Contract::new(&documents).unwrap()
}

fn contract(name: &str) -> Contract {
    read(&corpus(name)).unwrap()
}

/// Encodes a value as the operation's input.
fn encode(operation: &Operation, value: &Value) -> Result<String, String> {
    let elements: Vec<_> = operation.bound.input.parts.iter().collect();
    let mut out = envelope::opening_of(operation.version(), &operation.schema, &elements) + "<soap:Body>";
    operation.write_input(&mut out, value).map_err(|mismatch| mismatch.to_string())?;
    Ok(out + envelope::CLOSING)
}

/// Encodes a value as the operation's input and decodes the envelope again.
fn round_trip(operation: &Operation, value: &Value) -> Result<Value, String> {
    let envelope = encode(operation, value)?;
    let tree = Tree::parse(&envelope).map_err(|flaw| format!("{flaw}: {envelope}"))?;
    let body = tree.root().elements().next().unwrap();
    let json = reply::decode(&operation.schema, &operation.bound.input, body)
        .map_err(|unfit| format!("{unfit}: {envelope}"))?;
    serde_json::from_str(&json).map_err(|error| format!("{error}: {json}"))
}

#[test]
fn an_envelope_that_is_sent_can_be_read() {
    let operation = contract("spyne/shop11.wsdl").operation("total", None).unwrap();
    let sent = operation.describe().sent.unwrap();
    let read = crate::read(StatusCode::OK, &HeaderMap::new(), sent.as_bytes());
    assert!(matches!(read, Ok(crate::Reply::Message(_))), "{sent}");
}
