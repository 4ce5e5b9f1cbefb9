//! Any bytes as an XML body: it is read or refused, and what is read and can be written again reads the same.

#![no_main]

mod message;

use std::sync::LazyLock;

use callgate_transform::RequestPipeline;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

static READ: LazyLock<RequestPipeline> = LazyLock::new(|| {
    let steps = json!({"extract": {"a": {"xml": "a/b/@c"}}, "body": {"json": "{{ body }}"}});
    message::steps(steps).expect("steps")
});

static AGAIN: LazyLock<RequestPipeline> = LazyLock::new(|| {
    let steps = json!([{"body": {"xml": "{{ body | to_xml }}"}}, {"body": {"json": "{{ body }}"}}]);
    message::steps(steps).expect("steps")
});

fuzz_target!(|input: &[u8]| {
    let xml = [("content-type", "application/xml")];
    let Ok(read) = message::run(&READ, &xml, input) else { return };
    let again = message::run(&AGAIN, &xml, input).expect("what was read can be written");
    assert_eq!(read, again);
});
