use std::time::Duration;

use tokio::time::sleep;

use super::{Act, Script, Stage, calls_of, streamed};
use crate::{Body, ErrorKind};

/// A route to `f` of which `g` gets a copy, and what `g` saw.
async fn mirrored(mirror: &str, more: &str) -> (Stage, std::sync::Arc<Script>) {
    let (number, other) = Script::new();
    let policies = format!("mirror: {{to: g, {mirror}}}}}, g: {{scripted: {{script: {number}}}");
    (Stage::of(&policies, &format!("[{{match: '/{{*rest}}', to: f{more}}}]")).await, other)
}

async fn settled() {
    sleep(Duration::from_secs(100)).await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_goes_to_the_mirror_and_its_answer_to_nobody() {
    let (stage, mirror) = mirrored("", "").await;
    mirror.act([Act::Answer(500), Act::Fail(ErrorKind::Denied), Act::Hang]);
    for body in [Body::empty(), "in memory".into(), streamed("in two ", "parts")] {
        assert_eq!(stage.send("POST", body).await.status, 200);
    }
    settled().await;
    let bodies = |calls: Vec<super::Call>| calls.into_iter().map(|call| call.body).collect::<Vec<_>>();
    assert_eq!(bodies(stage.calls()), ["", "in memory", "in two parts"]);
    assert_eq!(bodies(calls_of(&mirror)), ["", "in memory", "in two parts"]);
}

#[tokio::test(start_paused = true)]
async fn large_bodies_and_what_is_too_much_at_once_are_not_copied() {
    let (stage, mirror) = mirrored("buffer: 8B", "").await;
    for body in [Body::from("in memory"), streamed("abcd", "efghi")] {
        assert_eq!(stage.send("POST", body).await.status, 200);
    }
    settled().await;
    assert_eq!(calls_of(&mirror).len(), 0);
    mirror.act(vec![Act::Hang; 100]);
    for _ in 0..100 {
        assert_eq!(stage.get().await.status, 200);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!((stage.calls().len(), calls_of(&mirror).len()), (102, 32));
}

#[tokio::test(start_paused = true)]
async fn a_mirror_is_not_tried_for_the_routes_share_and_has_the_routes_steps() {
    let (stage, mirror) = mirrored("percentage: 0%", "").await;
    stage.get().await;
    settled().await;
    assert_eq!(calls_of(&mirror).len(), 0);
    let (stage, mirror) = mirrored("percentage: 100%", ", request: {body: {text: 'stepped'}}").await;
    stage.send("POST", "body".into()).await;
    settled().await;
    assert_eq!((&*stage.calls()[0].body, &*calls_of(&mirror)[0].body), ("stepped", "stepped"));
}
