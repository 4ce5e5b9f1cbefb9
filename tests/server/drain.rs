//! The end of a server, step by step.

use std::{future::pending, time::Duration};

use callgate::{
    core::plan::Shutdown,
    server::{Drained, Ending},
};
use callgate_testkit::peers::{Wire, until};
use tokio::sync::oneshot;

use crate::gate::{Gate, SOON};

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

fn steps(lame_duck: Duration, grace: Duration) -> Shutdown {
    Shutdown { lame_duck, grace }
}

async fn announced() -> Ending {
    Ending::Announced
}

async fn answered(wire: &mut Wire) -> String {
    wire.read_until(SOON, |bytes| bytes.ends_with(b" 0")).await.text()
}

#[tokio::test]
async fn it_serves_on_while_unready_then_finishes_what_runs_and_closes() {
    let mut gate = Gate::start();
    assert_eq!(gate.readiness.reason(), None);
    let mut running = gate.connect().await;
    running.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    gate.next().await;
    let mut idle = gate.connect().await;
    idle.send(REQUEST).await.unwrap();
    answered(&mut idle).await;

    let (end, ends) = oneshot::channel();
    let lame_duck = Duration::from_millis(1500);
    let drain = tokio::spawn(gate.server.run(move || steps(lame_duck, SOON), async { ends.await.unwrap() }, pending()));
    end.send(Ending::Announced).unwrap();
    let readiness = gate.readiness.clone();
    assert!(until(SOON, async || readiness.reason().is_some()).await);
    let mut late = Wire::connect(gate.address).await.expect("a lame duck accepts");
    late.send(REQUEST).await.unwrap();
    assert!(answered(&mut late).await.contains("200 OK"));

    assert!(idle.read_to_end(SOON).await.closed, "an idle connection stays");
    let refused = async || Wire::connect(gate.address).await.is_err();
    assert!(until(SOON, refused).await, "a draining server accepts");
    assert!(!drain.is_finished(), "the server did not wait for a request that runs");
    gate.answers.gate.add_permits(1);
    let last = running.read_to_end(SOON).await;
    assert!(last.closed && last.statuses() == [200], "{}", last.text());
    assert!(last.text().to_lowercase().contains("connection: close"), "{}", last.text());
    assert_eq!(drain.await.unwrap().unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_and_counted() {
    let mut gate = Gate::start();
    let mut running = gate.connect().await;
    running.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    gate.next().await;
    let drained =
        gate.server.run(move || steps(Duration::ZERO, Duration::from_millis(300)), announced(), pending()).await;
    assert_eq!(drained.unwrap(), Drained { cut: 1 });
    let received = running.read_to_end(SOON).await;
    assert!(received.closed && received.bytes.is_empty());
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let mut gate = Gate::start();
    let mut running = gate.connect().await;
    running.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    gate.next().await;
    let long = Duration::from_secs(600);
    let drained = tokio::time::timeout(SOON, gate.server.run(move || steps(long, long), announced(), async {})).await;
    assert_eq!(drained.expect("it ends at once").unwrap(), Drained { cut: 1 });
}

#[tokio::test]
async fn a_server_without_connections_drains_at_once() {
    let gate = Gate::start();
    let drained =
        tokio::time::timeout(SOON, gate.server.run(move || steps(Duration::ZERO, SOON * 9), announced(), pending()));
    assert_eq!(drained.await.expect("nothing is waited for").unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn a_client_that_has_sent_nothing_does_not_hold_the_drain_up() {
    let gate = Gate::start();
    let mut silent = gate.connect().await;
    let drained =
        tokio::time::timeout(SOON, gate.server.run(move || steps(Duration::ZERO, SOON * 9), announced(), pending()));
    assert_eq!(drained.await.expect("nothing is waited for").unwrap(), Drained { cut: 0 });
    assert!(silent.read_to_end(SOON).await.closed);
}

#[tokio::test]
async fn a_prompt_ending_finishes_what_runs_and_waits_for_nothing_else() {
    let mut gate = Gate::start();
    let mut running = gate.connect().await;
    running.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    gate.next().await;
    let drain = tokio::spawn(gate.server.run(move || steps(SOON * 9, SOON * 9), async { Ending::Prompt }, pending()));
    let refused = async || Wire::connect(gate.address).await.is_err();
    assert!(until(SOON, refused).await, "it accepts although it ends");
    gate.answers.gate.add_permits(1);
    assert_eq!(running.read_to_end(SOON).await.statuses(), [200]);
    let drained = tokio::time::timeout(SOON, drain).await.expect("no lame duck");
    assert_eq!(drained.unwrap().unwrap(), Drained { cut: 0 });
}
