//! What holds for every input.

use callgate_transform::{Expression, Glob, Located, Position, Shape, Template, Tree};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{request, run, steps};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

const LOOKUPS: &[&str] = &[
    "body",
    "body.a",
    "body.a.b",
    "body.a[0]",
    "body['a']['b']",
    "headers.x",
    "headers.x_tenant",
    "query.page",
    "query.no",
    "params.id",
    "params.no",
    "vars.no",
    "claims.sub",
    "claims.no",
    "client.ip",
    "headers['x-tenant']",
    "headers['no header']",
    "method",
    "path",
    "route",
    "request_id",
    "text",
    "headers_all.accept",
    "query_all.page[1]",
    "query_all['page'][7]",
];

proptest! {
    #[test]
    fn json_bodies_round_trip(body in any_json()) {
        let pipeline = steps(json!({"body": {"json": {"copy": "{{ body }}", "text": "<{{ text }}>"}}}));
        let text = body.to_string();
        let request = request().header("content-type", "application/json").body(text.clone()).unwrap();
        prop_assert_eq!(run(&pipeline, request).unwrap().json(), json!({"copy": body, "text": format!("<{text}>")}));
    }

    #[test]
    fn forms_round_trip(fields in prop::collection::vec((any::<String>(), any::<String>()), 1..5)) {
        let fields: serde_json::Map<_, _> = fields.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        let pipeline = steps(json!([{"body": {"form": "{{ body }}"}}, {"body": {"json": "{{ body }}"}}]));
        let body = Value::Object(fields);
        let request = request().header("content-type", "application/json").body(body.to_string()).unwrap();
        prop_assert_eq!(run(&pipeline, request).unwrap().json(), body);
    }

    /// What a template writes is well-formed, and says what the values say.
    #[test]
    fn xml_templates_round_trip(value in any::<String>()) {
        let pipeline = steps(json!([
            {"body": {"xml": "<a b='{{ body.v }}'><c>{{ body.v }}</c></a>"}},
            {"body": {"json": ["{{ body.a['@b'] }}", "{{ body.a.c }}"]}},
        ]));
        let body = json!({"v": value}).to_string();
        let request = request().header("content-type", "application/json").body(body).unwrap();
        match run(&pipeline, request) {
            Ok(shaped) => prop_assert_eq!(shaped.json(), json!([value, value])),
            Err(error) => prop_assert!(error.message.contains("character that XML cannot hold"), "{}", error),
        }
    }

    /// Mere lookups are evaluated beside the engine; in brackets they are the engine's.
    #[test]
    fn lookups_are_what_the_engine_says(
        a in any_json(),
        lookup in prop::sample::select(LOOKUPS),
    ) {
        let render = |expression: &str| {
            let pipeline = steps(json!({"body": {"json": ["{{ X }}".replace('X', expression), "-{{ X }}".replace('X', expression)]}}));
            let body = json!({"a": a}).to_string();
            let request = request().header("content-type", "application/json").body(body).unwrap();
            run(&pipeline, request).map(|shaped| shaped.json()).map_err(|_| ())
        };
        prop_assert_eq!(render(lookup), render(&format!("({lookup})")));
    }

    #[test]
    fn no_body_panics(body in any::<Vec<u8>>(), media in "(application/json|application/x-www-form-urlencoded|text/plain|text/xml|multipart/form-data; boundary=b|)") {
        let pipeline = steps(json!([
            {"extract": {"a": {"body": "$..a[?@.b > 1]"}, "b": {"text": true, "regex": "(.)"}, "c": {"xml": "a/b"}, "d": {"form": "a"}}},
            {"body": {"json": ["{{ body }}", "{{ text }}"]}},
        ]));
        run(&pipeline, request().header("content-type", media).body(body).unwrap()).ok();
    }

    #[test]
    fn a_rendered_header_is_one_header(value in any::<String>()) {
        let pipeline = steps(json!({"headers": {"set": {"x": "a{{ body.v }}"}}}));
        let body = json!({"v": value}).to_string();
        let request = request().header("content-type", "application/json").body(body).unwrap();
        if let Ok(shaped) = run(&pipeline, request) {
            prop_assert!(shaped.parts.headers["x"].as_bytes().iter().all(|byte| !matches!(byte, b'\r' | b'\n' | 0)));
        }
    }

    #[test]
    fn a_value_is_one_segment_of_a_path(value in any::<String>()) {
        let pipeline = steps(json!({"path": "/a/{{ body.v }}/b"}));
        let body = json!({"v": value}).to_string();
        let request = request().uri("/").header("content-type", "application/json").body(body).unwrap();
        match run(&pipeline, request) {
            Ok(shaped) => {
                let uri = shaped.parts.uri;
                prop_assert_eq!(uri.path().split('/').count(), 4);
                prop_assert_eq!(uri.query(), None);
                let segment = uri.path().split('/').nth(2).unwrap();
                prop_assert_eq!(percent_encoding::percent_decode_str(segment).decode_utf8().unwrap(), value);
            }
            Err(_) => {
                let dotted = value.split('\\').any(|part| part == "." || part == "..");
                prop_assert!(value.contains('/') || dotted, "{}", value);
            }
        }
    }

    #[test]
    fn a_query_value_round_trips(value in any::<String>()) {
        let pipeline = steps(json!([
            {"query": {"set": {"v": "{{ body.v }}"}}},
            {"body": {"json": "{{ query.v }}"}},
        ]));
        let body = json!({"v": value}).to_string();
        let request = request().header("content-type", "application/json").body(body).unwrap();
        prop_assert_eq!(run(&pipeline, request).unwrap().json(), json!(value));
    }

    #[test]
    fn no_template_panics(source in "(\\PC|\\{\\{|\\}\\}|\\{%|%\\}|[ |.'\"a-z\\[\\]()\n]){0,40}") {
        Template::new(&source, Position::default()).ok();
        Template::path(&Located::nowhere(source.clone().into())).ok();
        Expression::new(&source, Position::default()).ok();
        Shape::new(&serde_json::from_value::<Tree>(json!([source])).unwrap()).ok();
    }

    #[test]
    fn no_glob_panics(glob in "[*?a-cé]{0,8}", text in "[a-cé]{0,12}") {
        let expected = regex::Regex::new(&format!("^{}$", regex::escape(&glob).replace(r"\*", ".*").replace(r"\?", "."))).unwrap();
        prop_assert_eq!(Glob::new(&glob).matches(&text), expected.is_match(&text));
    }
}
