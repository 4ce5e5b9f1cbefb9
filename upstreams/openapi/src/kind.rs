//! What type of value a schema asks for, as far as texts are read by it.

use serde_json::{Map, Number, Value};

use crate::files::At;

/// How deep schemas are looked into.
const DEPTH: usize = 6;
/// How many schemas are looked at: those that refer to each other in circles would be endless, or nearly.
const MOST: usize = 1000;

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Anything, or it is not known.
    Any,
    /// Text.
    Text,
    /// Bytes, as in a file that is uploaded.
    Bytes,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list.
    Array(Box<Self>),
    /// An object with these fields, and possibly others.
    Object(Vec<(String, Self)>),
}

impl Kind {
    pub(crate) fn of(schema: At<'_>) -> Self {
        let mut left = MOST;
        Self::within(schema, DEPTH, &mut left)
    }

    fn within(schema: At<'_>, depth: usize, left: &mut usize) -> Self {
        let (Some(depth), Some(fewer)) = (depth.checked_sub(1), left.checked_sub(1)) else { return Self::Any };
        *left = fewer;
        let Ok(schema) = schema.resolved() else { return Self::Any };
        let named = match schema.value.get("type") {
            Some(Value::String(name)) => Some(name.as_str()),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
            _ => None,
        };
        match named {
            Some("file") => Self::Bytes,
            Some("string") if schema.text("format") == Some("binary") => Self::Bytes,
            Some("string") => Self::Text,
            Some("integer") => Self::Integer,
            Some("number") => Self::Number,
            Some("boolean") => Self::Boolean,
            Some("array") => Self::array(&schema, depth, left),
            Some("object") => Self::object(&schema, depth, left),
            _ if schema.get("items").is_some() => Self::array(&schema, depth, left),
            _ if schema.get("properties").is_some() => Self::object(&schema, depth, left),
            // OpenAPI 3.1 leaves the type of what has another media type out.
            _ if schema.get("contentMediaType").is_some() && schema.get("contentEncoding").is_none() => Self::Bytes,
            _ => Self::composed(&schema, depth, left),
        }
    }

    fn array(schema: &At<'_>, depth: usize, left: &mut usize) -> Self {
        Self::Array(Box::new(schema.get("items").map_or(Self::Any, |items| Self::within(items, depth, left))))
    }

    fn object(schema: &At<'_>, depth: usize, left: &mut usize) -> Self {
        let mut fields: Vec<_> = schema
            .get("properties")
            .into_iter()
            .flat_map(|properties| properties.entries().collect::<Vec<_>>())
            .map(|(name, property)| (name.to_owned(), Self::within(property, depth, left)))
            .collect();
        if let Self::Object(more) = Self::composed(schema, depth, left) {
            fields.extend(more);
        }
        Self::Object(fields)
    }

    /// What all parts ask for together, or all alternatives ask for alike.
    fn composed(schema: &At<'_>, depth: usize, left: &mut usize) -> Self {
        let mut parts = |name: &str| -> Vec<Self> {
            let parts = schema.get(name).into_iter().flat_map(|parts| parts.items().collect::<Vec<_>>());
            parts.map(|part| Self::within(part, depth, left)).filter(|kind| *kind != Self::Any).collect()
        };
        let mut all = parts("allOf").into_iter();
        if let Some(first) = all.next() {
            return all.fold(first, |one, other| match (one, other) {
                (Self::Object(mut fields), Self::Object(more)) => {
                    fields.extend(more);
                    Self::Object(fields)
                }
                (one, _) => one,
            });
        }
        for name in ["oneOf", "anyOf"] {
            let mut any = parts(name).into_iter();
            if let Some(first) = any.next() {
                return if any.all(|other| other == first) { first } else { Self::Any };
            }
        }
        Self::Any
    }

    /// A text as the value that is meant by it; as text where it is of another type.
    pub fn read(&self, text: &str) -> Value {
        let read = match self {
            Self::Integer => {
                text.parse::<i64>().ok().map(Value::from).or_else(|| Some(text.parse::<u64>().ok()?.into()))
            }
            Self::Number => serde_json::from_str::<Number>(text).ok().map(Value::Number),
            Self::Boolean => text.parse::<bool>().ok().map(Value::from),
            Self::Array(_) | Self::Object(_) | Self::Any | Self::Text | Self::Bytes => None,
        };
        read.unwrap_or_else(|| text.into())
    }

    /// A value whose texts are read.
    pub fn typed(&self, value: &Value) -> Value {
        match (self, value) {
            (Self::Array(kind), Value::Array(items)) => items.iter().map(|item| kind.typed(item)).collect(),
            (Self::Object(fields), Value::Object(given)) => {
                let field = |(name, value): (&String, &Value)| {
                    let kind = fields.iter().find(|(field, _)| field == name).map_or(&Self::Any, |(_, kind)| kind);
                    (name.clone(), kind.typed(value))
                };
                Value::Object(given.iter().map(field).collect::<Map<_, _>>())
            }
            (kind, Value::String(text)) => kind.read(text),
            (_, value) => value.clone(),
        }
    }

    pub(crate) fn field(&self, name: &str) -> &Self {
        match self {
            Self::Object(fields) => fields.iter().find(|(field, _)| field == name).map_or(&Self::Any, |(_, kind)| kind),
            _ => &Self::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::files::Files;

    fn kind(schema: &Value) -> Kind {
        let files =
            Files::new("t", &json!({"s": schema, "self": {"allOf": [{"$ref": "#/self"}]}}).to_string()).unwrap();
        Kind::of(files.root().get("s").unwrap())
    }

    #[test]
    fn types_are_found_through_composition() {
        assert_eq!(kind(&json!({"type": ["null", "integer"]})), Kind::Integer);
        assert_eq!(kind(&json!({"items": {"type": "number"}})), Kind::Array(Box::new(Kind::Number)));
        assert_eq!(kind(&json!({"oneOf": [{"type": "string"}, {"type": "string"}]})), Kind::Text);
        assert_eq!(kind(&json!({"oneOf": [{"type": "string"}, {"type": "integer"}]})), Kind::Any);
        assert_eq!(kind(&json!({"$ref": "#/self"})), Kind::Any);
        let both = json!({"allOf": [{"properties": {"a": {"type": "boolean"}}}, {"properties": {"b": {}}}]});
        assert_eq!(kind(&both), Kind::Object(vec![("a".to_owned(), Kind::Boolean), ("b".to_owned(), Kind::Any)]));
    }

    #[test]
    fn texts_are_read_where_they_fit() {
        let kind = kind(&json!({"properties": {"n": {"type": "integer"}, "l": {"items": {"type": "boolean"}}}}));
        let read = kind.typed(&json!({"n": "7", "l": ["true", "maybe"], "o": "1"}));
        assert_eq!(read, json!({"n": 7, "l": [true, "maybe"], "o": "1"}));
        assert_eq!(Kind::Number.read("1e2"), json!(100.0));
        assert_eq!(Kind::Integer.read("1.0"), json!("1.0"));
    }
}
