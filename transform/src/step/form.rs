//! The body form `form`.

use serde_json::Value as Json;

use crate::query;

/// A mapping as the pairs of a form. A list repeats its name, null leaves it out.
///
/// # Errors
/// What of the value is no field.
pub(super) fn encode(value: &Json) -> Result<String, &'static str> {
    let Json::Object(fields) = value else { return Err("a form is a mapping of names to values") };
    let mut form = String::new();
    for (name, value) in fields {
        match value {
            Json::Array(values) => values.iter().try_for_each(|value| field(&mut form, name, value))?,
            value => field(&mut form, name, value)?,
        }
    }
    Ok(form)
}

fn field(form: &mut String, name: &str, value: &Json) -> Result<(), &'static str> {
    let text = match value {
        Json::Null => return Ok(()),
        Json::String(text) => text.clone(),
        Json::Bool(_) | Json::Number(_) => value.to_string(),
        Json::Array(_) | Json::Object(_) => {
            return Err("a field's value is text, a number, true or false, or a list of these; `to_json` makes text");
        }
    };
    if !form.is_empty() {
        form.push('&');
    }
    form.push_str(&format!("{}={}", query::encode(name), query::encode(&text)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn encodes_scalars_and_lists() {
        let form = encode(&json!({"a b": "c&d=", "e": [1, true, null, "f"], "g": null, "h": ""}));
        assert_eq!(form.as_deref(), Ok("a%20b=c%26d%3D&e=1&e=true&e=f&h="));
        assert_eq!(encode(&json!({})).as_deref(), Ok(""));
        for unfit in [json!("a=b"), json!({"a": {}}), json!({"a": [[]]})] {
            assert!(encode(&unfit).is_err(), "{unfit}");
        }
    }
}
