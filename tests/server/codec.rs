//! HTTP/1.1 as it should be, message by message: how answers are framed, and what follows them on a connection.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use callgate::{
    core::plan::Shutdown,
    server::{Ending, Limits},
};
use callgate_testkit::peers::{Wire, until};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::gate::{Gate, LARGE, SOON};

const CLOSE: &str = "GET /last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// All that comes back for some bytes, up to the connection's end.
async fn exchange(gate: &Gate, bytes: impl AsRef<str>) -> String {
    let received = gate.send(bytes.as_ref()).await;
    assert!(received.closed, "{}", received.text());
    received.text()
}

#[tokio::test]
async fn an_answer_without_a_body_is_followed_by_the_next() {
    let gate = Gate::start();
    for (line, framing) in [
        ("GET /status?204", None),
        ("GET /status?304", Some("content-length: 5")),
        ("HEAD /status?200", Some("content-length: 5")),
        ("HEAD /parts", None),
    ] {
        let text = exchange(&gate, format!("{line} HTTP/1.1\r\nhost: a\r\n\r\n{CLOSE}")).await;
        let (head, rest) = text.split_once("\r\n\r\n").unwrap();
        let lines: Vec<_> = head.lines().filter(|line| !line.starts_with("date: ")).skip(1).collect();
        assert_eq!(lines, framing.into_iter().collect::<Vec<_>>(), "{line}");
        assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") && rest.ends_with("GET /last 0"), "{line}: {rest}");
    }
}

#[tokio::test]
async fn an_answer_of_unknown_length_is_chunked() {
    let gate = Gate::start();
    let text = exchange(&gate, format!("GET /parts HTTP/1.1\r\nhost: a\r\n\r\n{CLOSE}")).await;
    let (head, rest) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked") && !head.contains("content-length"), "{head}");
    assert!(rest.starts_with("6\r\nfirst,\r\n6\r\nsecond\r\n0\r\n\r\nHTTP/1.1 200"), "{rest}");
}

#[tokio::test]
async fn a_stated_length_that_is_not_the_bodys_never_looks_whole() {
    let gate = Gate::start();
    let text = exchange(&gate, format!("GET /stated?12 HTTP/1.1\r\nhost: a\r\n\r\n{CLOSE}")).await;
    assert!(text.contains("\r\n\r\nfirst,secondHTTP/1.1 200 OK"), "{text}");
    for (stated, sent) in [("13", "first,second"), ("8", "first,")] {
        let text = exchange(&gate, format!("GET /stated?{stated} HTTP/1.1\r\nhost: a\r\n\r\n{CLOSE}")).await;
        assert!(text.contains(&format!("content-length: {stated}")) && text.ends_with(sent), "{text}");
    }
}

#[tokio::test]
async fn trailers_are_sent_to_who_takes_them() {
    let gate = Gate::start();
    let ask = |te| format!("GET /trailers HTTP/1.1\r\nhost: a\r\n{te}connection: close\r\n\r\n");
    let text = exchange(&gate, ask("te: trailers\r\n")).await;
    assert!(text.contains("trailer: x-sum") && text.ends_with("2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n"), "{text}");
    let text = exchange(&gate, ask("")).await;
    assert!(text.ends_with("2\r\nhi\r\n0\r\n\r\n"), "{text}");
    let text = exchange(&gate, "GET /trailers HTTP/1.0\r\nte: trailers\r\n\r\n").await;
    assert!(!text.contains("trailer") && text.ends_with("\r\n\r\nhi"), "{text}");
}

#[tokio::test]
async fn http_1_0_keeps_its_connection_where_it_asks_for_that() {
    let gate = Gate::start();
    let ask = "GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n";
    let text = exchange(&gate, format!("{ask}{ask}GET /b HTTP/1.0\r\n\r\n")).await;
    assert_eq!(text.matches("HTTP/1.0 200 OK\r\n").count(), 3, "{text}");
    assert_eq!(text.matches("connection: keep-alive\r\n").count(), 2, "{text}");
    // Without a length, only the end tells where the answer ends.
    let text = exchange(&gate, format!("GET /parts HTTP/1.0\r\nconnection: keep-alive\r\n\r\n{ask}")).await;
    assert!(text.ends_with("\r\n\r\nfirst,second") && !text.contains("keep-alive"), "{text}");
}

