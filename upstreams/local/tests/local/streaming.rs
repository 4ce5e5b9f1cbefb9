//! Replies that a function streams.

use callgate_core::BodyError;
use http_body_util::BodyExt;

use crate::site::{PATIENCE, Site};

const SOURCE: &str = include_str!("../functions/stream.py");

async fn start(options: &str) -> Site {
    Site::start(&[("stream", &format!("command: python3 stream.py, {options}"))], &[("stream.py", SOURCE)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_are_sent_on_before_the_function_ends() {
    let site = start("stream: true").await;
    let response = site.open("/stream/whole").await;
    assert_eq!(response.status(), 206);
    assert_eq!(response.headers()["x-streamed"], "yes");
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "first");
    std::fs::write(site.path("go"), "").unwrap();
    assert_eq!(body.collect(100).await.unwrap(), " second");
    // The process serves on.
    assert_eq!(site.get("/stream/whole").await.body, "first second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fails_never_looks_complete() {
    for end in ["fail", "die"] {
        let site = start("stream: true").await;
        let mut body = site.open(&format!("/stream/{end}")).await.into_body();
        body.frame().await.unwrap().unwrap();
        std::fs::write(site.path("go"), "").unwrap();
        body.collect(100).await.unwrap_err();
        assert_eq!(site.get("/stream/whole").await.body, "first second");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_takes_longer_than_the_functions_time_is_broken() {
    let site = start("stream: true, timeout: 2s, processes: {max: 1}").await;
    let mut body = site.open("/stream/whole").await.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    // Nobody lets it go on.
    let error = tokio::time::timeout(PATIENCE, body.collect(100)).await.expect("it is ended").unwrap_err();
    assert!(matches!(error, BodyError::Cut(_)), "{error}");
    std::fs::write(site.path("go"), "").unwrap();
    assert_eq!(site.get("/stream/whole").await.body, "first second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_a_stream_leaves_the_process_to_the_next_one() {
    let site = start("stream: true, processes: {max: 1}").await;
    let mut body = site.open("/stream/whole").await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    std::fs::write(site.path("go"), "").unwrap();
    assert_eq!(site.get("/stream/whole").await.body, "first second");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_option_a_stream_is_collected() {
    let site = start("stream: false").await;
    std::fs::write(site.path("go"), "").unwrap();
    let answer = site.get("/stream/whole").await;
    assert_eq!((answer.status, answer.body.as_str()), (206, "first second"));
    site.fails("/stream/fail", 502, "function_error").await;
}
