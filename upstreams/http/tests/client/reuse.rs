//! Which connections are used again, and which never.

use std::{future::Future, pin::pin, sync::mpsc, time::Duration};

use callgate_core::{Body, Period};
use callgate_http::{HttpClient, HttpError, HttpSettings};
use http::{Request, StatusCode};
use tokio::sync::mpsc as channel;

use crate::peer::{Raw, client, context, fetch, get, soon};

#[tokio::test]
async fn one_connection_serves_requests_in_turn() {
    for reply in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ] {
        let (server, client) = (Raw::replying(reply), client());
        for _ in 0..10 {
            assert_eq!(fetch(&client, &server.endpoint, get("/")).await.unwrap().body(), "hello");
        }
        assert_eq!(server.accepted(), 1, "{reply}");
    }
}

/// A request on a pooled connection is one turn to send and one to receive: the channels between the codec's halves wake
/// nobody, and nothing runs beside the request.
#[tokio::test]
async fn a_request_takes_two_turns_of_its_own_task() {
    let server = Raw::replying("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    let client = client();
    for number in 0..5 {
        let mut turns = 0;
        let mut call = Box::pin(client.send(&server.endpoint, get("/")));
        let reply = soon(std::future::poll_fn(|cx| {
            turns += 1;
            call.as_mut().poll(cx)
        }));
        assert_eq!(reply.await.unwrap().body().as_bytes(), Some(b"hello".as_slice()));
        assert!(number == 0 || turns <= 2, "request {number} took {turns} turns");
    }
}

/// A task that has done much already in its turn is told "not yet" by tokio's own channels and sockets.
#[tokio::test]
async fn a_task_that_has_used_up_its_turn_gets_its_reply_all_the_same() {
    for reply in
        ["HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"]
    {
        let (server, client) = (Raw::replying_once(reply), client());
        for used in 110..128 {
            let mut call = Box::pin(client.send(&server.endpoint, get("/")));
            let reply = soon(std::future::poll_fn(|cx| {
                for _ in 0..used {
                    let _ = pin!(tokio::task::coop::consume_budget()).poll(cx);
                }
                call.as_mut().poll(cx)
            }));
            assert_eq!(reply.await.unwrap().status(), StatusCode::OK, "{used} used of the turn");
        }
    }
}

/// Between two requests the peer closes the connection, and the task has no turn left to notice it: what is sent then is
/// the request at hand, and not the one before it, which is still kept.
#[tokio::test]
async fn a_closed_connection_does_not_send_the_request_before_again() {
    const EACH: usize = 3;
    let server = Raw::start(|_, mut peer| {
        for _ in 0..EACH {
            let Some(head) = peer.head() else { return };
            let path = head.split(' ').nth(1).unwrap_or_default();
            peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len()));
        }
    });
    let client = client();
    for used in 100..128 {
        for number in 0..2 * EACH {
            let path = format!("/{used}/{number}");
            let mut call = Box::pin(client.send(&server.endpoint, get(&path)));
            let reply = soon(std::future::poll_fn(|cx| {
                for _ in 0..used {
                    let _ = pin!(tokio::task::coop::consume_budget()).poll(cx);
                }
                call.as_mut().poll(cx)
            }));
            let body = reply.await.unwrap().into_body().collect(64).await.unwrap();
            assert_eq!(body, path, "{used} used of the turn");
        }
    }
}

