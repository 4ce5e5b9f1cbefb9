//! Writes a tree of values as YAML.

use serde_json::Value;

/// The value as a YAML document in block style.
///
/// ```
/// use callgate_core::plan::to_yaml;
///
/// let value = serde_json::json!({"routes": [{"match": "GET /", "to": "a/b"}], "note": "yes: no"});
/// assert_eq!(to_yaml(&value), "routes:\n  - match: GET /\n    to: a/b\nnote: \"yes: no\"\n");
/// ```
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (index, (key, value)) in fields.iter().enumerate() {
                if index > 0 {
                    pad(indent, out);
                }
                out.push_str(&scalar(key));
                out.push(':');
                below(value, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    pad(indent, out);
                }
                out.push_str("- ");
                write(item, indent + 2, out);
            }
        }
        Value::Object(_) => out.push_str("{}\n"),
        Value::Array(_) => out.push_str("[]\n"),
        Value::String(text) => {
            out.push_str(&scalar(text));
            out.push('\n');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            out.push_str(&value.to_string());
            out.push('\n');
        }
    }
}

/// What stands after a key: a scalar on its line, a collection on the lines below.
fn below(value: &Value, indent: usize, out: &mut String) {
    let nested = matches!(value, Value::Object(fields) if !fields.is_empty())
        || matches!(value, Value::Array(items) if !items.is_empty());
    if nested {
        out.push('\n');
        pad(indent + 2, out);
        write(value, indent + 2, out);
    } else {
        out.push(' ');
        write(value, 0, out);
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// A text plain where it reads back as the same text, else in double quotes, which YAML shares with JSON.
pub(crate) fn scalar(text: &str) -> String {
    let number = text.parse::<f64>().is_ok() || text.starts_with("0x") || text.starts_with("0o");
    let plain = !number
        && text.chars().next().is_some_and(|first| first.is_alphanumeric() || first == '/')
        && text.chars().all(|c| c.is_alphanumeric() || "-_./ {}*,=~+%@()".contains(c))
        && !text.ends_with(' ')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain { text.to_owned() } else { Value::from(text).to_string() }
}
