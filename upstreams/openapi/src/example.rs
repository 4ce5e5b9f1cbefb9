//! A value for a schema that comes without one.

use serde_json::{Map, Value, json};

use crate::{
    document::Document,
    files::At,
    operation::{Media, Operation, Parameter, Schema},
};

/// How deep a made value goes.
const DEPTH: usize = 6;
/// How many schemas make a value at most.
const MOST: usize = 1000;

impl Operation {
    /// An example of each parameter, in their order; null for those that a call needs not have and the document has
    /// no example of.
    pub fn example_values(&self, document: &Document) -> Vec<Value> {
        self.parameters.iter().map(|parameter| parameter.example(document).unwrap_or_default()).collect()
    }
}

impl Parameter {
    /// The document's example, or one that is made for a required parameter.
    fn example(&self, document: &Document) -> Option<Value> {
        if let Some(example) = &self.example {
            return Some(self.kind.typed(example));
        }
        if !self.required {
            return None;
        }
        let made = self.schema.as_ref().map_or_else(|| self.name.clone().into(), |schema| made(document, schema));
        Some(if made.is_null() || made == "" { self.name.clone().into() } else { made })
    }
}

impl Media {
    /// The document's example, or one that is made.
    pub fn example_value(&self, document: &Document) -> Value {
        self.example
            .clone()
            .filter(|example| !(example.is_string() && self.is_json()))
            .or_else(|| self.schema.as_ref().map(|schema| made(document, schema)))
            .unwrap_or_else(|| json!({}))
    }
}

fn made(document: &Document, schema: &Schema) -> Value {
    match schema {
        Schema::At(place) => document.files.at(place).map_or(Value::Null, |at| whole(at)),
        Schema::Made { file, value } => {
            let properties = value.get("properties").and_then(Value::as_object);
            let fields = properties.into_iter().flatten().map(|(name, property)| {
                let reference = property.get("$ref").and_then(Value::as_str).unwrap_or_default();
                let value = document.files.follow(*file, reference).map_or(Value::Null, |at| whole(at));
                (name.clone(), value)
            });
            Value::Object(fields.collect())
        }
    }
}

fn whole(schema: At<'_>) -> Value {
    let mut left = MOST;
    of(schema, DEPTH, &mut left)
}

fn of(schema: At<'_>, depth: usize, left: &mut usize) -> Value {
    let (Some(depth), Some(fewer)) = (depth.checked_sub(1), left.checked_sub(1)) else { return Value::Null };
    *left = fewer;
    let Ok(schema) = schema.resolved() else { return Value::Null };
    for key in ["example", "default", "const"] {
        if let Some(given) = schema.get(key) {
            return given.value.clone();
        }
    }
    if let Some(first) = ["examples", "enum"].iter().find_map(|key| schema.get(key)?.items().next()) {
        return first.value.clone();
    }
    let named = match schema.value.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or(""),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "",
    };
    let first = |key: &str| schema.get(key).and_then(|parts| parts.items().next());
    match named {
        "string" => text(&schema),
        "integer" => number(&schema),
        "number" => number(&schema),
        "boolean" => true.into(),
        "array" => match schema.get("items").map(|items| of(items, depth, left)) {
            Some(item) if !item.is_null() => json!([item]),
            _ => json!([]),
        },
        _ if schema.get("allOf").is_some() || named == "object" => object(&schema, depth, left),
        _ => first("oneOf").or_else(|| first("anyOf")).map_or(Value::Null, |part| of(part, depth, left)),
    }
}

/// The required fields, and those with an example; of all parts together. Of an object that has neither, all fields.
fn object(schema: &At<'_>, depth: usize, left: &mut usize) -> Value {
    let mut fields = Map::new();
    for part in schema.get("allOf").iter().flat_map(At::items) {
        if let Value::Object(more) = of(part, depth, left) {
            fields.extend(more);
        }
    }
    let required: Vec<_> =
        schema.get("required").iter().flat_map(At::items).filter_map(|name| name.value.as_str()).collect();
    let properties = schema.get("properties");
    let is_wanted = |name: &str, property: &At<'_>| required.contains(&name) || property.get("example").is_some();
    let any_is = properties.iter().flat_map(At::entries).any(|(name, property)| is_wanted(name, &property));
    for (name, property) in properties.iter().flat_map(At::entries) {
        // Without a required field all are shown, but not those of objects within.
        let is_shown = is_wanted(name, &property) || (!any_is && depth + 2 > DEPTH);
        if is_shown && property.flag("readOnly") != Some(true) {
            let value = of(property, depth, left);
            if !value.is_null() {
                fields.insert(name.to_owned(), value);
            }
        }
    }
    Value::Object(fields)
}

fn text(schema: &At<'_>) -> Value {
    let text = match schema.text("format") {
        Some("date-time") => "2026-01-31T12:00:00Z",
        Some("date") => "2026-01-31",
        Some("time") => "12:00:00Z",
        Some("uuid") => "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        Some("email") => "ada@example.com",
        Some("uri" | "url") => "https://example.com/",
        Some("hostname") => "example.com",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("byte") => "dGV4dA==",
        _ => "text",
    };
    let least = schema.value.get("minLength").and_then(Value::as_u64).and_then(|least| usize::try_from(least).ok());
    let most = schema.value.get("maxLength").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
    let mut text = text.to_owned();
    while least.is_some_and(|least| text.len() < least.min(1000)) {
        text.push('x');
    }
    if let Some(most) = most {
        text.truncate(most);
    }
    text.into()
}

fn number(schema: &At<'_>) -> Value {
    let bound = |key: &str| schema.value.get(key).filter(|bound| bound.is_number()).cloned();
    if let Some(over) = bound("exclusiveMinimum").and_then(|bound| bound.as_i64()) {
        return over.saturating_add(1).into();
    }
    let exclusive = schema.flag("exclusiveMinimum") == Some(true);
    match bound("minimum") {
        Some(least) if exclusive => least.as_i64().map_or(least, |least| least.saturating_add(1).into()),
        Some(least) => least,
        None => bound("maximum").and_then(|most| most.as_i64()).filter(|most| *most < 1).unwrap_or(1).into(),
    }
}
