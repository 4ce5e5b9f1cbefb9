//! OpenAPI 3.0 and Swagger 2.0 say some things their own way; references of all versions become `#/$defs/NAME`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::{
    document::{Document, Version},
    files::{Broken, Place},
    operation::Schema,
};

const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];
/// Keywords whose value is a schema.
const ONE: [&str; 11] = [
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is a list of schemas.
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value is an object of schemas.
const NAMED: [&str; 3] = ["dependentSchemas", "patternProperties", "properties"];
/// What is OpenAPI's own, or would lead a reader of the schema elsewhere.
const DROPPED: [&str; 19] = [
    "$anchor",
    "$comment",
    "$defs",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$schema",
    "$vocabulary",
    "allowEmptyValue",
    "collectionFormat",
    "definitions",
    "discriminator",
    "example",
    "externalDocs",
    "in",
    "name",
    "nullable",
    "xml",
    "style",
];

/// Which way a value goes: what is read-only need not be in a request, what is write-only not in a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Reply,
}

/// Translated schemas and the definitions that they share.
#[derive(Debug)]
pub(crate) struct Bundle<'a> {
    document: &'a Document,
    direction: Direction,
    names: HashMap<Place, String>,
    definitions: Map<String, Value>,
    open: Vec<Place>,
}

impl<'a> Bundle<'a> {
    pub(crate) fn new(document: &'a Document, direction: Direction) -> Self {
        Self { document, direction, names: HashMap::new(), definitions: Map::new(), open: Vec::new() }
    }

    /// Translates a schema. What it refers to is translated as well, and stays in the bundle.
    pub(crate) fn add(&mut self, schema: &Schema) -> Result<Value, Broken> {
        let translated = match schema {
            Schema::At(place) => match self.document.files.at(place) {
                Some(at) => self.schema(at.value, place.file)?,
                None => json!({}),
            },
            Schema::Made { file, value } => self.schema(value, *file)?,
        };
        while let Some(place) = self.open.pop() {
            let Some(at) = self.document.files.at(&place) else { continue };
            let definition = self.schema(at.value, place.file)?;
            if let Some(name) = self.names.get(&place) {
                self.definitions.insert(name.clone(), definition);
            }
        }
        Ok(translated)
    }

    pub(crate) fn into_definitions(mut self) -> Map<String, Value> {
        self.definitions.sort_keys();
        self.definitions
    }

    fn schema(&mut self, schema: &Value, file: usize) -> Result<Value, Broken> {
        let Value::Object(fields) = schema else {
            // A schema of 2020-12 may be a boolean.
            return Ok(if schema.is_boolean() { schema.clone() } else { json!({}) });
        };
        let nullable = fields.get("nullable") == Some(&Value::Bool(true)) && self.document.version != Version::V31;
        if let Some(Value::String(reference)) = fields.get("$ref") {
            let reference = self.reference(reference, file)?;
            if self.document.version != Version::V31 {
                return Ok(if nullable { or_null(&reference) } else { reference });
            }
            let mut all = self.keywords(fields, file)?;
            if let Value::Object(reference) = reference {
                all.extend(reference);
            }
            return Ok(Value::Object(all));
        }
        let mut all = self.keywords(fields, file)?;
        bounds(&mut all);
        if !nullable {
            return Ok(Value::Object(all));
        }
        if !all.contains_key("type") {
            return Ok(if all.is_empty() { json!({}) } else { or_null(&Value::Object(all)) });
        }
        if let Some(kind @ Value::String(_)) = all.get_mut("type") {
            *kind = json!([kind.take(), "null"]);
        }
        if let Some(Value::Array(values)) = all.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
        Ok(Value::Object(all))
    }

