//! OpenAPI 3.1 out of routes and what their functions say of themselves.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{OpenapiSettings, Published};
use crate::upstream::{Content, Description};

/// What a route without methods is shown with.
const ANY: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// The document of routes, each with its function's description where it has one.
pub(crate) fn compose<'a>(
    settings: &OpenapiSettings,
    routes: impl Iterator<Item = (&'a Published, Option<Description>)>,
) -> Value {
    let mut schemas = Schemas::default();
    schemas.all.insert("Problem".to_owned(), problem());
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for (route, description) in routes {
        let description = description.unwrap_or_default();
        let operation = operation(route, &description, &mut schemas);
        let item = paths.entry(&route.path).or_default();
        let methods: Vec<&str> = match route.methods.as_slice() {
            [] if description.body.is_some() => vec!["post"],
            [] if description != Description::default() => vec!["get"],
            [] => ANY.to_vec(),
            methods => methods.iter().map(String::as_str).collect(),
        };
        for method in methods {
            // Of several routes with one path the most specific comes first.
            item.entry(method).or_insert_with(|| operation.clone());
        }
    }
    let mut info = json!({"title": settings.title, "version": settings.version});
    if let (Some(description), Value::Object(info)) = (&settings.description, &mut info) {
        info.insert("description".to_owned(), description.as_str().into());
    }
    let mut document =
        json!({"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas.all}});
    if let (false, Value::Object(fields)) = (settings.servers.is_empty(), &mut document) {
        let servers: Vec<_> = settings.servers.iter().map(|url| json!({"url": url})).collect();
        fields.insert("servers".to_owned(), servers.into());
    }
    document
}

fn operation(route: &Published, description: &Description, schemas: &mut Schemas) -> Value {
    let names = schemas.add(&description.definitions);
    let mut parameters = Vec::new();
    for capture in &route.captures {
        let known = description.parameters.iter().find(|parameter| parameter.name == *capture);
        let schema = known.map_or_else(|| json!({"type": "string"}), |known| renamed(&known.schema, &names));
        let summary = known.and_then(|known| known.summary.as_deref());
        parameters.push(parameter(capture, "path", true, summary, &schema));
    }
    for given in &description.parameters {
        if !route.captures.contains(&given.name) {
            let schema = renamed(&given.schema, &names);
            parameters.push(parameter(&given.name, "query", given.required, given.summary.as_deref(), &schema));
        }
    }
    let mut operation = Map::new();
    if route.is_named {
        operation.insert("operationId".to_owned(), Value::from(&*route.name));
    }
    if let Some(summary) = &description.summary {
        operation.insert("summary".to_owned(), summary.as_str().into());
    }
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(body) = &description.body {
        let body_of = json!({"required": body.required, "content": content(body, &names)});
        operation.insert("requestBody".to_owned(), body_of);
    }
    let mut responses = Map::new();
    for (status, reply) in &description.replies {
        let mut response = json!({"description": reply.summary.as_deref().unwrap_or("The function's answer.")});
        if let (false, Value::Object(fields)) = (reply.schemas.is_empty(), &mut response) {
            fields.insert("content".to_owned(), content(reply, &names));
        }
        responses.insert(status.clone(), response);
    }
    if responses.is_empty() {
        responses.insert("2XX".to_owned(), json!({"description": "The function's answer."}));
    }
    responses.entry("default").or_insert_with(|| {
        let content = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        json!({"description": "What the gateway answers when it fails.", "content": content})
    });
    operation.insert("responses".to_owned(), Value::Object(responses));
    Value::Object(operation)
}

fn parameter(name: &str, place: &str, required: bool, summary: Option<&str>, schema: &Value) -> Value {
    let mut parameter = json!({"name": name, "in": place, "required": required, "schema": schema});
    if let (Some(summary), Value::Object(fields)) = (summary, &mut parameter) {
        fields.insert("description".to_owned(), summary.into());
    }
    parameter
}

fn content(content: &Content, names: &BTreeMap<String, String>) -> Value {
    let media = |(range, schema): (&String, &Value)| (range.clone(), json!({"schema": renamed(schema, names)}));
    Value::Object(content.schemas.iter().map(media).collect())
}

/// The schemas of all functions, by names of their own.
#[derive(Default)]
struct Schemas {
    all: Map<String, Value>,
}

impl Schemas {
    /// Takes the definitions of a function in; gives the names that they have now. Equal ones are one.
    fn add(&mut self, definitions: &Map<String, Value>) -> BTreeMap<String, String> {
        let plain: BTreeMap<_, _> = definitions.keys().map(|name| (name.clone(), name.clone())).collect();
        let fits = |names: &BTreeMap<String, String>, all: &Map<String, Value>| {
            let same = |(name, schema): (&String, &Value)| {
                let known = names.get(name).and_then(|name| all.get(name));
                known.is_none_or(|known| *known == renamed(schema, names))
            };
            definitions.iter().all(same)
        };
        let numbered = |number: usize| -> BTreeMap<String, String> {
            definitions.keys().map(|name| (name.clone(), format!("{name}_{number}"))).collect()
        };
        let mut candidates = std::iter::once(plain).chain((2..).map(numbered));
        let names = candidates.find(|names| fits(names, &self.all)).unwrap_or_default();
        for (name, schema) in definitions {
            if let Some(new) = names.get(name) {
                self.all.insert(new.clone(), renamed(schema, &names));
            }
        }
        names
    }
}

/// A schema whose references lead to the components of the document.
fn renamed(schema: &Value, names: &BTreeMap<String, String>) -> Value {
    match schema {
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                let new = value.as_str().filter(|_| key == "$ref").and_then(|reference| {
                    let name = names.get(reference.strip_prefix("#/$defs/")?)?;
                    Some(Value::from(format!("#/components/schemas/{name}")))
                });
                (key.clone(), new.unwrap_or_else(|| renamed(value, names)))
            };
            Value::Object(fields.iter().map(field).collect())
        }
        Value::Array(items) => items.iter().map(|item| renamed(item, names)).collect(),
        other => other.clone(),
    }
}

