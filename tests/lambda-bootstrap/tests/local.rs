//! The kind `local` with functions that the crate `lambda_runtime` serves.

#![allow(clippy::unwrap_used, reason = "a test fails where it can't go on")]

use std::{fs, io, path::Path, sync::Arc};

use callgate_core::{Body, BodyError, Connection, Gateway, Registry, Snapshot, document::References, plan::Plan};
use callgate_local::Local;
use http::{Request, Response};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::runtime::Handle;

struct Files;

impl References for Files {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        fs::read_to_string(path)
    }
}

struct Site {
    gateway: Gateway,
    folder: TempDir,
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let document = format!(
            "upstreams:\n  rust:\n    local: {{}}\n    functions:\n      it: {{command: [{:?}], stream: true, processes: {{max: 1}}}}\n\
             routes: [{{match: '/{{*what}}', to: rust/it}}]\n",
            env!("CARGO_BIN_EXE_callgate-lambda-bootstrap")
        );
        let file = folder.path().join("callgate.yaml");
        fs::write(&file, document).unwrap();
        let plan = Plan::load(&file, &Files, &Registry::new().with::<Local>()).unwrap();
        let snapshot = Snapshot::load(plan, &Handle::current()).await.unwrap();
        Self { gateway: Gateway::new(snapshot), folder }
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
        fs::write(self.folder.path().join("go"), "").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invocations_errors_and_panics_are_told_apart() {
    let site = Site::start().await;
    for _ in 0..3 {
        let (status, text) = site.get("/buffered").await;
        assert_eq!(status, 200, "{text}");
        assert!(text.starts_with("it ") && text.len() == 35, "{text}");
    }
    for failing in ["/error", "/panic"] {
        let (status, text) = site.get(failing).await;
        assert_eq!(status, 502, "{text}");
        assert!(text.contains("function_error") && !text.contains("says no"), "{text}");
        assert_eq!(site.get("/buffered").await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_arrives_chunk_by_chunk() {
    let site = Site::start().await;
    let response = site.open("/stream").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["set-cookie"], "a=1");
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    site.go();
    assert_eq!(body.collect(100).await.unwrap(), " second");
    assert_eq!(site.get("/stream").await, (200, "first second".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_never_looks_complete() {
    let site = Site::start().await;
    let mut body = site.open("/break").await.into_body();
    body.frame().await.unwrap().unwrap();
    site.go();
    let error = body.collect(10_000).await.unwrap_err();
    assert!(matches!(error, BodyError::Cut(_)), "{error}");
    assert_eq!(site.get("/buffered").await.0, 200);
}
