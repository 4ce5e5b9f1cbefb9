//! HTTP/2 without TLS, by prior knowledge, written frame by frame.

use std::time::Duration;

use callgate::{
    core::plan::Shutdown,
    server::{Ending, Limits},
};
use callgate_testkit::peers::Wire;

use crate::gate::{Gate, SOON};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET /` or another path, in HPACK without a table.
fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x41, 1, b'a', 0x04];
    block.push(u8::try_from(path.len()).unwrap());
    block.extend_from_slice(path.as_bytes());
    block
}

async fn connect(gate: &Gate) -> Wire {
    let mut wire = gate.connect().await;
    wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    wire.send(frame(SETTINGS, 0, 0, &[])).await.unwrap();
    wire
}

/// The frames in what was received: kind, flags, stream, payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u32, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        frames.push((head[3], head[4], stream, payload.to_vec()));
        bytes = rest;
    }
    frames
}

fn has(bytes: &[u8], kind: u8, stream: u32) -> bool {
    frames(bytes).iter().any(|frame| frame.0 == kind && frame.2 == stream)
}

fn goaway_code(bytes: &[u8]) -> Option<u32> {
    let (.., payload) = frames(bytes).into_iter().rev().find(|frame| frame.0 == GOAWAY)?;
    Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()))
}

#[tokio::test]
async fn streams_share_a_connection() {
    let mut gate = Gate::start();
    let mut wire = connect(&gate).await;
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &get("/wait"))).await.unwrap();
    gate.next().await;
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, &get("/b"))).await.unwrap();
    let received = wire.read_until(SOON, |bytes| has(bytes, HEADERS, 3)).await;
    assert!(!has(&received.bytes, HEADERS, 1), "the first stream does not wait");
    gate.answers.gate.add_permits(1);
    let received = wire.read_until(SOON, |bytes| has(bytes, HEADERS, 1)).await;
    assert!(has(&received.bytes, HEADERS, 1));
}

#[tokio::test]
async fn streams_over_the_bound_are_refused_and_a_reset_gives_its_place_back() {
    let limits = Limits { concurrent_streams: 2, ..Limits::default() };
    let mut gate = Gate::with(&limits, None);
    let mut wire = connect(&gate).await;
    let wait = |stream| frame(HEADERS, END_STREAM | END_HEADERS, stream, &get("/wait"));
    wire.send([wait(1), wait(3), wait(5)].concat()).await.unwrap();
    let received = wire.read_until(SOON, |bytes| has(bytes, RST_STREAM, 5)).await;
    const REFUSED: u32 = 7;
    let refusal = frames(&received.bytes).into_iter().find(|frame| frame.0 == RST_STREAM).unwrap();
    assert_eq!((refusal.2, refusal.3), (5, REFUSED.to_be_bytes().to_vec()));
    gate.next().await;
    gate.next().await;
    // What was reset and what takes its place come together.
    let reset = |stream| frame(RST_STREAM, 0, stream, &8u32.to_be_bytes());
    wire.send([reset(1), wait(7), reset(3), wait(9)].concat()).await.unwrap();
    gate.next().await;
    gate.next().await;
    gate.answers.gate.add_permits(2);
    // What was read first may have ended within a frame.
    let all = |bytes: &[u8]| [&received.bytes, bytes].concat();
    let is_answered = |bytes: &[u8]| has(&all(bytes), HEADERS, 7) && has(&all(bytes), HEADERS, 9);
    let rest = wire.read_until(SOON, is_answered).await;
    let bytes = all(&rest.bytes);
    assert!(is_answered(&rest.bytes), "{:?}", frames(&bytes));
    assert!(!has(&bytes, HEADERS, 1) && !has(&bytes, HEADERS, 3));
}

#[tokio::test]
async fn a_burst_is_answered_whole() {
    let gate = Gate::start();
    let mut wire = connect(&gate).await;
    let streams = || (1..400).step_by(2);
    let burst: Vec<u8> =
        streams().flat_map(|stream| frame(HEADERS, END_STREAM | END_HEADERS, stream, &get("/burst"))).collect();
    wire.send(burst).await.unwrap();
    let is_whole = |bytes: &[u8]| {
        let ended: Vec<_> =
            frames(bytes).into_iter().filter(|frame| frame.0 == DATA && frame.1 & END_STREAM != 0).collect();
        ended.len() == streams().count() && ended.iter().all(|frame| frame.3 == b"GET http://a/burst 0")
    };
    let received = wire.read_until(SOON, is_whole).await;
    assert!(is_whole(&received.bytes), "{} bytes", received.bytes.len());
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_closed() {
    let short = Duration::from_millis(400);
    let mut gate = Gate::with(&Limits { write_timeout: short, ..Limits::default() }, None);
    let mut wire = gate.connect().await;
    wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    // Its windows are open, but it does not read.
    wire.send(frame(SETTINGS, 0, 0, &[&[0, 4][..], &0x7fff_ffff_u32.to_be_bytes()].concat())).await.unwrap();
    wire.send(frame(WINDOW_UPDATE, 0, 0, &0x7fff_0000_u32.to_be_bytes())).await.unwrap();
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &get("/large"))).await.unwrap();
    assert_eq!(gate.next().await, "the large body was cut");
}

#[tokio::test]
async fn a_client_that_rests_for_too_long_is_told_and_closed() {
    let short = Duration::from_millis(400);
    let gate = Gate::with(&Limits { idle_timeout: short, ..Limits::default() }, None);
    let mut wire = connect(&gate).await;
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &get("/"))).await.unwrap();
    let received = wire.read_until(SOON, |bytes| goaway_code(bytes).is_some()).await;
    assert_eq!(goaway_code(&received.bytes), Some(0));
    wire.finish().await.unwrap();
    assert!(wire.read_to_end(SOON).await.closed);
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let gate = Gate::start();
    let mut wire = connect(&gate).await;
    let mut flood = Vec::new();
    for stream in (1..2000).step_by(2) {
        flood.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &get("/wait")));
        flood.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
    }
    wire.send(flood).await.ok();
    let received = wire.read_to_end(SOON).await;
    assert!(received.closed);
    const ENHANCE_YOUR_CALM: u32 = 11;
    assert_eq!(goaway_code(&received.bytes), Some(ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn a_flood_of_continuations_ends_the_connection() {
    let mut gate = Gate::start();
    let mut wire = connect(&gate).await;
    let mut flood = frame(HEADERS, END_STREAM, 1, &get("/"));
    // x: aaaa..., never indexed, again and again.
    let field = [&[0x10, 1, b'x', 100][..], &[b'a'; 100]].concat().repeat(100);
    for _ in 0..200 {
        flood.extend(frame(CONTINUATION, 0, 1, &field));
    }
    wire.send(flood).await.ok();
    let received = wire.read_to_end(SOON).await;
    assert!(received.closed, "{:?}", frames(&received.bytes));
    assert!(gate.saw.try_recv().is_err());
}

#[tokio::test]
async fn a_head_over_the_bound_is_refused_without_harm_to_others() {
    let limits = Limits { head_size: 8192, ..Limits::default() };
    let mut gate = Gate::with(&limits, None);
    let mut wire = connect(&gate).await;
    let field = [&[0x10, 1, b'x', 100][..], &[b'a'; 100]].concat().repeat(100);
    let block = [get("/large-head"), field].concat();
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)).await.unwrap();
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, &get("/b"))).await.unwrap();
    let received = wire.read_until(SOON, |bytes| has(bytes, HEADERS, 3)).await;
    assert!(has(&received.bytes, HEADERS, 3), "{:?}", frames(&received.bytes));
    assert_eq!(gate.next().await, "GET http://a/b 0");
}

#[tokio::test]
async fn pings_do_not_count_as_a_head_that_does_not_end() {
    let short = Duration::from_millis(400);
    let gate = Gate::with(&Limits { head_timeout: short, ..Limits::default() }, None);
    let mut wire = connect(&gate).await;
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &get("/"))).await.unwrap();
    wire.read_until(SOON, |bytes| has(bytes, HEADERS, 1)).await;
    wire.send(frame(PING, 0, 0, &[0; 8])).await.unwrap();
    let received = wire.read_to_end(short * 4).await;
    assert!(!received.closed, "{:?}", frames(&received.bytes));
    assert!(frames(&received.bytes).iter().any(|frame| frame.0 == PING && frame.1 == ACK));
}

#[tokio::test]
async fn a_draining_server_says_goaway_and_finishes() {
    let mut gate = Gate::start();
    let mut wire = connect(&gate).await;
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &get("/wait"))).await.unwrap();
    gate.next().await;
    let shutdown = Shutdown { lame_duck: Duration::ZERO, grace: SOON };
    let drain = tokio::spawn(gate.server.run(move || shutdown, async { Ending::Announced }, std::future::pending()));
    let received = wire.read_until(SOON, |bytes| goaway_code(bytes).is_some()).await;
    assert_eq!(goaway_code(&received.bytes), Some(0));
    // A server that drains sends a ping to learn that the client has seen it.
    let answer_pings = |bytes: &[u8]| {
        frames(bytes).into_iter().filter(|frame| frame.0 == PING && frame.1 & ACK == 0).map(|frame| frame.3).next()
    };
    let ping = match answer_pings(&received.bytes) {
        Some(ping) => ping,
        None => {
            let more = wire.read_until(SOON, |bytes| answer_pings(bytes).is_some()).await;
            answer_pings(&more.bytes).expect("a ping follows")
        }
    };
    wire.send(frame(PING, ACK, 0, &ping)).await.unwrap();
    gate.answers.gate.add_permits(1);
    let received = wire.read_to_end(SOON).await;
    assert!(received.closed && has(&received.bytes, HEADERS, 1), "{:?}", frames(&received.bytes));
    // A client that goes on sending is listened to for a while.
    drop(wire);
    assert_eq!(drain.await.unwrap().unwrap().cut, 0);
}
