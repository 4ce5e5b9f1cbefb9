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

const NODE: &str = r#"
import { existsSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";

async function go() {
  while (!existsSync("go")) await new Promise((resolve) => setTimeout(resolve, 5));
}

export const stream = awslambda.streamifyResponse(async (event, stream, context) => {
  const how = event.pathParameters.rest;
  if (how === "early") throw new TypeError("before the head");
  if (how === "plain") {
    stream.setContentType("text/plain");
    stream.end(context.functionName);
    return;
  }
  if (how === "piped") return pipeline(Readable.from(["a".repeat(100000), "b"]), stream);
  if (how === "silent") {
    awslambda.HttpResponseStream.from(stream, { statusCode: 204 }).end();
    return;
  }
  const head = { statusCode: 206, headers: { "x-streamed": "yes" }, cookies: ["a=b"] };
  stream = awslambda.HttpResponseStream.from(stream, head);
  stream.write("first");
  await go();
  if (how === "fail") throw new TypeError("in the middle");
  stream.end(" second");
}, { highWaterMark: 1024 });

export const whole = async () => ({ statusCode: 201, body: "whole" });
"#;

async fn node(options: &str) -> Site {
    let options = format!("runtime: node, {options}");
    let functions = [
        ("stream", format!("{options}, handler: stream.stream")),
        ("whole", format!("{options}, handler: stream.whole")),
    ];
    let functions = functions.each_ref().map(|(name, options)| (*name, options.as_str()));
    Site::start(&functions, &[("stream.mjs", NODE)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_node_streams_by_awslambda_is_sent_on_as_it_comes() {
    let site = node("stream: true").await;
    let response = site.open("/stream/x").await;
    assert_eq!((response.status().as_u16(), &response.headers()["x-streamed"]), (206, &"yes".parse().unwrap()));
    assert_eq!(response.headers()["set-cookie"], "a=b");
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    std::fs::write(site.path("go"), "").unwrap();
    assert_eq!(body.collect(100).await.unwrap(), " second");
    let plain = site.open("/stream/plain").await;
    assert_eq!(plain.headers()["content-type"], "text/plain");
    assert_eq!(plain.into_body().collect(100).await.unwrap(), "stream");
    assert_eq!(site.get("/stream/piped").await.body.len(), 100_001);
    assert_eq!(site.get("/stream/silent").await.status, 204);
    // Other functions of the file are as they were.
    let whole = site.get("/whole/x").await;
    assert_eq!((whole.status, whole.body.as_str()), (201, "whole"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_node_that_fails_never_looks_complete() {
    let site = node("stream: true, processes: {max: 1}").await;
    site.fails("/stream/early", 502, "function_error").await;
    let mut body = site.open("/stream/fail").await.into_body();
    body.frame().await.unwrap().unwrap();
    std::fs::write(site.path("go"), "").unwrap();
    body.collect(100).await.unwrap_err();
    assert_eq!(site.get("/stream/x").await.body, "first second");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_option_a_stream_of_node_is_collected() {
    let site = node("stream: false").await;
    std::fs::write(site.path("go"), "").unwrap();
    let answer = site.get("/stream/x").await;
    assert_eq!((answer.status, answer.body.as_str()), (206, "first second"));
    site.fails("/stream/fail", 502, "function_error").await;
}
