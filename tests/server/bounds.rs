//! Bounds on what a client may take: time for a head, idle time, connections.

use std::time::Duration;

use callgate::{
    core::plan::Shutdown,
    server::{Ending, Limits},
};

use crate::gate::{Gate, LARGE, SOON};

const SHORT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_head_that_does_not_end_closes_the_connection() {
    let gate = Gate::with(&Limits { head_timeout: SHORT, ..Limits::default() }, None);
    for begun in ["", "GET / HTTP/1.1\r\nhost:", "PRI * HTTP/2.0\r\n"] {
        let received = gate.send(begun).await;
        assert!(received.closed, "{begun:?} keeps its connection");
        assert!(received.statuses().is_empty(), "{begun:?}");
    }
    let mut wire = gate.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    wire.read_until(SOON, |bytes| bytes.ends_with(b"GET / 0")).await;
    wire.send("GET / HTT").await.unwrap();
    assert!(wire.read_to_end(SOON).await.closed, "the second head keeps its connection");
}

#[tokio::test]
async fn a_connection_may_rest_longer_than_a_head_may_take_but_not_for_ever() {
    let limits = Limits { head_timeout: SHORT, idle_timeout: SHORT * 4, ..Limits::default() };
    let gate = Gate::with(&limits, None);
    let mut wire = gate.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    wire.read_until(SOON, |bytes| bytes.ends_with(b"GET / 0")).await;
    let begin = std::time::Instant::now();
    assert!(wire.read_to_end(SOON).await.closed);
    assert!(begin.elapsed() > SHORT * 3, "closed after {:?}", begin.elapsed());
}

#[tokio::test]
async fn a_request_that_runs_is_not_timed_by_the_connection() {
    let limits = Limits { head_timeout: SHORT, idle_timeout: SHORT, ..Limits::default() };
    let mut gate = Gate::with(&limits, None);
    let mut wire = gate.connect().await;
    wire.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    gate.next().await;
    let early = wire.read_to_end(SHORT * 4).await;
    assert!(!early.closed, "the connection was closed under its request");
    gate.answers.gate.add_permits(1);
    let received = wire.read_until(SOON, |bytes| bytes.ends_with(b"GET /wait 0")).await;
    assert_eq!(received.statuses(), [200]);
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_cut_off() {
    let mut gate = Gate::with(&Limits { write_timeout: SHORT, ..Limits::default() }, None);
    let mut wire = gate.connect().await;
    wire.send("GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    assert_eq!(gate.next().await, "the large body was cut");
    assert!(wire.read_to_end(SOON).await.closed);
}

#[tokio::test]
async fn a_client_that_takes_its_answer_slowly_gets_all_of_it() {
    let mut gate = Gate::with(&Limits { write_timeout: SHORT, ..Limits::default() }, None);
    let mut wire = gate.connect().await;
    wire.send("GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut taken = 0;
    loop {
        // Some of it, then a rest shorter than the client's time.
        let mut some = 0;
        let received = wire
            .read_until(SOON, |bytes| {
                some = bytes.len();
                some > 6 * 1024 * 1024
            })
            .await;
        taken += received.bytes.len();
        if received.closed {
            break;
        }
        tokio::time::sleep(SHORT / 4).await;
    }
    assert_eq!(gate.next().await, "the large body was sent");
    assert!(taken > LARGE - 65_536, "{taken} bytes came");
}

#[tokio::test]
async fn at_the_bound_of_connections_the_next_one_waits() {
    let mut gate = Gate::with(&Limits { connections_per_worker: 1, ..Limits::default() }, None);
    let mut wires = Vec::new();
    for _ in 0..16 {
        let mut wire = gate.connect().await;
        wire.send("GET /wait HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        wires.push(wire);
    }
    assert_eq!(gate.next().await, "GET /wait waits");
    gate.answers.gate.add_permits(wires.len());
    for mut wire in wires {
        assert_eq!(wire.read_to_end(SOON).await.statuses(), [200]);
    }
    // Each of the two workers serves one.
    let most = gate.answers.most_at_once();
    assert!((1..=2).contains(&most), "{most} connections were served at once");
}

#[tokio::test]
async fn an_upgraded_connection_belongs_to_its_protocol() {
    let limits = Limits { head_timeout: SHORT, idle_timeout: SHORT, connections_per_worker: 1, ..Limits::default() };
    let gate = Gate::with(&limits, None);
    let mut wire = gate.connect().await;
    wire.send("GET /upgrade HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await.unwrap();
    let head = wire.read_until(SOON, |bytes| bytes.ends_with(b"\r\n\r\n")).await;
    assert_eq!(head.status(), Some(101), "{}", head.text());
    assert!(!wire.read_to_end(SHORT * 3).await.closed, "it was closed as if it were an idle one");
    wire.send("still here").await.unwrap();
    let echo = wire.read_until(SOON, |bytes| bytes.ends_with(b"still here")).await;
    assert_eq!(echo.text(), "still here");

    let shutdown = Shutdown { lame_duck: Duration::ZERO, grace: SHORT };
    let drained = gate.server.run(move || shutdown, async { Ending::Announced }, std::future::pending()).await.unwrap();
    assert_eq!(drained.cut, 1, "it counts as open until its socket closes");
    assert!(wire.read_to_end(SOON).await.closed);
}
