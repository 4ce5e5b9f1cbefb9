//! Validators of an operation: of what it is sent, and of what it answers.

use http::StatusCode;
use serde_json::Value;

use crate::{
    body::is_json,
    document::Document,
    operation::{Operation, Problem, Schema},
    schema::{Direction, Validator, Violation},
};

/// Holds requests against an operation.
#[derive(Debug)]
pub struct RequestValidation {
    parameters: Vec<Option<Validator>>,
    /// By media type.
    bodies: Vec<(String, Validator)>,
}

/// Holds replies against an operation.
#[derive(Debug)]
pub struct ReplyValidation {
    replies: Vec<CheckedReply>,
}

#[derive(Debug)]
struct CheckedReply {
    status: String,
    media: Vec<(String, Option<Validator>)>,
}

impl Operation {
    /// Compiles the schemas of parameters and body.
    ///
    /// # Errors
    /// A schema is none.
    pub fn request_validation(&self, document: &Document) -> Result<RequestValidation, Problem> {
        let compile = |what: &str, schema: &Schema| self.compile(document, what, schema, Direction::Request);
        let mut parameters = Vec::new();
        for parameter in &self.parameters {
            let schema = parameter.schema.as_ref();
            parameters.push(schema.map(|schema| compile(&parameter.name, schema)).transpose()?);
        }
        let mut bodies = Vec::new();
        for media in self.body.iter().flat_map(|body| &body.media) {
            if let Some(schema) = &media.schema {
                bodies.push((media.range.clone(), compile("body", schema)?));
            }
        }
        Ok(RequestValidation { parameters, bodies })
    }

    /// Compiles the schemas of the replies.
    ///
    /// # Errors
    /// A schema is none.
    pub fn reply_validation(&self, document: &Document) -> Result<ReplyValidation, Problem> {
        let mut replies = Vec::new();
        for reply in &self.replies {
            let mut media = Vec::new();
            for (range, schema) in &reply.media {
                let compiled = match schema {
                    Some(schema) if is_json(range) || range.contains('*') => {
                        Some(self.compile(document, &reply.status, schema, Direction::Reply)?)
                    }
                    _ => None,
                };
                media.push((range.clone(), compiled));
            }
            replies.push(CheckedReply { status: reply.status.clone(), media });
        }
        Ok(ReplyValidation { replies })
    }

    fn compile(&self, document: &Document, what: &str, schema: &Schema, way: Direction) -> Result<Validator, Problem> {
        Validator::new(document, schema, way).map_err(|error| Problem {
            name: self.name.clone(),
            pointer: what.to_owned(),
            message: format!("its schema can't be used to validate: {error}"),
        })
    }
}

impl RequestValidation {
    /// What of the parameters' values is wrong; those without a value are passed over. Pointers begin with the
    /// parameter's name.
    pub fn parameters(&self, operation: &Operation, values: &[Value]) -> Vec<Violation> {
        let mut violations = Vec::new();
        for ((parameter, validator), value) in operation.parameters.iter().zip(&self.parameters).zip(values) {
            if let Some(validator) = validator.as_ref().filter(|_| !value.is_null()) {
                violations.extend(validator.violations(&format!("/{}", parameter.name), value));
            }
        }
        violations
    }

    /// Whether a body of this media type is held against a schema.
    pub fn has_body(&self, range: &str) -> bool {
        self.bodies.iter().any(|(known, _)| known == range)
    }

    /// What of a body's value is wrong. Pointers begin with `/body`.
    pub fn body(&self, range: &str, value: &Value) -> Vec<Violation> {
        let validator = self.bodies.iter().find(|(known, _)| known == range);
        validator.map(|(_, validator)| validator.violations("/body", value)).unwrap_or_default()
    }
}

impl ReplyValidation {
    /// What is wrong with a reply. A status of an error that the document does not have is passed over.
    pub fn violations(&self, status: StatusCode, content_type: Option<&str>, body: &[u8]) -> Vec<Violation> {
        let wrong = |message: String| vec![Violation { pointer: String::new(), message }];
        let code = status.as_str();
        let class = format!("{}XX", &code[..1]);
        let find = |wanted: &str| self.replies.iter().find(|reply| reply.status == wanted);
        let Some(reply) = find(code).or_else(|| find(&class)).or_else(|| find("default")) else {
            let is_error = status.is_client_error() || status.is_server_error();
            return if is_error { Vec::new() } else { wrong(format!("the document has no reply {code}")) };
        };
        if reply.media.is_empty() || (body.is_empty() && content_type.is_none()) {
            return Vec::new();
        }
        let given = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let takes = |range: &str| {
            range == given
                || matches!(range, "*/*" | "*")
                || range.strip_suffix('*').is_some_and(|start| start.ends_with('/') && given.starts_with(start))
        };
        let exact = reply.media.iter().find(|(range, _)| *range == given);
        let Some((_, validator)) = exact.or_else(|| reply.media.iter().find(|(range, _)| takes(range))) else {
            let ranges: Vec<_> = reply.media.iter().map(|(range, _)| range.as_str()).collect();
            return wrong(format!("the reply {code} is `{given}`, where the document has {}", ranges.join(", ")));
        };
        let Some(validator) = validator.as_ref().filter(|_| is_json(&given)) else { return Vec::new() };
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => validator.violations("", &value),
            Err(error) => wrong(format!("the reply {code} is no JSON: {error}")),
        }
    }
}