    fn keywords(&mut self, fields: &Map<String, Value>, file: usize) -> Result<Map<String, Value>, Broken> {
        let mut all = Map::new();
        for (key, value) in fields {
            let translated = match (key.as_str(), value) {
                ("$ref", _) => continue,
                (key, _) if DROPPED.contains(&key) || key.starts_with("x-") => continue,
                ("type", value) => match self::types(value) {
                    Some(types) => types,
                    None => continue,
                },
                ("required", Value::Array(_)) => self.required(value, fields, file),
                ("enum", Value::Array(values)) if values.is_empty() => continue,
                // In schemas that look like parameters, or of draft 3.
                ("required" | "enum", value) if !value.is_array() => continue,
                // The tuples of older drafts.
                ("items", Value::Array(items)) => {
                    let items = items.iter().map(|item| self.schema(item, file)).collect::<Result<_, _>>()?;
                    all.insert("prefixItems".to_owned(), Value::Array(items));
                    continue;
                }
                (key, Value::Object(_) | Value::Bool(_)) if ONE.contains(&key) => self.schema(value, file)?,
                (key, Value::Array(items)) if LIST.contains(&key) => {
                    if items.is_empty() {
                        continue;
                    }
                    items.iter().map(|item| self.schema(item, file)).collect::<Result<_, _>>()?
                }
                (key, Value::Object(named)) if NAMED.contains(&key) => {
                    let mut schemas = Map::new();
                    for (name, schema) in named {
                        schemas.insert(name.clone(), self.schema(schema, file)?);
                    }
                    Value::Object(schemas)
                }
                (key, _) if ONE.contains(&key) || LIST.contains(&key) || NAMED.contains(&key) => continue,
                ("pattern", Value::String(pattern)) => super::pattern::strict(pattern).into(),
                (_, value) => value.clone(),
            };
            all.insert(key.clone(), translated);
        }
        if let Some(example) = fields.get("example") {
            all.entry("examples").or_insert_with(|| json!([example]));
        }
        Ok(all)
    }

    /// The required fields, without those that go the other way only.
    fn required(&self, required: &Value, fields: &Map<String, Value>, file: usize) -> Value {
        let flag = match self.direction {
            Direction::Request => "readOnly",
            Direction::Reply => "writeOnly",
        };
        let goes_elsewhere = |name: &str| {
            let Some(property) = fields.get("properties").and_then(|properties| properties.get(name)) else {
                return false;
            };
            let is_flagged = |schema: &Value| schema.get(flag) == Some(&Value::Bool(true));
            let target = || self.document.files.follow(file, property.get("$ref")?.as_str()?).ok();
            is_flagged(property) || target().is_some_and(|target| is_flagged(target.value))
        };
        let names = required.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.filter(|name| !goes_elsewhere(name)).collect()
    }

    fn reference(&mut self, reference: &str, file: usize) -> Result<Value, Broken> {
        let broken = |message| Broken { pointer: reference.to_owned(), message };
        let target = self.document.files.follow(file, reference).map_err(broken)?;
        let name = match self.names.get(&target.place) {
            Some(name) => name.clone(),
            None => {
                let name = self.name(&target.place);
                self.names.insert(target.place.clone(), name.clone());
                self.open.push(target.place);
                name
            }
        };
        Ok(json!({"$ref": format!("#/$defs/{name}")}))
    }

    /// A name that reads in a reference as it is.
    fn name(&self, place: &Place) -> String {
        let last = place.pointer.rsplit('/').next().unwrap_or_default();
        let clean = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let mut base: String = last.chars().map(clean).collect();
        if base.is_empty() {
            base.push_str("Schema");
        }
        let taken = |name: &String| self.names.values().any(|known| known == name);
        if !taken(&base) {
            return base;
        }
        (2_usize..).map(|number| format!("{base}_{number}")).find(|name| !taken(name)).unwrap_or(base)
    }
}

fn types(value: &Value) -> Option<Value> {
    let known = |value: &&Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
    match value {
        // The files of Swagger 2.0.
        Value::String(name) if name == "file" => Some("string".into()),
        Value::String(_) => Some(value).filter(known).cloned(),
        Value::Array(names) => {
            let names: Vec<_> = names.iter().filter(known).cloned().collect();
            (!names.is_empty()).then_some(Value::Array(names))
        }
        _ => None,
    }
}

