//! What becomes of a message.

use std::time::Duration;

use http::HeaderValue;

use super::stage::{Act, Event, lock, message, running};
use crate::ErrorKind;

const TO_DEAD: &str = "dead_letter: {to: f/dead}";

fn trigger(more: &str) -> String {
    format!("triggers: {{work: {{box: {{stage: STAGE}}, to: f/work, {more}}}}}")
}

fn acked(events: &[Event], subject: &str) -> bool {
    events.contains(&Event::Acked(subject.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn a_success_is_acknowledged_and_the_function_sees_the_message() {
    let (snapshot, stage) = running(&trigger(TO_DEAD)).await;
    let mut sent = message("orders.new");
    sent.headers.insert("x-tenant", HeaderValue::from_static("t-1"));
    sent.headers.insert("connection", HeaderValue::from_static("close"));
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    sent.headers.insert("traceparent", HeaderValue::from_static(parent));
    sent.id = Some("m-1".to_owned());
    stage.put(sent);
    stage.until(|events| acked(events, "orders.new")).await;
    let [call] = &stage.calls("work")[..] else { panic!() };
    assert_eq!((&*call.path, &*call.body), ("/", "orders.new"));
    let header = |name: &str| call.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!((header("x-tenant"), header("connection")), (Some("t-1"), None));
    assert_eq!((header("callgate-trigger"), header("callgate-attempt")), (Some("work"), Some("1")));
    assert_eq!((header("callgate-subject"), header("x-request-id")), (Some("orders.new"), Some("m-1")));
    let trace = header("traceparent").unwrap();
    assert!(trace[..36] == parent[..36] && trace != parent, "the trace goes on: {trace}");
    let state = &snapshot.triggers()[0];
    assert_eq!((state.tally.received, state.tally.succeeded, &*state.to), (1, 1, "f/work"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_left_to_the_source_and_tried_again() {
    let (_snapshot, stage) = running(&trigger(TO_DEAD)).await;
    *lock(&stage.acts) = [Act::Fail(ErrorKind::Timeout), Act::Answer(503)].into();
    stage.put(message("m"));
    let events = stage.until(|events| acked(events, "m")).await;
    let settled: Vec<_> = events.into_iter().filter(|event| !matches!(event, Event::Called(_))).collect();
    let delayed = |attempt| Event::Delayed("m".to_owned(), attempt);
    assert_eq!(settled, [delayed(1), delayed(2), Event::Acked("m".to_owned())]);
    let attempts: Vec<_> = stage.calls("work").iter().map(|call| call.headers["callgate-attempt"].clone()).collect();
    assert_eq!(attempts, ["1", "2", "3"]);
    assert!(stage.calls("dead").is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_gateway_keeps_what_its_source_can_not_delay() {
    for counts in [true, false] {
        let yaml = format!(
            "triggers: {{work: {{box: {{stage: STAGE, counts: {counts}}}, to: f/work, \
             retry: {{attempts: 3, backoff: {{initial: 10s}}}}, dead_letter: {{to: f/dead}}}}}}"
        );
        let (snapshot, stage) = running(&yaml).await;
        lock(&stage.acts).push_back(Act::Answer(500));
        stage.put(message("m"));
        stage.until(|events| !events.is_empty()).await;
        assert_eq!(snapshot.triggers()[0].waiting, 1);
        let events = stage.until(|events| acked(events, "m")).await;
        let returned = events.contains(&Event::Returned("m".to_owned(), 1));
        assert_eq!(returned, counts, "a source that counts gets it back: {events:?}");
        let [first, second] = &stage.calls("work")[..] else { panic!() };
        assert_eq!(second.headers["callgate-attempt"], "2");
        let pause = second.at - first.at;
        assert!(pause >= Duration::from_secs(5) && pause <= Duration::from_secs(11), "{pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_last_try_the_dead_letter_gets_it_with_the_reason() {
    let (snapshot, stage) = running(&trigger(&format!("retry: {{attempts: 2}}, {TO_DEAD}"))).await;
    *lock(&stage.acts) = [Act::Answer(500), Act::Answer(500)].into();
    let mut sent = message("m");
    sent.headers.insert("x-tenant", HeaderValue::from_static("t-1"));
    stage.put(sent);
    stage.until(|events| acked(events, "m")).await;
    assert_eq!(stage.calls("work").len(), 2);
    let [dead] = &stage.calls("dead")[..] else { panic!() };
    let header = |name: &str| dead.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("callgate-error"), Some("function_error"));
    assert_eq!(header("callgate-status"), Some("500"));
    assert_eq!((header("callgate-attempts"), header("callgate-trigger")), (Some("2"), Some("work")));
    assert!(header("callgate-detail").unwrap().contains("500"));
    assert_eq!((header("x-tenant"), &*dead.body), (Some("t-1"), "m"));
    assert_eq!(snapshot.triggers()[0].tally.dead_lettered, 1);
}

#[tokio::test(start_paused = true)]
async fn what_no_retry_mends_goes_there_at_once() {
    let (_snapshot, stage) = running(&trigger(TO_DEAD)).await;
    let acts = [Act::Fail(ErrorKind::BadInput), Act::Answer(404), Act::Fail(ErrorKind::BodyTooLarge)];
    for (act, error) in acts.into_iter().zip(["bad_template_input", "function_error", "body_too_large"]) {
        lock(&stage.events).clear();
        lock(&stage.acts).push_back(act);
        stage.put(message("m"));
        stage.until(|events| acked(events, "m")).await;
        assert_eq!(stage.calls("work").len(), 1);
        assert_eq!(stage.calls("dead")[0].headers["callgate-error"], error);
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_on_names_is_tried_again() {
    let (_snapshot, stage) = running(&trigger(&format!("retry: {{on: [timeout, 404]}}, {TO_DEAD}"))).await;
    for (act, calls) in [(Act::Answer(404), 2), (Act::Fail(ErrorKind::Timeout), 2), (Act::Answer(503), 1)] {
        lock(&stage.events).clear();
        lock(&stage.acts).push_back(act);
        stage.put(message("m"));
        stage.until(|events| acked(events, "m")).await;
        assert_eq!(stage.calls("work").len(), calls, "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_does_not_take_it_leaves_it_unacknowledged() {
    let yaml = "triggers: {work: {box: {stage: STAGE, counts: true}, to: f/work, retry: {attempts: 1}, dead_letter: {to: f/dead}}}";
    let (_snapshot, stage) = running(yaml).await;
    *lock(&stage.dead) = Act::Fail(ErrorKind::Unavailable);
    *lock(&stage.acts) = [Act::Answer(500); 4].into();
    stage.put(message("m"));
    let events = stage.until(|_| stage.calls("dead").len() == 3).await;
    assert!(!acked(&events, "m"), "{events:?}");
    *lock(&stage.dead) = Act::Answer(202);
    stage.until(|events| acked(events, "m")).await;
    assert_eq!((stage.calls("work").len(), stage.calls("dead").len()), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn without_a_dead_letter_nothing_is_ever_dropped() {
    let (_snapshot, stage) = running(&trigger("concurrency: 1")).await;
    *lock(&stage.acts) = [Act::Fail(ErrorKind::BadInput); 20].into();
    stage.put(message("m"));
    stage.until(|events| acked(events, "m")).await;
    assert_eq!(stage.calls("work").len(), 21);
}

#[tokio::test(start_paused = true)]
async fn what_a_source_does_not_keep_is_tried_as_often_as_is_said_and_dropped() {
    let yaml = "triggers: {work: {box: {stage: STAGE, counts: false, keeps: false}, to: f/work, retry: {attempts: 3}}}";
    let (snapshot, stage) = running(yaml).await;
    *lock(&stage.acts) = [Act::Answer(500); 3].into();
    stage.put(message("m"));
    stage.until(|events| acked(events, "m")).await;
    assert_eq!((stage.calls("work").len(), snapshot.triggers()[0].tally.dropped), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_the_failure_of_one_message() {
    let (_snapshot, stage) = running(&trigger(&format!("retry: {{attempts: 2}}, {TO_DEAD}"))).await;
    *lock(&stage.acts) = [Act::Panic, Act::Answer(200), Act::Panic].into();
    stage.put(message("a"));
    stage.until(|events| acked(events, "a")).await;
    stage.put(message("b"));
    stage.until(|events| acked(events, "b")).await;
    assert_eq!(stage.calls("work").len(), 4);
    *lock(&stage.dead) = Act::Panic;
    *lock(&stage.acts) = [Act::Answer(404)].into();
    stage.put(message("c"));
    stage.until(|events| acked(events, "c")).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_answered_also_of_a_failure() {
    let (_snapshot, stage) = running(&trigger(&format!("retry: {{attempts: 2}}, {TO_DEAD}"))).await;
    let mut asked = message("m");
    asked.wants_reply = true;
    stage.put(asked.clone());
    stage.until(|events| acked(events, "m")).await;
    *lock(&stage.acts) = [Act::Answer(418)].into();
    stage.put(asked.clone());
    stage.until(|events| events.iter().filter(|event| matches!(event, Event::Acked(_))).count() == 2).await;
    *lock(&stage.acts) = [Act::Fail(ErrorKind::Timeout); 2].into();
    stage.put(asked);
    let events =
        stage.until(|events| events.iter().filter(|event| matches!(event, Event::Acked(_))).count() == 3).await;
    let replies: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Replied(status, body) => Some((*status, &**body)),
            _ => None,
        })
        .collect();
    assert_eq!(replies[..2], [(200, "answer to work"), (418, "answer to work")]);
    assert_eq!(replies.len(), 3, "a try in between answers nobody");
    assert!(replies[2].0 == 504 && replies[2].1.contains("upstream_timeout"), "{replies:?}");
    let order: Vec<_> = events.iter().filter(|event| !matches!(event, Event::Called(_))).take(2).collect();
    assert!(matches!(order[..], [Event::Replied(..), Event::Acked(_)]), "a reply comes first: {order:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_while_the_function_runs() {
    let yaml = "triggers: {work: {box: {stage: STAGE, lease: 3000}, to: f/work}}";
    let (_snapshot, stage) = running(yaml).await;
    lock(&stage.acts).push_back(Act::Take(Duration::from_millis(5500)));
    stage.put(message("m"));
    let events = stage.until(|events| acked(events, "m")).await;
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Renewed(_))).count(), 5);
}

#[tokio::test(start_paused = true)]
async fn steps_shape_the_request_and_a_timeout_ends_it() {
    let steps = "request: {path: '/v/{{ body.id }}', headers: {set: {x-tried: '{{ headers[\"callgate-attempt\"] }}'}}}";
    let (_snapshot, stage) =
        running(&trigger(&format!("timeout: 2s, retry: {{attempts: 1}}, {steps}, {TO_DEAD}"))).await;
    lock(&stage.acts).push_back(Act::Take(Duration::from_secs(60)));
    let mut sent = message("m");
    sent.payload = "{\"id\": 7}".into();
    sent.headers.insert("content-type", HeaderValue::from_static("application/json"));
    stage.put(sent);
    stage.until(|events| acked(events, "m")).await;
    let call = &stage.calls("work")[0];
    assert_eq!((&*call.path, &call.headers["x-tried"]), ("/v/7", &HeaderValue::from_static("1")));
    let dead = &stage.calls("dead")[0];
    assert_eq!((&*dead.path, &dead.headers["callgate-error"]), ("/", &HeaderValue::from_static("upstream_timeout")));
    stage.put(message("no id"));
    stage.until(|events| acked(events, "no id")).await;
    assert_eq!(stage.calls("dead")[1].headers["callgate-error"], "bad_template_input");
}

#[tokio::test(start_paused = true)]
async fn a_route_is_invoked_with_its_captures_and_its_steps() {
    let yaml = "routes:\n  - {name: take, match: 'PUT /orders/{id}', to: f/work, request: {headers: {set: {x-id: '{{ params.id }}', x-route: '{{ route }}'}}}}\n\
                triggers:\n  work: {box: {stage: STAGE}, to: {route: take}, request: {path: '/orders/{{ headers[\"callgate-subject\"] }}'}, dead_letter: {to: f/dead}}";
    let (_snapshot, stage) = running(yaml).await;
    stage.put(message("o-1"));
    stage.until(|events| acked(events, "o-1")).await;
    let call = &stage.calls("work")[0];
    assert_eq!(
        (&*call.path, &call.headers["x-id"], &call.headers["x-route"]),
        ("/orders/o-1", &HeaderValue::from_static("o-1"), &HeaderValue::from_static("take"))
    );
    // A path that is none of the route's.
    stage.put(message(""));
    stage.until(|events| acked(events, "")).await;
    assert_eq!(stage.calls("dead").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_count_of_the_source_grows_only_while_another_try_is_wanted() {
    let yaml = "triggers: {work: {box: {stage: STAGE, counts: true}, to: f/work, retry: {attempts: 3}, dead_letter: {to: f/dead}}}";
    let (snapshot, stage) = running(yaml).await;
    *lock(&stage.dead) = Act::Fail(ErrorKind::Unavailable);
    *lock(&stage.acts) = [Act::Answer(500); 8].into();
    stage.put(message("m"));
    let events = stage.until(|_| stage.calls("dead").len() == 5).await;
    let returned: Vec<_> = events.iter().filter(|event| matches!(event, Event::Returned(..))).collect();
    let given = |attempt| Event::Returned("m".to_owned(), attempt);
    assert_eq!(returned, [&given(1), &given(2)], "the dead letter's failures are not counted by the source");
    assert_eq!(snapshot.triggers()[0].tally.returned, 0, "the gateway has not ended");
    *lock(&stage.dead) = Act::Answer(202);
    stage.until(|events| acked(events, "m")).await;
    assert_eq!(stage.calls("dead")[5].headers["callgate-attempts"], "8");
}

#[tokio::test(start_paused = true)]
async fn what_is_tried_for_ever_is_not_counted_by_the_source() {
    let (_snapshot, stage) = running("triggers: {work: {box: {stage: STAGE, counts: true}, to: f/work}}").await;
    *lock(&stage.acts) = [Act::Answer(500); 20].into();
    stage.put(message("m"));
    let events = stage.until(|events| acked(events, "m")).await;
    assert!(!events.iter().any(|event| matches!(event, Event::Returned(..))), "{events:?}");
    assert_eq!(stage.calls("work")[20].headers["callgate-attempt"], "21");
}

#[tokio::test(start_paused = true)]
async fn the_dead_letter_takes_what_is_too_large_for_the_function() {
    let yaml = "defaults: {limits: {max_body: 8B}}\n\
                triggers: {work: {box: {stage: STAGE}, to: f/work, dead_letter: {to: f/dead}}}";
    let (_snapshot, stage) = running(yaml).await;
    stage.put(message("more than eight bytes"));
    stage.until(|events| acked(events, "more than eight bytes")).await;
    assert!(stage.calls("work").is_empty());
    let [dead] = &stage.calls("dead")[..] else { panic!() };
    assert_eq!(
        (&*dead.body, &dead.headers["callgate-error"]),
        ("more than eight bytes", &HeaderValue::from_static("body_too_large"))
    );
}
