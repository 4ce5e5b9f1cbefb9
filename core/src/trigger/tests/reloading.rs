//! Triggers over a reload.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::sleep;

use super::stage::{Act, Event, lock, message, reloaded, running};
use crate::Gateway;

/// Longer than anything takes that is told to take a time.
const LONG: Duration = Duration::from_secs(600);

fn is_acked(events: &[Event], name: &str) -> bool {
    events.iter().any(|event| matches!(event, Event::Acked(of) if of == name))
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_source_goes_on_and_what_is_done_with_its_messages_changes() {
    let (snapshot, stage) = running("triggers: {work: {box: {stage: STAGE}, to: f/old}}").await;
    let gateway = Gateway::new(snapshot);
    *lock(&stage.acts) = [Act::Take(Duration::from_secs(5))].into();
    stage.put(message("runs"));
    stage.until(|_| stage.running.load(Ordering::Relaxed) == 1).await;
    let (changes, dropped) = reloaded(&gateway, &stage, "triggers: {work: {to: f/new, box: {stage: STAGE}}}").await;
    assert_eq!((&*changes.triggers.reused, changes.triggers.closed.len()), (&["work".to_owned()][..], 0));
    stage.put(message("next"));
    let events = stage.until(|events| is_acked(events, "runs") && is_acked(events, "next")).await;
    assert!(!events.contains(&Event::Stopped), "{events:?}");
    assert_eq!((stage.calls("old").len(), stage.calls("new").len()), (1, 1));
    let tally = gateway.snapshot().triggers()[0].tally;
    assert_eq!((tally.received, tally.succeeded), (2, 2), "the counts go on");
    dropped.retire(sleep(LONG)).await;
    gateway.snapshot().close().await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_source_is_drained_and_then_replaced() {
    let (snapshot, stage) = running("triggers: {work: {box: {stage: STAGE}, to: f/old}}").await;
    let gateway = Gateway::new(snapshot);
    *lock(&stage.acts) = [Act::Take(Duration::from_secs(5))].into();
    stage.put(message("runs"));
    stage.until(|_| stage.running.load(Ordering::Relaxed) == 1).await;
    let changed = "triggers: {work: {box: {stage: STAGE, lease: 60}, to: f/new}}";
    let (changes, dropped) = reloaded(&gateway, &stage, changed).await;
    assert_eq!(
        (&changes.triggers.opened, &changes.triggers.closed),
        (&vec!["work".to_owned()], &vec!["work".to_owned()])
    );
    stage.until(|events| events.contains(&Event::Stopped)).await;
    stage.put(message("next"));
    dropped.retire(sleep(LONG)).await;
    let events = stage.until(|events| is_acked(events, "next")).await;
    let place = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    let ended = place(&|event| matches!(event, Event::Acked(of) if of == "runs"));
    let begun = place(&|event| matches!(event, Event::Called(call) if call.function == "new"));
    assert!(ended < begun, "the new one began before the former one had ended: {events:?}");
    gateway.snapshot().close().await;
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_is_gone_takes_nothing_more_and_one_that_is_new_begins() {
    let (snapshot, stage) = running("triggers: {gone: {box: {stage: STAGE}, to: f/old}}").await;
    let gateway = Gateway::new(snapshot);
    let (changes, dropped) = reloaded(&gateway, &stage, "triggers: {new: {box: {stage: STAGE}, to: f/new}}").await;
    assert_eq!(
        (&changes.triggers.opened, &changes.triggers.closed),
        (&vec!["new".to_owned()], &vec!["gone".to_owned()])
    );
    stage.until(|events| events.contains(&Event::Stopped)).await;
    stage.put(message("a"));
    stage.until(|events| is_acked(events, "a")).await;
    assert_eq!((stage.calls("old").len(), stage.calls("new").len()), (0, 1));
    dropped.retire(sleep(LONG)).await;
    gateway.snapshot().close().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_trigger_that_is_gone_has_to_return_is_counted() {
    let (snapshot, stage) = running("triggers: {gone: {box: {stage: STAGE}, to: f/old}}").await;
    let gateway = Gateway::new(snapshot);
    *lock(&stage.acts) = [Act::Take(LONG)].into();
    stage.put(message("runs"));
    stage.until(|_| stage.running.load(Ordering::Relaxed) == 1).await;
    let (_, mut dropped) = reloaded(&gateway, &stage, "triggers: {new: {box: {stage: STAGE}, to: f/new}}").await;
    assert_eq!(dropped.drain_triggers(sleep(Duration::from_secs(3))).await, 1);
    dropped.retire(std::future::ready(())).await;
    gateway.snapshot().close().await;
}
