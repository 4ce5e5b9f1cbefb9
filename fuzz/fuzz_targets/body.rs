//! Any bytes as a body of every media type and content coding: nothing panics, nothing grows beyond the limit. The
//! first byte picks the coding.

#![no_main]

mod message;

use std::sync::LazyLock;

use callgate_transform::RequestPipeline;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

static STEPS: LazyLock<RequestPipeline> = LazyLock::new(|| {
    let steps = json!({
        "extract": {
            "a": {"form": "a"}, "b": {"body": "$..a[?@.b > 1]"}, "c": {"text": true, "regex": "(.)(.)", "replace": "$2$1"},
        },
        "body": {"json": ["{{ body }}", "{{ vars }}", "{{ text | default('') }}"]},
    });
    message::steps(steps).expect("steps")
});

fuzz_target!(|input: &[u8]| {
    let Some((coding, body)) = input.split_first() else { return };
    let coding = ["identity", "gzip", "deflate", "br", "zstd", "gzip, br"][usize::from(coding % 6)];
    let media = [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "application/xml",
        "text/plain",
    ];
    for media in media {
        message::run(&STEPS, &[("content-type", media), ("content-encoding", coding)], body).ok();
    }
});
