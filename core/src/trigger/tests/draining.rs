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
