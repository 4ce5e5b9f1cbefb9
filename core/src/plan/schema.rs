//! The JSON Schema of the whole language, for editors: `callgate schema`.

use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{hosts::HostSettings, route::RouteSettings, top::DocumentSettings, upstream::CommonSettings};
use crate::registry::Registry;

/// The JSON Schema (draft 2020-12) of a configuration with the kinds of this registry.
pub fn schema(registry: &Registry) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut document = Value::from(generator.subschema_for::<DocumentSettings>());
    let route = route(registry, &mut generator);
    let to = route.pointer("/properties/to").cloned().unwrap_or_default();
    let trigger =
        (registry.iter_triggers().next().is_some()).then(|| super::trigger::schema(registry, &to, &mut generator));
    let upstream = upstream(registry, &mut generator);
    let mut host = inlined::<HostSettings>(&mut generator);
    set(&mut host, "routes", json!({"type": "array", "items": {"$ref": "#/$defs/Route"}}));
    if let Some(definition) = generator.definitions_mut().remove("DocumentSettings") {
        document = definition;
    }
    set(
        &mut document,
        "upstreams",
        json!({
            "type": "object", "description": "The upstreams, by name.", "additionalProperties": {"$ref": "#/$defs/Upstream"},
        }),
    );
    set(
        &mut document,
        "routes",
        json!({
            "type": "array", "description": "The routes for any host.", "items": {"$ref": "#/$defs/Route"},
        }),
    );
    set(
        &mut document,
        "hosts",
        json!({
            "type": "object", "description": "Routes and policies by domain.", "additionalProperties": {"$ref": "#/$defs/Host"},
        }),
    );
    if trigger.is_some() {
        set(
            &mut document,
            "triggers",
            json!({
                "type": "object", "description": "The triggers, by name.", "additionalProperties": {"$ref": "#/$defs/Trigger"},
            }),
        );
    }
    let tests = tests(&mut generator, "Tests; `callgate test` runs them.");
    set(&mut document, "tests", tests);
    let mut definitions = generator.take_definitions(true);
    definitions.insert("Route".to_owned(), route);
    definitions.insert("Upstream".to_owned(), upstream);
    definitions.insert("Host".to_owned(), host);
    definitions.extend(trigger.map(|trigger| ("Trigger".to_owned(), trigger)));
    if let Value::Object(fields) = &mut document {
        fields.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        fields.insert("title".to_owned(), "Callgate configuration".into());
        fields.insert("$defs".to_owned(), Value::Object(definitions));
    }
    document
}

/// One shape for each kind, so that an option of another kind is an error in the editor too.
fn upstream(registry: &Registry, generator: &mut SchemaGenerator) -> Value {
    let mut shapes = Vec::new();
    for kind in registry.iter() {
        let mut shape = inlined::<CommonSettings>(generator);
        if !kind.discovers() {
            unset(&mut shape, "discover");
        }
        let config = describe(kind.config_schema(generator), kind.summary());
        set(&mut shape, kind.name(), config);
        let mut function = inline(kind.target_schema(generator), generator);
        let steps = [
            ("request", "Steps on every request to this function, after the upstream's own."),
            ("response", "Steps on every response of this function, before the upstream's own."),
        ];
        for (name, text) in steps {
            if let Some(Value::Object(mut steps)) = shape.pointer(&format!("/properties/{name}")).cloned() {
                steps.insert("description".to_owned(), text.into());
                set(&mut function, name, Value::Object(steps));
            }
        }
        // The name is the function's key.
        if let (Some(name), Value::Object(fields)) = (kind.target_name(), &mut function)
            && let Some(Value::Array(required)) = fields.get_mut("required")
        {
            required.retain(|field| field != name);
            if let Some(Value::String(text)) = function.pointer_mut(&format!("/properties/{name}/description")) {
                text.push_str(" Default: the name that stands in front.");
            }
        }
        if let Value::Object(fields) = &mut function {
            fields.insert("title".to_owned(), json!(format!("Options of a function of kind {}", kind.name())));
        }
        set(
            &mut shape,
            "functions",
            json!({
                "type": "object", "description": "Names for functions with options, by which routes call them.",
                "additionalProperties": function,
            }),
        );
        if let Value::Object(fields) = &mut shape {
            fields.insert("required".to_owned(), json!([kind.name()]));
            fields.insert("title".to_owned(), json!(format!("An upstream of kind {}", kind.name())));
        }
        shapes.push(shape);
    }
    json!({"oneOf": shapes})
}

