use std::{io, sync::Arc, sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream::iter};
use http::{Request, header::CONTENT_LENGTH};
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::json;

use super::{
    State,
    reply::{AnyBody, Reply, reply, streamed, with},
};

/// What comes of a call: the reply, and whether a watchdog gave it.
pub(super) struct Outcome {
    pub(super) reply: Reply,
    pub(super) by_watchdog: bool,
}

/// Runs a function. Its request has the path and query behind its name.
pub(super) async fn run(name: &str, request: Request<AnyBody>, state: &Arc<State>) -> Outcome {
    state.calls.fetch_add(1, Ordering::SeqCst);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let number = |name: &str| number(&query, name);
    let reply = match name {
        "mirror" => mirror(request),
        "status" => reply(u16::try_from(number("status")).unwrap_or(500), Bytes::new()),
        "fail" => reply(500, "exit status 1"),
        "slow" => {
            tokio::time::sleep(Duration::from_millis(number("ms") as u64)).await;
            reply(200, "slow")
        }
        "large" => reply(200, vec![b'x'; number("bytes")]),
        "binary" => reply(200, (0..=u8::MAX).collect::<Vec<_>>()),
        "steps" => steps(number("count"), state),
        "broken" => broken(number("bytes")),
        "lost" => reply(404, "no such order"),
        "bare" => return Outcome { reply: reply(404, "no such page"), by_watchdog: false },
        "dead" => return Outcome { reply: reply(502, ""), by_watchdog: false },
        "expired" => with(reply(504, ""), "x-openfaas-internal", "of-watchdog"),
        "busy" => with(with(reply(429, "too many"), "x-openfaas-internal", "of-watchdog"), "retry-after", "7"),
        _ => describe(&request),
    };
    Outcome { reply, by_watchdog: true }
}

/// The value of a parameter of the query, or 0.
fn number(query: &str, name: &str) -> usize {
    let pairs = query.split('&');
    let mut values = pairs.filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name);
    values.next().and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

fn describe(request: &Request<AnyBody>) -> Reply {
    let headers = request.headers().iter();
    let headers: Vec<_> =
        headers.map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())])).collect();
    let described = json!({
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "query": request.uri().query().unwrap_or_default(),
        "headers": headers,
    });
    with(reply(200, described.to_string()), "content-type", "application/json")
}

fn mirror(request: Request<AnyBody>) -> Reply {
    let kind = request.headers().get("content-type").cloned();
    let mut reply = streamed(200, request.into_body());
    if let Some(kind) = kind {
        reply.headers_mut().insert("content-type", kind);
    }
    reply
}

/// One chunk for each permit.
fn steps(count: usize, state: &Arc<State>) -> Reply {
    let state = Arc::clone(state);
    let chunks = iter(0..count).then(move |step| {
        let state = Arc::clone(&state);
        async move {
            let permit = state.steps.acquire().await.map_err(io::Error::other)?;
            permit.forget();
            Ok(Frame::data(Bytes::from(format!("step {step}\n"))))
        }
    });
    streamed(200, StreamBody::new(chunks))
}

/// Says that one byte more comes than does.
fn broken(bytes: usize) -> Reply {
    let frames = [Ok(Frame::data(Bytes::from(vec![b'x'; bytes]))), Err(io::Error::other("broken on purpose"))];
    // One await between the frames lets the part before the break leave the server.
    let frames = iter(frames).then(async |frame| {
        tokio::task::yield_now().await;
        frame
    });
    let mut reply = streamed(200, StreamBody::new(frames));
    reply.headers_mut().insert(CONTENT_LENGTH, (bytes + 1).into());
    reply
}
