//! The end of a trigger.

use std::{sync::atomic::Ordering, time::Duration};

use super::stage::{Act, Event, loaded, lock, message, running};
use crate::ErrorKind;

#[tokio::test(start_paused = true)]
async fn a_drain_lets_end_what_runs_and_takes_nothing_more() {
    let (snapshot, stage) = running("triggers: {work: {box: {stage: STAGE}, to: f/work, concurrency: 2}}").await;
    *lock(&stage.acts) = [Act::Take(Duration::from_secs(5)); 3].into();
    ["a", "b", "c"].iter().for_each(|name| stage.put(message(name)));
    stage.until(|_| stage.running.load(Ordering::Relaxed) == 2).await;
    let cut = snapshot.drain_triggers(tokio::time::sleep(Duration::from_secs(30))).await;
    assert_eq!((cut, stage.left()), (0, 1));
    let events = lock(&stage.events).clone();
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Acked(_))).count(), 2);
    let stopped = events.iter().position(|event| *event == Event::Stopped).unwrap();
    assert!(events[stopped..].len() > 2, "the source stops before what runs has ended: {events:?}");
    snapshot.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_and_what_waits_goes_back() {
    let yaml =
        "triggers: {work: {box: {stage: STAGE, counts: false}, to: f/work, retry: {backoff: {initial: 1h, max: 1h}}}}";
    let (snapshot, stage) = running(yaml).await;
    *lock(&stage.acts) = [Act::Fail(ErrorKind::Timeout), Act::Take(Duration::from_secs(3600))].into();
    stage.put(message("waits"));
    stage.until(|_| snapshot.triggers()[0].waiting == 1).await;
    stage.put(message("runs"));
    stage.until(|_| stage.running.load(Ordering::Relaxed) == 1).await;
    let cut = snapshot.drain_triggers(tokio::time::sleep(Duration::from_secs(3))).await;
    assert_eq!(cut, 1);
    let events = lock(&stage.events).clone();
    for name in ["waits", "runs"] {
        assert!(events.iter().any(|event| matches!(event, Event::Returned(of, _) if of == name)), "{events:?}");
    }
    assert_eq!(stage.running.load(Ordering::Relaxed), 0, "the call was dropped");
    assert_eq!(snapshot.triggers()[0].tally.returned, 2);
    snapshot.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_goes_back_before_what_runs_has_ended() {
    let yaml =
        "triggers: {work: {box: {stage: STAGE, counts: false}, to: f/work, retry: {backoff: {initial: 1h, max: 1h}}}}";
    let (snapshot, stage) = running(yaml).await;
    *lock(&stage.acts) = [Act::Fail(ErrorKind::Timeout), Act::Take(Duration::from_secs(5))].into();
    stage.put(message("waits"));
    stage.until(|_| snapshot.triggers()[0].waiting == 1).await;
    stage.put(message("runs"));
    stage.until(|_| stage.running.load(Ordering::Relaxed) == 1).await;
    assert_eq!(snapshot.drain_triggers(tokio::time::sleep(Duration::from_secs(30))).await, 0);
    let events = lock(&stage.events).clone();
    let place = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted);
    let returned = place(&|event| matches!(event, Event::Returned(of, _) if of == "waits"));
    let acked = place(&|event| matches!(event, Event::Acked(of) if of == "runs"));
    assert!(returned.is_some() && returned < acked, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_was_not_started_takes_nothing_and_closes() {
    let (snapshot, stage) = loaded("triggers: {work: {box: {stage: STAGE}, to: f/work}}").await;
    stage.put(message("m"));
    tokio::time::sleep(Duration::from_secs(60)).await;
    snapshot.close().await;
    assert_eq!(stage.left(), 1);
}

/// A source that keeps nothing.
const FLEETING: &str = "box: {stage: STAGE, counts: false, keeps: false}, to: f/work";

#[tokio::test(start_paused = true)]
async fn what_a_source_that_keeps_nothing_has_taken_in_is_worked_on_within_the_grace() {
    let yaml = format!("triggers: {{work: {{{FLEETING}, concurrency: 1, rate: 2/s}}}}");
    let (snapshot, stage) = running(&yaml).await;
    *lock(&stage.acts) = [Act::Take(Duration::from_secs(2)); 4].into();
    (0..4).for_each(|number| stage.put(message(&number.to_string())));
    stage.until(|_| stage.running.load(Ordering::Relaxed) == 1).await;
    assert_eq!(snapshot.drain_triggers(tokio::time::sleep(Duration::from_secs(30))).await, 0);
    let tally = snapshot.triggers()[0].tally;
    assert_eq!((tally.received, tally.succeeded, tally.returned, stage.left()), (4, 4, 0, 0));
    assert_eq!(stage.most.load(Ordering::Relaxed), 1, "the bounds hold to the end");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_keeps_goes_to_the_dead_letter_when_the_gateway_ends() {
    let yaml = format!(
        "triggers: {{work: {{{FLEETING}, concurrency: 1, retry: {{backoff: {{initial: 1h, max: 1h}}}}, dead_letter: {{to: f/dead}}}}}}"
    );
    let (snapshot, stage) = running(&yaml).await;
    *lock(&stage.acts) = [Act::Answer(503), Act::Take(Duration::from_secs(3600))].into();
    stage.put(message("waits"));
    stage.until(|_| snapshot.triggers()[0].waiting == 1).await;
    ["runs", "came"].iter().for_each(|name| stage.put(message(name)));
    stage.until(|_| stage.running.load(Ordering::Relaxed) == 1).await;
    let cut = snapshot.drain_triggers(tokio::time::sleep(Duration::from_secs(3))).await;
    assert_eq!(cut, 2, "one ran and one was not begun");
    let dead = stage.calls("dead");
    let told: Vec<_> =
        dead.iter().map(|call| (&*call.body, call.headers["callgate-error"].to_str().unwrap())).collect();
    assert_eq!(told, [("waits", "function_error"), ("runs", "upstream_unavailable"), ("came", "upstream_unavailable")]);
    assert_eq!(dead[0].headers["callgate-attempts"], "1");
    let tally = snapshot.triggers()[0].tally;
    assert_eq!((tally.dead_lettered, tally.dropped, tally.returned), (3, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_keeps_and_no_dead_letter_takes_is_counted_as_lost() {
    for dead_letter in ["", ", dead_letter: {to: f/dead}"] {
        let retry = "retry: {attempts: 2, backoff: {initial: 1h, max: 1h}}";
        let (snapshot, stage) = running(&format!("triggers: {{work: {{{FLEETING}, {retry}{dead_letter}}}}}")).await;
        *lock(&stage.dead) = Act::Fail(ErrorKind::Unavailable);
        lock(&stage.acts).push_back(Act::Answer(503));
        let mut asked = message("waits");
        asked.wants_reply = true;
        stage.put(asked);
        stage.until(|_| snapshot.triggers()[0].waiting == 1).await;
        let lost = snapshot.drain_triggers(tokio::time::sleep(Duration::from_secs(3))).await;
        let tally = snapshot.triggers()[0].tally;
        assert_eq!((lost, tally.dropped, tally.returned), (1, 1, 0));
        let events = lock(&stage.events).clone();
        assert!(events.iter().any(|event| matches!(event, Event::Replied(503, _))), "{events:?}");
    }
}