fn route(registry: &Registry, generator: &mut SchemaGenerator) -> Value {
    let mut route = inlined::<RouteSettings>(generator);
    let steps = |route: &Value, name: &str| route.pointer(&format!("/properties/{name}")).cloned().unwrap_or_default();
    let response = steps(&route, "response");
    let mut long_forms = Vec::new();
    for kind in registry.iter() {
        let mut form = inline(kind.target_schema(generator), generator);
        set(&mut form, "upstream", json!({"type": "string", "description": "The upstream's name."}));
        set(&mut form, "function", json!({"type": "string", "description": "The function's name."}));
        set(
            &mut form,
            "weight",
            json!({"type": "integer", "minimum": 0, "description": "The share of requests. Default 1."}),
        );
        set(&mut form, "request", steps(&route, "request"));
        set(&mut form, "response", response.clone());
        if let Value::Object(fields) = &mut form {
            fields.insert("required".to_owned(), json!(["upstream"]));
            fields.insert("title".to_owned(), json!(format!("A function of kind {}", kind.name())));
        }
        long_forms.push(form);
    }
    let text = json!({"type": "string", "description": "`upstream/function`", "examples": ["orders/create"]});
    let one = json!({"anyOf": [text, {"anyOf": long_forms}]});
    set(
        &mut route,
        "to",
        json!({
            "description": "The function that serves the route: `upstream/function`, its long form, or a weighted list.",
            "anyOf": [one.clone(), {"type": "array", "items": one, "minItems": 1}],
        }),
    );
    set(&mut route, "respond", response);
    let redirect =
        describe(generator.subschema_for::<super::redirect::RedirectSettings>(), "Sends the client elsewhere.");
    set(&mut route, "redirect", redirect);
    let openapi = generator.subschema_for::<crate::builtin::OpenapiSettings>();
    set(
        &mut route,
        "openapi",
        json!({"description": "Answers with an OpenAPI 3.1 document of all routes.", "anyOf": [openapi, {"type": "null"}]}),
    );
    let tests = tests(generator, "Tests of the route; `callgate test` runs them.");
    set(&mut route, "tests", tests);
    if let Value::Object(fields) = &mut route {
        fields.insert("required".to_owned(), json!(["match"]));
        let one_of = super::route::ACTIONS.map(|name| json!({"required": [name]}));
        fields.insert("oneOf".to_owned(), json!(one_of));
    }
    route
}

fn tests(generator: &mut SchemaGenerator, description: &str) -> Value {
    let test = generator.subschema_for::<super::trial::TestSettings>();
    json!({"type": "array", "description": description, "items": test})
}

/// The schema of a type with its own definition in place of a reference to it, to be changed.
pub(super) fn inlined<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    let schema = T::json_schema(generator);
    schema.into()
}

/// The definition behind a reference.
fn inline(schema: Schema, generator: &SchemaGenerator) -> Value {
    let value = Value::from(schema);
    let name = value.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
    match name.and_then(|name| generator.definitions().get(name)) {
        Some(definition) => definition.clone(),
        None => value,
    }
}

pub(super) fn describe(schema: Schema, text: &str) -> Value {
    let mut value = Value::from(schema);
    if let Value::Object(fields) = &mut value {
        fields.entry("description").or_insert_with(|| text.into());
    }
    value
}

fn unset(schema: &mut Value, field: &str) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.shift_remove(field);
    }
}

/// Gives a field another schema. What the type itself says of the field stays.
pub(super) fn set(schema: &mut Value, field: &str, mut value: Value) {
    if let Value::Object(fields) = schema {
        let properties = fields.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(properties) = properties {
            let told = properties.get(field).and_then(|before| before.get("description")).cloned();
            if let (Some(told), Value::Object(fields)) = (told, &mut value) {
                fields.insert("description".to_owned(), told);
            }
            properties.insert(field.to_owned(), value);
        }
    }
}
