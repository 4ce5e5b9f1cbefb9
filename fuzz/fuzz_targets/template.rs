//! Any text as a template of every place that takes one: it compiles or is refused, and renders or fails, in bounded
//! time. The input is the template and, after a NUL, the JSON body that it sees.

#![no_main]

mod message;

use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: &str| {
    let (source, body) = input.split_once('\0').unwrap_or((input, r#"{"a":{"b":[1,"x<&\"'>",null]}}"#));
    for step in [
        json!({"body": {"text": source}}),
        json!({"body": {"json": {"a": source}}}),
        json!({"body": {"form": {"a": source}}}),
        json!({"headers": {"set": {"x": source}}, "query": {"set": {"q": source}}}),
        json!({"path": source}),
        json!({"when": source}),
    ] {
        let is_json = step["body"]["json"].is_object();
        if let Some(pipeline) = message::steps(step)
            && let Ok(out) = message::run(&pipeline, &[("content-type", "application/json")], body.as_bytes())
            && is_json
        {
            serde_json::from_slice::<serde_json::Value>(&out).expect("JSON by construction");
        }
    }
    if let Some(pipeline) = message::steps(json!([{"body": {"xml": source}}, {"body": {"json": "{{ body }}"}}])) {
        let written = message::run(&pipeline, &[("content-type", "application/json")], body.as_bytes());
        assert!(!written.is_err_and(|error| error.message.contains("`json`: the XML")), "what is written can be read");
    }
});
