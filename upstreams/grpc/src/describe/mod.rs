//! What a method takes and gives, for people and for other programs.

mod example;
mod schema;

use std::collections::BTreeMap;

use callgate_core::{Content, Description, Discovered, Parameter};
use prost_reflect::{FieldDescriptor, MessageDescriptor};
use serde_json::{Value, json};

use crate::{
    config::Json,
    contract::Method,
    json::is_text,
    rule::{Rule, RuleBody},
};
use schema::Schemas;

/// A method as JSON has it. Where it has a rule, the first says what is in path, query and body.
pub(crate) fn description(method: &Method, settings: Json) -> Description {
    let mut schemas = Schemas::new(settings);
    let (parameters, body) = match method.rules.first() {
        Some(rule) => ruled(rule, method, &mut schemas),
        None => (Vec::new(), Some(content(schemas.message(&method.input), false))),
    };
    let answered = method.rules.first().and_then(|rule| rule.response_body.as_deref());
    let output = match answered.and_then(|name| method.output.get_field_by_name(name)) {
        Some(field) => schemas.field(&field),
        None => schemas.message(&method.output),
    };
    let reply = if method.streams_replies {
        let forms = ["application/x-ndjson", "text/event-stream"].map(|form| (form.to_owned(), output.clone()));
        Content {
            summary: Some("A message in each line, or in each event.".to_owned()),
            required: true,
            schemas: BTreeMap::from(forms),
        }
    } else {
        Content::json(output)
    };
    let example = example::message(&method.input, settings);
    Description {
        summary: method.summary.clone(),
        example: Some(shown(example, &parameters, body.is_some(), method)),
        parameters,
        body,
        replies: BTreeMap::from([("200".to_owned(), reply)]),
        definitions: schemas.definitions,
        sent: None,
    }
}

fn content(schema: Value, required: bool) -> Content {
    Content { required, ..Content::json(schema) }
}

fn ruled(rule: &Rule, method: &Method, schemas: &mut Schemas) -> (Vec<Parameter>, Option<Content>) {
    let parameter = |name: String, required, schema| Parameter { name, summary: None, required, schema };
    let mut parameters: Vec<_> =
        rule.variables.iter().map(|given| parameter(given.name(), true, schemas.field(given.field()))).collect();
    let body = match &rule.body {
        RuleBody::Whole => return (parameters, Some(content(schemas.message(&method.input), false))),
        RuleBody::Nothing => None,
        RuleBody::Field(field) => Some((field.number(), content(schemas.field(field), false))),
    };
    let in_body = body.as_ref().map(|(number, _)| *number);
    let in_path = |field: &FieldDescriptor| rule.variables.iter().any(|given| given.is_below(field));
    for field in method.input.fields() {
        if Some(field.number()) != in_body && !in_path(&field) && is_text(&field) {
            parameters.push(parameter(schemas.name(&field).to_owned(), false, schemas.field(&field)));
        }
    }
    (parameters, body.map(|(_, content)| content))
}

/// An example of the whole input: the message, or values beside a body.
fn shown(message: Value, parameters: &[Parameter], has_body: bool, method: &Method) -> Value {
    if parameters.is_empty() {
        return message;
    }
    let mut values = serde_json::Map::new();
    for parameter in parameters.iter().filter(|parameter| parameter.required) {
        let value = method.input.get_field_by_name(&parameter.name);
        let known =
            value.and_then(|field| message.get(field.json_name()).or_else(|| message.get(field.name())).cloned());
        values.insert(parameter.name.clone(), known.unwrap_or_else(|| json!("text")));
    }
    if has_body {
        values.insert("body".to_owned(), message);
    }
    Value::Object(values)
}

/// A method as discovery lists it.
pub(crate) fn listed(method: &Method) -> Discovered {
    let mut notes: Vec<String> = method.rules.iter().map(Rule::title).collect();
    if method.streams_replies {
        notes.push("a stream of replies".to_owned());
    }
    notes.extend(method.summary.clone());
    let discovered = Discovered::new(method.name.as_str());
    if notes.is_empty() { discovered } else { discovered.with_note(notes.join("; ")) }
}

/// The name of a message's schema.
fn name(message: &MessageDescriptor) -> &str {
    message.full_name()
}