/// The problem document that every failure of the gateway is.
fn problem() -> Value {
    json!({
        "type": "object",
        "description": "A failure (RFC 9457).",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "request_id": {"type": "string"},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Parameter;

    fn route(path: &str, captures: &[&str], methods: &[&str]) -> Published {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Published {
            host: None,
            name: path.into(),
            is_named: false,
            path: path.to_owned(),
            captures: owned(captures),
            methods: owned(methods),
            function: None,
        }
    }

    fn described(pet: &Value) -> Description {
        let parameter = |name: &str, required| Parameter {
            name: name.to_owned(),
            summary: None,
            required,
            schema: json!({"type": "integer"}),
        };
        Description {
            parameters: vec![parameter("id", true), parameter("limit", false)],
            body: Some(Content::json(json!({"$ref": "#/$defs/Pet"}))),
            definitions: Map::from_iter([("Pet".to_owned(), pet.clone())]),
            ..Description::default()
        }
    }

    #[test]
    fn captures_are_parameters_of_the_path_and_the_others_of_the_query() {
        let pets = route("/pets/{id}", &["id"], &["put"]);
        let document = compose(&OpenapiSettings::default(), [(&pets, Some(described(&json!({}))))].into_iter());
        let operation = &document["paths"]["/pets/{id}"]["put"];
        assert_eq!(
            operation["parameters"],
            json!([
                {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}},
                {"name": "limit", "in": "query", "required": false, "schema": {"type": "integer"}},
            ])
        );
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(*schema, json!({"$ref": "#/components/schemas/Pet"}));
        assert_eq!((&document["openapi"], &document["info"]["title"]), (&json!("3.1.0"), &json!("API")));
    }

    #[test]
    fn different_schemas_of_one_name_are_told_apart_and_equal_ones_shared() {
        let (a, b, c) = (route("/a", &[], &["get"]), route("/b", &[], &["get"]), route("/c", &[], &["get"]));
        let cat = json!({"properties": {"parent": {"$ref": "#/$defs/Pet"}}});
        let routes = [
            (&a, Some(described(&cat))),
            (&b, Some(described(&json!({"type": "string"})))),
            (&c, Some(described(&cat))),
        ];
        let document = compose(&OpenapiSettings::default(), routes.into_iter());
        let of =
            |path: &str| document["paths"][path]["get"]["requestBody"]["content"]["application/json"]["schema"].clone();
        assert_eq!(
            [of("/a"), of("/b"), of("/c")],
            ["Pet", "Pet_2", "Pet"].map(|name| json!({"$ref": format!("#/components/schemas/{name}")}))
        );
        let parent = json!({"properties": {"parent": {"$ref": "#/components/schemas/Pet"}}});
        assert_eq!(document["components"]["schemas"]["Pet"], parent);
    }

    #[test]
    fn a_route_without_methods_or_description_is_shown_with_the_usual_ones() {
        let any = route("/any", &[], &[]);
        let document = compose(&OpenapiSettings::default(), [(&any, None)].into_iter());
        assert_eq!(document["paths"]["/any"].as_object().unwrap().len(), ANY.len());
        assert!(document["paths"]["/any"]["get"]["responses"]["default"].is_object());
    }
}