/// `exclusiveMinimum: true` beside `minimum` of older drafts.
fn bounds(fields: &mut Map<String, Value>) {
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        match fields.get(exclusive) {
            Some(Value::Bool(true)) => match fields.shift_remove(bound) {
                Some(value) => drop(fields.insert(exclusive.to_owned(), value)),
                None => drop(fields.shift_remove(exclusive)),
            },
            Some(Value::Bool(false)) => drop(fields.shift_remove(exclusive)),
            _ => {}
        }
    }
}

fn or_null(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Reading;

    fn translated(version: &Value, schema: &Value, direction: Direction) -> (Value, Map<String, Value>) {
        let mut document = json!({"components": {"schemas": {"S": schema, "P": {"type": "string", "readOnly": true}}}});
        document.as_object_mut().unwrap().extend(version.as_object().unwrap().clone());
        let document = Reading::begin("t", &document.to_string()).unwrap().finish().unwrap();
        let mut bundle = Bundle::new(&document, direction);
        let place = Place { file: 0, pointer: "/components/schemas/S".to_owned() };
        let schema = bundle.add(&Schema::At(place)).unwrap();
        (schema, bundle.into_definitions())
    }

    fn of_30(schema: &Value) -> Value {
        translated(&json!({"openapi": "3.0.3"}), schema, Direction::Request).0
    }

    #[test]
    fn what_older_versions_say_their_own_way() {
        for (given, expected) in [
            (
                json!({"type": "string", "nullable": true, "enum": ["a"]}),
                json!({"type": ["string", "null"], "enum": ["a", null]}),
            ),
            (
                json!({"minimum": 1, "exclusiveMinimum": true, "maximum": 2, "exclusiveMaximum": false}),
                json!({"maximum": 2, "exclusiveMinimum": 1}),
            ),
            (
                json!({"type": "file", "required": true, "xml": {}, "x-a": 1, "example": 1}),
                json!({"type": "string", "examples": [1]}),
            ),
            (
                json!({"allOf": [{"type": "object"}], "nullable": true}),
                json!({"anyOf": [{"allOf": [{"type": "object"}]}, {"type": "null"}]}),
            ),
            (
                json!({"$ref": "#/components/schemas/P", "nullable": true}),
                json!({"anyOf": [{"$ref": "#/$defs/P"}, {"type": "null"}]}),
            ),
            (json!({"type": "decimal", "items": [{"type": "string"}]}), json!({"prefixItems": [{"type": "string"}]})),
            (
                json!({"properties": {"name": {"type": "string"}, "in": {}}}),
                json!({"properties": {"name": {"type": "string"}, "in": {}}}),
            ),
        ] {
            assert_eq!(of_30(&given), expected, "{given}");
        }
    }

    #[test]
    fn references_of_3_1_have_siblings_and_cycles_end() {
        let schema = json!({"$ref": "#/components/schemas/S", "description": "d"});
        let (schema, definitions) = translated(&json!({"openapi": "3.1.0"}), &schema, Direction::Request);
        assert_eq!(schema, json!({"description": "d", "$ref": "#/$defs/S"}));
        assert_eq!(Value::Object(definitions), json!({"S": {"description": "d", "$ref": "#/$defs/S"}}));
    }

    #[test]
    fn what_is_read_only_is_not_required_of_a_request() {
        let schema = json!({
            "required": ["id", "p", "secret", "a"],
            "properties": {"id": {"readOnly": true}, "p": {"$ref": "#/components/schemas/P"}, "secret": {"writeOnly": true}},
        });
        let version = json!({"openapi": "3.0.0"});
        assert_eq!(translated(&version, &schema, Direction::Request).0["required"], json!(["secret", "a"]));
        assert_eq!(translated(&version, &schema, Direction::Reply).0["required"], json!(["id", "p", "a"]));
    }
}
