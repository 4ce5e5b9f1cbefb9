//! What an operation takes and gives, told: as JSON Schema, by an example, and as a stub of configuration.

mod example;
mod schema;
mod stub;

use callgate_document::{Content, Description};
use serde_json::Map;

pub(crate) use example::example;
pub(crate) use stub::stub;

use crate::{
    envelope::{self, CLOSING},
    operation::Operation,
};

/// The description of an operation.
pub(crate) fn description(operation: &Operation) -> Description {
    let Operation { schema, bound } = operation;
    let mut writer = schema::Writer::new(schema);
    let body = Some(Content::json(writer.message(&bound.input)));
    let replies = match &bound.output {
        Some(output) => [("200".to_owned(), Content::json(writer.message(output)))].into(),
        None => [("202".to_owned(), Content::default())].into(),
    };
    let example = example(schema, &bound.input);
    Description {
        summary: bound.note.as_ref().map(ToString::to_string),
        parameters: Vec::new(),
        body,
        replies,
        definitions: writer.definitions.into_iter().collect::<Map<_, _>>(),
        sent: envelope(operation, &example),
        example: Some(example),
    }
}

/// The envelope for an input.
fn envelope(operation: &Operation, input: &serde_json::Value) -> Option<String> {
    let elements: Vec<_> = operation.bound.input.parts.iter().collect();
    let mut out = envelope::opening_of(operation.bound.version, &operation.schema, &elements);
    out.push_str("<soap:Body>");
    operation.write_input(&mut out, input).ok()?;
    out.push_str(CLOSING);
    Some(out)
}
