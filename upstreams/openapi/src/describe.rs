//! An operation for people and for other documents.

use std::collections::BTreeMap;

use callgate_document::{Content, Description, Parameter};
use serde_json::{Map, Value, json};

use crate::{
    document::Document,
    operation::{Operation, Problem, Schema},
    render::Slashes,
    schema::{Bundle, Direction},
};

impl Operation {
    /// What it takes and gives, with an example and the request that is made of it.
    ///
    /// # Errors
    /// A schema refers to something that is not there.
    pub fn describe(&self, document: &Document) -> Result<Description, Problem> {
        let broken = |broken| Problem::new(&self.name, broken);
        let mut requests = Bundle::new(document, Direction::Request);
        let mut add = |schema: &Option<Schema>| match schema {
            Some(schema) => requests.add(schema),
            None => Ok(json!({})),
        };
        let mut parameters = Vec::new();
        for parameter in &self.parameters {
            parameters.push(Parameter {
                name: parameter.name.clone(),
                summary: parameter.summary.clone(),
                required: parameter.required,
                schema: add(&parameter.schema).map_err(broken)?,
            });
        }
        let mut body = None;
        if let Some(taken) = &self.body {
            let mut schemas = BTreeMap::new();
            for media in &taken.media {
                schemas.insert(media.range.clone(), add(&media.schema).map_err(broken)?);
            }
            body = Some(Content { summary: taken.summary.clone(), required: taken.required, schemas });
        }
        // Both directions share the definitions: what they differ in is which fields are required.
        let mut replies = BTreeMap::new();
        for reply in &self.replies {
            let mut schemas = BTreeMap::new();
            for (range, schema) in &reply.media {
                schemas.insert(range.clone(), add(schema).map_err(broken)?);
            }
            let content = Content { summary: reply.summary.clone(), required: true, schemas };
            replies.insert(reply.status.clone(), content);
        }
        let (example, sent) = self.example(document);
        Ok(Description {
            summary: self.summary.clone(),
            parameters,
            body,
            replies,
            definitions: requests.into_definitions(),
            example: Some(example),
            sent,
        })
    }

    /// An example of the input, and the request that the service gets for it.
    fn example(&self, document: &Document) -> (Value, Option<String>) {
        let values = self.example_values(document);
        let media = self.body.as_ref().and_then(|body| body.for_json().ok().or_else(|| body.media.first()));
        let body = media.map(|media| media.example_value(document));
        let input = if self.parameters.is_empty() {
            body.clone().unwrap_or_else(|| json!({}))
        } else {
            let given = self.parameters.iter().zip(&values).filter(|(_, value)| !value.is_null());
            let mut input: Map<_, _> =
                given.map(|(parameter, value)| (parameter.name.clone(), value.clone())).collect();
            input.extend(body.clone().map(|body| ("body".to_owned(), body)));
            Value::Object(input)
        };
        let sent = self.render(&values, Slashes::Encoded).ok().map(|rendered| {
            let mut text = format!("{} {}\n", self.method, rendered.target);
            for (name, value) in &rendered.headers {
                text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
            }
            if !rendered.cookies.is_empty() {
                text.push_str(&format!("cookie: {}\n", rendered.cookies.join("; ")));
            }
            if let Some(encoded) = media.zip(body).and_then(|(media, body)| media.encode(&body).ok()) {
                text.push_str(&format!("content-type: {}\n\n", encoded.content_type));
                text.push_str(&String::from_utf8_lossy(&encoded.bytes));
                text.push('\n');
            }
            text
        });
        (input, sent)
    }
}
