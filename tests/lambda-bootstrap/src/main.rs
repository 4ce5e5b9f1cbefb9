//! A Lambda function with the real runtime of Rust, for the tests of Callgate.
//!
//! What it does is the last segment of the path: `buffered`, `error`, `panic`; `stream` and `break`, whose second chunk
//! waits for the file `go` in the current folder; or `paced`, which streams `chunks` pieces of `bytes` with a `pause` of
//! milliseconds before each, all from the query. Each begins with the time that it was made at, 20 digits of
//! microseconds since 1970.

use std::{
    io,
    path::Path,
    pin::Pin,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use lambda_runtime::{Error, FunctionResponse, LambdaEvent, MetadataPrelude, StreamResponse, run, service_fn};
use serde_json::{Value, json};

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, io::Error>> + Send>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(serve)).await
}

async fn serve(event: LambdaEvent<Value>) -> Result<FunctionResponse<Value, Chunks>, Error> {
    let path = event.payload["rawPath"].as_str().unwrap_or_default();
    match path.rsplit('/').next().unwrap_or_default() {
        "error" => Err("the function says no".into()),
        #[allow(clippy::panic, reason = "what the runtime makes of it is tested")]
        "panic" => panic!("the function panics"),
        "paced" => Ok(paced(&event.payload["queryStringParameters"])),
        what @ ("stream" | "break") => Ok(streamed(what == "stream")),
        _ => Ok(FunctionResponse::BufferedResponse(json!({
            "statusCode": 200,
            "body": format!("{} {}", event.context.env_config.function_name, event.context.request_id),
        }))),
    }
}

fn streamed(whole: bool) -> FunctionResponse<Value, Chunks> {
    let mut metadata_prelude = MetadataPrelude::default();
    metadata_prelude.cookies.push("a=1".to_owned());
    let first = stream::iter([Ok(Bytes::from_static(b"first"))]);
    let second = stream::once(async move {
        while !Path::new("go").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if whole { Ok(Bytes::from_static(b" second")) } else { Err(io::Error::other("broken")) }
    });
    FunctionResponse::StreamingResponse(StreamResponse { metadata_prelude, stream: Box::pin(first.chain(second)) })
}

fn paced(query: &Value) -> FunctionResponse<Value, Chunks> {
    let number = |name: &str| query[name].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
    let (chunks, bytes, pause) = (number("chunks"), number("bytes"), number("pause"));
    let stream = stream::iter(0..chunks).then(move |_| async move {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut chunk = format!("{:020}", now.as_micros()).into_bytes();
        chunk.resize(chunk.len().max(usize::try_from(bytes).unwrap_or(0)), b'.');
        Ok(Bytes::from(chunk))
    });
    FunctionResponse::StreamingResponse(StreamResponse {
        metadata_prelude: MetadataPrelude::default(),
        stream: Box::pin(stream),
    })
}
