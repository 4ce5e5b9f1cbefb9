//! The claims of a verified token, as API Gateway's JWT authorizer writes them.

use std::borrow::Cow;

use serde_json::Value;

use super::json::Json;

/// Writes `"claims": {...}, "scopes": [...]` into an open object. Every claim is a string.
pub(super) fn write(json: &mut Json, claims: &Value) {
    json.key("claims").open();
    for (name, value) in claims.as_object().into_iter().flatten() {
        if let Some(text) = text(value) {
            json.field(name).string(&text);
        }
    }
    json.close().key("scopes");
    match claims.get("scope").and_then(Value::as_str) {
        Some(scopes) => json.list(scopes.split_ascii_whitespace()),
        None => json.null(),
    };
}

/// A claim's text: lists are in brackets, divided by spaces.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    Some(match value {
        Value::Null => return None,
        Value::String(text) => text.into(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(text).collect();
            format!("[{}]", items.join(" ")).into()
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_are_strings_and_scopes_a_list() {
        let mut json = Json::with_capacity(0);
        json.open();
        write(&mut json, &json!({"sub": "u1", "exp": 17, "aud": ["a", "b"], "none": null, "scope": "read write"}));
        json.close();
        let value: Value = serde_json::from_slice(&json.finish()).unwrap();
        assert_eq!(
            value,
            json!({
                "claims": {"sub": "u1", "exp": "17", "aud": "[a b]", "scope": "read write"},
                "scopes": ["read", "write"],
            })
        );
    }
}
