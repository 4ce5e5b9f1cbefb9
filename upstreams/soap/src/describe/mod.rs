//! What an operation takes and gives, told: as JSON Schema, by an example, and as a stub of configuration.

mod example;
mod schema;
mod stub;

use callgate_core::upstream::{Content, Description};
use serde_json::Map;

pub(crate) use example::example;
pub(crate) use stub::stub;

use crate::{
    encode::Encoder,
    shape::{self, CLOSING},
    wsdl::Operation,
    xsd::Schema,
};

/// The description of an operation.
pub(crate) fn description(schema: &Schema, operation: &Operation) -> Description {
    let mut writer = schema::Writer::new(schema);
    let body = Some(Content::json(writer.message(&operation.input)));
    let replies = match &operation.output {
        Some(output) => [("200".to_owned(), Content::json(writer.message(output)))].into(),
        None => [("202".to_owned(), Content::default())].into(),
    };
    let example = example(schema, &operation.input);
    Description {
        summary: operation.note.as_ref().map(ToString::to_string),
        parameters: Vec::new(),
        body,
        replies,
        definitions: writer.definitions.into_iter().collect::<Map<_, _>>(),
        sent: envelope(schema, operation, &example),
        example: Some(example),
    }
}

/// The envelope for an input.
fn envelope(schema: &Schema, operation: &Operation, input: &serde_json::Value) -> Option<String> {
    let elements: Vec<_> = operation.input.parts.iter().collect();
    let mut out = shape::opening(operation.version, Some((schema, &elements)));
    out.push_str("<soap:Body>");
    let mut encoder = Encoder::new(schema, out);
    encoder.parts(&operation.input.parts, input).ok()?;
    let mut out = encoder.out;
    out.push_str(CLOSING);
    Some(out)
}
