// What the targets share: steps, and a message for them.

use callgate_transform::{Content, Exchange, Facts, Params, Payload, RequestPipeline, RequestSteps, TransformError};
use serde_json::Value;

/// Compiles steps; none when they have a flaw.
pub fn steps(steps: Value) -> Option<RequestPipeline> {
    let steps: RequestSteps = serde_json::from_value(steps).ok()?;
    Some(RequestPipeline::new([steps.compile().ok()?]))
}

/// Carries the steps out on a message with a body, and gives the body that they make.
pub fn run(pipeline: &RequestPipeline, headers: &[(&str, &str)], body: &[u8]) -> Result<Vec<u8>, TransformError> {
    let mut request = http::Request::post("/orders/7?page=1&page=2&broken=%zz").header("x-tenant", "t-acme");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(()).expect("a valid request");
    let mut payload = Payload::Buffered(Content::new(bytes::Bytes::copy_from_slice(body), 1 << 20));
    let mut exchange = Exchange::new(Facts {
        route: "fuzz".into(),
        request_id: http::HeaderValue::from_static("r"),
        client_ip: None,
        params: Params::new(vec![("id".into(), "7".into())].into(), None),
        claims: None,
    });
    pipeline.apply(&mut request, &mut payload, &mut exchange)?;
    Ok(payload.content().map(|content| content.bytes().to_vec()).unwrap_or_default())
}