#[tokio::test]
async fn the_last_answer_says_so() {
    let gate = Gate::start();
    let text = exchange(&gate, format!("GET /a HTTP/1.1\r\nhost: a\r\n\r\n{CLOSE}")).await;
    let (first, last) = text.split_once("GET /a 0").unwrap();
    assert!(!first.contains("connection:") && last.contains("connection: close\r\n"), "{text}");
    assert!(first.contains("\r\ndate: ") && first.contains(" GMT\r\n"), "{first}");
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_passed_over_where_it_is_there() {
    let gate = Gate::start();
    for framing in ["content-length: 5\r\n\r\nhello", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"] {
        let text = exchange(&gate, format!("POST /early HTTP/1.1\r\nhost: a\r\n{framing}{CLOSE}")).await;
        assert!(text.starts_with("HTTP/1.1 413") && text.ends_with("GET /last 0"), "{framing:?}: {text}");
    }
    // The rest of it may come behind the answer.
    let mut wire = gate.connect().await;
    wire.send("POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhel").await.unwrap();
    let text = wire.read_until(SOON, |bytes| bytes.ends_with(b"too much")).await.text();
    assert!(!text.contains("connection:"), "{text}");
    wire.send(format!("lo{CLOSE}")).await.unwrap();
    assert!(wire.read_to_end(SOON).await.text().ends_with("GET /last 0"));
}

#[tokio::test]
async fn a_long_body_that_nobody_reads_ends_the_connection_and_that_is_said() {
    let gate = Gate::start();
    let ask = "POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n";
    let mut wire = gate.connect().await;
    wire.send(ask).await.unwrap();
    wire.send(vec![b'x'; 100_000]).await.unwrap();
    wire.send(CLOSE).await.unwrap();
    wire.finish().await.unwrap();
    let received = wire.read_to_end(SOON).await;
    assert_eq!(received.statuses(), [413]);
    assert!(received.text().contains("connection: close"), "{}", received.text());
}

#[tokio::test]
async fn the_last_answer_arrives_whole_although_more_was_asked() {
    let mut gate = Gate::start();
    let mut stream = TcpStream::connect(gate.address).await.unwrap();
    let behind = "GET /behind HTTP/1.1\r\nhost: a\r\n\r\n".repeat(8000);
    let ask = format!("GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n{behind}");
    let (mut read, mut write) = stream.split();
    let mut bytes = Vec::new();
    let (sent, end) = tokio::join!(write.write_all(ask.as_bytes()), read.read_to_end(&mut bytes));
    assert!(sent.is_ok() && end.is_ok(), "{sent:?} {end:?}");
    assert!(bytes.len() > LARGE - 65_536, "{} bytes came", bytes.len());
    assert_eq!(gate.next().await, "the large body was sent");
}

#[tokio::test]
async fn a_client_can_read_why_its_body_was_refused_while_it_sends() {
    let gate = Gate::start();
    let mut wire = gate.connect().await;
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").await.unwrap();
    assert_eq!(wire.read_until(SOON, |bytes| bytes.ends_with(b"\r\n\r\n")).await.statuses(), [400]);
    wire.send(vec![b'x'; 2_000_000]).await.unwrap();
}

#[tokio::test]
async fn a_client_that_goes_away_is_noticed_whatever_it_sent_behind_its_request() {
    let mut gate = Gate::start();
    for behind in ["\r\n", "GET /next HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let mut wire = gate.connect().await;
        wire.send(format!("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n{behind}")).await.unwrap();
        assert_eq!(gate.next().await, "GET /wait waits");
        drop(wire);
        let semaphore = gate.answers.gate.clone();
        let released = until(SOON, async || Arc::strong_count(&semaphore) == 4).await;
        assert!(released, "{} references are left behind {behind:?}", Arc::strong_count(&semaphore));
    }
}

const SHORT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn what_belonged_to_the_last_request_begins_no_head() {
    let limits = Limits { head_timeout: SHORT, idle_timeout: SHORT * 4, ..Limits::default() };
    let gate = Gate::with(&limits, None);
    let early = "POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n";
    for (ask, answer, behind) in
        [(early, "too much", "hello"), ("GET /a HTTP/1.1\r\nhost: a\r\n\r\n", "GET /a 0", "\r\n")]
    {
        let mut wire = gate.connect().await;
        wire.send(ask).await.unwrap();
        wire.read_until(SOON, |bytes| bytes.ends_with(answer.as_bytes())).await;
        wire.send(behind).await.unwrap();
        let begin = Instant::now();
        assert!(wire.read_to_end(SOON).await.closed);
        assert!(begin.elapsed() > SHORT * 3, "{behind:?}: closed after {:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn a_body_that_is_read_behind_its_answer_has_time_also_while_the_server_drains() {
    let limits = Limits { head_timeout: SHORT, idle_timeout: SHORT * 2, ..Limits::default() };
    let Gate { server, mut saw, address, .. } = Gate::with(&limits, None);
    let mut wire = Wire::connect(address).await.unwrap();
    wire.send("POST /detached HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n").await.unwrap();
    wire.read_until(SOON, |bytes| bytes.ends_with(b"accepted")).await;
    let shutdown = Shutdown { lame_duck: Duration::ZERO, grace: SOON };
    let uploads = async {
        for _ in 0..12 {
            wire.send("x").await.unwrap();
            tokio::time::sleep(SHORT / 4).await;
        }
        assert!(wire.read_to_end(SOON).await.closed);
    };
    let runs = server.run(move || shutdown, async { Ending::Announced }, std::future::pending());
    let (drained, ()) = tokio::join!(runs, uploads);
    assert_eq!(drained.unwrap().cut, 0);
    assert_eq!(saw.recv().await.unwrap(), "POST /detached 12 in its own task");
}

#[tokio::test]
async fn a_body_may_be_read_by_another_task_after_its_answer() {
    let mut gate = Gate::start();
    let mut wire = gate.connect().await;
    wire.send("POST /detached HTTP/1.1\r\nhost: a\r\ncontent-length: 200000\r\n\r\n").await.unwrap();
    wire.read_until(SOON, |bytes| bytes.ends_with(b"accepted")).await;
    wire.send(vec![b'x'; 200_000]).await.unwrap();
    assert_eq!(gate.next().await, "POST /detached 200000 in its own task");
    wire.send(CLOSE).await.unwrap();
    assert!(wire.read_to_end(SOON).await.text().ends_with("GET /last 0"));

    let mut wire = gate.connect().await;
    wire.send("POST /detached HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
    wire.read_until(SOON, |bytes| bytes.ends_with(b"accepted")).await;
    drop(wire);
    let seen = gate.next().await;
    assert!(seen.contains("GET /last 0") || seen.starts_with("POST /detached broke"), "{seen}");
}

#[tokio::test]
async fn who_answers_before_the_body_is_asked_for_does_not_ask_for_it() {
    let gate = Gate::start();
    let ask = "POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
    let text = exchange(&gate, ask).await;
    assert!(text.starts_with("HTTP/1.1 413") && text.contains("connection: close") && !text.contains("100"), "{text}");
}

#[tokio::test]
async fn bytes_behind_an_upgrade_belong_to_the_other_protocol() {
    let gate = Gate::start();
    let mut wire = gate.connect().await;
    let ask = "GET /upgrade HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly";
    wire.send(ask).await.unwrap();
    let text = wire.read_until(SOON, |bytes| bytes.ends_with(b"early")).await.text();
    assert!(text.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{text}");
    assert!(!text.contains("content-length") && !text.contains("connection: close"), "{text}");
}

#[tokio::test]
async fn a_message_means_the_same_in_any_pieces() {
    let gate = Gate::start();
    let message = format!(
        "POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nt: 1\r\n\r\n\
         POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nfour{CLOSE}"
    );
    for size in [1, 2, 3, 7, 31] {
        let mut stream = TcpStream::connect(gate.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in message.as_bytes().chunks(size) {
            stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut text = String::new();
        tokio::time::timeout(SOON, stream.read_to_string(&mut text)).await.unwrap().unwrap();
        let at =
            |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is missing in pieces of {size}: {text}"));
        assert!(at("POST /a 5") < at("POST /b 4") && at("POST /b 4") < at("GET /last 0"), "{text}");
    }
}
