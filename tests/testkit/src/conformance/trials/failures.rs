//! Failures, deadlines, and calls beside each other.

use std::time::{Duration, Instant};

use callgate_core::Body;
use http::Request;
use libtest_mimic::Failed;

use super::{
    super::{Fixture, Harness},
    ensure,
};

pub(super) async fn a_failed_function_is_told_from_a_reply<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let answer = harness.get("/fail/x").await?;
    ensure(answer.status == 502 && answer.code() == Some("function_error"), || format!("{answer:?}"))
}

pub(super) async fn the_deadline_is_kept<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    // The first call may start the function.
    harness.get("/slow/x?ms=1").await?;
    let started = Instant::now();
    let answer = harness.get("/short/slow/x?ms=5000").await?;
    let late = started.elapsed().saturating_sub(Duration::from_millis(500));
    ensure(answer.status == 504 && answer.code() == Some("upstream_timeout"), || format!("{answer:?}"))?;
    ensure(late < Duration::from_millis(50), || format!("{late:?} after the deadline"))
}

pub(super) async fn a_dropped_call_does_no_harm<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    for _ in 0..5 {
        let call = harness.send(Request::get("/slow/x?ms=2000").body(Body::empty())?);
        if let Ok(answer) = tokio::time::timeout(Duration::from_millis(50), call).await {
            return Err(format!("the call was to be dropped, and was answered: {answer:?}").into());
        }
    }
    let answer = harness.post("/mirror/x", "text/plain", "after").await?;
    ensure(answer.body == "after", || format!("{answer:?}"))
}

pub(super) async fn a_hundred_calls_never_cross<F: Fixture>(harness: Harness<F>) -> Result<(), Failed> {
    let calls = (0..100).map(|number| {
        let harness = &harness;
        async move {
            let text = format!("call {number}");
            let answer = harness.post("/mirror/x", "text/plain", text.clone()).await?;
            ensure(answer.body == text, || format!("{text} got {answer:?}"))
        }
    });
    futures_util::future::try_join_all(calls).await.map(drop)
}
