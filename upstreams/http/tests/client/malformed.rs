//! Replies that break the rules: none may be taken for another, and none that is cut may look whole.

use callgate_core::Body;
use callgate_http::HttpError;
use http::StatusCode;
use tokio::sync::mpsc as channel;

use crate::peer::{Raw, client, fetch, get, soon};

/// What the reply leads to.
async fn error_of(reply: impl Into<Vec<u8>>) -> HttpError {
    let server = Raw::replying_once(reply);
    let error = match soon(client().send(&server.endpoint, get("/"))).await {
        Ok(reply) => panic!("the reply is taken: {reply:?}"),
        Err(error) => error,
    };
    assert!(!error.is_before_sent());
    error
}

#[tokio::test]
async fn what_is_no_reply_is_refused() {
    for reply in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 99999 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header: 1\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\r\n folded\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    ] {
        let error = error_of(reply).await;
        assert!(matches!(error, HttpError::Reply { .. }), "{reply}: {error:?}");
    }
}

#[tokio::test]
async fn a_head_that_is_cut_is_an_error() {
    for reply in ["H", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 200 OK\r\nx: 1\r\n"] {
        let error = error_of(reply).await;
        assert!(matches!(error, HttpError::Send { before_sent: false, .. }), "{reply}: {error:?}");
    }
}

#[tokio::test]
async fn heads_too_long_are_refused() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(100 << 10));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(500));
    for reply in [long, many] {
        let error = error_of(reply).await;
        assert!(matches!(error, HttpError::Reply { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn interim_replies_are_skipped_but_not_without_end() {
    let few = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let server = Raw::replying(format!("{few}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    let client = client();
    for _ in 0..2 {
        let reply = fetch(&client, &server.endpoint, get("/")).await.unwrap();
        assert_eq!((reply.status(), reply.body().as_str()), (StatusCode::OK, "ok"));
        assert!(!reply.headers().contains_key("link"));
    }
    assert_eq!(server.accepted(), 1);

    let flooding = Raw::start(|_, mut peer| {
        peer.head();
        while peer.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(100)) {}
    });
    let error = fetch(&client, &flooding.endpoint, get("/")).await.unwrap_err();
    assert!(matches!(error, HttpError::Reply { .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_that_is_cut_is_an_error() {
    for reply in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloworld\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello",
    ] {
        // All at once, and with the body behind the head.
        let (head, rest) = reply.split_at(reply.find("\r\n\r\n").unwrap() + 4);
        for parts in [vec![reply], vec![head, rest]] {
            let server = Raw::start(move |_, mut peer| {
                peer.head();
                for part in &parts {
                    peer.send(part);
                    std::thread::yield_now();
                }
            });
            match soon(client().send(&server.endpoint, get("/"))).await {
                Ok(answer) => assert!(soon(answer.into_body().collect(1 << 20)).await.is_err(), "{reply}"),
                // It came with the head, and no part of it can be used.
                Err(error) => assert!(matches!(error, HttpError::Reply { .. }), "{reply}: {error:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_reply_that_is_malformed_right_behind_its_head_is_none() {
    let error = error_of("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").await;
    assert!(matches!(error, HttpError::Reply { .. }), "{error:?}");
}

#[tokio::test]
async fn a_second_reply_behind_the_first_is_never_used() {
    let (client, first) = (client(), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst");
    let server = Raw::start(move |number, mut peer| {
        peer.head();
        if number == 0 {
            peer.send(format!("{first}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"));
        } else {
            peer.send(first);
        }
        peer.is_closed_by_client();
    });
    for _ in 0..2 {
        assert_eq!(fetch(&client, &server.endpoint, get("/")).await.unwrap().body(), "first");
    }
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn bytes_on_an_unused_connection_are_never_a_reply() {
    let (poison, mut poisoned) = (std::sync::mpsc::channel::<()>(), channel::unbounded_channel());
    let may_send = std::sync::Mutex::new(poison.1);
    let server = Raw::start(move |number, mut peer| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst");
        if number == 0 {
            may_send.lock().unwrap().recv().unwrap();
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison");
            poisoned.0.send(()).unwrap();
        }
        peer.is_closed_by_client();
    });
    let other = Raw::replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let client = client();
    assert_eq!(fetch(&client, &server.endpoint, get("/")).await.unwrap().body(), "first");
    poison.0.send(()).unwrap();
    soon(poisoned.1.recv()).await;
    // The events of sockets come in order: when this reply is here, the poison has been noticed.
    fetch(&client, &other.endpoint, get("/")).await.unwrap();
    assert_eq!(fetch(&client, &server.endpoint, get("/")).await.unwrap().body(), "first");
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn chunked_wins_over_a_length_and_the_length_is_not_passed_on() {
    let server = Raw::replying(
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    let reply = fetch(&client(), &server.endpoint, get("/")).await.unwrap();
    assert_eq!(reply.body(), "hello");
    assert!(reply.headers().is_empty(), "{:?}", reply.headers());
}

#[tokio::test]
async fn the_same_length_twice_is_passed_on_once() {
    for lengths in ["content-length: 5\r\ncontent-length: 5", "content-length: 5, 5"] {
        let server = Raw::replying(format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\nhello"));
        let reply = fetch(&client(), &server.endpoint, get("/")).await.unwrap();
        assert_eq!(reply.headers().get_all("content-length").iter().collect::<Vec<_>>(), ["5"]);
    }
}

#[tokio::test]
async fn a_reply_without_a_body_states_no_length_it_does_not_have() {
    let server = Raw::replying("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n");
    let client = client();
    for _ in 0..2 {
        let reply = fetch(&client, &server.endpoint, get("/")).await.unwrap();
        assert!(reply.headers().is_empty(), "{:?}", reply.headers());
    }
    let server = Raw::replying("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n");
    assert!(fetch(&client, &server.endpoint, get("/")).await.unwrap().headers().is_empty());
}

#[tokio::test]
async fn headers_are_passed_on_as_they_are() {
    let server = Raw::replying(
        b"HTTP/1.1 299 Fine By Me\r\nx-latin: caf\xe9\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nX-Empty:\r\ncontent-length: 0\r\n\r\n"
            .as_slice(),
    );
    let reply = soon(client().send(&server.endpoint, get("/"))).await.unwrap();
    assert_eq!(reply.status().as_u16(), 299);
    assert_eq!(reply.headers()["x-latin"].as_bytes(), b"caf\xe9");
    assert_eq!(reply.headers()["x-empty"], "");
    assert_eq!(reply.headers().get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert!(matches!(reply.body().as_bytes(), Some([])));
    let body: Body = reply.into_body();
    assert_eq!(body.known_length(), Some(0));
}