#[tokio::test]
async fn a_reply_in_pieces_gives_its_connection_back() {
    let server = Raw::start(|_, mut peer| {
        while peer.head().is_some() {
            peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            for _ in 0..64 {
                peer.send(format!("4000\r\n{}\r\n", "x".repeat(0x4000)));
            }
            peer.send("0\r\n");
            peer.send("x-sum: 1\r\n\r\n");
        }
    });
    let client = client();
    for _ in 0..4 {
        assert_eq!(fetch(&client, &server.endpoint, get("/")).await.unwrap().body().len(), 64 * 0x4000);
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn replies_without_a_body_give_their_connection_back() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    for (method, reply) in [
        ("HEAD", head),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ] {
        let (server, client) = (Raw::replying(reply), client());
        for _ in 0..3 {
            let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
            let answer = fetch(&client, &server.endpoint, request).await.unwrap();
            assert_eq!(answer.body(), "");
            if method == "HEAD" {
                assert_eq!(answer.headers()["content-length"], "5");
            }
        }
        assert_eq!(server.accepted(), 1, "{reply}");
    }
}

#[tokio::test]
async fn a_reply_that_may_have_another_end_is_the_last_of_its_connection() {
    for reply in [
        "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let (server, client) = (Raw::replying(reply), client());
        for _ in 0..2 {
            assert_eq!(fetch(&client, &server.endpoint, get("/")).await.unwrap().body(), "");
        }
        assert_eq!(server.accepted(), 2, "{reply}");
    }
}

#[tokio::test]
async fn connections_that_the_server_ends_are_not_used_again() {
    for reply in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\nhello",
    ] {
        let (server, client) = (Raw::replying(reply), client());
        for _ in 0..2 {
            assert_eq!(fetch(&client, &server.endpoint, get("/")).await.unwrap().body(), "hello");
        }
        assert_eq!(server.accepted(), 2, "{reply}");
    }
    let (server, client) = (Raw::replying_once("HTTP/1.1 200 OK\r\n\r\nhello"), client());
    for _ in 0..2 {
        assert_eq!(fetch(&client, &server.endpoint, get("/")).await.unwrap().body(), "hello");
    }
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_body_dropped_early_closes_its_connection() {
    let (closed, is_closed) = mpsc::channel();
    let server = Raw::start(move |number, mut peer| {
        peer.head();
        match number {
            0 => {
                peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
                closed.send(peer.is_closed_by_client()).unwrap();
            }
            _ => drop(peer.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecond")),
        }
    });
    let client = client();
    let reply = soon(client.send(&server.endpoint, get("/"))).await.unwrap();
    assert_eq!(reply.body().known_length(), Some(10));
    drop(reply);
    assert!(is_closed.recv().unwrap());
    assert_eq!(fetch(&client, &server.endpoint, get("/")).await.unwrap().body(), "second");
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_call_dropped_before_the_reply_closes_its_connection() {
    let (arrived, mut has_arrived) = channel::unbounded_channel();
    let (closed, mut is_closed) = channel::unbounded_channel();
    let server = Raw::start(move |_, mut peer| {
        peer.head();
        arrived.send(()).unwrap();
        closed.send(peer.is_closed_by_client()).unwrap();
    });
    let client = client();
    {
        let mut call = Box::pin(client.send(&server.endpoint, get("/")));
        let arrival = has_arrived.recv();
        tokio::select! {
            _ = &mut call => panic!("there is no reply"),
            _ = arrival => {}
        }
    }
    assert_eq!(soon(is_closed.recv()).await, Some(true));
}

#[tokio::test]
async fn a_connection_closed_while_unused_is_replaced() {
    let (closed, mut is_closed) = channel::unbounded_channel();
    let server = Raw::start(move |_, mut peer| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        drop(peer);
        closed.send(()).unwrap();
    });
    let other = Raw::replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let client = client();
    for _ in 0..3 {
        let request = Request::post("/").body(Body::from("x")).unwrap();
        assert_eq!(fetch(&client, &server.endpoint, request).await.unwrap().status(), StatusCode::OK);
        soon(is_closed.recv()).await;
        // The events of sockets come in order: when this reply is here, the close has been noticed.
        fetch(&client, &other.endpoint, get("/")).await.unwrap();
    }
    assert_eq!(server.accepted(), 3);
}

/// Answers once per connection; on the first connection, a second request is answered by `end`.
fn closing_at_the_second(end: &'static str) -> Raw {
    Raw::start(move |number, mut peer| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        if peer.head().is_some() {
            peer.send(if number == 0 { end } else { "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello" });
        }
    })
}

#[tokio::test]
async fn an_idempotent_request_is_sent_again_when_a_pooled_connection_is_closed_on_it() {
    let (server, client) = (closing_at_the_second(""), client());
    fetch(&client, &server.endpoint, get("/")).await.unwrap();
    let put = Request::put("/").body(Body::from("x")).unwrap();
    assert_eq!(fetch(&client, &server.endpoint, put).await.unwrap().body(), "hello");
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_request_that_may_have_done_something_is_not_sent_again() {
    let post = || Request::post("/").body(Body::from("x")).unwrap();
    let streamed = || {
        let body = http_body_util::StreamBody::new(futures_util::stream::iter([Ok::<_, std::io::Error>(
            http_body::Frame::data(bytes::Bytes::from_static(b"x")),
        )]));
        Request::put("/").body(Body::new(body)).unwrap()
    };
    for request in [post(), streamed()] {
        let (server, client) = (closing_at_the_second(""), client());
        fetch(&client, &server.endpoint, get("/")).await.unwrap();
        let error = fetch(&client, &server.endpoint, request).await.unwrap_err();
        assert!(matches!(error, HttpError::Send { before_sent: false, .. }), "{error:?}");
        assert_eq!(server.accepted(), 1);
    }
}

#[tokio::test]
async fn nothing_is_sent_again_once_a_reply_has_begun() {
    let (server, client) = (closing_at_the_second("HTTP/1.1 200"), client());
    fetch(&client, &server.endpoint, get("/")).await.unwrap();
    let error = fetch(&client, &server.endpoint, get("/")).await.unwrap_err();
    assert!(matches!(error, HttpError::Send { before_sent: false, .. }), "{error:?}");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_new_connection_closed_without_a_reply_is_an_error() {
    let server = Raw::replying_once("");
    let error = fetch(&client(), &server.endpoint, get("/")).await.unwrap_err();
    assert!(matches!(error, HttpError::Send { before_sent: false, .. }), "{error:?}");
    assert_eq!(server.accepted(), 1);
}

/// Replies once, then tells whether the client closes the connection.
fn telling_of_the_close() -> (Raw, channel::UnboundedReceiver<bool>) {
    let (closed, is_closed) = channel::unbounded_channel();
    let server = Raw::start(move |_, mut peer| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        closed.send(peer.is_closed_by_client()).unwrap();
    });
    (server, is_closed)
}

#[tokio::test]
async fn an_unused_connection_is_closed_after_its_time() {
    let (server, mut is_closed) = telling_of_the_close();
    let settings = HttpSettings { idle_timeout: Some(Period::from_millis(100)), ..HttpSettings::default() };
    let client = HttpClient::new(settings, &context()).unwrap();
    fetch(&client, &server.endpoint, get("/")).await.unwrap();
    assert_eq!(soon(is_closed.recv()).await, Some(true));
}

#[tokio::test]
async fn dropping_the_client_closes_its_connections() {
    let (server, mut is_closed) = telling_of_the_close();
    let client = client();
    fetch(&client, &server.endpoint, get("/")).await.unwrap();
    drop(client);
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), is_closed.recv()).await, Ok(Some(true)));
}

#[tokio::test]
async fn no_more_connections_are_kept_than_allowed() {
    let settings = HttpSettings { max_idle: Some(0), ..HttpSettings::default() };
    let client = HttpClient::new(settings, &context()).unwrap();
    let server = Raw::replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for _ in 0..2 {
        fetch(&client, &server.endpoint, get("/")).await.unwrap();
    }
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn calls_at_once_never_cross() {
    let server = Raw::start(|_, mut peer| {
        while let Some(head) = peer.head() {
            let path = head.split(' ').nth(1).unwrap();
            peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len()));
        }
    });
    let client = client();
    for round in 0..3 {
        let calls = (0..100).map(|number| {
            let (client, endpoint) = (&client, &server.endpoint);
            async move {
                let path = format!("/{round}/{number}");
                assert_eq!(*fetch(client, endpoint, get(&path)).await.unwrap().body(), path);
            }
        });
        futures_util::future::join_all(calls).await;
    }
    assert!(server.accepted() <= 100, "connections are used again");
}
