//! Several endpoints.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use callgate_core::{Body, BodyError, EndpointHealth};
use callgate_testkit::peers::until;
use futures_util::{StreamExt, stream};
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;

use crate::stage::{LONG, Raw, Stage, refusing};

#[tokio::test]
async fn requests_take_turns_by_weight() {
    let (one, other) = (Raw::named("one"), Raw::named("other"));
    let endpoints = format!("{{endpoints: [\"{}\", {{url: \"{}\", weight: 3}}]}}", one.url, other.url);
    let stage = Stage::new(&endpoints).await;
    for _ in 0..40 {
        assert_eq!(stage.get("/").await.status(), StatusCode::OK);
    }
    assert_eq!((one.requests(), other.requests()), (10, 30));
}

#[tokio::test]
async fn an_endpoint_that_takes_no_connection_is_passed_over() {
    let serving = Raw::named("serving");
    for balance in ["round_robin", "least_request"] {
        let options = format!("{{endpoints: [\"{}/dead\", \"{}/live\"], balance: {balance}}}", refusing(), serving.url);
        let stage = Stage::new(&options).await;
        for _ in 0..10 {
            assert_eq!(stage.get("/x").await.body(), "serving GET /live/x HTTP/1.1");
        }
        assert!(stage.ready().await);
    }
}

#[tokio::test]
async fn no_endpoint_at_all_is_unreachable() {
    let stage = Stage::new(&format!("{{endpoints: [\"{}\", \"{}\"]}}", refusing(), refusing())).await;
    for _ in 0..3 {
        let answer = stage.get("/").await;
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(answer.headers()["callgate-error"], "upstream_unreachable");
        assert!(!answer.body().contains("127.0.0.1"), "{}", answer.body());
    }
    assert!(!stage.ready().await);
}

#[tokio::test]
async fn the_endpoint_with_fewer_calls_under_way_is_preferred() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let slow = Raw::start(move |mut peer| {
        while peer.head().is_some() {
            peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            let _released = released.lock().unwrap().recv();
            peer.send("0\r\n\r\n");
        }
    });
    let fast = Raw::named("fast");
    let options = format!("{{endpoints: [\"{}\", \"{}\"], balance: least_request}}", slow.url, fast.url);
    let stage = Stage::new(&options).await;
    // Replies of the slow one stay open, so its calls stay under way.
    let mut open = Vec::new();
    for _ in 0..200 {
        open.push(stage.send(http::Request::get("/").body(callgate_core::Body::empty()).unwrap()).await);
    }
    assert!(slow.requests() < fast.requests(), "{} of 200 went to the slow one", slow.requests());
    drop(release);
}

