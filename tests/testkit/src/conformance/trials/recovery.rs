//! A remote that goes away and comes back.

use libtest_mimic::Failed;

use super::{
    super::{Fixture, Harness},
    ensure,
};

const GONE: [Option<&str>; 2] = [Some("upstream_unreachable"), Some("upstream_unavailable")];

/// Readiness is looked at beside it, as some remotes take half a minute to start again.
pub(super) async fn a_killed_remote_is_told_and_a_restarted_one_is_ready_and_serves<F: Fixture>(
    mut harness: Harness<F>,
) -> Result<(), Failed> {
    harness.until(async |harness| harness.ready().await.map_err(Failed::from)).await?;
    let answer = harness.post("/mirror/x", "text/plain", "before").await?;
    ensure(answer.body == "before", || format!("{answer:?}"))?;
    harness.fixture.kill().await;
    // The first call may still find a connection that is about to break.
    harness
        .until(async |harness| {
            let answer = harness.get("/mirror/x").await?;
            ensure(GONE.contains(&answer.code()), || format!("{answer:?}"))
        })
        .await?;
    harness.until(async |harness| ensure(harness.ready().await.is_err(), || "still ready".to_owned())).await?;
    harness.fixture.restart().await?;
    harness.until(async |harness| harness.ready().await.map_err(Failed::from)).await?;
    harness
        .until(async |harness| {
            let answer = harness.post("/mirror/x", "text/plain", "after").await?;
            ensure(answer.body == "after", || format!("{answer:?}"))
        })
        .await
}

pub(super) async fn a_remote_that_is_down_does_not_fail_the_load<F: Fixture>(
    mut harness: Harness<F>,
) -> Result<(), Failed> {
    harness.fixture.kill().await;
    let mut harness = Harness::start(harness.fixture).await?;
    let answer = harness.get("/mirror/x").await?;
    ensure(GONE.contains(&answer.code()), || format!("{answer:?}"))?;
    harness.fixture.restart().await?;
    harness
        .until(async |harness| {
            let answer = harness.post("/mirror/x", "text/plain", "up").await?;
            ensure(answer.body == "up", || format!("{answer:?}"))
        })
        .await
}
