//! Nothing is unbounded, and a source that is down is tried for ever.

use std::{sync::atomic::Ordering, time::Duration};

use super::stage::{Act, Event, lock, message, running};
use crate::ErrorKind;

fn count(events: &[Event], of: fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| of(event)).count()
}

fn is_acked(event: &Event) -> bool {
    matches!(event, Event::Acked(_))
}

#[tokio::test(start_paused = true)]
async fn no_more_than_concurrency_run_at_once() {
    let (_snapshot, stage) = running("triggers: {work: {box: {stage: STAGE}, to: f/work, concurrency: 3}}").await;
    *lock(&stage.acts) = [Act::Take(Duration::from_millis(100)); 20].into();
    (0..20).for_each(|number| stage.put(message(&number.to_string())));
    stage.until(|_| stage.running.load(Ordering::Relaxed) == 3).await;
    assert_eq!(stage.left(), 17, "what is not worked on stays at the source");
    stage.until(|events| count(events, is_acked) == 20).await;
    assert_eq!(stage.most.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_worked_on_is_shown_as_running() {
    let yaml = "triggers: {work: {box: {stage: STAGE, counts: false}, to: f/work, concurrency: 3, \
                retry: {backoff: {initial: 1m, max: 1m}}}}";
    let (snapshot, stage) = running(yaml).await;
    let shown = || (snapshot.triggers()[0].running, snapshot.triggers()[0].waiting);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(shown(), (0, 0), "it waits for a message");
    *lock(&stage.acts) = [Act::Take(Duration::from_secs(5)), Act::Fail(ErrorKind::Timeout)].into();
    stage.put(message("runs"));
    stage.until(|_| stage.running.load(Ordering::Relaxed) == 1).await;
    stage.put(message("fails"));
    stage.until(|_| shown().1 == 1).await;
    assert_eq!(shown(), (1, 1), "one runs, and what waits for another try does not");
    stage.until(|events| count(events, is_acked) == 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(shown(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_held_over_all_slots() {
    let (_snapshot, stage) = running("triggers: {work: {box: {stage: STAGE}, to: f/work, rate: 20/s}}").await;
    (0..41).for_each(|number| stage.put(message(&number.to_string())));
    stage.until(|events| count(events, is_acked) == 41).await;
    let calls = stage.calls("work");
    let took = calls[40].at - calls[0].at;
    assert!(took >= Duration::from_millis(1980) && took < Duration::from_millis(2100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_bounded_too() {
    let yaml = "triggers: {work: {box: {stage: STAGE, counts: false}, to: f/work, concurrency: 1, \
                retry: {backoff: {initial: 10m, max: 10m}}}}";
    let (snapshot, stage) = running(yaml).await;
    *lock(&stage.acts) = [Act::Fail(ErrorKind::Timeout); 40].into();
    (0..40).for_each(|number| stage.put(message(&number.to_string())));
    stage.until(|_| snapshot.triggers()[0].waiting == 17).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((snapshot.triggers()[0].waiting, stage.left()), (17, 23));
    stage.until(|events| count(events, is_acked) == 40).await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_down_is_tried_again_with_pauses_and_shown() {
    let (snapshot, stage) = running("triggers: {work: {box: {stage: STAGE}, to: f/work}}").await;
    stage.put(message("before"));
    stage.until(|events| count(events, is_acked) == 1).await;
    assert!(snapshot.triggers_ready().await["work"].is_ok());
    *lock(&stage.down) = true;
    stage.changed.notify_waiters();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let tries = stage.tries.load(Ordering::Relaxed);
    assert!((120..=260).contains(&tries), "it is tried every 2.5 to 5 seconds: {tries}");
    let trouble = snapshot.triggers_ready().await["work"].as_ref().unwrap_err().to_string();
    assert_eq!(trouble, "the box is closed");
    *lock(&stage.down) = false;
    stage.put(message("after"));
    stage.until(|events| count(events, is_acked) == 2).await;
    assert!(snapshot.triggers_ready().await["work"].is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_let_go_once_its_source_delivers_it_again() {
    for counts in [true, false] {
        let yaml = format!(
            "triggers: {{work: {{box: {{stage: STAGE, counts: {counts}, channel: true}}, to: f/work, concurrency: 1, \
             retry: {{backoff: {{initial: 1m, max: 1m}}}}}}}}"
        );
        let (snapshot, stage) = running(&yaml).await;
        *lock(&stage.acts) = [Act::Fail(ErrorKind::Timeout); 60].into();
        (0..10).for_each(|number| stage.put(message(&number.to_string())));
        stage.until(|_| snapshot.triggers()[0].waiting == 10).await;
        for reconnects in 1..=4 {
            stage.reconnect();
            stage.until(|_| stage.calls("work").len() == 10 * (1 + reconnects)).await;
            stage.until(|_| snapshot.triggers()[0].waiting == 10).await;
            assert_eq!(stage.left(), 0, "there is a place for each");
        }
        let acked = stage.until(|events| count(events, is_acked) == 10).await;
        let mut names: Vec<_> =
            acked.iter().filter(|event| is_acked(event)).map(|event| format!("{event:?}")).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 10, "none is settled twice: {names:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_after_its_connection_was_lost_is_not_for_the_dead_letter_too() {
    let yaml = "triggers: {work: {box: {stage: STAGE, counts: false, channel: true}, to: f/work, concurrency: 1, \
                timeout: 5s, retry: {attempts: 1}, dead_letter: {to: f/dead}}}";
    let (snapshot, stage) = running(yaml).await;
    *lock(&stage.acts) = [Act::Take(Duration::from_secs(60)), Act::Answer(404)].into();
    stage.put(message("m"));
    stage.until(|_| stage.running.load(Ordering::Relaxed) == 1).await;
    stage.reconnect();
    stage.until(|events| count(events, is_acked) == 1).await;
    assert_eq!((stage.calls("work").len(), stage.calls("dead").len()), (2, 1));
    assert_eq!((snapshot.triggers()[0].waiting, snapshot.triggers()[0].tally.dead_lettered), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_waits_for_messages_again_is_shown_as_mended_without_one() {
    let (snapshot, stage) = running("triggers: {work: {box: {stage: STAGE}, to: f/work}}").await;
    *lock(&stage.down) = true;
    stage.until(|_| stage.tries.load(Ordering::Relaxed) > 2).await;
    assert!(snapshot.triggers_ready().await["work"].is_err());
    *lock(&stage.down) = false;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(snapshot.triggers_ready().await["work"].is_ok());
}
