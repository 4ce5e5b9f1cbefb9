//! HTTP/1.1 as nobody should write it: refused, or read in one way only.

use callgate::server::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::gate::{Gate, SOON};

/// Each request is answered with this status, alone, and the connection is closed after it.
async fn refused(cases: &[(&str, &[u8], u16)]) {
    let mut gate = Gate::start();
    for (name, bytes, status) in cases {
        let received = gate.send(bytes).await;
        assert!(received.closed, "{name}: the connection stays open: {}", received.text());
        assert_eq!(received.statuses(), [*status], "{name}: {}", received.text());
        assert!(gate.saw.try_recv().is_err(), "{name}: the gateway saw the request");
    }
}

#[tokio::test]
async fn a_malformed_head_is_refused_and_the_connection_closed() {
    refused(&[
        ("no version (HTTP/0.9)", b"GET /\r\n\r\n", 400),
        ("unknown version", b"GET / HTTP/3.0\r\nhost: a\r\n\r\n", 400),
        ("no method", b" / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("method with a separator", b"G(T / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("space in the target", b"GET /a b HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("NUL in the target", b"GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("folded header", b"GET / HTTP/1.1\r\nhost: a\r\nx-a: b\r\n c\r\n\r\n", 400),
        ("space before the colon", b"GET / HTTP/1.1\r\nhost: a\r\nx-a : b\r\n\r\n", 400),
        ("space before the first header", b"GET / HTTP/1.1\r\n host: a\r\n\r\n", 400),
        ("no colon", b"GET / HTTP/1.1\r\nhost: a\r\nx-a\r\n\r\n", 400),
        ("empty header name", b"GET / HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n", 400),
        ("NUL in a value", b"GET / HTTP/1.1\r\nhost: a\r\nx-a: b\0c\r\n\r\n", 400),
        ("control byte in a value", b"GET / HTTP/1.1\r\nhost: a\r\nx-a: b\x01c\r\n\r\n", 400),
        ("DEL in a value", b"GET / HTTP/1.1\r\nhost: a\r\nx-a: b\x7fc\r\n\r\n", 400),
        ("bare CR in a value", b"GET / HTTP/1.1\r\nhost: a\r\nx-a: b\rc\r\n\r\n", 400),
    ])
    .await;
}

#[tokio::test]
async fn a_length_that_is_not_certain_is_refused_and_the_connection_closed() {
    refused(&[
        (
            "differing lengths",
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
            400,
        ),
        ("a list of lengths", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4, 4\r\n\r\nabcd", 400),
        ("a sign", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +4\r\n\r\nabcd", 400),
        ("a negative length", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400),
        ("hexadecimal", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x4\r\n\r\nabcd", 400),
        ("an empty length", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: \r\n\r\nabcd", 400),
        (
            "a length beyond all bounds",
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n",
            400,
        ),
        (
            "chunked is not the last coding",
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("an unknown coding", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        ("chunked in HTTP/1.0", b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ])
    .await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let gate = Gate::start();
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx-a: {}\r\n\r\n", "a".repeat(70_000));
    assert_eq!(gate.send(long).await.statuses(), [431]);
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(101));
    assert_eq!(gate.send(many).await.statuses(), [431]);
    let endless = format!("GET / HTTP/1.1\r\nhost: a\r\nx-a: {}", "a".repeat(1_000_000));
    let received = gate.send(endless).await;
    assert!(received.closed && received.statuses() == [431], "{}", received.text());
}

#[tokio::test]
async fn a_target_is_bounded_by_its_head_and_by_the_library() {
    let target = |length: usize| {
        let path = "a".repeat(length - 1);
        format!("GET /{path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    };
    let gate = Gate::start();
    assert_eq!(gate.send(target(65_000)).await.statuses(), [200]);
    assert_eq!(gate.send(target(65_535)).await.statuses(), [431]);
    // Where larger heads are allowed, the target has a bound of its own.
    let gate = Gate::with(&Limits { head_size: 128 * 1024, ..Limits::default() }, None);
    assert_eq!(gate.send(target(65_534)).await.statuses(), [200]);
    assert_eq!(gate.send(target(65_535)).await.statuses(), [414]);
}

#[tokio::test]
async fn chunked_beats_a_length_and_nothing_after_it_is_read() {
    let mut gate = Gate::start();
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for framing in
        ["content-length: 4\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 4"]
    {
        let received = gate.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}")).await;
        assert!(received.closed && received.statuses() == [200], "{}", received.text());
        assert_eq!(gate.next().await, "POST / 0");
        assert!(gate.saw.try_recv().is_err(), "the rest was read as a request");
    }
}

#[tokio::test]
async fn a_malformed_chunk_breaks_the_body_and_the_connection() {
    let mut gate = Gate::start();
    for chunks in [
        "fffffffffffffffff\r\na\r\n0\r\n\r\n",
        "-1\r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "1 1\r\na\r\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\na\r\n0\r\n\r\n",
        "1;a\nb\r\na\r\n0\r\n\r\n",
        "\r\na\r\n0\r\n\r\n",
    ] {
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let received = gate.send(format!("{head}{chunks}")).await;
        assert!(received.closed, "{chunks:?}");
        assert!(received.statuses().is_empty() || received.statuses() == [400], "{chunks:?}: {}", received.text());
        let seen = gate.next().await;
        assert!(seen.starts_with("POST / broke"), "{chunks:?}: {seen}");
    }
}

#[tokio::test]
async fn chunk_extensions_are_skipped_and_bounded() {
    let mut gate = Gate::start();
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n";
    let received = gate.send(format!("{head}connection: close\r\n\r\n2;a=b\r\nhi\r\n0\r\n\r\n")).await;
    assert_eq!(received.statuses(), [200]);
    assert_eq!(gate.next().await, "POST / 2");
    let endless = format!("{head}\r\n1;{}", "a".repeat(20_000));
    assert!(gate.send(endless).await.closed);
    assert!(gate.next().await.starts_with("POST / broke"));
}

#[tokio::test]
async fn a_body_that_is_cut_off_never_looks_complete() {
    let mut gate = Gate::start();
    for head in ["content-length: 10\r\n\r\nhalf", "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let mut wire = gate.connect().await;
        wire.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{head}")).await.unwrap();
        wire.finish().await.unwrap();
        let seen = gate.next().await;
        assert!(seen.starts_with("POST / broke"), "{seen}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_request() {
    let mut gate = Gate::start();
    let mut wire = gate.connect().await;
    wire.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert_eq!(gate.next().await, "GET /wait waits");
    drop(wire);
    let semaphore = gate.answers.gate.clone();
    let released = callgate_testkit::peers::until(SOON, async || std::sync::Arc::strong_count(&semaphore) == 4).await;
    assert!(released, "{} references are left", std::sync::Arc::strong_count(&semaphore));
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_in_order() {
    let gate = Gate::start();
    let received = gate
        .send("GET /a HTTP/1.1\r\nhost: a\r\n\r\nPOST /b HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhiGET /c HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    assert_eq!(received.statuses(), [200; 3]);
    let text = received.text();
    let at = |what| text.find(what).unwrap_or_else(|| panic!("{what} is missing: {text}"));
    assert!(at("GET /a 0") < at("POST /b 2") && at("POST /b 2") < at("GET /c 0"));
}

#[tokio::test]
async fn lines_of_a_head_may_end_in_lf_alone() {
    let gate = Gate::start();
    let received = gate.send("GET /lf HTTP/1.1\nhost: a\nconnection: close\n\n").await;
    assert!(received.closed && received.text().ends_with("GET /lf 0"), "{}", received.text());
}

#[tokio::test]
async fn http_1_0_works_and_closes() {
    let gate = Gate::start();
    let received = gate.send("GET /old HTTP/1.0\r\n\r\n").await;
    assert!(received.closed && received.text().contains("GET /old 0"), "{}", received.text());
}

/// What comes over a connection of its own, and how it ends.
async fn end_of(gate: &Gate, request: &str) -> (String, std::io::Result<usize>) {
    let mut stream = TcpStream::connect(gate.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await.unwrap();
    (String::from_utf8(bytes).unwrap(), end)
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_never_looks_whole_when_it_is_cut_off() {
    let gate = Gate::start();
    let (text, end) = end_of(&gate, "GET /parts HTTP/1.0\r\n\r\n").await;
    assert!(end.is_ok() && text.ends_with("\r\n\r\nfirst,second"), "{end:?} {text}");
    let (_, end) = end_of(&gate, "HEAD /parts HTTP/1.0\r\n\r\n").await;
    assert!(end.is_ok(), "{end:?}");
    let (text, end) = end_of(&gate, "GET /parts?breaks HTTP/1.0\r\n\r\n").await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset, "{text}");
    // The framing of HTTP/1.1 tells it: the last chunk is missing.
    let (text, _) = end_of(&gate, "GET /parts?breaks HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(!text.contains("\r\n0\r\n"), "{text}");
}

#[tokio::test]
async fn an_old_client_that_takes_nothing_is_reset() {
    let limits = Limits { write_timeout: std::time::Duration::from_millis(400), ..Limits::default() };
    let mut gate = Gate::with(&limits, None);
    let mut stream = TcpStream::connect(gate.address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.0\r\n\r\n").await.unwrap();
    assert_eq!(gate.next().await, "the large body was cut");
    let end = tokio::time::timeout(SOON, stream.read_to_end(&mut Vec::new())).await.unwrap();
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_absolute_target_reaches_the_gateway_whole() {
    let mut gate = Gate::start();
    gate.send("GET http://shop.example/x?y=1 HTTP/1.1\r\nhost: other\r\nconnection: close\r\n\r\n").await;
    assert_eq!(gate.next().await, "GET http://shop.example/x?y=1 0");
}

#[tokio::test]
async fn an_answer_arrives_although_the_client_still_sends() {
    let gate = Gate::start();
    let mut wire = gate.connect().await;
    wire.send("POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 8000000\r\n\r\n").await.unwrap();
    wire.send(vec![b'x'; 4_000_000]).await.unwrap();
    let received = wire.read_until(SOON, |bytes| bytes.ends_with(b"too much")).await;
    assert_eq!(received.status(), Some(413), "{}", received.text());
    assert!(received.text().contains("too much"));
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_somebody_reads_it() {
    let gate = Gate::start();
    let head = |path| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n"
        )
    };
    let mut wire = gate.connect().await;
    wire.send(head("/")).await.unwrap();
    let first = wire.read_until(SOON, |bytes| bytes.ends_with(b"\r\n\r\n")).await;
    assert_eq!(first.statuses(), [100]);
    wire.send("hi").await.unwrap();
    assert_eq!(wire.read_to_end(SOON).await.statuses(), [200]);

    let mut wire = gate.connect().await;
    wire.send(head("/early")).await.unwrap();
    let early = wire.read_until(SOON, |bytes| bytes.ends_with(b"too much")).await;
    assert_eq!(early.statuses(), [413]);
}
