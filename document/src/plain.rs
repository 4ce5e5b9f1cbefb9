//! YAML that is no configuration: what services say of themselves.

use serde_json::{Map, Number, Value as Json};

use crate::{Node, Value, yaml};

/// Why a text is no YAML that stands for JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct NotPlain {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What is wrong there.
    pub message: String,
}

/// Reads a YAML text as the JSON that it stands for: nothing in it is a reference or a template. Keys are text, however
/// they are written (`200:`); an empty text is null.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn plain(text: &str) -> Result<Json, NotPlain> {
    let mut flaws = Vec::new();
    let node = yaml::compose(text, 0, &mut flaws);
    match (node, flaws.into_iter().next()) {
        (Some(node), None) => Ok(json(node)),
        (_, Some(flaw)) => Err(NotPlain { line: flaw.at.line, column: flaw.at.column, message: flaw.message }),
        (None, None) => Err(NotPlain { line: 1, column: 1, message: "it is no YAML".to_owned() }),
    }
}

fn json(node: Node) -> Json {
    match node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => value.into(),
        Value::Integer(value) => Number::from_i128(value).map_or_else(|| value.to_string().into(), Json::Number),
        Value::Float(value) => Number::from_f64(value).map_or(Json::Null, Json::Number),
        Value::String(text) => text.into(),
        Value::Sequence(items) => items.into_iter().map(json).collect(),
        Value::Mapping(entries) => {
            let entries = entries.into_iter().map(|(key, value)| (key.text.to_string(), json(value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_text_and_references_stay() {
        let read = plain("a: [1, 1.5, ~, yes, 'x']\n200:\n  b: ${NAME}\nc: &c {d: 1}\ne: *c\n").unwrap();
        assert_eq!(
            read,
            json!({"a": [1, 1.5, null, "yes", "x"], "200": {"b": "${NAME}"}, "c": {"d": 1}, "e": {"d": 1}})
        );
        assert_eq!(plain("").unwrap(), Json::Null);
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place() {
        let error = plain("a: 1\nb: [").unwrap_err();
        assert!(error.line >= 2, "{error}");
        let error = plain("a: 1\na: 2\n").unwrap_err();
        assert_eq!(error.line, 2, "{error}");
    }
}
