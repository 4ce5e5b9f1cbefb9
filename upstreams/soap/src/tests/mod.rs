//! What needs the inside of the crate: descriptions of different stacks, and messages by them.

mod corpus;
mod messages;

use std::path::Path;

use callgate_core::Files;
use serde_json::Value;

use crate::{
    encode::Encoder,
    reply, shape, source,
    tree::Tree,
    wsdl::{Contract, Operation},
};

/// A file of the corpus.
fn corpus(name: &str) -> String {
    format!("{}/tests/corpus/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Files that nobody watches.
fn nowhere() -> Files {
    Files::new(Path::new(""))
}

fn contract(name: &str) -> Contract {
    source::from_files(Path::new(&corpus(name)), &nowhere()).unwrap().unwrap()
}

/// Encodes a value as the operation's input.
fn encode(contract: &Contract, operation: &Operation, value: &Value) -> Result<String, String> {
    let elements: Vec<_> = operation.input.parts.iter().collect();
    let opening = shape::opening(operation.version, Some((&contract.schema, &elements)));
    let mut encoder = Encoder::new(&contract.schema, opening + "<soap:Body>");
    encoder.parts(&operation.input.parts, value).map_err(|mismatch| mismatch.to_string())?;
    Ok(encoder.out + shape::CLOSING)
}

/// Encodes a value as the operation's input and decodes the envelope again.
fn round_trip(contract: &Contract, operation: &Operation, value: &Value) -> Result<Value, String> {
    let envelope = encode(contract, operation, value)?;
    let tree = Tree::parse(&envelope).map_err(|flaw| format!("{flaw}: {envelope}"))?;
    let body = tree.root().elements().next().unwrap();
    let json =
        reply::decode(&contract.schema, &operation.input, body).map_err(|unfit| format!("{unfit}: {envelope}"))?;
    serde_json::from_str(&json).map_err(|error| format!("{error}: {json}"))
}
