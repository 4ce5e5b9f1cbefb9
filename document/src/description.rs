//! What a function takes and gives, as its service describes it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The media type of JSON.
const JSON: &str = "application/json";

/// A function's contract. Schemas are JSON Schema (2020-12); `#/$defs/NAME` in them is a schema of [`definitions`].
///
/// [`definitions`]: Self::definitions
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Description {
    /// What the function does, in a line.
    pub summary: Option<String>,
    /// The values that it takes beside a body. Unless the configuration says otherwise each comes from the capture, the
    /// query or the header of its name, or from that field of a JSON body.
    pub parameters: Vec<Parameter>,
    /// The request's body, where the function takes one.
    pub body: Option<Content>,
    /// What it answers, by status: `200`, `4XX`, `default`. A function without statuses has `200`.
    pub replies: BTreeMap<String, Content>,
    /// Schemas that others refer to, by name.
    pub definitions: Map<String, Value>,
    /// An example of [`input`](Self::input).
    pub example: Option<Value>,
    /// What the service is sent for the example, as text: an HTTP message, an envelope.
    pub sent: Option<String>,
}

/// A named value that a function takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// What it means, in a line.
    pub summary: Option<String>,
    /// Whether a call without it is refused.
    pub required: bool,
    /// The schema of its values.
    pub schema: Value,
}

/// A body, with a schema for each media type that it may have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    /// What it means, in a line.
    pub summary: Option<String>,
    /// Whether it must be there.
    pub required: bool,
    /// Schemas by media type; none where there is no body.
    pub schemas: BTreeMap<String, Value>,
}

impl Content {
    /// A JSON body that must be there.
    pub fn json(schema: Value) -> Self {
        Self { summary: None, required: true, schemas: BTreeMap::from([(JSON.to_owned(), schema)]) }
    }

    /// One schema for all media types.
    fn schema(&self) -> Option<Value> {
        any_of(self.schemas.values().cloned())
    }
}

impl Description {
    /// One JSON Schema of all that a call takes: that of the body alone, or of an object with the parameters and the
    /// body as `body`.
    pub fn input(&self) -> Value {
        let body = self.body.as_ref().and_then(|body| Some((body.schema()?, body.required)));
        let schema = if self.parameters.is_empty() {
            body.map_or_else(|| json!({}), |(schema, _)| schema)
        } else {
            let mut properties = Map::new();
            let mut required = Vec::new();
            for parameter in &self.parameters {
                let mut schema = parameter.schema.clone();
                if let (Some(summary), Value::Object(fields)) = (&parameter.summary, &mut schema) {
                    fields.entry("description").or_insert_with(|| summary.as_str().into());
                }
                properties.insert(parameter.name.clone(), schema);
                if parameter.required {
                    required.push(parameter.name.clone());
                }
            }
            if let Some((schema, is_required)) = body {
                properties.insert("body".to_owned(), schema);
                if is_required {
                    required.push("body".to_owned());
                }
            }
            json!({"type": "object", "properties": properties, "required": required})
        };
        self.with_definitions(schema)
    }

    /// One JSON Schema of what a call gives when it succeeds; `{}`, anything, where the service does not say.
    pub fn output(&self) -> Value {
        let good: Vec<_> = self.replies.iter().filter(|(status, _)| status.starts_with('2')).collect();
        let good = if good.is_empty() { self.replies.iter().collect() } else { good };
        let schema = any_of(good.into_iter().filter_map(|(_, content)| content.schema()));
        self.with_definitions(schema.unwrap_or_else(|| json!({})))
    }

    /// A schema with those definitions that it needs, whole.
    fn with_definitions(&self, mut schema: Value) -> Value {
        let mut needed = Map::new();
        let mut open = Vec::new();
        names(&schema, &mut open);
        while let Some(name) = open.pop() {
            let Some(definition) = self.definitions.get(&name).filter(|_| !needed.contains_key(&name)) else {
                continue;
            };
            names(definition, &mut open);
            needed.insert(name, definition.clone());
        }
        if let (Value::Object(fields), false) = (&mut schema, needed.is_empty()) {
            needed.sort_keys();
            fields.insert("$defs".to_owned(), Value::Object(needed));
        }
        schema
    }
}

/// The schema of what is one of several things.
fn any_of(schemas: impl Iterator<Item = Value>) -> Option<Value> {
    let mut different: Vec<Value> = Vec::new();
    for schema in schemas {
        if !different.contains(&schema) {
            different.push(schema);
        }
    }
    if different.len() > 1 { Some(json!({"anyOf": different})) } else { different.pop() }
}

/// The names of the definitions that a schema refers to.
fn names(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref")
                && let Some(name) = reference.strip_prefix("#/$defs/")
            {
                found.push(name.replace("~1", "/").replace("~0", "~"));
            }
            fields.values().for_each(|value| names(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described() -> Description {
        let parameter = |name: &str, required| Parameter {
            name: name.to_owned(),
            summary: Some(format!("the {name}")),
            required,
            schema: json!({"type": "integer"}),
        };
        Description {
            parameters: vec![parameter("id", true), parameter("limit", false)],
            body: Some(Content::json(json!({"$ref": "#/$defs/Pet"}))),
            replies: BTreeMap::from([
                ("200".to_owned(), Content::json(json!({"$ref": "#/$defs/Pet"}))),
                ("404".to_owned(), Content::json(json!({"type": "string"}))),
            ]),
            definitions: Map::from_iter([
                ("Unused".to_owned(), json!({})),
                (
                    "Pet".to_owned(),
                    json!({"properties": {"tag": {"$ref": "#/$defs/Tag"}, "of": {"$ref": "#/$defs/Pet"}}}),
                ),
                ("Tag".to_owned(), json!({"type": "string"})),
            ]),
            ..Description::default()
        }
    }

    #[test]
    fn the_input_is_an_object_of_parameters_and_body() {
        let input = described().input();
        assert_eq!(input["required"], json!(["id", "body"]));
        assert_eq!(input["properties"]["limit"], json!({"type": "integer", "description": "the limit"}));
        assert_eq!(input["properties"]["body"], json!({"$ref": "#/$defs/Pet"}));
    }

    #[test]
    fn a_function_without_parameters_takes_its_body() {
        let input = Description { parameters: Vec::new(), ..described() }.input();
        assert_eq!(input["$ref"], "#/$defs/Pet");
        assert_eq!(Description::default().input(), json!({}));
    }

    #[test]
    fn only_needed_definitions_go_along_and_cycles_end() {
        let defs = described().output()["$defs"].clone();
        assert_eq!(defs.as_object().unwrap().keys().collect::<Vec<_>>(), ["Pet", "Tag"]);
    }

    #[test]
    fn the_output_is_that_of_success() {
        let mut described = described();
        assert_eq!(described.output()["$ref"], "#/$defs/Pet");
        described.replies.remove("200");
        assert_eq!(described.output(), json!({"type": "string"}));
        described.replies.clear();
        assert_eq!(described.output(), json!({}));
    }
}
