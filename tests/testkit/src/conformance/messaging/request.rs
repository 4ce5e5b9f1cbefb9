//! Requests that are answered by a message, or not.

use std::time::{Duration, Instant};

use callgate_core::Body;
use futures_util::future::try_join_all;
use http::Request;
use libtest_mimic::Failed;

use super::{
    super::{Answer, Harness, trials::ensure},
    Broker,
};

async fn ask<F: Broker>(harness: &Harness<F>, path: &str, tag: &str, body: Vec<u8>) -> Result<Answer, Failed> {
    let request = Request::post(path).header("content-type", "application/x-any").header("x-tag", tag);
    harness.send(request.body(Body::from(body))?).await
}

fn echoes(answer: &Answer, tag: &str, body: &[u8]) -> Result<(), Failed> {
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let right = answer.status == 200
        && answer.body == body
        && header("x-tag") == Some(tag)
        && header("content-type") == Some("application/x-any");
    ensure(right, || format!("{tag} got {answer:?}"))
}

pub(super) async fn a_reply_is_the_response<F: Broker>(harness: Harness<F>) -> Result<(), Failed> {
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    for body in [bytes, Vec::new()] {
        echoes(&ask(&harness, "/echo/x", "one", body.clone()).await?, "one", &body)?;
    }
    let calls = (0..200).map(|number| {
        let harness = &harness;
        async move {
            let (tag, body) = (format!("t{number}"), format!("call {number}").into_bytes());
            echoes(&ask(harness, "/echo/x", &tag, body.clone()).await?, &tag, &body)
        }
    });
    try_join_all(calls).await.map(drop)
}

pub(super) async fn nobody_to_answer_is_told_at_once<F: Broker>(harness: Harness<F>) -> Result<(), Failed> {
    let started = Instant::now();
    let answer = harness.post("/unanswered/x", "text/plain", "hello?").await?;
    let told = matches!(answer.code(), Some("upstream_unavailable" | "unroutable"));
    ensure(told, || format!("{answer:?}"))?;
    // The route's timeout is 10 s.
    ensure(started.elapsed() < Duration::from_secs(5), || format!("{:?}", started.elapsed()))
}

pub(super) async fn silence_leaves_the_outcome_unknown<F: Broker>(harness: Harness<F>) -> Result<(), Failed> {
    let answer = harness.post("/silent/x", "text/plain", "hello?").await?;
    ensure(answer.status == 504 && answer.code() == Some("upstream_timeout"), || format!("{answer:?}"))?;
    let detail = answer.json()?["detail"].to_string();
    ensure(detail.contains("unknown"), || detail)
}

pub(super) async fn replies_of_calls_that_were_dropped_reach_no_other<F: Broker>(
    harness: Harness<F>,
) -> Result<(), Failed> {
    for round in 0..5 {
        let dropped = (0..50).map(|number| {
            let harness = &harness;
            async move {
                let call = ask(harness, "/late/x", "dropped", format!("{number}").into_bytes());
                match tokio::time::timeout(Duration::from_millis(50), call).await {
                    Ok(answer) => {
                        Err(Failed::from(format!("the call was to be dropped, and was answered: {answer:?}")))
                    }
                    Err(_) => Ok(()),
                }
            }
        });
        try_join_all(dropped).await?;
        let kept = (0..50).map(|number| {
            let harness = &harness;
            async move {
                let (tag, body) = (format!("{round}-{number}"), format!("kept {number}").into_bytes());
                echoes(&ask(harness, "/late/x", &tag, body.clone()).await?, &tag, &body)
            }
        });
        try_join_all(kept).await?;
    }
    Ok(())
}
