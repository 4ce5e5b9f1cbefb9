//! The shape of triggers in the JSON Schema of the language.

use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::TriggerSettings;
use crate::{
    plan::schema::{describe, inlined, set},
    registry::Registry,
};

/// One shape for each kind of source. `to` is what a route takes.
pub(in crate::plan) fn schema(registry: &Registry, to: &Value, generator: &mut SchemaGenerator) -> Value {
    let mut shapes = Vec::new();
    let route = json!({
        "type": "object", "properties": {"route": {"type": "string", "description": "The route's name."}},
        "required": ["route"], "additionalProperties": false, "title": "A route, with all its policies and steps",
    });
    let forms = to.get("anyOf").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut one = forms.first().cloned().unwrap_or_default();
    if let Value::Object(one) = &mut one {
        one.insert(
            "description".to_owned(),
            "The function that gets it: `upstream/function`, or its long form.".into(),
        );
    }
    let with_route: Vec<_> = forms.into_iter().chain([route]).collect();
    for kind in registry.iter_triggers() {
        let mut shape = inlined::<TriggerSettings>(generator);
        let config = describe(kind.config_schema(generator), kind.summary());
        set(&mut shape, kind.name(), config);
        set(
            &mut shape,
            "to",
            json!({
                "description": "The function that each message invokes: `upstream/function`, its long form, a weighted list, or a route.",
                "anyOf": with_route,
            }),
        );
        set(
            &mut shape,
            "dead_letter",
            json!({
                "type": "object", "description": "Where a message goes that can't be processed.",
                "properties": {"to": one}, "required": ["to"], "additionalProperties": false,
            }),
        );
        if let Value::Object(fields) = &mut shape {
            fields.insert("required".to_owned(), json!([kind.name(), "to"]));
            fields.insert("title".to_owned(), json!(format!("A trigger by {}", kind.name())));
        }
        shapes.push(shape);
    }
    json!({"oneOf": shapes})
}
