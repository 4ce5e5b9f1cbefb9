//! The steps as the gateway runs them, through the crate's public interface.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests end where something unexpected happens")]
#![allow(clippy::needless_pass_by_value, reason = "`json!` is written in place")]

mod flaws;
mod properties;
mod request;
mod response;
mod safety;

use std::sync::Arc;

use bytes::Bytes;
use callgate_transform::{
    Exchange, Facts, Params, Payload, RequestPipeline, RequestSteps, ResponsePipeline, ResponseSteps, TransformError,
};
use http::{Request, Response};
use serde_json::{Value, json};

fn exchange() -> Exchange {
    let params = vec![("id".into(), "a/b c".into()), ("rest".into(), "x/y z?".into())].into();
    Exchange::new(Facts {
        route: "orders".into(),
        request_id: http::HeaderValue::from_static("r-1"),
        client_ip: Some([192, 0, 2, 7].into()),
        params: Params::new(params, Some("rest".into())),
        claims: Some(Arc::new(json!({"sub": "ann", "roles": ["admin"]}))),
    })
}

fn steps(steps: Value) -> RequestPipeline {
    let steps: RequestSteps = serde_json::from_value(steps).unwrap();
    RequestPipeline::new([steps.compile().unwrap()])
}

fn response_steps(steps: Value) -> ResponsePipeline {
    let steps: ResponseSteps = serde_json::from_value(steps).unwrap();
    ResponsePipeline::new([steps.compile().unwrap()])
}

/// `POST /orders/7?page=1&debug=1&page=2` with a few headers.
fn request() -> http::request::Builder {
    Request::builder()
        .method("POST")
        .uri("/orders/7?page=1&debug=1&page=2")
        .header("x-tenant", "t-acme")
        .header("x-internal-id", "1")
        .header("x-internal-key", "2")
        .header("cookie", "a=1; session=s3")
        .header("accept", "text/html")
        .header("accept", "text/plain")
}

#[derive(Debug)]
struct Shaped<P> {
    parts: P,
    payload: Payload,
    exchange: Exchange,
}

impl<P> Shaped<P> {
    fn body(&self) -> &[u8] {
        self.payload.content().unwrap().bytes()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(self.body()).unwrap()
    }
}

fn run(
    pipeline: &RequestPipeline,
    request: Request<impl Into<Bytes>>,
) -> Result<Shaped<http::request::Parts>, TransformError> {
    let (parts, body) = request.into_parts();
    let (mut request, mut payload) = (Request::from_parts(parts, ()), Payload::from(body.into()));
    let mut exchange = exchange();
    pipeline.apply(&mut request, &mut payload, &mut exchange)?;
    Ok(Shaped { parts: request.into_parts().0, payload, exchange })
}

fn run_response(
    pipeline: &ResponsePipeline,
    response: Response<impl Into<Bytes>>,
    mut exchange: Exchange,
    error: Option<&str>,
) -> Result<Shaped<http::response::Parts>, TransformError> {
    let (parts, body) = response.into_parts();
    let (mut response, mut payload) = (Response::from_parts(parts, ()), Payload::from(body.into()));
    pipeline.apply(&mut response, &mut payload, &mut exchange, error)?;
    Ok(Shaped { parts: response.into_parts().0, payload, exchange })
}
