//! Replies that break off, as operators see them.

use std::fs;

use callgate_testkit::peers::until;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    exposition::Scrape,
    gateway::{Gateway, LIMIT},
};

/// A service that sends what the path names, and closes. No real one breaks off on demand.
async fn service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") && stream.read_buf(&mut asked).await.is_ok_and(|count| count > 0) {}
            let sent: &[u8] = match asked.split(|byte| *byte == b' ').nth(1) {
                Some(b"/short") => b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
                Some(b"/nothing") => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                Some(b"/malformed") => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno chunk\r\n",
                _ => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            };
            stream.write_all(sent).await.ok();
        }
    });
    format!("upstreams: {{s: {{rest: {{url: 'http://{address}'}}}}}}\n")
}

const ROUTES: &str = "access_log: {to: access.log}\nroutes: [{name: cut, match: '/{*rest}', to: s}]\n";
const OF_ROUTE: &str = "{route=\"cut\",upstream=\"s\",kind=\"rest\"";

fn messages(log: &str, message: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message).collect()
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_told_with_its_request() {
    let gateway = Gateway::start(&format!("{}{ROUTES}", service().await)).await;
    let answer = gateway.get("/short").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "abc"));
    let access_log = || fs::read_to_string(gateway.folder().join("access.log")).unwrap_or_default();
    assert!(until(LIMIT, async || access_log().ends_with('\n')).await);
    let line: Value = serde_json::from_str(access_log().trim()).unwrap();
    assert_eq!((&line["status"], &line["complete"]), (&200.into(), &false.into()), "{line}");
    assert_eq!(line["error"], "bad_upstream_reply", "{line}");

    let scrape = Scrape::read(&gateway.ask("/metrics").await.body);
    assert_eq!(scrape.value(&format!("callgate_replies_cut_total{OF_ROUTE},error=\"bad_upstream_reply\"}}")), 1.0);
    assert_eq!(scrape.value(&format!("callgate_requests_in_flight{OF_ROUTE}}}")), 0.0);
    let failures = gateway.ask("/failures").await.json();
    assert!(failures.to_string().contains("cut off before its end"), "{failures}");

    let told = messages(&gateway.log(), "A reply broke off.");
    assert_eq!(told.len(), 1, "{}", gateway.log());
    assert_eq!((&told[0]["request_id"], &told[0]["route"]), (&line["request_id"], &"cut".into()));
}

#[tokio::test]
async fn a_reply_that_is_none_behind_its_head_is_a_failure() {
    let gateway = Gateway::start(&format!("{}{ROUTES}", service().await)).await;
    let answer = gateway.get("/malformed").await;
    assert_eq!(answer.status, 502);
    assert!(answer.head.contains("callgate-error: bad_upstream_reply"), "{}", answer.head);
}

/// Nobody is left without a word: an empty answer looks as if the request had never come, and is repeated.
#[tokio::test]
async fn the_head_of_a_reply_without_any_of_its_body_is_sent() {
    let gateway = Gateway::start(&format!("{}{ROUTES}", service().await)).await;
    let answer = gateway.get("/nothing").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""), "chunks without the last one");
    assert_eq!(messages(&gateway.log(), "A reply broke off.").len(), 1);
}
