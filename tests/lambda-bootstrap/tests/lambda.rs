//! The kind `lambda` with functions that the crate `lambda_runtime` streams, by way of InvokeWithResponseStream.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it can't go on")]

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use callgate_core::{
    Body, BodyError, Connection, Gateway, Registry, Snapshot,
    document::{Document, System},
    plan::Plan,
};
use callgate_lambda::Lambda;
use callgate_testkit::peers::{LambdaStream, present};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::runtime::Handle;

const BOOTSTRAP: &str = env!("CARGO_BIN_EXE_callgate-lambda-bootstrap");
/// The time that a chunk begins with.
const STAMP: usize = 20;

struct Site {
    gateway: Gateway,
    peer: LambdaStream,
}

impl Site {
    async fn start() -> Option<Self> {
        let peer = present(LambdaStream::start(&[("it", Path::new(BOOTSTRAP))]).await)?;
        let upstream = format!(
            "{{region: us-east-1, endpoint: \"{}\", credentials: {{access_key_id: a, secret_access_key: b}}}}",
            peer.endpoint
        );
        let document = format!(
            "upstreams: {{aws: {{lambda: {upstream}}}}}\n\
             routes: [{{match: '/{{*what}}', to: {{upstream: aws, function: it, stream: true}}}}]\n"
        );
        let document = Document::parse("callgate.yaml", &document, &System).unwrap();
        let plan = Plan::read(&document, &Registry::new().with::<Lambda>()).unwrap();
        let snapshot = Snapshot::load(plan, &Handle::current()).await.unwrap();
        Some(Self { gateway: Gateway::new(snapshot), peer })
    }

    async fn open(&self, path: &str) -> Response<Body> {
        let connection = Arc::new(Connection::new("test".into(), None, false, Arc::from([])));
        let request = Request::get(path).header("host", "rust.test").body(Body::empty()).unwrap();
        self.gateway.handle(request, &connection).await
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let (parts, body) = self.open(path).await.into_parts();
        let text = String::from_utf8(body.collect(u64::MAX).await.unwrap().to_vec()).unwrap();
        (parts.status.as_u16(), text)
    }

    fn go(&self) {
        fs::write(self.peer.folder("it").join("go"), "").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_arrives_chunk_by_chunk() {
    let Some(site) = Site::start().await else { return };
    let response = site.open("/stream").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["set-cookie"], "a=1");
    assert_eq!(response.headers()["content-type"], "application/octet-stream");
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    site.go();
    assert_eq!(body.collect(100).await.unwrap(), " second");
    assert_eq!(site.get("/stream").await, (200, "first second".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_streamed_is_answered_as_ever() {
    let Some(site) = Site::start().await else { return };
    let (status, text) = site.get("/buffered").await;
    assert_eq!(status, 200, "{text}");
    assert!(text.starts_with("it "), "{text}");
    for failing in ["/error", "/panic"] {
        let (status, text) = site.get(failing).await;
        assert_eq!(status, 502, "{text}");
        assert!(text.contains("function_error") && !text.contains("says no"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_never_looks_complete() {
    let Some(site) = Site::start().await else { return };
    let mut body = site.open("/break").await.into_body();
    body.frame().await.unwrap().unwrap();
    site.go();
    let error = body.collect(10_000).await.unwrap_err();
    assert!(matches!(error, BodyError::Cut(_)), "{error}");
    assert_eq!(site.get("/buffered").await.0, 200);
}

/// A megabyte in 32 pieces, one every 60 ms.
#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_that_takes_its_time_arrives_as_it_is_written() {
    const CHUNKS: usize = 32;
    const BYTES: usize = 32 * 1024;
    let Some(site) = Site::start().await else { return };
    let mut body = site.open(&format!("/paced?chunks={CHUNKS}&bytes={BYTES}&pause=60")).await.into_body();
    let mut all = Vec::new();
    let mut delays = Vec::new();
    while let Some(frame) = body.frame().await {
        all.extend_from_slice(&frame.unwrap().into_data().unwrap());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        // The beginning of a piece tells when it was written.
        while let Some(stamp) = all.get(delays.len() * BYTES..).and_then(|rest| rest.get(..STAMP)) {
            let written = Duration::from_micros(std::str::from_utf8(stamp).unwrap().parse().unwrap());
            delays.push(now.saturating_sub(written));
        }
    }
    assert_eq!((all.len(), delays.len()), (CHUNKS * BYTES, CHUNKS));
    delays.sort_unstable();
    let (median, worst) = (delays[CHUNKS / 2], delays[CHUNKS - 1]);
    // A busy machine may hold one up; a gateway that collects holds all up, by a second in the median.
    assert!(median < Duration::from_millis(100) && worst < Duration::from_millis(1000), "{median:?} {worst:?}");
}