/// Answers 503 while it is told to, and 200 else.
fn failing(fails: &Arc<AtomicBool>) -> Raw {
    let fails = Arc::clone(fails);
    Raw::start(move |mut peer| {
        while peer.head().is_some() {
            let status = if fails.load(Ordering::SeqCst) { "503 Service Unavailable" } else { "200 OK" };
            peer.send(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"));
        }
    })
}

#[tokio::test]
async fn an_endpoint_that_keeps_failing_is_left_out_for_a_while() {
    let (bad, good) = (failing(&Arc::new(AtomicBool::new(true))), Raw::named("good"));
    let options =
        format!("{{endpoints: [\"{}\", \"{}\"], ejection: {{failures: 3, initial: 1h, max: 1h}}}}", bad.url, good.url);
    let stage = Stage::new(&options).await;
    for _ in 0..40 {
        stage.get("/").await;
    }
    assert_eq!((bad.requests(), good.requests()), (3, 37));
    let states = stage.endpoints();
    assert!(
        matches!(states[0].health, EndpointHealth::Ejected { left } if left > Duration::from_secs(3000)),
        "{states:?}"
    );
    assert_eq!(states[1].health, EndpointHealth::Healthy);
    assert!(bad.url.ends_with(&states[0].address), "{states:?}");
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_in_time_is_left_out_too() {
    let hanging = Raw::start(|mut peer| while peer.head().is_some() {});
    let good = Raw::named("good");
    let ejection = "ejection: {failures: 2, initial: 1h, max: 1h}";
    let options = format!("{{endpoints: [\"{}\", \"{}\"], {ejection}}}", hanging.url, good.url);
    let policies = "timeout: {attempt: 1s}\n    retry: {attempts: 2, backoff: {initial: 0ms}}";
    let stage = Stage::new(&format!("{options}\n    {policies}")).await;
    for _ in 0..10 {
        assert_eq!(stage.get("/").await.status(), StatusCode::OK);
    }
    assert_eq!(hanging.requests(), 2);
}

fn streaming(frames: impl futures_util::Stream<Item = Frame<Bytes>> + Send + 'static) -> Request<Body> {
    let body = StreamBody::new(Box::pin(frames.map(Ok::<_, BodyError>)));
    Request::put("/").body(Body::new(body)).unwrap()
}

#[tokio::test]
async fn a_streamed_request_speaks_against_an_endpoint_that_does_not_answer_it_unless_the_client_is_waited_for() {
    // Of a request in chunks, head and body end in an empty line each; what is repeated has a length.
    let hanging = Raw::start(|mut peer| while peer.head().is_some() {});
    let good = Raw::start(|mut peer| {
        while let Some(head) = peer.head() {
            match head.contains("content-length: 2") {
                true => drop(peer.bytes(2)),
                false => drop(peer.head()),
            }
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let endpoints = format!("endpoints: [\"{}\", \"{}\"]", hanging.url, good.url);
    let options = format!("{{{endpoints}, ejection: {{failures: 1, initial: 1h, max: 1h}}}}");
    let policies = "timeout: {attempt: 1s}\n    retry: {attempts: 2, backoff: {initial: 0ms}, budget: 100%}";
    let stage = Stage::new(&format!("{options}\n    {policies}")).await;
    let data = |text: &'static str| Frame::data(Bytes::from_static(text.as_bytes()));
    for _ in 0..2 {
        let slow = stream::iter([data("a")]).chain(stream::pending());
        assert_eq!(stage.send(streaming(slow)).await.headers()["callgate-error"], "bad_request");
    }
    let healthy = stage.endpoints().iter().all(|endpoint| endpoint.health == EndpointHealth::Healthy);
    assert!(healthy, "{:?}", stage.endpoints());
    let before = hanging.requests();
    for _ in 0..10 {
        assert_eq!(stage.send(streaming(stream::iter([data("a"), data("b")]))).await.status(), StatusCode::OK);
    }
    assert_eq!(hanging.requests() - before, 2);
}

#[tokio::test]
async fn another_attempt_goes_to_another_endpoint() {
    let (bad, good) = (failing(&Arc::new(AtomicBool::new(true))), Raw::named("good"));
    let endpoints = format!("{{endpoints: [\"{}\", \"{}\"], ejection: {{failures: 0}}}}", bad.url, good.url);
    let stage =
        Stage::new(&format!("{endpoints}\n    retry: {{attempts: 2, backoff: {{initial: 0ms}}, budget: 100%}}")).await;
    for _ in 0..20 {
        assert_eq!(stage.get("/").await.status(), StatusCode::OK);
    }
    assert!(bad.requests() >= 9, "{} of 20 calls began at the one that fails", bad.requests());
}

#[tokio::test]
async fn endpoints_that_say_that_they_are_not_well_get_no_calls_until_they_are() {
    let fails = Arc::new(AtomicBool::new(false));
    let (one, other) = (failing(&fails), failing(&fails));
    let health = "{path: /healthz, every: 10ms, healthy: 2, unhealthy: 2}";
    let stage = Stage::new(&format!("{{endpoints: [\"{}\", \"{}\"], health: {health}}}", one.url, other.url)).await;
    assert_eq!(stage.get("/").await.status(), StatusCode::OK);
    fails.store(true, Ordering::SeqCst);
    let all = |health: EndpointHealth| stage.endpoints().iter().all(|endpoint| endpoint.health == health);
    assert!(until(LONG, async || all(EndpointHealth::Unhealthy)).await, "{:?}", stage.endpoints());
    let answer = stage.get("/").await;
    assert_eq!(answer.headers()["callgate-error"], "upstream_unavailable");
    assert!(!stage.ready().await);
    fails.store(false, Ordering::SeqCst);
    assert!(until(LONG, async || all(EndpointHealth::Healthy)).await, "{:?}", stage.endpoints());
    assert_eq!(stage.get("/").await.status(), StatusCode::OK);
    assert!(stage.ready().await);
}

/// Switches to another protocol when asked to, and counts the other requests.
fn chatting() -> Raw {
    Raw::start(|mut peer| {
        while let Some(head) = peer.head() {
            if head.starts_with("GET /chat ") {
                peer.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n");
            } else {
                peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            }
        }
    })
}

#[tokio::test]
async fn an_upgraded_connection_counts_as_a_call_under_way() {
    let (one, other) = (chatting(), chatting());
    let options = format!("{{endpoints: [\"{}\", \"{}\"], balance: least_request}}", one.url, other.url);
    let stage = Stage::new(&options).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, hears) = tokio::sync::oneshot::channel();
    let (leave, left) = std::sync::mpsc::channel::<()>();
    thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        heard.send(status).unwrap();
        let _left = left.recv();
    });
    let ((), status) = futures_util::future::join(stage.serve_one(listener), hears).await;
    assert_eq!(status.unwrap(), *b"HTTP/1.1 101");
    let chats = if one.requests() == 1 { &one } else { &other };
    for _ in 0..200 {
        assert_eq!(stage.get("/").await.status(), StatusCode::OK);
    }
    // Both of two choices fall on it once in four times; uncounted, it would get every second request.
    assert!(chats.requests() < 80, "{} of 200 went to where the chat is", chats.requests());
    drop(leave);
}
