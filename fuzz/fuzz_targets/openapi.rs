//! Any text as an OpenAPI document: it loads or is refused, and of every operation that can be read the parameters render, the
//! bodies encode, the schemas compile and the description is made, in bounded time.

#![no_main]

use callgate_openapi::{Body, Reading, Slashes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let Ok(mut reading) = Reading::begin("fuzz.yaml", input) else { return };
    loop {
        let missing = reading.missing();
        if missing.is_empty() {
            break;
        }
        for location in missing {
            reading.add(&location, Err("not here".to_owned()));
        }
    }
    let Ok(document) = reading.finish() else { return };
    for found in document.operations() {
        let Ok(operation) = found.read() else { continue };
        let values = operation.example_values(&document);
        if let Ok(rendered) = operation.render(&values, Slashes::Encoded) {
            assert!(rendered.target.starts_with('/'), "{}", rendered.target);
            rendered.target.parse::<http::Uri>().expect("a target");
        }
        for media in operation.body().into_iter().flat_map(Body::media) {
            media.encode(&media.example_value(&document)).ok();
        }
        operation.request_validation(&document).ok();
        operation.reply_validation(&document).ok();
        operation.describe(&document).ok();
    }
});
