//! A server that goes away and comes back.

use std::time::Duration;

use callgate_testkit::peers::{Fault, FaultProxy, until};

use crate::stage::{Stage, server};

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
