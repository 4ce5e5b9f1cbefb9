//! What is wrong with a configuration is found when it loads, all of it.

use callgate_transform::{RequestSteps, ResponseSteps};
use serde_json::{Value, json};

fn flaws(steps: Value) -> Vec<String> {
    let steps: RequestSteps = serde_json::from_value(steps).unwrap();
    steps.compile().unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn every_flaw_is_reported() {
    let found = flaws(json!([
        {"when": "a b", "method": "NO METHOD", "path": "x", "headers": {
            "set": {"bad name": "x", "x": "{{ }}", "y": "a\nb", "content-length": "3"}, "remove": ["a b"],
        }},
        {"extract": {"a": {"body": "items"}, "b": {"header": "x", "regex": "("}, "c": {}, "d": {"header": "x", "query": "y"}}},
        {"body": {"json": {"a": "{{ nope }}", "b": ["{{ x | nofilter }}", "{% if %}"], "{{ c }}": 1}}},
    ]));
    let all = found.join("\n");
    for expected in [
        "`when`: syntax error",
        "`NO METHOD` is not a method",
        "`path`: a path begins with `/`",
        "`bad name` cannot be",
        "header `x`: syntax error",
        "header `y`: a value cannot have control characters",
        "`content-length` cannot be set",
        "`a b` matches no header",
        "`a`: `items` is not a JSONPath",
        "`b`: `(` is not a regular expression",
        "`c`: no source is named",
        "`d`: several sources are named",
        "`json`: there is no value `nope`",
        "there is no filter `nofilter`",
        "`json`: syntax error",
        "a key cannot be a template",
    ] {
        assert!(all.contains(expected), "{expected} in\n{all}");
    }
    assert_eq!(found.len(), 16, "{all}");
}

#[test]
fn headers_of_a_connection_cannot_be_set() {
    for name in ["connection", "Upgrade", "TE", "transfer-encoding", "content-length", "keep-alive", "proxy-connection"]
    {
        for edit in ["set", "append"] {
            let found = flaws(json!({"headers": {edit: {name: "x"}}}));
            assert!(found.len() == 1 && found[0].contains("cannot be set (leave it out"), "{found:?}");
        }
    }
}

#[test]
fn a_flaw_says_where_in_a_template_of_several_lines() {
    let found = flaws(json!({"body": {"text": "one\n  {{ two three }}"}}));
    assert!(found[0].contains("line 2, column"), "{}", found[0]);
}

#[test]
fn documents_and_replacements_are_checked() {
    for (body, expected) in [
        (json!({"xml": "<a>"}), "`xml`: the XML is not well-formed: it ends"),
        (json!({"xml": "<a>{{ body.x }}</b>"}), "`xml`: the XML is not well-formed"),
        (json!({"xml": "<a>{{ body.x | default('y') }}</b>"}), "`xml`: the XML is not well-formed"),
        (json!({"xml": "<a b={{ body.x }}/>"}), "`xml`: the XML is not well-formed"),
        (json!({"form": ["a"]}), "`form`: a form is a mapping"),
    ] {
        let found = flaws(json!({"body": body}));
        assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
    }
    for (extract, expected) in [
        (json!({"header": "x", "replace": "$1"}), "`replace` needs a `regex`"),
        (json!({"header": "x", "regex": "(a)", "replace": "$2"}), "has no group `2`"),
        (json!({"header": "x", "regex": "(a)", "replace": "$1st"}), "has no group `1st`"),
        (json!({"xml": "a/text()"}), "is not a path of elements: `text()`"),
        (json!({"xml": "a", "form": "b"}), "several sources"),
    ] {
        let found = flaws(json!({"extract": {"v": extract}}));
        assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
    }
}

#[test]
fn names_out_of_reach_are_explained() {
    assert!(flaws(json!({"when": "status == 200"}))[0].contains("response steps only"));
    assert!(flaws(json!({"when": "headers.x-user == 'a'"}))[0].contains("headers.x_name"));
    assert!(flaws(json!({"when": "header.x == 'a'"}))[0].contains("did you mean `headers`?"));
    assert!(flaws(json!({"path": "/{{ params.id | urlencod }}"}))[0].contains("did you mean `urlencode`?"));
    assert!(flaws(json!({"when": "method is nothing"}))[0].contains("no test `nothing`"));
    assert!(flaws(json!({"path": "/a?b=1"}))[0].contains("query: {set"));
    let steps: ResponseSteps = serde_json::from_value(json!({"status": 99, "extract": {"a": {"query": "x"}}})).unwrap();
    let found = steps.compile().unwrap_err();
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn unknown_fields_are_errors() {
    for steps in [
        json!({"header": {}}),
        json!([{"headers": {"add": {}}}]),
        json!({"extract": {"a": {"heder": "x"}}}),
        json!({"body": {"yaml": {}}}),
        json!({"body": {"json": {}, "text": ""}}),
        json!({"status": 200}),
    ] {
        assert!(serde_json::from_value::<RequestSteps>(steps.clone()).is_err(), "{steps}");
    }
}

#[test]
fn steps_serialize_as_they_are_written() {
    let written =
        json!({"when": "true", "headers": {"set": {"a": "b"}, "remove": ["x", "y"]}, "body": {"json": {"a": [1]}}});
    let steps: RequestSteps = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(&steps).unwrap(), written);
}

#[test]
fn the_schema_has_every_field() {
    let schema = schemars::schema_for!(RequestSteps).to_value().to_string();
    for field in ["when", "extract", "method", "path", "query", "headers", "body", "merge", "cookie", "required"] {
        assert!(schema.contains(&format!("\"{field}\"")), "{field}");
    }
}
