//! A server that goes away and comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use callgate_testkit::peers::{Fault, FaultProxy, NatsServer, until};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    jetstream::{api, stream},
    stage::{Stage, client, server},
};

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_leaves_the_outcome_unknown() {
    let Some(server) = server("").await else { return };
    let stage = Stage::new(&server, "", &[("new", "subject: a"), ("store", "subject: a, mode: jetstream")]).await;
    stage.post("/new/x", "").await.succeeds(202);
    server.pause();
    for path in ["/quick/new/x", "/quick/store/x"] {
        let answer = stage.post(path, "").await;
        answer.fails(504, "upstream_timeout");
        assert!(answer.json()["detail"].as_str().unwrap().contains("unknown"), "{answer:?}");
    }
    server.resume();
    let works = async || stage.post("/new/x", "").await.status == 202;
    assert!(until(LIMIT, works).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_is_made_again() {
    let Some(server) = server("").await else { return };
    let proxy = FaultProxy::start(server.address().parse().unwrap()).await.unwrap();
    let upstream = format!("{{servers: \"nats://{}\"}}", proxy.address());
    let stage = Stage::of(&upstream, &[("new", "subject: a")]).await;
    stage.post("/new/x", "").await.succeeds(202);
    proxy.set(Fault::Refuse);
    let gone = async || stage.post("/new/x", "").await.code.as_deref() == Some("upstream_unavailable");
    assert!(until(LIMIT, gone).await);
    stage.ready().await.unwrap_err();
    proxy.set(Fault::None);
    let back = async || stage.post("/new/x", "").await.status == 202;
    assert!(until(LIMIT, back).await);
    stage.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_of_the_list_takes_over() {
    let Some(mut first) = server("").await else { return };
    let Some(second) = server("").await else { return };
    let upstream = format!("{{servers: [\"{}\", \"{}\"]}}", first.url(), second.url());
    let stage = Stage::of(&upstream, &[("new", "subject: a")]).await;
    stage.post("/new/x", "").await.succeeds(202);
    first.kill();
    let works = async || stage.post("/new/x", "").await.status == 202;
    assert!(until(LIMIT, works).await);
}

/// Every 202 stands for a message that is there after the server was killed again and again under load.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_stored_whatever_happens_to_the_server() {
    let Some(mut server) = server("").await else { return };
    stream(&client(&server).await, "KEPT", json!({"subjects": ["kept.>"]})).await;
    let stage = Stage::new(&server, "", &[("keep", "subject: 'kept.{{ params.v }}', mode: jetstream")]).await;
    let over = Arc::new(AtomicBool::new(false));
    let senders = (0..8).map(|sender| {
        let (stage, over) = (&stage, Arc::clone(&over));
        async move {
            let mut accepted = Vec::new();
            for number in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let name = format!("{sender}-{number}");
                let answer = stage.post(&format!("/keep/{name}"), "").await;
                match answer.status {
                    202 => accepted.push(format!("kept.{name}")),
                    // A server that has just started has no streams yet.
                    502..=504 => tokio::task::yield_now().await,
                    _ => panic!("{answer:?}"),
                }
            }
            accepted
        }
    });
    let killer = async {
        for _ in 0..3 {
            kill_under_load(&mut server, &stage).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let (accepted, ()) = tokio::join!(join_all(senders), killer);
    let accepted: Vec<String> = accepted.into_iter().flatten().collect();
    assert!(!accepted.is_empty());
    let client = client(&server).await;
    for subject in accepted {
        let last = api(&client, "STREAM.MSG.GET.KEPT", json!({"last_by_subj": subject})).await;
        assert_eq!(last["message"]["subject"], Value::from(subject));
    }
}

async fn kill_under_load(server: &mut NatsServer, stage: &Stage) {
    let works = async || stage.post("/keep/probe", "").await.status == 202;
    assert!(until(LIMIT, works).await);
    server.restart().await.unwrap();
    assert!(until(LIMIT, works).await);
}
