//! The trials of sources.

use std::{collections::BTreeSet, future::ready};

use libtest_mimic::Failed;

use super::{
    Body, Source,
    functions::Act,
    scene::{Scene, left},
};

macro_rules! trials {
    ($($name:ident),* $(,)?) => {
        vec![$((stringify!($name), |source| Box::pin($name::<F>(source)))),*]
    };
}

pub(super) fn all<F: Source>() -> Vec<(&'static str, Body<F>)> {
    trials![
        a_message_is_acknowledged_only_after_its_function_succeeded,
        a_message_that_fails_comes_again_with_a_greater_count,
        a_message_is_acknowledged_only_when_the_dead_letter_has_it,
        a_drain_gives_back_what_runs_and_what_was_not_begun,
        a_source_that_is_down_is_tried_until_it_is_back,
        nothing_is_lost_where_many_run_at_once,
    ]
}

fn check(right: bool, told: impl FnOnce() -> String) -> Result<(), Failed> {
    if right { Ok(()) } else { Err(told().into()) }
}

async fn a_message_is_acknowledged_only_after_its_function_succeeded<F: Source>(mut source: F) -> Result<(), Failed> {
    let scene = Scene::start(&source, "concurrency: 2", &[("work", Act::Hold)]).await?;
    source.put("held").await?;
    scene.called("work", 1).await?;
    source.put("next").await?;
    scene.called("work", 2).await?;
    left(&mut source, 1).await?;
    scene.stage.release();
    left(&mut source, 0).await?;
    let calls = scene.stage.calls("work");
    let told: Vec<_> = calls.iter().map(|call| (&*call.payload, call.header("callgate-attempt"))).collect();
    check(told == [("held", "1"), ("next", "1")], || format!("each is to come once: {told:?}"))?;
    scene.snapshot.close().await;
    Ok(())
}

async fn a_message_that_fails_comes_again_with_a_greater_count<F: Source>(mut source: F) -> Result<(), Failed> {
    let options = "retry: {backoff: {initial: 10ms, max: 20ms}}";
    let fails = [("work", Act::Answer(503)), ("work", Act::Answer(500))];
    let scene = Scene::start(&source, options, &fails).await?;
    source.put("stubborn").await?;
    let calls = scene.called("work", 3).await?;
    left(&mut source, 0).await?;
    let attempts: Vec<_> = calls.iter().map(|call| call.header("callgate-attempt")).collect();
    check(attempts == ["1", "2", "3"], || format!("the counts are {attempts:?}"))?;
    check(calls.iter().all(|call| call.payload == "stubborn"), || format!("another message came: {calls:?}"))?;
    scene.snapshot.close().await;
    Ok(())
}

async fn a_message_is_acknowledged_only_when_the_dead_letter_has_it<F: Source>(mut source: F) -> Result<(), Failed> {
    let options = "retry: {attempts: 2, backoff: {initial: 10ms, max: 20ms}}, dead_letter: {to: suite/dead}";
    let fails = [("work", Act::Answer(503)), ("work", Act::Answer(503)), ("dead", Act::Hold)];
    let scene = Scene::start(&source, options, &fails).await?;
    source.put("hopeless").await?;
    let letter = scene.called("dead", 1).await?.remove(0);
    check(source.left().await? == 1, || "it was acknowledged before the dead letter had it".to_owned())?;
    let told = (&*letter.payload, letter.header("callgate-error"), letter.header("callgate-attempts"));
    check(told == ("hopeless", "function_error", "2"), || format!("the dead letter got {told:?}"))?;
    scene.stage.release();
    left(&mut source, 0).await?;
    scene.snapshot.close().await;
    Ok(())
}

async fn a_drain_gives_back_what_runs_and_what_was_not_begun<F: Source>(mut source: F) -> Result<(), Failed> {
    let scene = Scene::start(&source, "concurrency: 1", &[("work", Act::Hold)]).await?;
    for payload in ["a", "b", "c"] {
        source.put(payload).await?;
    }
    scene.called("work", 1).await?;
    let cut = scene.snapshot.drain_triggers(ready(())).await;
    check(cut == 1, || format!("one ran when it was cut off, and it says {cut}"))?;
    scene.snapshot.close().await;
    left(&mut source, 3).await?;
    let next = Scene::start(&source, "concurrency: 1", &[]).await?;
    left(&mut source, 0).await?;
    let came: BTreeSet<_> = next.stage.calls("work").into_iter().map(|call| call.payload).collect();
    check(came.iter().eq(["a", "b", "c"]), || format!("the next gateway got {came:?}"))?;
    next.snapshot.close().await;
    Ok(())
}

async fn a_source_that_is_down_is_tried_until_it_is_back<F: Source>(mut source: F) -> Result<(), Failed> {
    let scene = Scene::start(&source, "concurrency: 1", &[]).await?;
    source.put("before").await?;
    scene.called("work", 1).await?;
    left(&mut source, 0).await?;
    source.kill().await;
    scene.until_trouble(true).await?;
    source.restart().await?;
    source.put("after").await?;
    let calls = scene.called("work", 2).await?;
    check(calls[1].payload == "after", || format!("another message came: {calls:?}"))?;
    scene.until_trouble(false).await?;
    left(&mut source, 0).await?;
    scene.snapshot.close().await;
    Ok(())
}

async fn nothing_is_lost_where_many_run_at_once<F: Source>(mut source: F) -> Result<(), Failed> {
    let fails: Vec<_> = (0..20).map(|number| ("work", Act::Answer(if number % 2 == 0 { 503 } else { 429 }))).collect();
    let options = "concurrency: 8, retry: {backoff: {initial: 10ms, max: 20ms}}";
    let scene = Scene::start(&source, options, &fails).await?;
    let wanted: BTreeSet<_> = (0..100).map(|number| format!("message {number}")).collect();
    for payload in &wanted {
        source.put(payload).await?;
    }
    left(&mut source, 0).await?;
    let calls = scene.stage.calls("work");
    let came: BTreeSet<_> = calls.iter().map(|call| call.payload.clone()).collect();
    check(came == wanted, || format!("{} of {} messages came", came.len(), wanted.len()))?;
    check(calls.len() == wanted.len() + fails.len(), || format!("{} calls, and a failure each for 20", calls.len()))?;
    scene.snapshot.close().await;
    Ok(())
}
